// Copyright The wasmill Authors
// SPDX-License-Identifier: Apache-2.0

package task

import (
	"context"
	"errors"
	"fmt"
	"testing"
	"testing/synctest"
	"time"

	"github.com/wasmill/wasmill/abi"
	"github.com/wasmill/wasmill/abi/batch"
	"github.com/wasmill/wasmill/scheduler/exchange"
	"github.com/wasmill/wasmill/scheduler/operator"
	"github.com/wasmill/wasmill/scheduler/watermark"
	"github.com/wasmill/wasmill/state"
)

// pass is an operator that passes rows on and remembers its watermarks.
type pass struct {
	operator.Operator
	marks   []abi.EventTime
	failing error
	closing error
}

func (p *pass) Open(context.Context) error  { return nil }
func (p *pass) Close(context.Context) error { return p.closing }

func (p *pass) Process(ctx context.Context, _ int, b *batch.Batch, out operator.Output) error {
	if p.failing != nil {
		return p.failing
	}
	return out.Emit(ctx, 0, b.Retain())
}

func (p *pass) Watermark(_ context.Context, t abi.EventTime, _ operator.Output) error {
	p.marks = append(p.marks, t)
	return nil
}

// recorder is a writer that remembers when what happened, in time since it was made.
type recorder struct {
	operator.Writer
	start   time.Time
	events  []string
	takes   time.Duration // to write
	failing error
}

func (r *recorder) note(text string) {
	r.events = append(r.events, fmt.Sprint(time.Since(r.start), " ", text))
}

func (r *recorder) Write(_ context.Context, b *batch.Batch) error {
	time.Sleep(r.takes)
	r.note(fmt.Sprint("write ", b.Columns[0].Int64s()))
	return r.failing
}

func (r *recorder) Flush(context.Context) error {
	r.note("flush")
	return nil
}

const latency = 10 * time.Millisecond

func newNode(name string) *Node {
	return &Node{Name: name, Stats: NewStats(1), now: time.Now, Ports: make([][]Link, 1)}
}

func operatorNode(name string, o operator.Operator) *Node {
	n := newNode(name)
	n.Operator = o
	return n
}

func sinkNode(w operator.Writer) *Node {
	n := newNode("sink")
	n.Writer = w
	return n
}

// newTask returns a task of nodes of which each feeds the next, and of so many channels.
func newTask(channels int, nodes ...*Node) *Task {
	for i, n := range nodes[1:] {
		nodes[i].Ports[0] = append(nodes[i].Ports[0], Link{Next: n})
	}
	return &Task{
		Inbox: exchange.NewInbox(channels), Inputs: make([]int, channels), Chain: nodes, Latency: latency, Now: time.Now,
	}
}

func feed(t *testing.T, task *Task, ch int, elements ...exchange.Element) {
	t.Helper()
	for _, e := range elements {
		if err := task.Inbox.Put(t.Context(), ch, e); err != nil {
			t.Error(err)
		}
	}
}

func mark(t abi.EventTime) exchange.Element {
	return exchange.Element{Kind: exchange.Watermark, Mark: t}
}

var (
	idle = exchange.Element{Kind: exchange.Idle}
	end  = exchange.Element{Kind: exchange.End}
)

func TestSinkIsFlushedWithinTheLatencyAndAtTheEndOfItsInput(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		pool := &batch.Pool{}
		w := &recorder{start: time.Now()}
		task := newTask(1, operatorNode("pass", &pass{}), sinkNode(w))
		go func() {
			one := func(n int64) exchange.Element { return exchange.Element{Batch: rows(pool, row{n: n})} }
			feed(t, task, 0, one(1))
			time.Sleep(4 * time.Millisecond)
			feed(t, task, 0, one(2))
			time.Sleep(96 * time.Millisecond)
			feed(t, task, 0, one(3), end)
		}()
		if err := task.Run(t.Context()); err != nil {
			t.Fatal(err)
		}
		check(t, w.events, "0s write [1]", "4ms write [2]", "10ms flush", "100ms write [3]", "100ms flush")
	})
}

