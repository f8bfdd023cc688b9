// Copyright The wasmill Authors
// SPDX-License-Identifier: Apache-2.0

package hostile

import (
	"encoding/binary"
	"strings"
	"testing"

	"github.com/wasmill/wasmill/abi"
	"github.com/wasmill/wasmill/abi/batch"
)

func TestAnExportThatNeverReturnsIsStoppedAndNamed(t *testing.T) {
	for index, export := range map[int]string{
		initializeIndex: abi.ExportInitialize, versionIndex: abi.ExportVersion, describeIndex: abi.ExportDescribe,
		bufferIndex: abi.ExportBuffer, openIndex: abi.ExportOpen, processIndex: abi.ExportProcess, closeIndex: abi.ExportClose,
	} {
		t.Run(export, func(t *testing.T) {
			attack(t, operatorModule(t).does(index, forever(), opUnreachable).bytes(), routeOperator, export+" used up its fuel")
		})
	}
	t.Run(abi.ExportAggregate, func(t *testing.T) {
		attack(t, operatorModule(t).does(aggregateIndex, forever(), opUnreachable).bytes(), meanOperator, abi.ExportAggregate+" used up its fuel")
	})
}

// message encodes rows of route's output as a guest would emit them.
func message(number uint32, values []int64, origin []uint32, failures ...batch.Failure) []byte {
	p := &batch.Pool{}
	b := p.NewBuilder(&abi.Schema{Fields: []abi.Field{{Name: "n", Type: abi.Int64}}})
	for _, v := range values {
		b.Column(0).AppendInt64(v)
		b.EndRow()
	}
	m := batch.Message{Number: number, Batch: b.Finish(), Origin: origin, Failures: failures}
	out := make([]byte, m.Size()+8)
	return out[:m.Encode(out)]
}

// emits is a call of emit with the message at messageAt.
func emits(size int) []byte { return code(i32(messageAt), i32(int64(size)), call(emitIndex)) }

