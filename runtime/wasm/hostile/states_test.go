// Copyright The wasmill Authors
// SPDX-License-Identifier: Apache-2.0

package hostile

import (
	"context"
	"fmt"
	"log/slog"
	"math"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/wasmill/wasmill/abi"
	"github.com/wasmill/wasmill/abi/batch"
	"github.com/wasmill/wasmill/abi/describe"
	"github.com/wasmill/wasmill/runtime/wasm"
	"github.com/wasmill/wasmill/scheduler/operator"
	"github.com/wasmill/wasmill/scheduler/watermark"
	"github.com/wasmill/wasmill/state"
	"github.com/wasmill/wasmill/state/memory"
)

// The operators of kind process of abi/conformance, and their states by number.
const (
	ledgerOperator  = "ledger"  // its main output forwards
	collectOperator = "collect" // 0 items, a list; 1 entries, a map; 2 sums, reducing
	alarmOperator   = "alarm"
	rulesOperator   = "rules" // 0 open, a list; 1 limits, a broadcast map; 2 names, a list of the operator
)

// processModule is an operatorModule whose operators are those of kind process.
func processModule(t testing.TB) *assembly {
	t.Helper()
	description, err := os.ReadFile(filepath.Join("..", "..", "..", "abi", "testdata", "describe-state.bin"))
	if err != nil {
		t.Fatal(err)
	}
	a := operatorModule(t)
	a.data[0].bytes = description
	return a.does(describeIndex, i64(descriptionAt<<32|int64(len(description))))
}

// stateRun is how a process was run.
type stateRun struct {
	*outcome
	store *memory.Store
	live  int64 // batches that are left
	ids   int   // entries that say what the states are
	ticks int   // that it took until nothing was due by the clock
}

// runProcess gives an operator rows of each input, and all time there is.
func runProcess(t testing.TB, e *wasm.Engine, bin []byte, name string) *stateRun {
	t.Helper()
	groups := state.Groups{To: 4}
	r := &stateRun{outcome: &outcome{}, store: memory.New(groups)}
	m, err := e.LoadBytes(t.Context(), bin)
	if r.load = err; err != nil {
		return r
	}
	s := &stage{outcome: r.outcome}
	number, op := m.Description().Operator(name)
	r.ids = len(op.States) + 1
	c := operator.Context{
		Node: "node", Parallelism: 1, Pool: &s.pool, Seed: 1, Counters: &operator.Counters{}, State: r.store, Groups: 4,
		Now: func() time.Time { return time.Unix(1000, 0) }, Log: slog.New(slog.NewTextHandler(&r.logged, nil)), Watermark: watermark.Min,
	}
	config := oneRow(&s.pool, op.Config)
	defer config.Release()
	o, err := m.Operator(c, placed(op, number, config))
	if err != nil {
		t.Fatal(err)
	}
	r.open = o.Open(t.Context())
	for port := range op.Inputs {
		if r.open == nil && r.process == nil {
			input := threeRows(&s.pool, op.Inputs[port].Schema())
			r.process = o.Process(t.Context(), port, input, s)
			input.Release()
		}
	}
	clocked := o.(operator.Clocked)
	for r.open == nil && r.process == nil && r.ticks < 100 && !clocked.Next().IsZero() && !clocked.Next().After(c.Now()) {
		r.ticks++
		r.process = clocked.Tick(t.Context(), c.Now(), s)
	}
	for _, mark := range []abi.EventTime{100, watermark.Max} {
		if r.open == nil && r.process == nil {
			r.process = o.Watermark(t.Context(), mark, s)
		}
	}
	r.close = o.Close(context.WithoutCancel(t.Context()))
	r.live = s.pool.Live() - 1 // the configuration
	return r
}

func placed(op *describe.Operator, number int, config *batch.Batch) operator.ModuleSpec {
	spec := operator.ModuleSpec{Number: number, Config: config}
	for i := range op.Inputs {
		in := operator.ModuleInput{Schema: op.Inputs[i].Schema()}
		for col := range in.Schema.Fields {
			in.Columns = append(in.Columns, col)
		}
		if !op.Inputs[i].Broadcast {
			in.Key = []int{0}
		}
		spec.Inputs = append(spec.Inputs, in)
	}
	for i := range op.Outputs {
		schema := op.Outputs[i].Schema()
		if op.Outputs[i].Forward {
			schema, _ = operator.Forward(spec.Inputs[0].Schema, schema.Fields)
		}
		spec.Outputs = append(spec.Outputs, schema)
	}
	return spec
}