// A sink that is slower than its stream never finds its inbox empty.
func TestBusyTaskFlushesWithinTheLatencyToo(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		pool := &batch.Pool{}
		w := &recorder{start: time.Now(), takes: 6 * time.Millisecond}
		task := newTask(1, sinkNode(w))
		go func() {
			for n := range int64(100) {
				feed(t, task, 0, exchange.Element{Batch: rows(pool, row{n: n})})
			}
			feed(t, task, 0, end)
		}()
		if err := task.Run(t.Context()); err != nil {
			t.Fatal(err)
		}
		held := 0
		for _, e := range w.events {
			var at time.Duration
			var what string
			var text string
			if _, err := fmt.Sscan(e, &text, &what); err != nil {
				t.Fatal(err)
			}
			at, err := time.ParseDuration(text)
			if err != nil {
				t.Fatal(err)
			}
			if held++; what == "flush" {
				held = 0
			}
			if held > 2 {
				t.Fatalf("after %v, %d batches of 6 ms each are not flushed", at, held)
			}
		}
	})
}

// A key that comes rarely must not wait until its batch is full, nor hold the watermark back.
func TestBusyTaskSendsRowsOfARareKeyWithinTheLatency(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		pool := &batch.Pool{}
		start := time.Now()
		source := newNode("source")
		var inboxes []*exchange.Inbox
		var targets []exchange.Target
		for range 2 {
			in := exchange.NewInbox(1)
			inboxes = append(inboxes, in)
			targets = append(targets, exchange.Target{Inbox: in})
		}
		source.Ports[0] = []Link{{Edge: exchange.NewHash(exchange.HashOptions{
			Targets: targets, Groups: state.DefaultGroups, Key: []int{0}, Schema: schema(), Pool: pool, Rows: 1000, Bytes: 1 << 20, Latency: latency, Now: time.Now,
		})}}
		var keys [2]int64 // of the subtasks
		for n := range int64(100) {
			b := rows(pool, row{n: n})
			group := state.GroupOf(batch.AppendValue(nil, &b.Columns[0], 0), state.DefaultGroups)
			for subtask := range keys {
				if state.Split(state.DefaultGroups, subtask, 2).Contains(group) {
					keys[subtask] = n
				}
			}
			b.Release()
		}
		task := newTask(1, source)
		go func() {
			feed(t, task, 0, exchange.Element{Batch: rows(pool, row{n: keys[1]})})
			for n := range abi.EventTime(1000) { // an element each 100 us
				feed(t, task, 0, exchange.Element{Batch: rows(pool, row{n: keys[0]})}, mark(n))
				time.Sleep(100 * time.Microsecond)
			}
			feed(t, task, 0, end)
		}()
		var waited time.Duration
		done := make(chan struct{})
		go func() {
			defer close(done)
			if _, e, ok := inboxes[1].Get(t.Context(), -1); ok && e.Kind == exchange.Rows {
				waited = time.Since(start)
			}
			for end := false; !end; {
				_, e, _ := inboxes[1].Get(t.Context(), -1)
				end = e.Kind == exchange.End
			}
		}()
		go func() {
			for {
				if _, e, ok := inboxes[0].Get(t.Context(), -1); !ok || e.Kind == exchange.End {
					return
				}
			}
		}()
		if err := task.Run(t.Context()); err != nil {
			t.Fatal(err)
		}
		<-done
		if waited == 0 || waited > latency+time.Millisecond {
			t.Fatalf("the row of the rare key waited %v", waited)
		}
	})
}

// The job's clock may stand, or be another one than the machine's.
func TestTaskSleepsWhileItsClockStands(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		asked := 0
		clock := func() time.Time { asked++; return time.Unix(0, 0) }
		sink := sinkNode(&recorder{})
		task := newTask(1, sink)
		task.Now = clock
		go func() {
			feed(t, task, 0, exchange.Element{Batch: rows(&batch.Pool{}, row{n: 1})})
			time.Sleep(time.Second)
			feed(t, task, 0, end)
		}()
		if err := task.Run(t.Context()); err != nil {
			t.Fatal(err)
		}
		if most := 10 + int(time.Second/latency); asked > most {
			t.Fatalf("the time was asked for %d times, %d would do", asked, most)
		}
	})
}

