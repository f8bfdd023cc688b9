// Copyright The wasmill Authors
// SPDX-License-Identifier: Apache-2.0

package lookup

import (
	"context"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/wasmill/wasmill/abi"
	"github.com/wasmill/wasmill/abi/batch"
	"github.com/wasmill/wasmill/scheduler/operator"
	"github.com/wasmill/wasmill/scheduler/operatortest"
)

// guests is a module whose operator answers keys as the table of the tests does, the last key first, a
// batch a row. Key 13 fails, and key 26 takes an hour.
type guests struct {
	operator.Module
	mu         sync.Mutex
	made, open int
}

func (g *guests) Operator(ctx operator.Context, _ operator.ModuleSpec) (operator.Operator, error) {
	g.mu.Lock()
	defer g.mu.Unlock()
	g.made++
	return &guest{guests: g, pool: ctx.Pool}, nil
}

type guest struct {
	operator.Operator
	guests *guests
	pool   *batch.Pool
	dead   bool
}

func (g *guest) count(n int) {
	g.guests.mu.Lock()
	defer g.guests.mu.Unlock()
	g.guests.open += n
}

func (g *guest) Open(context.Context) error  { g.count(1); return nil }
func (g *guest) Close(context.Context) error { g.count(-1); return nil }

func (g *guest) Process(ctx context.Context, _ int, b *batch.Batch, out operator.Output) error {
	if g.dead {
		panic("called after it failed")
	}
	rows := g.pool.NewBuilder(known)
	for row := b.Rows() - 1; row >= 0; row-- {
		key := b.Columns[0].Int64s()[row]
		switch key {
		case 13:
			if err := out.Fail(ctx, b, row, errBroken); err != nil {
				return err
			}
			continue
		case 26:
			if err := after(ctx, time.Hour); err != nil {
				g.dead = true
				return err
			}
		}
		for _, name := range matches(key) {
			rows.Column(0).AppendInt64(key)
			rows.Column(1).AppendString(name)
			rows.AppendPosition(b.Positions[row])
			rows.EndRow()
		}
		if rows.Rows() > 0 {
			if err := out.Emit(ctx, 0, rows.Finish()); err != nil {
				return err
			}
		}
	}
	return nil
}

func TestModuleAnswersByInstancesOfItsOwn(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		g := &guests{}
		s := remoteSpec(Remote{InFlight: 4, Keys: 3, Timeout: time.Second}, nil)
		s.New = func(ctx operator.Context) (operator.Lookup, error) {
			return NewModule(ctx, g, operator.ModuleSpec{Outputs: []*abi.Schema{known}}), nil
		}
		script := []operatortest.Event{rowsOf(1, 2, 3, 4, 5, 6, 7, 8, 9, 10), rowsOf(13, 5), rowsOf(26, 2), rowsOf(2, 1, 2)}
		r := operatortest.Run(t, subject(s), one, script)
		want := naive([]operatortest.Event{script[0], rowsOf(5), script[3]}, false)
		want[len(naive(script[:1], false))].Values[0] = int64(1) // its number in the script
		want[len(naive(script[:1], false))+1].Values[0] = int64(1)
		operatortest.Same(t, one, operatortest.Lines(r.Port(PortJoined)), operatortest.Lines(want))
		if len(r.Failed) != 3 { // 13, and both of the request that took too long
			t.Errorf("failed: %q", r.Failed)
		}
		if g.open != 0 || g.made < 2 || g.made > 5 {
			t.Errorf("%d instances were made, %d are open", g.made, g.open)
		}
	})
}
