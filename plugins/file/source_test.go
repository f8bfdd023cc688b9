// Copyright The wasmill Authors
// SPDX-License-Identifier: Apache-2.0

package file

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"runtime"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	kgzip "github.com/klauspost/compress/gzip"
	kzstd "github.com/klauspost/compress/zstd"

	"github.com/wasmill/wasmill/abi/batch"
	"github.com/wasmill/wasmill/plugins/format/formattest"
	"github.com/wasmill/wasmill/plugins/plugintest"
	"github.com/wasmill/wasmill/scheduler/operator"
)

func write(t testing.TB, folder, name, text string) string {
	t.Helper()
	path := filepath.Join(folder, name)
	if err := os.WriteFile(path, []byte(text), 0o666); err != nil {
		t.Fatal(err)
	}
	return path
}

func zipped(t testing.TB, name, text string) string {
	t.Helper()
	var out bytes.Buffer
	var w io.WriteCloser = kgzip.NewWriter(&out)
	if strings.HasSuffix(name, ".zst") {
		var err error
		if w, err = kzstd.NewWriter(&out); err != nil {
			t.Fatal(err)
		}
	}
	if _, err := io.WriteString(w, text); err != nil {
		t.Fatal(err)
	}
	if err := w.Close(); err != nil {
		t.Fatal(err)
	}
	return out.String()
}

// read makes a source of {a: int64} and reads it. An error of either is in the result.
func read(t *testing.T, folder, yaml string) plugintest.Result {
	t.Helper()
	s, err := Connector().Source(plugintest.Config{YAML: yaml, Folder: folder}, operator.SourceSpec{Schema: formattest.Schema(t, "a", "int64")})
	if err != nil {
		return plugintest.Result{Err: err}
	}
	return plugintest.ReadAll(t.Context(), s, plugintest.Options())
}

func TestFilesAreSplitsInTheOrderOfTheirNames(t *testing.T) {
	folder := t.TempDir()
	write(t, folder, "b.json", "{\"a\":3}\n{\"a\":\"x\"}\n")
	write(t, folder, "a.json", "[{\"a\":1},\n{\"a\":2}]")
	write(t, folder, "c.json.gz", zipped(t, "c.gz", "{\"a\":4}\n")+zipped(t, "c.gz", "{\"a\":5}\n"))
	write(t, folder, "d.json.zst", zipped(t, "d.zst", "{\"a\":6}\n"))
	write(t, folder, "e.json", "")
	write(t, folder, "f.csv", "a\n7\n")
	if err := os.Mkdir(filepath.Join(folder, "g.json"), 0o777); err != nil {
		t.Fatal(err)
	}
	want := plugintest.Result{
		Rows:      [][]any{{int64(1)}, {int64(2)}, {int64(3)}, {int64(4)}, {int64(5)}, {int64(6)}},
		Positions: []string{"a.json element 1", "a.json element 2", "b.json line 1", "c.json.gz line 1", "c.json.gz line 2", "d.json.zst line 1"},
		Rejects:   []string{`b.json line 2: a: it has "x", a string; expected int64`},
		Batches:   []int{2, 1, 2, 1},
	}
	for _, yaml := range []string{"'*.json*'", "path: '[a-z].json*'"} {
		s := plugintest.Source(t, Connector(), plugintest.Config{YAML: yaml, Folder: folder}, operator.SourceSpec{
			Schema: formattest.Schema(t, "a", "int64"), Format: mustFormat(t, "x.json"),
		})
		if diff := cmp.Diff(want, plugintest.ReadAll(t.Context(), s, plugintest.Options())); diff != "" {
			t.Errorf("%s: want (-), got (+)\n%s", yaml, diff)
		}
	}
	if got := read(t, folder, "f.csv"); !cmp.Equal(got.Rows, [][]any{{int64(7)}}) || got.Positions[0] != "f.csv line 2" {
		t.Errorf("f.csv: %+v", got)
	}
}

