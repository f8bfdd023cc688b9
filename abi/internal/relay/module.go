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
	var key, states flatbuffers.UOffsetT
	if len(op.Key) > 0 {
		key = writeFields(b, op.Key)
	}
	if len(op.States) > 0 {
		states = writeStates(b, op.States)
	}
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
	if len(op.Key) > 0 {
		fbs.OperatorAddKey(b, key)
	}
	if len(op.States) > 0 {
		fbs.OperatorAddStates(b, states)
	}
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
		fbs.PortAddBroadcast(b, ports[i].Broadcast)
		tables = append(tables, fbs.PortEnd(b))
	}
	return b.CreateVectorOfTables(tables)
}

func writeStates(b *flatbuffers.Builder, states []describe.State) flatbuffers.UOffsetT {
	var tables []flatbuffers.UOffsetT
	for i := range states {
		s := &states[i]
		name, doc := b.CreateString(s.Name), b.CreateString(s.Doc)
		columns, key := writeFields(b, s.Fields), writeFields(b, s.Key)
		merges := make([]byte, len(s.Merge))
		for i, m := range s.Merge {
			merges[i] = byte(m)
		}
		merge := b.CreateByteVector(merges)
		fbs.StateStart(b)
		fbs.StateAddName(b, name)
		fbs.StateAddKind(b, fbs.StateKind(s.Kind))
		fbs.StateAddDoc(b, doc)
		fbs.StateAddFields(b, columns)
		fbs.StateAddKey(b, key)
		fbs.StateAddMerge(b, merge)
		fbs.StateAddScope(b, fbs.Scope(s.Scope))
		fbs.StateAddTtl(b, s.TTL.After.Microseconds())
		fbs.StateAddRenew(b, fbs.Renew(s.TTL.Renew))
		fbs.StateAddTtlEventTime(b, s.TTL.EventTime)
		tables = append(tables, fbs.StateEnd(b))
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
