// Copyright The wasmill Authors
// SPDX-License-Identifier: Apache-2.0

package literal

import (
	"errors"
	"math"
	"math/big"
	"math/rand/v2"
	"strconv"
	"testing"
	"time"

	"github.com/wasmill/wasmill/abi"
)

func TestScanFollowsTheGrammarOfRFC8259(t *testing.T) {
	for text, length := range map[string]int{
		"0": 1, "-0": 2, "12": 2, "1.5": 3, "1e5": 3, "1E+05": 5, "-1.25e-3": 8, "12,": 2, "0.0": 3,
		"": 0, "-": 0, "01": 0, "-01": 0, "+1": 0, ".5": 0, "1.": 0, "1.e5": 0, "1e": 0, "1e+": 0, "x": 0, "Inf": 0,
	} {
		if _, n := Scan([]byte(text)); n != length {
			t.Errorf("%q: %d bytes are a number, want %d", text, n, length)
		}
	}
}

func TestIntegersAreExactOrRefused(t *testing.T) {
	for _, c := range []struct {
		text  string
		scale int
		want  int64
		err   error
	}{
		{"9223372036854775807", 0, math.MaxInt64, nil},
		{"-9223372036854775808", 0, math.MinInt64, nil},
		{"9223372036854775808", 0, 0, ErrRange},
		{"-9223372036854775809", 0, 0, ErrRange},
		{"18446744073709551616", 0, 0, ErrRange},
		{"123456789012345678901234567890", 0, 0, ErrRange},
		{"1.0", 0, 1, nil},
		{"1e3", 0, 1000, nil},
		{"1500e-2", 0, 15, nil},
		{"1.5", 0, 0, ErrFraction},
		{"1e-1", 0, 0, ErrFraction},
		{"1e19", 0, 0, ErrRange},
		{"1e999999999999", 0, 0, ErrRange},
		{"1e-999999999999", 0, 0, ErrFraction},
		{"0e999999999999", 0, 0, nil},
		{"1.00000000000000000000000000", 0, 1, nil},
		{"1.00000000000000000000000001", 0, 0, ErrFraction},
		{"9223372036854775807.5", 0, 0, ErrFraction},
		{"12.5", 2, 1250, nil},
		{"12.500", 2, 1250, nil},
		{"12.505", 2, 0, ErrFraction},
		{"-0.01", 2, -1, nil},
		{"0.00000000000000000000001", 18, 0, ErrFraction},
	} {
		n, size := Scan([]byte(c.text))
		got, err := n.Fixed(c.scale)
		if size != len(c.text) || got != c.want || !errors.Is(err, c.err) {
			t.Errorf("%s with %d digits after the point: %d, %v; want %d, %v", c.text, c.scale, got, err, c.want, c.err)
		}
	}
}

func TestDecimalsHaveEighteenDigits(t *testing.T) {
	for text, want := range map[string]error{
		"9999999999999999.99": nil, "10000000000000000": ErrRange, "-9999999999999999.99": nil, "-10000000000000000": ErrRange,
	} {
		n, _ := Scan([]byte(text))
		if _, err := n.Decimal(2); !errors.Is(err, want) {
			t.Errorf("%s: %v, want %v", text, err, want)
		}
	}
}

func TestFixedAgreesWithBigRationals(t *testing.T) {
	r := rand.New(rand.NewPCG(1, 2))
	for range 20_000 {
		text := strconv.FormatInt(r.Int64()>>r.IntN(63), 10)
		if r.IntN(2) == 0 {
			text += "." + strconv.Itoa(r.IntN(1000))
		}
		if r.IntN(2) == 0 {
			text += "e" + strconv.Itoa(r.IntN(24)-12)
		}
		scale := r.IntN(4)
		exact, _ := new(big.Rat).SetString(text)
		exact.Mul(exact, new(big.Rat).SetInt64(int64(powers[scale])))
		n, _ := Scan([]byte(text))
		got, err := n.Fixed(scale)
		if fits := exact.IsInt() && exact.Num().IsInt64(); fits != (err == nil) || fits && exact.Num().Int64() != got {
			t.Fatalf("%s with %d digits after the point: %d, %v; want %s", text, scale, got, err, exact)
		}
	}
}