// threeRows are rows of keys 0, 1 and 0.
func threeRows(p *batch.Pool, schema *abi.Schema) *batch.Batch {
	b := p.NewBuilder(schema)
	for row := range 3 {
		for i := range schema.Fields {
			if c := b.Column(i); c.Type().Variable() {
				c.AppendString(fmt.Sprint(row % 2))
			} else {
				c.AppendInt64(int64(row % 2))
			}
		}
		b.EndRow()
	}
	return b.Finish()
}

// Messages of guests.

var (
	itemFields  = []abi.Field{{Name: "name", Type: abi.String}, {Name: "n", Type: abi.Int64}}
	entryFields = []abi.Field{{Name: "name", Type: abi.String}, {Name: "at", Type: abi.Int64}, {Name: "n", Type: abi.Int64}}
	sumFields   = []abi.Field{{Name: "added", Type: abi.Int64}, {Name: "least", Type: abi.Int64}, {Name: "most", Type: abi.String}, {Name: "text", Type: abi.String}}
	limitFields = []abi.Field{{Name: "key", Type: abi.String}, {Name: "value", Type: abi.Int64}}
	timerFields = []abi.Field{{Name: "time", Type: abi.Timestamp}, {Name: "namespace", Type: abi.Bytes}}
)

// stateMessage encodes rows of which each has its number from first on in columns of numbers and a text in others, and
// the key numbers of group, nil for none.
func stateMessage(number uint32, fields []abi.Field, first int64, text string, rows int, group []uint32) []byte {
	p := &batch.Pool{}
	b := p.NewBuilder(&abi.Schema{Fields: fields})
	for row := range rows {
		for i := range fields {
			if fields[i].Type.Variable() {
				b.Column(i).AppendString(text)
			} else {
				b.Column(i).AppendInt64(first + int64(row))
			}
		}
		b.EndRow()
	}
	m := batch.Message{Number: number, Batch: b.Finish(), Group: group}
	out := make([]byte, m.Size()+8)
	return out[:m.Encode(out)]
}

// outAt is where guests want results.
const outAt = 512 << 10

// put, get, scan and next are calls of the imports, get and scan with the message at messageAt, where it has a size.
func put(size int) []byte { return code(i32(messageAt), i32(int64(size)), call(statePutIndex)) }

func get(number int64, size int) []byte {
	at := int64(messageAt)
	if size == 0 {
		at = 0
	}
	return code(i32(number), i32(at), i32(int64(size)), i32(outAt), i32(64<<10), call(stateGetIndex), opDrop)
}

func scan(number, key, bounds int64, size int) []byte {
	return code(i32(number), i32(key), i32(bounds), i32(messageAt), i32(int64(size)), call(stateScanIndex), opDrop)
}

func next(number, limit int64) []byte {
	return code(i32(number), i32(limit), i32(outAt), i32(64<<10), call(stateNextIndex), opDrop)
}

// stateLie is a module that lies when it is given rows, and how it is told.
type stateLie struct {
	operator string
	message  []byte
	body     []byte
	want     string
}