func mustFormat(t testing.TB, name string) operator.Format {
	t.Helper()
	f, err := formatOf(name, nil)
	if err != nil {
		t.Fatal(err)
	}
	return f
}

func TestBatchSizesDoNotChangeTheRows(t *testing.T) {
	folder := t.TempDir()
	var text strings.Builder
	for i := range 5000 {
		fmt.Fprintf(&text, "{\"a\":%d}\n", i)
	}
	write(t, folder, "a.json", text.String())
	s := plugintest.Source(t, Connector(), plugintest.Config{YAML: "a.json", Folder: folder}, operator.SourceSpec{})
	whole := plugintest.ReadAll(t.Context(), s, plugintest.Options())
	for _, rows := range []int{1, 3, 100_000} {
		opts := plugintest.Options()
		opts.Rows = rows
		got := plugintest.ReadAll(t.Context(), s, opts)
		if !cmp.Equal(whole.Rows, got.Rows) || len(got.Rows) != 5000 {
			t.Errorf("batches of %d: %d rows", rows, len(got.Rows))
		}
		if want := min(rows, 5000); got.Batches[0] != want {
			t.Errorf("the first batch has %d rows, want %d", got.Batches[0], want)
		}
	}
}

func TestInput(t *testing.T) {
	folder := t.TempDir()
	write(t, folder, "flights.json", "{\"a\":1}\n")
	write(t, folder, "empty.json", "")
	write(t, folder, "empty.json.gz", "")
	whole := zipped(t, "x.gz", strings.Repeat("{\"a\":1}\n", 10_000))
	write(t, folder, "cut.json.gz", whole[:len(whole)/2])
	write(t, folder, "bad.json.gz", whole[:len(whole)-8]+"01234567")
	write(t, folder, "plain.json.gz", "{\"a\":1}\n{\"a\":2}\n")
	whole = zipped(t, "x.zst", strings.Repeat("{\"a\":1}\n", 10_000))
	write(t, folder, "cut.json.zst", whole[:len(whole)-6])
	write(t, folder, "broken.json", "[{\"a\":1},\n oops]")
	write(t, folder, "head.csv", "A,b\n")
	write(t, folder, "data.bin", "")
	if err := os.MkdirAll(filepath.Join(folder, "sub", "dir.json"), 0o777); err != nil {
		t.Fatal(err)
	}
	for yaml, want := range map[string]string{
		"flight.json":                      "there is no file " + filepath.Join(folder, "flight.json") + `; did you mean "flights.json"?`,
		"nowhere/flights.json":             "there is no folder " + filepath.Join(folder, "nowhere") + " to hold flights.json",
		"path: sub\nfollow: true":          "the name \"sub\" does not say what the file's format is; name one, as in format: json",
		"sub/dir.json":                     filepath.Join(folder, "sub/dir.json") + " is a directory; to read the files in it, write sub/dir.json/*.json",
		"'sub/*.json'":                     "no file matches " + filepath.Join(folder, "sub/*.json") + ", only 1 directories do",
		"'sub/*.csv'":                      "no file matches " + filepath.Join(folder, "sub/*.csv") + "; there are 1 entries in " + filepath.Join(folder, "sub"),
		"'[.json'":                         `path: "[.json" is no pattern: syntax error in pattern`,
		"data.bin":                         `the name "data.bin" does not say what the file's format is; name one, as in format: json`,
		"compression: gzip":                "path: which file? Write path: flights.json",
		"{path: x.json, compression: zip}": `compression: "zip" is unknown; did you mean "gzip"?`,
		"{path: x.json.gz, follow: true}":  "follow: x.json.gz is compressed; only plain files can be followed",
		"empty.json.gz":                    filepath.Join(folder, "empty.json.gz") + " is empty: it has not even the header of a gzip file",
		"cut.json.gz":                      "cut.json.gz ends in the middle of its gzip data, at or a little before byte",
		"bad.json.gz":                      "bad.json.gz is no good gzip data, at or a little before byte",
		"plain.json.gz":                    "plain.json.gz is no good gzip data, at or a little before byte 16 of 16",
		"cut.json.zst":                     "cut.json.zst ends in the middle of its zstd data, at or a little before byte",
		"broken.json":                      `broken.json: line 2: bad JSON in or behind element 2 of the array: "o" where a value belongs`,
		"head.csv":                         `head.csv: line 1: the header has no column "a"; did you mean "A"?`,
	} {
		if got := read(t, folder, yaml); got.Err == nil || !strings.Contains(got.Err.Error(), want) {
			t.Errorf("%s: %v\nwant %s", yaml, got.Err, want)
		}
	}
	if got := read(t, folder, "empty.json"); got.Err != nil || len(got.Rows) != 0 {
		t.Errorf("an empty file: %+v", got)
	}
	if err := os.Chmod(filepath.Join(folder, "flights.json"), 0); err != nil {
		t.Fatal(err)
	}
	if os.Geteuid() != 0 {
		if got := read(t, folder, "flights.json"); !errors.Is(got.Err, os.ErrPermission) {
			t.Errorf("a file that may not be read: %v", got.Err)
		}
	}
}

