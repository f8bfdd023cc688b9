// Copyright The wasmill Authors
// SPDX-License-Identifier: Apache-2.0

package relay

import (
	flatbuffers "github.com/google/flatbuffers/go"

	"github.com/wasmill/wasmill/abi"
	"github.com/wasmill/wasmill/abi/describe"
	"github.com/wasmill/wasmill/abi/fbs"
)

// Module writes a description.
func Module(m *describe.Module) []byte {
	b := flatbuffers.NewBuilder(0)
	var operators []flatbuffers.UOffsetT
	for i := range m.Operators {
		operators = append(operators, writeOperator(b, &m.Operators[i]))
	}
	list := b.CreateVectorOfTables(operators)
	sdk := b.CreateString(m.SDK)
	fbs.ModuleStart(b)
	fbs.ModuleAddAbi(b, m.ABI)
	fbs.ModuleAddSdk(b, sdk)
	fbs.ModuleAddOperators(b, list)
	b.Finish(fbs.ModuleEnd(b))
	return b.FinishedBytes()
}

func writeOperator(b *flatbuffers.Builder, op *describe.Operator) flatbuffers.UOffsetT {
	name, doc := b.CreateString(op.Name), b.CreateString(op.Doc)
	inputs, outputs := writePorts(b, op.Inputs), writePorts(b, op.Outputs)
	config := writeFields(b, op.Config)
	var accumulator flatbuffers.UOffsetT
	if op.Accumulator != nil {
		accumulator = writeField(b, op.Accumulator)
	}
	var names []flatbuffers.UOffsetT
	for _, counter := range op.Counters {
		names = append(names, b.CreateString(counter))
	}
	counters := b.CreateVectorOfTables(names)
	fbs.OperatorStart(b)
	fbs.OperatorAddName(b, name)
	fbs.OperatorAddKind(b, fbs.Kind(op.Kind))
	fbs.OperatorAddDoc(b, doc)
	fbs.OperatorAddInputs(b, inputs)
	fbs.OperatorAddOutputs(b, outputs)
	fbs.OperatorAddConfig(b, config)
	if op.Accumulator != nil {
		fbs.OperatorAddAccumulator(b, accumulator)
	}
	fbs.OperatorAddCounters(b, counters)
	return fbs.OperatorEnd(b)
}

func writePorts(b *flatbuffers.Builder, ports []describe.Port) flatbuffers.UOffsetT {
	var tables []flatbuffers.UOffsetT
	for i := range ports {
		name, columns := b.CreateString(ports[i].Name), writeFields(b, ports[i].Fields)
		fbs.PortStart(b)
		fbs.PortAddName(b, name)
		fbs.PortAddFields(b, columns)
		fbs.PortAddForward(b, ports[i].Forward)
		fbs.PortAddTime(b, ports[i].Time)
		tables = append(tables, fbs.PortEnd(b))
	}
	return b.CreateVectorOfTables(tables)
}

func writeFields(b *flatbuffers.Builder, fields []abi.Field) flatbuffers.UOffsetT {
	var tables []flatbuffers.UOffsetT
	for i := range fields {
		tables = append(tables, writeField(b, &fields[i]))
	}
	return b.CreateVectorOfTables(tables)
}

func writeField(b *flatbuffers.Builder, f *abi.Field) flatbuffers.UOffsetT {
	name, byDefault, doc := b.CreateSharedString(f.Name), b.CreateString(f.Default), b.CreateString(f.Doc)
	children := writeFields(b, f.Children)
	fbs.FieldStart(b)
	fbs.FieldAddName(b, name)
	fbs.FieldAddType(b, fbs.Type(f.Type))
	fbs.FieldAddScale(b, f.Scale)
	fbs.FieldAddRequired(b, f.Required)
	fbs.FieldAddChildren(b, children)
	fbs.FieldAddDefault(b, byDefault)
	fbs.FieldAddDoc(b, doc)
	return fbs.FieldEnd(b)
}
