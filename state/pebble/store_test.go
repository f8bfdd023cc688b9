// Copyright The wasmill Authors
// SPDX-License-Identifier: Apache-2.0

package pebble

import (
	"bytes"
	"encoding/binary"
	"fmt"
	"maps"
	"math/rand/v2"
	"runtime"
	"strings"
	"testing"

	"github.com/cockroachdb/pebble/v2/vfs"

	"github.com/wasmill/wasmill/state"
	"github.com/wasmill/wasmill/state/memory"
)

// openStore opens a store with the least budget.
func openStore(t *testing.T, db *DB, operator uint32, groups state.Groups) state.Store {
	t.Helper()
	store, err := db.Store(operator, groups, MinMemory)
	if err != nil {
		t.Fatal(err)
	}
	return store
}

func must(t *testing.T, errs ...error) {
	t.Helper()
	for _, err := range errs {
		if err != nil {
			t.Fatal(err)
		}
	}
}

// pair does the same to a store in memory and to one on disk, and compares what they answer.
type pair struct {
	*testing.T
	*rand.Rand
	seed         uint64
	memory, disk state.Store
}

func (p *pair) key() []byte {
	return state.AppendKey(nil, state.Group(p.IntN(4)), state.ID(1+p.IntN(2)), binary.AppendUvarint(nil, p.Uint64N(3000)), nil)
}

func (p *pair) step() {
	var keys state.Strings
	for range 1 + p.IntN(300) {
		keys.Append(p.key())
	}
	switch p.IntN(10) {
	case 0, 1:
		var a, b state.Strings
		must(p.T, p.memory.Get(&keys, &a), p.disk.Get(&keys, &b))
		p.compare("values", &a, &b)
	case 2, 3, 4, 5:
		must(p.T, p.memory.Update(&keys, p.merge(&keys)), p.disk.Update(&keys, p.merge(&keys)))
	case 6:
		for i := range keys.Len() {
			must(p.T, p.memory.Delete(keys.At(i)), p.disk.Delete(keys.At(i)))
		}
	case 7, 8:
		from, to := p.key(), p.key()
		limit := state.Limit{Entries: p.IntN(100), Bytes: p.IntN(100_000)}
		var aKeys, aValues, bKeys, bValues state.Strings
		aMore, err := p.memory.Scan(from, to, limit, &aKeys, &aValues)
		must(p.T, err)
		bMore, err := p.disk.Scan(from, to, limit, &bKeys, &bValues)
		must(p.T, err)
		if aMore != bMore && aKeys.Len() == bKeys.Len() && !p.empty(&aKeys, to) {
			p.Fatalf("seed %d: more is %v and %v", p.seed, aMore, bMore)
		}
		p.compare("keys", &aKeys, &bKeys)
		p.compare("values", &aValues, &bValues)
	case 9:
		if p.IntN(4) == 0 {
			must(p.T, p.disk.Flush())
		}
	}
}

// empty says whether nothing of a range is behind a scan, where more may be either.
func (p *pair) empty(keys *state.Strings, to []byte) bool {
	if keys.Len() == 0 {
		return true
	}
	var k, v state.Strings
	_, err := p.memory.Scan(state.AppendNext(nil, keys.At(keys.Len()-1)), to, state.Limit{Entries: 1}, &k, &v)
	must(p.T, err)
	return k.Len() == 0
}

// merge makes a value of the key, the row and the old value.
func (p *pair) merge(keys *state.Strings) state.Merge {
	return func(i int, old []byte, found bool) ([]byte, bool) {
		sum := uint64(i) + 1
		if found {
			sum += binary.LittleEndian.Uint64(old)
		}
		value := make([]byte, 8+5*sum%2000)
		binary.LittleEndian.PutUint64(value, sum+uint64(len(keys.At(i))))
		return value, sum%7 != 0
	}
}