func stateLies() map[string]stateLie {
	const items, sums = abi.SchemaState, abi.SchemaState + 2
	request := func(state uint32, fields []abi.Field, rows int, group []uint32) []byte {
		return stateMessage(abi.SchemaRequest+state, fields, 0, "x", rows, group)
	}
	of := func(operator string, message []byte, want string, body ...any) stateLie {
		return stateLie{operator, message, code(body...), want}
	}
	one := stateMessage(items, itemFields, 1, "x", 1, []uint32{0})
	sum := stateMessage(sums, sumFields, math.MaxInt64, "x", 1, []uint32{0})
	timer := stateMessage(abi.SchemaEventTimer, timerFields, 5, "x", 1, []uint32{0})
	entry := request(1, entryFields[:2], 1, []uint32{0})
	const collect = collectOperator
	return map[string]stateLie{
		"get of no state":                of(collect, nil, "it called state_get with state 9; its description has 3", get(9, 0)),
		"get of a negative state":        of(collect, nil, "state 4294967295", get(-1, 0)),
		"get of a list":                  of(collect, nil, `it called state_get with list "items"`, get(0, 0)),
		"get of a map without keys":      of(collect, nil, `map "entries" and did not say of which map keys`, get(1, 0)),
		"get by another state's request": of(collect, entry, "which was never agreed", get(2, len(entry))),
		"get by a request out of bounds": of(collect, nil, "state_get with bytes 4294967288", i32(1), i32(-8), i32(64), i32(outAt), i32(64), call(stateGetIndex), opDrop),
		"get by a request of 4 GiB":      of(collect, nil, "batch of 4294967295 bytes", i32(1), i32(0), i32(-1), i32(outAt), i32(64), call(stateGetIndex), opDrop),
		"get by zeros":                   of(collect, nil, "batch: ", get(2, 4096)),
		"a result out of bounds":         of(collect, nil, "of a memory of 1048576", i32(2), i32(0), i32(0), i32(-8), i32(-1), call(stateGetIndex), opDrop),
		"a result at the very end":       of(collect, nil, "of a memory of 1048576", i32(2), i32(0), i32(0), i32(firstPages<<16-8), i32(4096), call(stateGetIndex), opDrop),
		"a result misaligned":            of(collect, nil, "not a multiple of 8", i32(2), i32(0), i32(0), i32(outAt+4), i32(4096), call(stateGetIndex), opDrop),
		"read before get":                of(collect, nil, "there is no result", i32(outAt), i32(4096), call(stateReadIndex), opDrop),
		"a request without keys":         of(collect, request(1, entryFields[:2], 1, nil), "does not say by group", get(1, len(request(1, entryFields[:2], 1, nil)))),
		"a key number out of range":      of(collect, stateMessage(items, itemFields, 1, "x", 1, []uint32{1 << 31}), "key number 2147483648", put(len(one))),
		"a put without keys":             of(collect, stateMessage(items, itemFields, 1, "x", 2, nil), "does not say by group", put(len(stateMessage(items, itemFields, 1, "x", 2, nil)))),
		"a put of no state":              of(collect, stateMessage(abi.SchemaState+3, itemFields, 1, "x", 1, []uint32{0}), "which was never agreed", put(len(one))),
		"a put of an output's rows":      of(collect, stateMessage(0, itemFields, 1, "x", 1, []uint32{0}), "which was never agreed", put(len(one))),
		"a put of a request":             of(collect, entry, "which was never agreed", put(len(entry))),
		"a put out of bounds":            of(collect, nil, "state_put with bytes", i32(-8), i32(64), call(statePutIndex)),
		"a put misaligned":               of(collect, one, "not a multiple of 8", i32(messageAt+4), i32(64), call(statePutIndex)),
		"a put of zeros":                 of(collect, nil, "batch: ", put(4096)),
		"a sum that overflows":           of(collect, sum, "is no int64", put(len(sum)), put(len(sum))),
		"scans without end":              of(collect, nil, "64 scans open", times(100, 3, scan(0, 0, 0, 0))),
		"a scan of a value":              of(collect, nil, "only lists and maps are scanned", scan(2, 0, 0, 0)),
		"a scan with unknown bounds":     of(collect, entry, "with bounds 9", scan(1, 0, 9, len(entry))),
		"a scan with negative bounds":    of(collect, entry, "with bounds -1", scan(1, 0, -1, len(entry))),
		"a scan of a list with bounds":   of(collect, entry, "and no row that says which", scan(0, 0, 1, 0)),
		"a scan with bounds and no row":  of(collect, nil, "and no row that says which", scan(1, 0, 3, 0)),
		"a scan of a wild key":           of(collect, nil, "key number 77", scan(0, 77, 0, 0)),
		"a prefix of two rows":           of(collect, request(1, entryFields[:2], 2, []uint32{0, 0}), "takes one", scan(1, 0, 4, len(request(1, entryFields[:2], 2, []uint32{0, 0})))),
		"next of no scan":                of(collect, nil, "scan 3, which is not open", next(3, 0)),
		"next after the end":             of(collect, nil, "scan 0, which is not open", scan(0, 0, 0, 0), next(0, 0), next(0, 0)),
		"puts for ever":                  of(collect, one, "used up its fuel", forever(put(len(one)))),
		"gets for ever":                  of(collect, nil, "used up its fuel", forever(get(2, 0))),
		"scans for ever":                 of(collect, nil, "used up its fuel", forever(scan(0, 0, 0, 0), next(0, -1))),
		"a timer of a wild key":          of(alarmOperator, stateMessage(abi.SchemaEventTimer, timerFields, 5, "x", 1, []uint32{9}), "a timer of key number 9", put(len(timer))),
		"a timer without keys":           of(alarmOperator, stateMessage(abi.SchemaEventTimer, timerFields, 5, "x", 3, nil), "timers does not say by group", put(len(stateMessage(abi.SchemaEventTimer, timerFields, 5, "x", 3, nil)))),
	}
}

