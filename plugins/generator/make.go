// Copyright The wasmill Authors
// SPDX-License-Identifier: Apache-2.0

package generator

import (
	"math"
	"math/bits"
	"math/rand/v2"

	"github.com/wasmill/wasmill/abi"
	"github.com/wasmill/wasmill/abi/batch"
)

// maker makes the values of a column. It is shared by all splits and keeps no state: a value
// depends on the row's number over all splits and on the random numbers.
type maker interface {
	// next appends the value of a row.
	next(c *batch.ColumnBuilder, r *rand.PCG, row int64)
	// bytes is about how many bytes a value takes.
	bytes() int
}

// below returns a random number below n, or any where n is 0, which stands for 2^64. The bias is
// at most n/2^64.
func below(r *rand.PCG, n uint64) uint64 {
	if n == 0 {
		return r.Uint64()
	}
	high, _ := bits.Mul64(r.Uint64(), n)
	return high
}

// unit returns a random number from 0 to below 1.
func unit(r *rand.PCG) float64 { return float64(r.Uint64()>>11) / (1 << 53) }

// threshold returns what a random number is below, or equal to, in a share of all cases.
func threshold(share float64) uint64 {
	if share >= 1 {
		return math.MaxUint64
	}
	return uint64(math.Ldexp(share, 64))
}

type sequence struct{ start, step int64 }

func (s *sequence) next(c *batch.ColumnBuilder, _ *rand.PCG, row int64) {
	c.AppendInt64(s.start + row*s.step)
}

func (s *sequence) bytes() int { return 8 }

type uniform struct {
	low   int64
	count uint64
}

func (u *uniform) next(c *batch.ColumnBuilder, r *rand.PCG, _ int64) {
	c.AppendInt64(u.low + int64(below(r, u.count)))
}

func (u *uniform) bytes() int { return 8 }

type uniformFloat struct{ low, size float64 }

func (u *uniformFloat) next(c *batch.ColumnBuilder, r *rand.PCG, _ int64) {
	c.AppendFloat64(u.low + u.size*unit(r))
}

func (u *uniformFloat) bytes() int { return 8 }

// zipf draws by the alias method: each of n equally likely slots holds one value up to its limit
// and another above (Vose 1991).
type zipf struct {
	limit []uint64
	other []int32
}

func newZipf(n int, s float64) *zipf {
	weights := make([]float64, n)
	sum := 0.0
	for i := range weights {
		weights[i] = math.Pow(float64(i+1), -s)
		sum += weights[i]
	}
	z := &zipf{limit: make([]uint64, n), other: make([]int32, n)}
	var small, large []int32
	for i := range weights {
		weights[i] *= float64(n) / sum
		z.limit[i], z.other[i] = math.MaxUint64, int32(i)
		if weights[i] < 1 {
			small = append(small, int32(i))
		} else {
			large = append(large, int32(i))
		}
	}
	for len(small) > 0 && len(large) > 0 {
		s, l := small[len(small)-1], large[len(large)-1]
		small = small[:len(small)-1]
		z.limit[s], z.other[s] = threshold(weights[s]), l
		if weights[l] -= 1 - weights[s]; weights[l] < 1 {
			large = large[:len(large)-1]
			small = append(small, l)
		}
	}
	return z
}

func (z *zipf) next(c *batch.ColumnBuilder, r *rand.PCG, _ int64) {
	slot, rest := bits.Mul64(r.Uint64(), uint64(len(z.limit)))
	if rest > z.limit[slot] {
		slot = uint64(z.other[slot])
	}
	c.AppendInt64(int64(slot))
}

func (z *zipf) bytes() int { return 8 }

// choice draws from the values of its type.
type choice struct {
	typ     abi.Type
	ints    []int64
	floats  []float64
	bools   []bool
	strings []string
}

func (h *choice) next(c *batch.ColumnBuilder, r *rand.PCG, _ int64) {
	i := below(r, uint64(len(h.strings)))
	switch h.typ {
	case abi.String:
		c.AppendString(h.strings[i])
	case abi.Int64:
		c.AppendInt64(h.ints[i])
	case abi.Float64:
		c.AppendFloat64(h.floats[i])
	default:
		c.AppendBool(h.bools[i])
	}
}

func (h *choice) bytes() int {
	longest := 8
	for _, s := range h.strings {
		longest = max(longest, len(s)+4)
	}
	return longest
}

// clock has its start in microseconds, its step in nanoseconds, and one microsecond more than the
// jitter.
type clock struct {
	start, step int64
	jitter      uint64
}

func (k *clock) next(c *batch.ColumnBuilder, r *rand.PCG, row int64) {
	high, low := bits.Mul64(uint64(max(k.step, -k.step)), uint64(row))
	micros, _ := bits.Div64(high%1000, low, 1000)
	if k.step < 0 {
		micros = -micros
	}
	c.AppendInt64(k.start + int64(micros) - int64(below(r, k.jitter)))
}

func (k *clock) bytes() int { return 8 }

type letters struct {
	low   int
	count uint64
}

func (l *letters) next(c *batch.ColumnBuilder, r *rand.PCG, _ int64) {
	var text [maxString]byte
	n := l.low + int(below(r, l.count))
	for i := 0; i < n; {
		// Twelve letters of one random number: 26^12 is below 2^64.
		rest := r.Uint64()
		for range min(12, n-i) {
			high, low := bits.Mul64(rest, 26)
			text[i], rest = 'a'+byte(high), low
			i++
		}
	}
	c.AppendBytes(text[:n])
}

func (l *letters) bytes() int { return 4 + l.low + int(l.count) }

type coin struct{ limit uint64 }

func (k *coin) next(c *batch.ColumnBuilder, r *rand.PCG, _ int64) {
	c.AppendBool(hit(r, k.limit))
}

// hit says whether a random event of a threshold happens.
func hit(r *rand.PCG, limit uint64) bool {
	return limit == math.MaxUint64 || r.Uint64() < limit
}

func (k *coin) bytes() int { return 1 }
