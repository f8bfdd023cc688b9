// Copyright The wasmill Authors
// SPDX-License-Identifier: Apache-2.0

// Operators for wasmill in AssemblyScript. ../README.md shows how; the contract that they speak is
// ../../../abi/SPEC.md. A module is one thread and runs one operator, whose columns are objects at
// the top level of a file: what is declared once is described to the host, read and written.

export { AggregateOperator, MapOperator, Operator } from "./operator";
export { BoolColumn, BytesColumn, Column, Columns, Input, ListColumn, NumberColumn, StringColumn } from "./input";
export { OutBool, OutBytes, OutColumn, OutColumns, OutList, OutNumber, OutString, OutStruct } from "./columns";
export { Output } from "./output";
export { Accumulators } from "./accumulators";
export { BinaryState, BoolState, BytesState, NumberState, State, StringState, StructState } from "./state";
export { Due, ProcessInput, ProcessOperator } from "./process";
export { KeyedState, Renew } from "./keyed";
export { ValueState } from "./value";
export { ListState, ReducingState, RowState } from "./rows";
export { MapState } from "./map";
export { BoolCell, BytesCell, Cell, ListCell, NumberCell, StringCell, StructCell } from "./cells";
export { Clock, Timers } from "./puts";
export { Counter, Level, log, now, refuse, watermark } from "./host";