func stateEngine(t testing.TB) *wasm.Engine {
	t.Helper()
	if testing.Short() {
		t.Skip("an attack takes time and memory")
	}
	e, err := wasm.NewEngine(wasm.Options{Compiler: compiler, Limits: limits, CacheDir: filepath.Join("..", "..", "..", ".cache", "compiled")})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(e.Close)
	return e
}

// stateAttack runs a module and holds what it left: an error that says want, no batch, and no state of a call that failed.
func stateAttack(t *testing.T, e *wasm.Engine, a *assembly, operator, want string) *stateRun {
	t.Helper()
	before, start := resetPeak(t), time.Now()
	r := runProcess(t, e, a.bytes(), operator)
	if took := time.Since(start); took > mostTime {
		t.Errorf("it took %v", took)
	}
	if grown := peak(t) - before; grown > mostMemory {
		t.Errorf("the process grew by %d MiB", grown>>20)
	}
	text := r.String()
	if !strings.Contains(text, want) {
		t.Errorf("the error does not say %q:\n%s", want, text)
	}
	for _, internal := range []string{"/work/", "wazero", ".go:", "goroutine "} {
		if strings.Contains(text, internal) {
			t.Errorf("the error shows the host's insides (%q):\n%s", internal, text)
		}
	}
	if r.live != 0 {
		t.Errorf("%d batches are left", r.live)
	}
	return r
}

func TestAModuleThatLiesAboutItsStateIsToldWhatIsWrongAndLeavesNothing(t *testing.T) {
	e := stateEngine(t)
	for name, lie := range stateLies() {
		t.Run(name, func(t *testing.T) {
			a := processModule(t).holds(messageAt, lie.message).does(processIndex, lie.body, i32(0))
			r := stateAttack(t, e, a, lie.operator, lie.want)
			if n := r.store.Stats().Entries; n != r.ids {
				t.Errorf("%d entries are in the store, besides the %d that describe it", n-r.ids, r.ids)
			}
		})
	}
}

func TestStateIsOutOfReachOutsideOfACallWithRows(t *testing.T) {
	e := stateEngine(t)
	message := stateMessage(abi.SchemaState, itemFields, 1, "x", 1, []uint32{0})
	calls := map[string][]byte{
		"state_get": get(2, 0), "state_scan": scan(0, 0, 0, 0), "state_next": next(0, 0),
		"state_read": code(i32(outAt), i32(4096), call(stateReadIndex), opDrop), "state_put": put(len(message)),
	}
	for index, result := range map[int][]byte{
		initializeIndex: nil, versionIndex: i32(1), describeIndex: i64(0), bufferIndex: i32(bufferAt), openIndex: i32(0), closeIndex: i32(0),
	} {
		for name, body := range calls {
			a := processModule(t).holds(messageAt, message).does(index, body, result)
			r := runProcess(t, e, a.bytes(), collectOperator)
			if text := r.String(); !strings.Contains(text, "it called "+name+" inside of ") {
				t.Errorf("%s in function %d: %s", name, index, text)
			}
		}
	}
	a := operatorModule(t).holds(messageAt, message).does(processIndex, put(len(message)), i32(0))
	if text := runOn(t, e, a.bytes(), routeOperator).String(); !strings.Contains(text, "it called state_put inside of wasmill_process; only") {
		t.Errorf("state_put in a map: %s", text)
	}
}