func TestIdlenessReachesTheNextTaskWhicheverElementMakesIt(t *testing.T) {
	type element struct {
		ch int
		exchange.Element
	}
	for _, c := range []struct {
		name string
		in   []element
		want []string
	}{
		{"all idle", []element{{0, mark(5)}, {1, mark(7)}, {0, idle}, {1, idle}}, []string{"watermark 5", "watermark 7", "idle"}},
		{"the last that is live ends", []element{{0, mark(5)}, {1, mark(7)}, {0, idle}, {1, end}}, []string{"watermark 5", "watermark 7", "idle"}},
		{"one is back and not ahead", []element{{0, mark(5)}, {1, mark(5)}, {0, idle}, {1, idle}, {0, mark(3)}, {0, mark(6)}, {0, idle}},
			[]string{"watermark 5", "idle", "watermark 5", "watermark 6", "idle"}},
		{"one is back before any watermark", []element{{0, idle}, {1, idle}, {1, mark(watermark.Min)}}, []string{"idle", fmt.Sprint("watermark ", watermark.Min)}},
	} {
		t.Run(c.name, func(t *testing.T) {
			o := &pass{}
			head, next := operatorNode("head", o), newNode("next")
			next.Operator = &pass{}
			to := exchange.NewInbox(1)
			next.Ports[0] = []Link{{Edge: &exchange.Direct{Targets: []exchange.Target{{Inbox: to}}}}}
			task := newTask(2, head, next)
			ended := [2]bool{}
			for _, e := range c.in {
				feed(t, task, e.ch, e.Element)
				ended[e.ch] = ended[e.ch] || e.Kind == exchange.End
			}
			marks := watermark.NewMerger(2)
			for _, e := range c.in {
				if err := task.step(t.Context(), marks, e.ch, e.Element); err != nil {
					t.Fatal(err)
				}
			}
			check(t, received(t, to), c.want...)
			for i := range o.marks[min(1, len(o.marks)):] {
				if o.marks[i] >= o.marks[i+1] {
					t.Errorf("the operator was told the watermarks %d", o.marks)
				}
			}
		})
	}
}

func TestSubtaskForWhichThereIsNoSplitTellsItsOperatorsThatNothingFollows(t *testing.T) {
	o := &pass{}
	task := newTask(0, newNode("source"), operatorNode("pass", o))
	if err := task.Run(t.Context()); err != nil {
		t.Fatal(err)
	}
	if len(o.marks) != 1 || o.marks[0] != watermark.Max {
		t.Errorf("the watermarks are %d", o.marks)
	}
}

func TestErrorNamesTheNodeInWhichItCameUpOnce(t *testing.T) {
	pool := &batch.Pool{}
	full := errors.New("disk full")
	for _, c := range []struct {
		name  string
		chain []*Node
		want  string
	}{
		{"the last of a chain", []*Node{operatorNode("one", &pass{}), operatorNode("two", &pass{}), sinkNode(&recorder{failing: full})}, "sink: disk full"},
		{"in the middle", []*Node{operatorNode("one", &pass{}), operatorNode("two", &pass{failing: full}), sinkNode(&recorder{})}, "two: disk full"},
		{"one with a fault", []*Node{operatorNode("one", &pass{}), operatorNode("two", &pass{failing: &operator.Error{Fault: operator.FaultModule, Err: full}})}, "two: disk full"},
		{"one with a fault and more to say", []*Node{operatorNode("one", &pass{}), operatorNode("two", &pass{failing: fmt.Errorf("row 3: %w", &operator.Error{Fault: operator.FaultModule, Err: full})})}, "two: row 3: disk full"},
		{"at the end", []*Node{operatorNode("one", &pass{}), operatorNode("two", &pass{closing: full})}, "two: disk full"},
		{"twice", []*Node{operatorNode("one", &pass{closing: full}), operatorNode("two", &pass{failing: full})}, "two: disk full\none: disk full"},
	} {
		t.Run(c.name, func(t *testing.T) {
			task := newTask(1, c.chain...)
			feed(t, task, 0, exchange.Element{Batch: rows(pool, row{n: 1})}, end)
			if err := task.Run(t.Context()); err == nil || err.Error() != c.want || !errors.Is(err, full) {
				t.Errorf("got %q, should be %q", err, c.want)
			}
		})
	}
	if n := pool.Live(); n != 0 {
		t.Errorf("%d batches are left", n)
	}
}