func (p *pair) compare(what string, a, b *state.Strings) {
	p.Helper()
	if a.Len() != b.Len() {
		p.Fatalf("seed %d: %d %s in memory, %d on disk", p.seed, a.Len(), what, b.Len())
	}
	for i := range a.Len() {
		if (a.At(i) == nil) != (b.At(i) == nil) || !bytes.Equal(a.At(i), b.At(i)) {
			p.Fatalf("seed %d: of %s %d is %.40x in memory, %.40x on disk", p.seed, what, i, a.At(i), b.At(i))
		}
	}
}

func TestAnswersAsMemoryDoesWhateverTheBudget(t *testing.T) {
	for seed, budget := range []int64{MinMemory, MinMemory + 300_000, 64 << 20} {
		groups := state.Groups{To: 4}
		db := openDB(t, vfs.NewMem())
		disk, err := db.Store(1, groups, budget)
		must(t, err)
		p := &pair{t, rand.New(rand.NewPCG(uint64(seed), 3)), uint64(seed), memory.New(groups), disk}
		for range 400 {
			p.step()
		}
		a, b := scanAll(t, p.memory), scanAll(t, p.disk)
		if len(a) == 0 || !maps.Equal(a, b) {
			t.Errorf("seed %d: %d keys in memory, %d on disk", seed, len(a), len(b))
		}
		if left := disk.Stats().Entries < len(b); left != (budget < 10<<20) || db.made.Load() == 0 {
			t.Errorf("seed %d: with a budget of %d bytes keys have left the cache: %v; files made: %d", seed, budget, left, db.made.Load())
		}
		must(t, p.disk.Close(), db.Close())
	}
}

// TestStateBeyondTheBudgetTakesTheBudget counts keys that take ten times the budget.
func TestStateBeyondTheBudgetTakesTheBudget(t *testing.T) {
	if testing.Short() {
		t.Skip("writes a state of 40 MiB")
	}
	const budget, count, size = 4 << 20, 40 << 10, 1000
	db, err := Open(Options{Dir: t.TempDir(), CacheBytes: 2 << 20})
	must(t, err)
	store, err := db.Store(1, state.Groups{To: state.DefaultGroups}, budget)
	must(t, err)
	var before, now runtime.MemStats
	runtime.GC()
	runtime.ReadMemStats(&before)
	var keys state.Strings
	value := make([]byte, size)
	for round := range 3 {
		for first := 0; first < count; first += 1000 {
			keys.Reset()
			for i := range 1000 {
				user := binary.BigEndian.AppendUint64(nil, uint64(first+i)*0x9e3779b97f4a7c15)
				keys.AppendKey(state.GroupOf(user, state.DefaultGroups), 1, user, nil)
			}
			must(t, store.Update(&keys, func(i int, old []byte, found bool) ([]byte, bool) {
				if found != (round > 0) || found && binary.LittleEndian.Uint64(old) != uint64(round) {
					t.Fatalf("round %d: key %d is %.8x", round, first+i, old)
				}
				binary.LittleEndian.PutUint64(value, uint64(round+1))
				return value, true
			}))
			if held := store.Stats().MemoryBytes; held > budget+budget/8 {
				t.Fatalf("round %d, key %d: %d bytes are held with a budget of %d", round, first, held, budget)
			}
		}
		runtime.GC()
		runtime.ReadMemStats(&now)
		// Besides the budget: blocks, memtables of two trees, files being made.
		if heap := int64(now.HeapAlloc) - int64(before.HeapAlloc); heap > 3*budget+2*memTable {
			t.Errorf("round %d: the heap has grown by %d bytes with a budget of %d", round, heap, budget)
		}
		if round == 1 {
			must(t, store.Flush())
		}
	}
	must(t, store.Close(), db.Close())
}