func TestALyingModuleIsToldWhatIsWrong(t *testing.T) {
	three := message(0, []int64{1, 2, 3}, nil)
	patched := func(at int, v uint32) []byte {
		m := append([]byte(nil), three...)
		binary.LittleEndian.PutUint32(m[at:], v)
		return m
	}
	lies := map[string]struct {
		change func(a *assembly)
		want   string
	}{
		"version 2":                     {func(a *assembly) { a.does(versionIndex, i32(2)) }, "built for version 2 of the contract, this host runs version 1"},
		"a description of 4 GiB":        {func(a *assembly) { a.does(describeIndex, i64(0xffffffff)) }, "returns 4294967295 bytes; 1048576 are allowed"},
		"a description out of bounds":   {func(a *assembly) { a.does(describeIndex, i64(0xfffff000<<32>>1|0x2000)) }, "of a memory of 1048576"},
		"a description at the very end": {func(a *assembly) { a.does(describeIndex, i64(-1<<32|8)) }, "of a memory of 1048576"},
		"an empty description":          {func(a *assembly) { a.does(describeIndex, i64(0)) }, "description"},
		"a description of zeros":        {func(a *assembly) { a.does(describeIndex, i64(512<<10<<32|4096)) }, "description"},
		"a description off by one":      {func(a *assembly) { a.does(describeIndex, i64((descriptionAt+1)<<32|2000)) }, "description"},
		"a buffer out of bounds":        {func(a *assembly) { a.does(bufferIndex, i32(-8)) }, "wasmill_buffer returned 4294967288"},
		"a buffer that ends outside":    {func(a *assembly) { a.does(bufferIndex, i32(firstPages<<16-8)) }, "does not fit into a memory of 1048576"},
		"a misaligned buffer":           {func(a *assembly) { a.does(bufferIndex, i32(bufferAt+4)) }, "not a multiple of 8"},
		"no buffer":                     {func(a *assembly) { a.does(bufferIndex, i32(0)) }, "has no room for an input"},
		"a status":                      {func(a *assembly) { a.does(processIndex, i32(7)) }, "wasmill_process returned status 7"},
		"a status of open":              {func(a *assembly) { a.does(openIndex, i32(-3)) }, "wasmill_open returned status -3"},
		"emit out of bounds":            {func(a *assembly) { a.does(processIndex, i32(-8), i32(64), call(emitIndex), i32(0)) }, "it called emit with bytes 4294967288 to 4294967352"},
		"emit of 4 GiB":                 {func(a *assembly) { a.does(processIndex, i32(0), i32(-1), call(emitIndex), i32(0)) }, "batch of 4294967295 bytes; 67108864 are allowed"},
		"emit misaligned":               {func(a *assembly) { a.does(processIndex, i32(messageAt+4), i32(64), call(emitIndex), i32(0)) }, "not a multiple of 8"},
		"emit nothing":                  {func(a *assembly) { a.does(processIndex, i32(messageAt), i32(0), call(emitIndex), i32(0)) }, "batch: "},
		"emit zeros":                    {func(a *assembly) { a.does(processIndex, i32(messageAt), i32(4096), call(emitIndex), i32(0)) }, "batch: "},
		"emit of an unknown port":       {emitted(message(9, []int64{1, 2, 3}, nil)), "schema 9, which was never agreed"},
		"emit of accumulators":          {emitted(message(abi.SchemaAccumulator, []int64{1, 2, 3}, nil)), "schema 65536, which was never agreed"},
		"emit of too many rows":         {emitted(patched(40, 1<<20)), "1048576 rows; 65536 are allowed"},
		"emit of rows without origin":   {emitted(message(0, []int64{1, 2}, nil)), "without saying which of the 1 rows"},
		"emit of rows from nowhere":     {emitted(message(0, []int64{1}, []uint32{1 << 31})), "came from row 2147483648"},
		"a failure of no row":           {emitted(message(0, nil, []uint32{}, batch.Failure{Row: 77, Message: "no"})), "it says that row 77 of a batch of 1 failed"},
		"values out of bounds":          {emitted(patched(148+4+16, 0x7ffffff8)), "after the last of"},
		"values misaligned":             {emitted(patched(148+4+16, 181)), "not a multiple of 8"},
		"more nulls than rows":          {emitted(patched(148+4+4, 4)), "claims 4 nulls in 3 rows"},
		"nulls without a bitmap":        {emitted(patched(148+4+4, 2)), "has no validity bitmap"},
		"emit inside of initialize":     {func(a *assembly) { a.does(initializeIndex, emits(64)) }, "it called emit inside of _initialize"},
		"emit inside of describe":       {func(a *assembly) { a.does(describeIndex, emits(64), i64(0)) }, "it called emit inside of wasmill_describe"},
		"emit inside of buffer":         {func(a *assembly) { a.does(bufferIndex, emits(64), i32(0)) }, "it called emit inside of wasmill_buffer"},
		"emit inside of open":           {func(a *assembly) { a.does(openIndex, emits(64), i32(0)) }, "it called emit inside of wasmill_open"},
		"emit inside of close":          {func(a *assembly) { a.does(closeIndex, emits(64), i32(0)) }, "it called emit inside of wasmill_close"},
		"a log out of bounds":           {func(a *assembly) { a.does(processIndex, i32(1), i32(-16), i32(32), call(logIndex), i32(0)) }, "it called log with bytes 4294967280 to"},
		"a log at no level":             {func(a *assembly) { a.does(processIndex, i32(-1), i32(0), i32(0), call(logIndex), i32(0)) }, "it logged at level -1"},
		"a counter that is not there":   {func(a *assembly) { a.does(processIndex, i32(-1), i64(1), call(countIndex), i32(0)) }, "it added to counter 4294967295"},
		"fail out of bounds":            {func(a *assembly) { a.does(processIndex, i32(1), i32(-1), i32(-1), call(failIndex), i32(0)) }, "it called fail with bytes 4294967295 to 8589934590"},
		"fail of no kind":               {func(a *assembly) { a.does(processIndex, i32(2), i32(0), i32(0), call(failIndex), i32(0)) }, "it called fail with kind 2"},
		"abort with wild pointers":      {func(a *assembly) { a.does(processIndex, i32(-1), i32(3), i32(-1), i32(-1), call(abortIndex), i32(0)) }, "abort"},
		"exit":                          {func(a *assembly) { a.does(processIndex, i32(3), call(exitIndex), i32(0)) }, "wasmill_process called exit with code 3"},
		"exit inside of initialize":     {func(a *assembly) { a.does(initializeIndex, i32(0), call(exitIndex)) }, "_initialize called exit with code 0"},
		"unreachable":                   {func(a *assembly) { a.does(processIndex, opUnreachable) }, "it trapped in wasmill_process: unreachable"},
		"division by zero":              {func(a *assembly) { a.does(processIndex, i32(1), i32(0), opI32DivS) }, "integer divide by zero"},
		"a load out of bounds":          {func(a *assembly) { a.does(processIndex, i32(-4), i32Load()) }, "out of bounds memory access"},
		"a fill out of bounds":          {func(a *assembly) { a.does(processIndex, i32(-4), i32(0), i32(100), memoryFill(), i32(0)) }, "out of bounds memory access"},
		"a call of a null in the table": {func(a *assembly) { a.does(processIndex, i32(3), indirect(nowIndex), opDrop, i32(0)) }, "invalid table access"},
		"a call by the wrong type": {func(a *assembly) {
			a.elements = []uint32{versionIndex}
			a.does(processIndex, i32(0), indirect(nowIndex), opDrop, i32(0))
		}, "indirect call type mismatch"},
		"more calls to emit than are read": {func(a *assembly) {
			m := message(0, nil, []uint32{})
			a.holds(messageAt, m)
			a.does(processIndex, times(12_000, 2, emits(len(m))), i32(0))
		}, "it called emit more than 10000 times"},
		"re-entrance by its own export": {func(a *assembly) { a.does(processIndex, i32(0), i32(0), call(processIndex)) }, "nests calls deeper"},
		"re-entrance by the table": {func(a *assembly) {
			a.elements = []uint32{processIndex}
			a.does(processIndex, i32(0), i32(0), i32(0), indirect(processIndex))
		}, "nests calls deeper"},
	}
	for name, lie := range lies {
		t.Run(name, func(t *testing.T) {
			a := operatorModule(t)
			lie.change(a)
			attack(t, a.bytes(), routeOperator, lie.want)
		})
	}
}

