// Copyright The wasmill Authors
// SPDX-License-Identifier: Apache-2.0

//go:build unix

package file

import (
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"testing"

	"github.com/google/go-cmp/cmp"
	kgzip "github.com/klauspost/compress/gzip"
	kzstd "github.com/klauspost/compress/zstd"

	"github.com/wasmill/wasmill/abi/batch"
	"github.com/wasmill/wasmill/plugins/format/formattest"
	"github.com/wasmill/wasmill/plugins/plugintest"
	"github.com/wasmill/wasmill/scheduler/operator"
)

// rows returns a batch of {a: int64}.
func rows(t testing.TB, values ...int64) *batch.Batch {
	t.Helper()
	b := (&batch.Pool{}).NewBuilder(formattest.Schema(t, "a", "int64"))
	for _, v := range values {
		b.Column(0).AppendInt64(v)
		b.EndRow()
	}
	return b.Finish()
}

func newTestSink(t testing.TB, folder, yaml string) operator.Sink {
	t.Helper()
	s, err := Connector().Sink(plugintest.Config{YAML: yaml, Folder: folder}, operator.SinkSpec{Schema: formattest.Schema(t, "a", "int64")})
	if err != nil {
		t.Fatal(err)
	}
	return s
}

func open(t testing.TB, s operator.Sink, subtask, parallelism int) operator.Writer {
	t.Helper()
	w, err := s.Open(t.Context(), subtask, parallelism)
	if err != nil {
		t.Fatal(err)
	}
	return w
}

// files returns the names and contents of the files of a folder.
func files(t testing.TB, folder string) map[string]string {
	t.Helper()
	entries, err := os.ReadDir(folder)
	if err != nil {
		t.Fatal(err)
	}
	out := map[string]string{}
	for _, e := range entries {
		data, err := os.ReadFile(filepath.Join(folder, e.Name()))
		if err != nil {
			t.Fatal(err)
		}
		out[e.Name()] = string(data)
	}
	return out
}

func check(t testing.TB, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

func TestAFileAppearsWhenItIsComplete(t *testing.T) {
	folder := t.TempDir()
	write(t, folder, "out.json", "old")
	w := open(t, newTestSink(t, folder, "out.json"), 0, 1)
	check(t, w.Write(t.Context(), rows(t, 1, 2)))
	check(t, w.Flush(t.Context()))
	if got := files(t, folder)["out.json"]; got != "old" {
		t.Errorf("before Commit it holds %q", got)
	}
	check(t, w.Commit(t.Context()))
	if diff := cmp.Diff(map[string]string{"out.json": "{\"a\":1}\n{\"a\":2}\n"}, files(t, folder)); diff != "" {
		t.Error(diff)
	}
}

func TestAbortLeavesNoTrace(t *testing.T) {
	folder := t.TempDir()
	write(t, folder, "out.json", "old")
	w := open(t, newTestSink(t, folder, "out.json"), 0, 1)
	check(t, w.Write(t.Context(), rows(t, 1)))
	check(t, w.Abort())
	if diff := cmp.Diff(map[string]string{"out.json": "old"}, files(t, folder)); diff != "" {
		t.Error(diff)
	}
}

func TestSubtasksWriteFilesOfTheirOwn(t *testing.T) {
	folder := t.TempDir()
	s := newTestSink(t, folder, "out.csv.gz")
	w0, w1 := open(t, s, 0, 2), open(t, s, 1, 2)
	check(t, w1.Write(t.Context(), rows(t, 1)))
	check(t, w0.Commit(t.Context()))
	check(t, w1.Commit(t.Context()))
	got := files(t, folder)
	for name, want := range map[string]string{"out-0.csv.gz": "a\n", "out-1.csv.gz": "a\n1\n"} {
		r, err := kgzip.NewReader(strings.NewReader(got[name]))
		check(t, err)
		if data, err := io.ReadAll(r); err != nil || string(data) != want {
			t.Errorf("%s holds %q, %v; want %q", name, data, err, want)
		}
	}
	if len(got) != 2 {
		t.Errorf("files %v", got)
	}
}

func TestCompressionByName(t *testing.T) {
	folder := t.TempDir()
	w := open(t, newTestSink(t, folder, "out.json.zst"), 0, 1)
	check(t, w.Write(t.Context(), rows(t, 1)))
	check(t, w.Commit(t.Context()))
	d, err := kzstd.NewReader(nil)
	check(t, err)
	defer d.Close()
	if data, err := d.DecodeAll([]byte(files(t, folder)["out.json.zst"]), nil); err != nil || string(data) != "{\"a\":1}\n" {
		t.Errorf("%q, %v", data, err)
	}
}

func TestASecondWriterIsRefused(t *testing.T) {
	folder := t.TempDir()
	first := open(t, newTestSink(t, folder, "out.json"), 0, 1)
	second := newTestSink(t, folder, "path: ./out.json")
	if _, err := second.Open(t.Context(), 0, 1); err == nil || !strings.Contains(err.Error(), "out.json is being written by another sink") {
		t.Errorf("a second writer: %v", err)
	}
	check(t, first.Abort())
	check(t, open(t, second, 0, 1).Commit(t.Context()))
}

// TestACrashedRunIsNoObstacle writes in a process that is killed.
func TestACrashedRunIsNoObstacle(t *testing.T) {
	if folder := os.Getenv("WASMILL_TEST_CRASH"); folder != "" {
		w := open(t, newTestSink(t, folder, "out.json"), 0, 1)
		check(t, w.Write(t.Context(), rows(t, 1)))
		check(t, syscall.Kill(os.Getpid(), syscall.SIGKILL))
	}
	folder := t.TempDir()
	cmd := exec.CommandContext(t.Context(), os.Args[0], "-test.run", "TestACrashedRunIsNoObstacle")
	cmd.Env = append(os.Environ(), "WASMILL_TEST_CRASH="+folder)
	if err := cmd.Run(); err == nil {
		t.Fatal("the process has not been killed")
	}
	if left := files(t, folder); len(left) != 2 {
		t.Fatalf("the crash left %v", left)
	}
	write(t, folder, ".outxjson.tmp-1", "somebody else's")
	w := open(t, newTestSink(t, folder, "out.json"), 0, 1)
	check(t, w.Write(t.Context(), rows(t, 2)))
	check(t, w.Commit(t.Context()))
	if diff := cmp.Diff(map[string]string{"out.json": "{\"a\":2}\n", ".outxjson.tmp-1": "somebody else's"}, files(t, folder)); diff != "" {
		t.Error(diff)
	}
}

func TestNamesMayLookLikePatterns(t *testing.T) {
	folder := t.TempDir()
	write(t, folder, ".a.json.tmp-1", "somebody else's")
	w := open(t, newTestSink(t, folder, "'[a].json'"), 0, 1)
	check(t, w.Commit(t.Context()))
	if got := files(t, folder); len(got) != 2 || got[".a.json.tmp-1"] == "" {
		t.Errorf("files %v", got)
	}
}

func TestPlacesThatCannotBeWritten(t *testing.T) {
	folder := t.TempDir()
	check(t, os.Mkdir(filepath.Join(folder, "dir.json"), 0o777))
	check(t, os.Symlink("/dev/null", filepath.Join(folder, "null.json")))
	for yaml, want := range map[string]string{
		"dir.json":         "dir.json is a directory; the sink writes one file",
		"nowhere/out.json": "there is no folder " + filepath.Join(folder, "nowhere") + " to write out.json in",
		"null.json":        "null.json is no regular file",
	} {
		if _, err := newTestSink(t, folder, yaml).Open(t.Context(), 0, 1); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%s: %v, want %s", yaml, err, want)
		}
	}
	if got := len(files(t, filepath.Join(folder, "dir.json"))); got != 0 {
		t.Errorf("%d files are left", got)
	}
}