func TestBatchIsReleasedByAllWhoReadItWhicheverFails(t *testing.T) {
	for failing := range 4 { // 3: none
		pool := &batch.Pool{}
		source := newNode("source")
		to := exchange.NewInbox(1)
		for i := range 3 {
			sink := sinkNode(&recorder{})
			if i == failing {
				sink.Writer = &recorder{failing: errors.New("disk full")}
			}
			source.Ports[0] = append(source.Ports[0], Link{Next: sink})
		}
		source.Ports[0] = append(source.Ports[0], Link{Edge: &exchange.Direct{Targets: []exchange.Target{{Inbox: to}, {Inbox: to}}, Broadcast: true}})
		err := source.Emit(t.Context(), 0, rows(pool, row{n: 1}))
		if (err == nil) != (failing == 3) {
			t.Fatalf("got %v", err)
		}
		if want := int64(failing / 3); pool.Live() != want {
			t.Errorf("with sink %d failing, %d batches are held, should be %d", failing, pool.Live(), want)
		}
		to.Drain()
		if pool.Live() != 0 {
			t.Errorf("with sink %d failing, %d batches are left", failing, pool.Live())
		}
	}
}

// A plugin may return the same error to all its subtasks.
func TestErrorThatSeveralNodesShareStaysAsItIs(t *testing.T) {
	shared := &operator.Error{Fault: operator.FaultEnvironment, Err: errors.New("no broker")}
	for _, node := range []string{"one", "two"} {
		if err := named(t.Context(), node, shared); err.Error() != node+": no broker" {
			t.Errorf("the error of %s is %q", node, err)
		}
	}
}

func TestTaskOfACancelledJobEndsWithTheCauseAndBlamesNobody(t *testing.T) {
	cause := errors.New("interrupted")
	pool := &batch.Pool{}
	for name, blocked := range map[string]func(ctx context.Context) error{
		"in an exchange": nil,
		"in an operator": func(ctx context.Context) error {
			<-ctx.Done()
			return fmt.Errorf("waiting: %w", ctx.Err())
		},
	} {
		t.Run(name, func(t *testing.T) {
			ctx, cancel := context.WithCancelCause(t.Context())
			to := exchange.NewInbox(1)
			n := operatorNode("pass", &blocking{block: blocked})
			n.Ports[0] = []Link{{Edge: &exchange.Direct{Targets: []exchange.Target{{Inbox: to}}}}}
			task := newTask(1, n)
			go func() {
				for task.Inbox.Put(ctx, 0, exchange.Element{Batch: rows(pool, row{n: 1})}) == nil {
				}
			}()
			time.AfterFunc(5*time.Millisecond, func() { cancel(cause) })
			if err := task.Run(ctx); err != cause {
				t.Errorf("got %v", err)
			}
		})
	}
}

// blocking is an operator that may block.
type blocking struct {
	pass
	block func(context.Context) error
}

func (o *blocking) Process(ctx context.Context, in int, b *batch.Batch, out operator.Output) error {
	if o.block != nil {
		return o.block(ctx)
	}
	return o.pass.Process(ctx, in, b, out)
}

func TestPanicIsAnErrorThatSaysWhere(t *testing.T) {
	run := func() (err error) {
		defer Recovered("counts[1]", func() []byte { return []byte("the stack") }, &err)
		panic("index out of range")
	}
	if err := run(); err == nil || err.Error() != "counts[1]: this is a bug in wasmill: index out of range\nthe stack" {
		t.Errorf("got %v", err)
	}
}