func TestStoresOfADBAreApart(t *testing.T) {
	db := openDB(t, vfs.NewMem())
	unkeyed := state.AppendKey(nil, state.Unkeyed, 1, []byte("list"), nil)
	low, high := state.Groups{To: 4}, state.Groups{From: 4, To: 8}
	stores := []state.Store{openStore(t, db, 1, low), openStore(t, db, 1, high), openStore(t, db, 2, low)}
	for i, s := range stores {
		must(t, s.Put(unkeyed, []byte{byte(i)}), s.Put(state.AppendKey(nil, s.Groups().From, 1, nil, nil), []byte{byte(i)}), s.Flush())
	}
	for i, s := range stores {
		for key, value := range scanAll(t, s) {
			if value != string([]byte{byte(i)}) {
				t.Errorf("store %d has %x at %x", i, value, key)
			}
		}
		if n := len(scanAll(t, s)); n != 2 {
			t.Errorf("store %d has %d keys, should have 2", i, n)
		}
		must(t, s.Close())
	}
	all := openStore(t, db, 1, state.Groups{To: 8})
	if got := scanAll(t, all); len(got) != 3 || got[string(unkeyed)] != "\x00" {
		t.Errorf("a store of both ranges has %x, should have both and the first one's unkeyed state", got)
	}
	must(t, all.Close(), db.Close())
}

func TestWhatWasNotFlushedIsGoneWithTheStore(t *testing.T) {
	db := openDB(t, vfs.NewMem())
	groups := state.Groups{To: 2}
	store := openStore(t, db, 1, groups)
	for i := range 3000 { // beyond the budget, so that much lies in scratch
		must(t, store.Put(state.AppendKey(nil, 1, 1, fmt.Append(nil, i), nil), make([]byte, 1000)))
	}
	must(t, store.Close())
	store = openStore(t, db, 1, groups)
	if left := scanAll(t, store); len(left) != 0 {
		t.Errorf("%d keys are left", len(left))
	}
	must(t, store.Close(), db.Close())
}

func TestCheckpointIsADB(t *testing.T) {
	disk := vfs.NewMem()
	db := openDB(t, disk)
	store := openStore(t, db, 1, crashGroups)
	flushed, later := state.AppendKey(nil, 1, 1, []byte("flushed"), nil), state.AppendKey(nil, 1, 1, []byte("later"), nil)
	must(t, store.Put(flushed, []byte("1")), store.Flush(), store.Put(later, nil), db.Checkpoint("copy"))
	must(t, store.Put(flushed, []byte("2")), store.Flush(), store.Close(), db.Close())
	restored, err := open(Options{Dir: "copy"}, disk)
	must(t, err)
	if got := contents(t, restored); len(got) != 1 || got[string(flushed)] != "1" {
		t.Errorf("the checkpoint has %q, should have what was flushed before it", got)
	}
	must(t, restored.Close())
}

func TestOpeningSaysWhatIsWrong(t *testing.T) {
	db := openDB(t, vfs.NewMem())
	open := openStore(t, db, 1, state.Groups{From: 2, To: 4})
	cases := map[string]struct {
		operator uint32
		groups   state.Groups
		memory   int64
	}{
		"a store of key groups 2 to 4 is open": {1, state.Groups{From: 3, To: 8}, MinMemory},
		"one group at least":                   {1, state.Groups{From: 5, To: 5}, MinMemory},
		"groups are below 32768":               {1, state.Groups{From: 5, To: 32769}, MinMemory},
		"1048576 are the least":                {1, state.Groups{To: 1}, 5},
		"numbers up to 4294967294":             {1<<32 - 1, state.Groups{To: 1}, MinMemory},
	}
	for want, c := range cases {
		if _, err := db.Store(c.operator, c.groups, c.memory); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%+v: %v, should say %q", c, err, want)
		}
	}
	if err := db.Close(); err == nil || !strings.Contains(err.Error(), "1 stores") {
		t.Errorf("closing with an open store: %v", err)
	}
	must(t, open.Close(), db.Close())
	if _, err := Open(Options{}); err == nil || !strings.Contains(err.Error(), "no folder") {
		t.Errorf("opening nothing: %v", err)
	}
}