// emitted makes process emit a message.
func emitted(m []byte) func(a *assembly) {
	return func(a *assembly) { a.holds(messageAt, m).does(processIndex, emits(len(m)), i32(0)) }
}

func TestBadUTF8InAnEmittedStringIsRefused(t *testing.T) {
	p := &batch.Pool{}
	b := p.NewBuilder(&abi.Schema{Fields: []abi.Field{{Name: "word", Type: abi.String}, {Name: "index", Type: abi.Int32}}})
	b.Column(0).AppendBytes([]byte("gr\xff\xfe"))
	b.Column(1).AppendInt32(1)
	b.EndRow()
	m := batch.Message{Batch: b.Finish(), Origin: []uint32{0}}
	out := make([]byte, m.Size()+8)
	out = out[:m.Encode(out)]
	a := operatorModule(t).holds(messageAt, out).does(processIndex, emits(len(out)), i32(0))
	attack(t, a.bytes(), splitOperator, `column "word": row 0 is not UTF-8`)
}

func TestMessagesOfFailedRowsThatShareBytesAreRefused(t *testing.T) {
	// A batch of many failures that share one message: a little of guest memory, and gigabytes of
	// strings for whoever copies them all.
	failures := make([]batch.Failure, 1000)
	for i := range failures {
		failures[i] = batch.Failure{Row: i % 3, Message: strings.Repeat("x", 8)}
	}
	m := message(0, nil, []uint32{}, failures...)
	for i := range failures {
		entry := m[len(m)-8*1000-12*1000-4:]
		binary.LittleEndian.PutUint32(entry[12*i+8:], 4096)
	}
	a := operatorModule(t).holds(messageAt, m).does(processIndex, times(10_000, 2, emits(len(m))), i32(0))
	attack(t, a.bytes(), routeOperator, "overlaps with others")
}

func TestFloodsOfLogLinesAreCut(t *testing.T) {
	line := strings.Repeat("all work and no play \x1b[2J", 40)
	floods := map[string][]byte{
		"log":             code(i32(1), i32(messageAt), i32(int64(len(line))), call(logIndex)),
		"standard output": code(i32(1), i32(messageAt+2048), i32(1), i32(messageAt+4096), call(writeIndex), opDrop),
		"standard error":  code(i32(2), i32(messageAt+2048), i32(1), i32(messageAt+4096), call(writeIndex), opDrop),
	}
	for way, once := range floods {
		t.Run(way, func(t *testing.T) {
			a := operatorModule(t).holds(messageAt, []byte(line+"\n"))
			a.holds(messageAt+2048, binary.LittleEndian.AppendUint32(binary.LittleEndian.AppendUint32(nil, messageAt), uint32(len(line)+1)))
			o := attack(t, a.does(processIndex, times(5000, 2, once), i32(0)).bytes(), routeOperator)
			if text := o.String(); text != "" {
				t.Errorf("it failed: %s", text)
			}
			logged := o.logged.String()
			if n := len(logged); n > 3<<20 || n < 100<<10 {
				t.Errorf("%d bytes were logged", n)
			}
			if strings.ContainsAny(logged, "\x1b\x07") || !strings.Contains(logged, "\uFFFD[2J") {
				t.Error("control characters are in the log as they came")
			}
			if !strings.Contains(logged, "dropped=") {
				t.Error("nobody is told that lines were dropped")
			}
		})
	}
}

func TestWritesOfManyVectorsAreBounded(t *testing.T) {
	// 2**29 vectors of 8 bytes are 2**32: a product in 32 bits would be 0.
	a := operatorModule(t).does(processIndex, forever(i32(1), i32(0), i32(1<<29), i32(64), call(writeIndex), opDrop), opUnreachable)
	attack(t, a.bytes(), routeOperator, "used up its fuel")
	a = operatorModule(t).does(processIndex, forever(i32(0), i32(0), i32(1<<28), i32(64), call(pollIndex), opDrop), opUnreachable)
	attack(t, a.bytes(), routeOperator, "used up its fuel")
}

func TestExportedGlobalsAndTablesChangeNothing(t *testing.T) {
	a := operatorModule(t)
	a.globals = true
	if text := attack(t, a.bytes(), routeOperator).String(); text != "" {
		t.Errorf("it failed: %s", text)
	}
}