func TestFloatsRoundAsStrconvDoes(t *testing.T) {
	r := rand.New(rand.NewPCG(1, 2))
	for range 50_000 {
		text := strconv.FormatFloat(math.Float64frombits(r.Uint64()), "eg"[r.IntN(2)], r.IntN(25)-1, 64)
		if r.IntN(2) == 0 {
			text = strconv.FormatFloat(r.NormFloat64()*1000, 'f', r.IntN(20), 64)
		}
		want, err := strconv.ParseFloat(text, 64)
		n, size := Scan([]byte(text))
		if size == 0 || err != nil {
			continue // NaN, Inf
		}
		if got, err := n.Float64([]byte(text)); err != nil || math.Float64bits(got) != math.Float64bits(want) {
			t.Fatalf("%s: %v, %v; want %v", text, got, err, want)
		}
	}
	n, _ := Scan([]byte("1e999"))
	if _, err := n.Float64([]byte("1e999")); !errors.Is(err, ErrRange) {
		t.Errorf("1e999: %v, want ErrRange", err)
	}
}

func TestPeopleMayWriteAPlusAndLeadingZeros(t *testing.T) {
	for text, want := range map[string]int64{"+5": 5, "007": 7, "-007": -7, "0": 0, "00": 0} {
		n, ok := ParseNumber([]byte(text))
		if got, err := n.Fixed(0); !ok || err != nil || got != want {
			t.Errorf("%q: %d, %v, %v; want %d", text, got, ok, err, want)
		}
	}
	for _, text := range []string{"", "+", "-", "--5", "+-5", "5 ", " 5", "0x5", "1_000"} {
		if n, ok := ParseNumber([]byte(text)); ok {
			t.Errorf("%q is taken for %+v", text, n)
		}
	}
}

func TestTextOfNumbersReadsBack(t *testing.T) {
	for want, v := range map[string]struct {
		value int64
		scale uint8
	}{
		"12.05": {1205, 2}, "-0.05": {-5, 2}, "0.00": {0, 2}, "7": {7, 0}, "-9223372036854775808": {math.MinInt64, 0},
		"0.000000000000000001": {1, 18},
	} {
		if got := string(AppendDecimal(nil, v.value, v.scale)); got != want {
			t.Errorf("%+v: %s, want %s", v, got, want)
		}
	}
	r := rand.New(rand.NewPCG(1, 2))
	for i := range 20_000 {
		f := math.Float64frombits(r.Uint64())
		if i%2 == 0 {
			f = math.Trunc(r.NormFloat64() * 1e6)
		}
		if math.IsNaN(f) || math.IsInf(f, 0) {
			continue
		}
		text := AppendFloat64(nil, f)
		n, size := Scan(text)
		if got, err := n.Float64(text); size != len(text) || err != nil || math.Float64bits(got) != math.Float64bits(f) {
			t.Fatalf("%v is written as %s and read as %v, %v", f, text, got, err)
		}
	}
	if got := string(AppendFloat64(nil, math.Copysign(0, -1))); got != "-0" {
		t.Errorf("-0 is written as %s", got)
	}
}