func TestScopesOfStateHold(t *testing.T) {
	e := stateEngine(t)
	open := stateMessage(abi.SchemaState, itemFields, 1, "x", 1, []uint32{0})
	limit := stateMessage(abi.SchemaState+1, limitFields, 1, "x", 1, nil)
	timer := stateMessage(abi.SchemaEventTimer, timerFields, 5, "x", 1, []uint32{0})
	const keyed, broadcast = 0, 2 // inputs
	for name, test := range map[string]struct {
		input int64
		lie   stateLie
	}{
		"a put by key in a broadcast call":  {broadcast, stateLie{message: open, body: put(len(open)), want: `it used state "open", which is kept by key`}},
		"a scan by key in a broadcast call": {broadcast, stateLie{body: scan(0, 0, 0, 0), want: `it used state "open", which is kept by key`}},
		"a timer in a broadcast call":       {broadcast, stateLie{message: timer, body: put(len(timer)), want: "rows of a broadcast input have none"}},
		"broadcast state in a keyed call":   {keyed, stateLie{message: limit, body: put(len(limit)), want: `it wrote broadcast state "limits"`}},
	} {
		t.Run(name, func(t *testing.T) {
			// The number of the input is the message's schema, at byte 36.
			body := code(local(0), i32(36), opI32Add, i32Load(), i32(test.input), 0x46, opIf, empty, test.lie.body, opEnd, i32(0))
			r := stateAttack(t, e, processModule(t).holds(messageAt, test.lie.message).does(processIndex, body), rulesOperator, test.lie.want)
			if n := r.store.Stats().Entries; n != r.ids {
				t.Errorf("%d entries are in the store, besides the %d that describe it", n-r.ids, r.ids)
			}
		})
	}
}

func TestTimersThatSetTimersForEverEndWithAnErrorThatNamesTheKey(t *testing.T) {
	e := stateEngine(t)
	timer := stateMessage(abi.SchemaEventTimer, timerFields, 5, "x", 1, []uint32{0})
	a := processModule(t).holds(messageAt, timer).does(processIndex, put(len(timer)), i32(0)).does(timerIndex, put(len(timer)), i32(0))
	stateAttack(t, e, a, alarmOperator, "the timers of the key {id: 0} go on for ever")
}

func TestTimersByTheClockThatSetTimersForEverLeaveRoomForRowsUntilTheyEnd(t *testing.T) {
	e := stateEngine(t)
	timer := stateMessage(abi.SchemaProcessingTimer, timerFields, 5, "x", 1, []uint32{0})
	a := processModule(t).holds(messageAt, timer).does(processIndex, put(len(timer)), i32(0)).does(timerIndex, put(len(timer)), i32(0))
	r := stateAttack(t, e, a, alarmOperator, "the timers of the key {id: 0} go on for ever: each of 10000 set another that was due already; set one that is later, or none")
	if r.ticks < 5 {
		t.Errorf("the operator was let go of %d times only while they fired", r.ticks)
	}
}

func TestTimersNeedTheirExportAndCanNotForward(t *testing.T) {
	e := stateEngine(t)
	timer := stateMessage(abi.SchemaEventTimer, timerFields, 5, "x", 1, []uint32{0})
	without := processModule(t).holds(messageAt, timer).does(processIndex, put(len(timer)), i32(0))
	without.functions[timerIndex-importCount].export = "other"
	stateAttack(t, e, without, alarmOperator, "the module does not export wasmill_timer")

	sums := []abi.Field{{Name: "sum", Type: abi.Int64}, {Name: "count", Type: abi.Int64}}
	emitted := stateMessage(0, sums, 1, "", 1, nil)
	a := processModule(t).holds(messageAt, timer).holds(messageAt+4096, emitted).does(processIndex, put(len(timer)), i32(0))
	a.does(timerIndex, i32(messageAt+4096), i32(int64(len(emitted))), call(emitIndex), i32(0))
	stateAttack(t, e, a, ledgerOperator, "which forwards the columns of the first input")
}

func TestAnAnswerIsBounded(t *testing.T) {
	e := stateEngine(t)
	sum := stateMessage(abi.SchemaState+2, sumFields, 1, strings.Repeat("x", 16<<10), 1, []uint32{0})
	request := stateMessage(abi.SchemaRequest+2, nil, 0, "", abi.MaxRows, make([]uint32, abi.MaxRows))
	const requestAt = 256 << 10
	a := processModule(t).holds(messageAt, sum).holds(requestAt, request)
	a.does(processIndex, put(len(sum)), i32(2), i32(requestAt), i32(int64(len(request))), i32(outAt), i32(64), call(stateGetIndex), opDrop, i32(0))
	a.does(bufferIndex, i32(900<<10))
	stateAttack(t, e, a, collectOperator, "more than 64 MiB together")
}