func TestSchemasAreInferredFromTheFirstFile(t *testing.T) {
	folder := t.TempDir()
	write(t, folder, "a.csv.gz", zipped(t, "a.gz", "x,y\n1,u\n"))
	write(t, folder, "b.log", "a line\n")
	write(t, folder, "c.json", "7\n")
	for yaml, want := range map[string]string{"a.csv.gz": "{x: int64, y: string}", "b.log": "{value: string}"} {
		s := plugintest.Source(t, Connector(), plugintest.Config{YAML: yaml, Folder: folder}, operator.SourceSpec{})
		if got := s.Schema().String(); got != want {
			t.Errorf("%s: %s, want %s", yaml, got, want)
		}
	}
	_, err := Connector().Source(plugintest.Config{YAML: "c.json", Folder: folder}, operator.SourceSpec{})
	if err == nil || err.Error() != "c.json: record 1: it has 7, a number; expected an object" {
		t.Errorf("a file without records: %v", err)
	}
}

// start begins to read a file whose first batch is one row.
func start(t *testing.T, folder, yaml string) (operator.Reader, *[]string) {
	t.Helper()
	s := plugintest.Source(t, Connector(), plugintest.Config{YAML: yaml, Folder: folder}, operator.SourceSpec{Schema: formattest.Schema(t, "a", "int64")})
	splits, err := s.Splits(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	opts := plugintest.Options()
	rejects := &[]string{}
	opts.Reject = func(record []byte, at batch.Position, reason error) error {
		*rejects = append(*rejects, fmt.Sprintf("%d: %d bytes: %v", at.Offset(), len(record), reason))
		return nil
	}
	r, err := s.Read(t.Context(), splits[0], opts)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := r.Close(); err != nil {
			t.Error(err)
		}
	})
	return r, rejects
}

func next(t *testing.T, r operator.Reader) [][]any {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), 10*time.Second)
	defer cancel()
	b, err := r.Next(ctx)
	if err != nil {
		t.Fatal(err)
	}
	defer b.Release()
	return formattest.Values(b)
}

func TestAFileThatGetsShorterIsAnError(t *testing.T) {
	folder := t.TempDir()
	path := write(t, folder, "a.json", strings.Repeat("{\"a\":1}\n", 100_000))
	r, _ := start(t, folder, "a.json")
	next(t, r)
	if err := os.Truncate(path, 500_000); err != nil {
		t.Fatal(err)
	}
	var err error
	for err == nil {
		_, err = r.Next(t.Context())
	}
	if err == nil || !strings.Contains(err.Error(), "had 800000 bytes when it was opened and has 500000 now: it was changed while it was read") {
		t.Errorf("error %v", err)
	}
}

