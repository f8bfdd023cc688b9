// Copyright The wasmill Authors
// SPDX-License-Identifier: Apache-2.0

package pebble

import (
	"encoding/binary"
	"errors"
	"fmt"
	"math"
	"math/rand/v2"
	"os"
	"strconv"
	"testing"
	"time"

	"github.com/cockroachdb/pebble/v2"

	"github.com/wasmill/wasmill/state"
)

const (
	rows = 1000 // of a batch

	// entryMemory is about what the cache takes for a key of 16 bytes with a count.
	entryMemory = 80
)

// shape is how often which key comes.
type shape struct {
	name string
	skew float64 // 0 for uniform
}

// zipf draws ranks of a Zipf distribution by the method of Gray et al., "Quickly generating
// billion-record synthetic databases", which unlike math/rand's takes a skew below 1.
type zipf struct {
	n, theta, alpha, eta, zetaN, half float64
}

func newZipf(n int, theta float64) *zipf {
	zeta := func(n int) (sum float64) {
		for i := 1; i <= n; i++ {
			sum += math.Pow(float64(i), -theta)
		}
		return sum
	}
	z := &zipf{n: float64(n), theta: theta, alpha: 1 / (1 - theta), zetaN: zeta(n), half: 1 + math.Pow(0.5, theta)}
	z.eta = (1 - math.Pow(2/z.n, 1-theta)) / (1 - zeta(2)/z.zetaN)
	return z
}

func (z *zipf) rank(r *rand.Rand) int {
	u := r.Float64()
	switch uz := u * z.zetaN; {
	case uz < 1:
		return 0
	case uz < z.half:
		return 1
	}
	return min(int(z.n)-1, int(z.n*math.Pow(z.eta*u-z.eta+1, z.alpha)))
}

// draw returns the numbers of the keys of some rows. Frequent keys are spread over all.
func (s shape) draw(keys, count int) []uint32 {
	r := rand.New(rand.NewPCG(1, uint64(keys)))
	numbers := make([]uint32, count)
	if s.skew == 0 {
		for i := range numbers {
			numbers[i] = uint32(r.IntN(keys))
		}
		return numbers
	}
	z := newZipf(keys, s.skew)
	for i := range numbers {
		numbers[i] = uint32(uint64(z.rank(r)) * 2654435761 % uint64(keys))
	}
	return numbers
}

func appendUserKey(dst []byte, number uint32) []byte {
	dst = binary.BigEndian.AppendUint64(dst, uint64(number)*0x9e3779b97f4a7c15)
	return binary.BigEndian.AppendUint64(dst, uint64(number))
}

// BenchmarkUpdate adds 1 to the counts of the keys of 1,000 rows a call: with all of them in memory,
// and with a budget for a tenth, beside a Go map and Pebble alone. A store flushes every 1,000
// calls, which is reported for itself: by row, as flush-ns/row, besides ns/row. WASMILL_STATE_KEYS is how many keys the largest has.
func BenchmarkUpdate(b *testing.B) {
	most := 2_000_000
	if text := os.Getenv("WASMILL_STATE_KEYS"); text != "" {
		var err error
		if most, err = strconv.Atoi(text); err != nil {
			b.Fatalf("WASMILL_STATE_KEYS: %v", err)
		}
	}
	for _, keys := range []int{10_000, 1_000_000, most} {
		for _, s := range []shape{{"uniform", 0}, {"zipf0.99", 0.99}} {
			numbers := s.draw(keys, 4<<20)
			name := func(what string) string { return fmt.Sprintf("%s/%s/keys=%d", what, s.name, keys) }
			b.Run(name("go-map"), func(b *testing.B) { benchGoMap(b, keys, numbers) })
			b.Run(name("cached"), func(b *testing.B) { benchStore(b, keys, numbers, 2) })
			if keys < most {
				continue
			}
			b.Run(name("tenth"), func(b *testing.B) { benchStore(b, keys, numbers, 0.1) })
			b.Run(name("plain-pebble"), func(b *testing.B) { benchPlain(b, keys, numbers) })
		}
	}
}

func reportRows(b *testing.B) {
	b.ReportMetric(float64(b.Elapsed().Nanoseconds())/float64(b.N)/rows, "ns/row")
}