func TestALinkIsWrittenThrough(t *testing.T) {
	folder, other := t.TempDir(), t.TempDir()
	write(t, other, "real.json", "old")
	check(t, os.Symlink(filepath.Join(other, "real.json"), filepath.Join(folder, "out.json")))
	w := open(t, newTestSink(t, folder, "out.json"), 0, 1)
	check(t, w.Write(t.Context(), rows(t, 1)))
	check(t, w.Commit(t.Context()))
	if diff := cmp.Diff(map[string]string{"real.json": "{\"a\":1}\n"}, files(t, other)); diff != "" {
		t.Error(diff)
	}
}

// fullDisk is a target on a disk that has room for so many bytes.
type fullDisk struct {
	target
	room int
}

func (f *fullDisk) Write(p []byte) (int, error) {
	if f.room -= len(p); f.room < 0 {
		return 0, syscall.ENOSPC
	}
	return f.target.Write(p)
}

func TestAFullDisk(t *testing.T) {
	for _, name := range []string{"out.json", "out.json.gz"} {
		folder := t.TempDir()
		write(t, folder, name, "old")
		s := newTestSink(t, folder, name)
		s.(*sink).create = func(path string) (target, error) {
			f, err := create(path)
			return &fullDisk{target: f, room: 5}, err
		}
		w := open(t, s, 0, 1)
		check(t, w.Write(t.Context(), rows(t, 1, 2, 3)))
		err := w.Commit(t.Context())
		want := "writing " + filepath.Join(folder, name) + ": no space left on device; what was there before is untouched"
		if err == nil || err.Error() != want {
			t.Errorf("error %v, want %s", err, want)
		}
		if diff := cmp.Diff(map[string]string{name: "old"}, files(t, folder)); diff != "" {
			t.Error(diff)
		}
	}
}

func TestWhatIsWrittenReadsBack(t *testing.T) {
	folder := t.TempDir()
	for _, name := range []string{"a.json", "a.csv", "a.ndjson.gz", "a.csv.zst"} {
		w := open(t, newTestSink(t, folder, name), 0, 1)
		var want [][]any
		for i := range int64(30_000) {
			want = append(want, []any{i})
		}
		for i := int64(0); i < 30_000; i += 2 {
			check(t, w.Write(t.Context(), rows(t, i, i+1)))
		}
		check(t, w.Commit(t.Context()))
		if got := read(t, folder, name); got.Err != nil || !cmp.Equal(want, got.Rows) {
			t.Errorf("%s: %d rows, %v", name, len(got.Rows), got.Err)
		}
	}
}