func TestTimesInTheirVariants(t *testing.T) {
	for text, want := range map[string]string{
		"2001-01-01T00:00:00Z":           "2001-01-01T00:00:00Z",
		"2001-01-01t00:00:00z":           "2001-01-01T00:00:00Z",
		"2001-01-01":                     "2001-01-01T00:00:00Z",
		"2001/01/31":                     "2001-01-31T00:00:00Z",
		"2001/01/01 00:10":               "2001-01-01T00:10:00Z",
		"2001-01-01 12:34:56":            "2001-01-01T12:34:56Z",
		"2001-01-01T12:34:56+02:00":      "2001-01-01T10:34:56Z",
		"2001-01-01 12:34:56 -0230":      "2001-01-01T15:04:56Z",
		"2001-01-01 12:34+02":            "2001-01-01T10:34:00Z",
		"2001-01-01T12:34:56.5Z":         "2001-01-01T12:34:56.500Z",
		"2001-01-01T12:34:56.123456Z":    "2001-01-01T12:34:56.123456Z",
		"2001-01-01T12:34:56.123456789Z": "2001-01-01T12:34:56.123456Z",
		"2001-01-01T12:34:56,001":        "2001-01-01T12:34:56.001Z",
		"2000-02-29T23:59:59Z":           "2000-02-29T23:59:59Z",
		"1969-12-31T23:59:59.999999Z":    "1969-12-31T23:59:59.999999Z",
		"0000-01-01T00:00:00Z":           "0000-01-01T00:00:00Z",
		"9999-12-31T23:59:59.999999Z":    "9999-12-31T23:59:59.999999Z",
		"+012345-06-07T00:00:00Z":        "+012345-06-07T00:00:00Z",
		"+294247-01-10T04:00:54.775807Z": "+294247-01-10T04:00:54.775807Z",
		"-290308-12-21T19:59:05.224192Z": "-290308-12-21T19:59:05.224192Z",
		"+294247-01-10T04:00:54.775808Z": "",
		"-290308-12-21T19:59:05.224191Z": "",
		"+999999-01-01T00:00:00Z":        "",
		"2001-13-01":                     "",
		"2001-00-01":                     "",
		"2001-02-29":                     "",
		"1900-02-29":                     "",
		"2001-04-31":                     "",
		"2001-1-1":                       "",
		"2001-01/01":                     "",
		"2001-01-01T":                    "",
		"2001-01-01T24:00:00Z":           "",
		"2001-01-01T23:60:00Z":           "",
		"2001-01-01T23:59:60Z":           "",
		"2001-01-01T23:59:59.Z":          "",
		"2001-01-01T23:59:59ZZ":          "",
		"2001-01-01T23:59:59+24:00":      "",
		"2001-01-01T23:59:59+1":          "",
		"2001-01-01T23:59:59+01:":        "",
		"2001-01-01T23:59:5":             "",
		"2001-01-01T23:":                 "",
		"2001-01-01T2":                   "",
		"2001-01-01 ":                    "",
		"2001-01-01T23:59 ":              "",
		"20010101":                       "",
		"":                               "",
		"today":                          "",
		"+12345-06-07":                   "",
	} {
		got, ok := ParseTime([]byte(text))
		switch written := string(AppendTime(nil, got)); {
		case want == "" && ok:
			t.Errorf("%q is taken for %s", text, written)
		case want != "" && (!ok || written != want):
			t.Errorf("%q: %s, %v; want %s", text, written, ok, want)
		}
	}
}

func TestTimesAgreeWithTheStandardLibrary(t *testing.T) {
	r := rand.New(rand.NewPCG(1, 2))
	const year = 365 * 86_400 * 1_000_000
	for range 50_000 {
		v := abi.EventTime(r.Int64N(9900*year) - 1969*year)
		text := string(AppendTime(nil, v))
		parsed, err := time.Parse(time.RFC3339Nano, text)
		if err != nil || parsed.UnixMicro() != int64(v) {
			t.Fatalf("%d is written as %s, which is %d, %v", v, text, parsed.UnixMicro(), err)
		}
		if got, ok := ParseTime([]byte(text)); !ok || got != v {
			t.Fatalf("%s is read as %d, %v; want %d", text, got, ok, v)
		}
	}
	for range 50_000 {
		v := abi.EventTime(r.Uint64())
		if got, ok := ParseTime(AppendTime(nil, v)); !ok || got != v {
			t.Fatalf("%d is read back as %d, %v", v, got, ok)
		}
	}
}

func FuzzParseTime(f *testing.F) {
	f.Add("2001-01-01T12:34:56.123456+02:00")
	f.Add("-290308-12-21T19:59:05.224192Z")
	f.Fuzz(func(t *testing.T, text string) {
		if v, ok := ParseTime([]byte(text)); ok {
			if again, ok := ParseTime(AppendTime(nil, v)); !ok || again != v {
				t.Fatalf("%q is %d, and then %d, %v", text, v, again, ok)
			}
		}
	})
}

func BenchmarkParseTime(b *testing.B) {
	text := []byte("2001-01-01T12:34:56.789Z")
	for b.Loop() {
		if _, ok := ParseTime(text); !ok {
			b.Fatal("refused")
		}
	}
}

func BenchmarkAppendTime(b *testing.B) {
	var dst []byte
	for b.Loop() {
		dst = AppendTime(dst[:0], 978_352_496_789_000)
	}
}