func benchGoMap(b *testing.B, keys int, numbers []uint32) {
	counts := make(map[[16]byte]uint64, keys)
	var key [16]byte
	for i := range keys {
		appendUserKey(key[:0], uint32(i))
		counts[key]++
	}
	at := 0
	for b.Loop() {
		for range rows {
			appendUserKey(key[:0], numbers[at%len(numbers)])
			counts[key]++
			at++
		}
	}
	reportRows(b)
}

func benchStore(b *testing.B, keys int, numbers []uint32, part float64) {
	db, err := Open(Options{Dir: b.TempDir()})
	if err != nil {
		b.Fatal(err)
	}
	budget := max(16*MinMemory, int64(float64(keys)*entryMemory*part))
	if part < 1 {
		budget = int64(float64(keys) * entryMemory * part)
	}
	store, err := db.Store(1, state.Groups{To: state.DefaultGroups}, budget)
	if err != nil {
		b.Fatal(err)
	}
	var batch state.Strings
	var user [16]byte
	var sum [8]byte
	add := func(_ int, old []byte, found bool) ([]byte, bool) {
		var n uint64
		if found {
			n = binary.LittleEndian.Uint64(old)
		}
		binary.LittleEndian.PutUint64(sum[:], n+1)
		return sum[:], true
	}
	calls, flushing := 0, time.Duration(0)
	update := func(number func(i int) uint32) {
		batch.Reset()
		for i := range rows {
			key := appendUserKey(user[:0], number(i))
			batch.AppendKey(state.GroupOf(key, state.DefaultGroups), 1, key, nil)
		}
		err := store.Update(&batch, add)
		if calls++; calls%1000 == 0 {
			start := time.Now()
			err = errors.Join(err, store.Flush())
			flushing += time.Since(start)
		}
		if err != nil {
			b.Fatal(err)
		}
	}
	for first := 0; first < keys; first += rows {
		update(func(i int) uint32 { return uint32(first + i) })
	}
	if err := store.Flush(); err != nil {
		b.Fatal(err)
	}
	at, next := 0, func(i int) uint32 { return numbers[i%len(numbers)] }
	for range 2 * keys / rows / 10 {
		update(func(i int) uint32 { return next(at + i) })
		at += rows
	}
	b.ReportAllocs()
	flushing = 0
	for b.Loop() {
		update(func(i int) uint32 { return next(at + i) })
		at += rows
	}
	b.ReportMetric(float64((b.Elapsed()-flushing).Nanoseconds())/float64(b.N)/rows, "ns/row")
	b.ReportMetric(float64(flushing.Nanoseconds())/float64(b.N)/rows, "flush-ns/row")
	b.ReportMetric(float64(store.Stats().MemoryBytes)/(1<<20), "MiB")
	if err := errors.Join(store.Close(), db.Close()); err != nil {
		b.Fatal(err)
	}
}

// benchPlain does the same without a cache: a Get and a Set for each row, a commit for each call.
func benchPlain(b *testing.B, keys int, numbers []uint32) {
	db, err := Open(Options{Dir: b.TempDir()})
	if err != nil {
		b.Fatal(err)
	}
	var user [16]byte
	var value [8]byte
	update := func(number func(i int) uint32) {
		batch := db.main.NewIndexedBatch()
		for i := range rows {
			key := appendUserKey(user[:0], number(i))
			old, closer, err := batch.Get(key)
			n := uint64(0)
			switch {
			case err == nil:
				n = binary.LittleEndian.Uint64(old)
				err = closer.Close()
			case errors.Is(err, pebble.ErrNotFound):
				err = nil
			}
			binary.LittleEndian.PutUint64(value[:], n+1)
			if err = errors.Join(err, batch.Set(key, value[:], nil)); err != nil {
				b.Fatal(err)
			}
		}
		if err := errors.Join(batch.Commit(pebble.NoSync), batch.Close()); err != nil {
			b.Fatal(err)
		}
	}
	for first := 0; first < keys; first += rows {
		update(func(i int) uint32 { return uint32(first + i) })
	}
	at, next := 0, func(i int) uint32 { return numbers[i%len(numbers)] }
	for b.Loop() {
		update(func(i int) uint32 { return next(at + i) })
		at += rows
	}
	reportRows(b)
	if err := db.Close(); err != nil {
		b.Fatal(err)
	}
}