func TestAFileThatGrowsIsReadAsFarAsItWas(t *testing.T) {
	folder := t.TempDir()
	path := write(t, folder, "a.json", "{\"a\":1}\n{\"a\":2")
	r, _ := start(t, folder, "a.json")
	appendTo(t, path, "0}\n{\"a\":3}\n")
	if diff := cmp.Diff([][]any{{int64(1)}, {int64(20)}}, next(t, r)); diff != "" {
		t.Error(diff)
	}
	if _, err := r.Next(t.Context()); err != io.EOF {
		t.Errorf("error %v, want EOF", err)
	}
}

func appendTo(t *testing.T, path, text string) {
	t.Helper()
	f, err := os.OpenFile(path, os.O_APPEND|os.O_WRONLY|os.O_CREATE, 0o666)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := f.WriteString(text); err != nil {
		t.Fatal(err)
	}
	if err := f.Close(); err != nil {
		t.Fatal(err)
	}
}

func TestFollowReadsWhatIsAppendedRotatedAndTruncated(t *testing.T) {
	folder := t.TempDir()
	path := write(t, folder, "a.json", "{\"a\":1}\n{\"a\":")
	r, rejects := start(t, folder, "{path: a.json, follow: true}")
	expect := func(want ...any) {
		t.Helper()
		for len(want) > 0 {
			for _, row := range next(t, r) {
				if len(want) == 0 || row[0] != want[0] {
					t.Fatalf("row %v, want %v", row, want)
				}
				want = want[1:]
			}
		}
	}
	expect(int64(1))
	appendTo(t, path, "2}\n")
	expect(int64(2))
	appendTo(t, path, "{\"a\":3}\n{\"cut")
	if err := os.Rename(path, path+".1"); err != nil {
		t.Fatal(err)
	}
	write(t, folder, "a.json", "{\"a\":4}\n")
	expect(int64(3), int64(4))
	if diff := cmp.Diff([]string{"4: 5 bytes: the record ends too early: the closing quote of a string is missing"}, *rejects); diff != "" {
		t.Error(diff)
	}
	idle := func(wait time.Duration) {
		t.Helper()
		ctx, cancel := context.WithTimeout(t.Context(), wait)
		defer cancel()
		if _, err := r.Next(ctx); !errors.Is(err, context.DeadlineExceeded) {
			t.Errorf("a read that is interrupted: %v", err)
		}
	}
	idle(10 * time.Millisecond)
	write(t, folder, "a.json", "") // truncates
	idle(2 * poll)
	appendTo(t, path, "{\"a\":5}\n")
	expect(int64(5))
}

func TestALineOf100MBTakesLittleMemory(t *testing.T) {
	folder := t.TempDir()
	f, err := os.Create(filepath.Join(folder, "a.json"))
	if err != nil {
		t.Fatal(err)
	}
	block := bytes.Repeat([]byte("x"), 1<<20)
	for i := range 102 {
		switch i {
		case 0:
			_, err = f.WriteString("{\"a\":1}\n{\"b\":\"")
		case 101:
			_, err = f.WriteString("\"}\n{\"a\":2}\n")
		default:
			_, err = f.Write(block)
		}
		if err != nil {
			t.Fatal(err)
		}
	}
	if err := f.Close(); err != nil {
		t.Fatal(err)
	}
	var before, after runtime.MemStats
	runtime.ReadMemStats(&before)
	r, rejects := start(t, folder, "a.json")
	if diff := cmp.Diff([][]any{{int64(1)}, {int64(2)}}, next(t, r)); diff != "" {
		t.Error(diff)
	}
	runtime.ReadMemStats(&after)
	if diff := cmp.Diff([]string{"2: 1024 bytes: the line is longer than 16 MiB (max_record)"}, *rejects); diff != "" {
		t.Error(diff)
	}
	if used := after.TotalAlloc - before.TotalAlloc; used > 64<<20 {
		t.Errorf("%d MiB were allocated", used>>20)
	}
}
