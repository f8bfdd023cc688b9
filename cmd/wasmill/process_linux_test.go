// Copyright The wasmill Authors
// SPDX-License-Identifier: Apache-2.0

package main

import (
	"bufio"
	"bytes"
	"errors"
	"fmt"
	"io"
	"math/rand/v2"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/wasmill/wasmill/sdk/build"
)

// These tests run the command as a process of its own: what signals, pipes and full disks do to it.

const generated = "name: p\nsources:\n  in: {generator: {ROWScolumns: {n: {sequence: {}}, s: {string: {length: [20, 30]}}}}}\nsinks:\n  out: {from: in, SINK}\n"

// generating returns a pipeline that writes generated rows, without end where rows is empty.
func generating(rows, sink string) string {
	return strings.NewReplacer("ROWS", rows, "SINK", sink).Replace(generated)
}

// process is the command, not yet started, in a process group of its own. A test's end ends it.
type process struct {
	*exec.Cmd
	stdout, stderr bytes.Buffer
}

func newProcess(t testing.TB, cache string, args ...string) *process {
	t.Helper()
	program, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	p := &process{Cmd: exec.CommandContext(t.Context(), program, args...)}
	p.Env = append(os.Environ(), asCommand+"=1", "WASMILL_CACHE="+cache, "WASMILL_COMPILE_TIME="+compileTime)
	p.Stdout, p.Stderr = &p.stdout, &p.stderr
	p.SysProcAttr = &syscall.SysProcAttr{Setpgid: true}
	p.WaitDelay = time.Second
	return p
}

func (p *process) start(t testing.TB) {
	t.Helper()
	if err := p.Start(); err != nil {
		t.Fatal(err)
	}
}

// signal sends a signal to the process and its children, as a terminal does.
func (p *process) signal(t testing.TB, s syscall.Signal) {
	t.Helper()
	if err := syscall.Kill(-p.Process.Pid, s); err != nil && !errors.Is(err, syscall.ESRCH) {
		t.Fatal(err)
	}
}

// end waits for the process. The code of one that a signal has ended is that signal, negative.
func (p *process) end(t testing.TB) result {
	t.Helper()
	hung := time.AfterFunc(30*time.Second, func() {
		t.Error("it hangs")
		_ = p.Process.Signal(syscall.SIGQUIT) // shows where
	})
	defer hung.Stop()
	if err := p.Wait(); err != nil && !errors.As(err, new(*exec.ExitError)) {
		t.Fatal(err)
	}
	code := p.ProcessState.ExitCode()
	if status := p.ProcessState.Sys().(syscall.WaitStatus); status.Signaled() {
		code = -int(status.Signal())
	}
	return result{code, p.stdout.String(), p.stderr.String()}
}

// await waits until a file is there.
func await(t testing.TB, path string) {
	t.Helper()
	for deadline := time.Now().Add(10 * time.Second); ; time.Sleep(time.Millisecond) {
		if _, err := os.Lstat(path); err == nil {
			return
		}
		if time.Now().After(deadline) {
			t.Fatalf("%s does not appear", path)
		}
	}
}

// headed runs the command until its first line, and then closes its standard output.
func headed(t *testing.T, args ...string) (first string, r result) {
	t.Helper()
	p := newProcess(t, sharedCache(), args...)
	p.Stdout = nil
	out, err := p.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	p.start(t)
	first, err = bufio.NewReader(out).ReadString('\n')
	if err != nil {
		t.Error(err)
	}
	closeAll(t, out)
	return first, p.end(t)
}

func TestWhoeverReadsOnlyTheFirstLineGetsItAndEndsTheJob(t *testing.T) {
	folder(t, map[string]string{"p.yaml": generating("", "stdout: "), "m.wasm": guest(t, "c")})
	first, r := headed(t, "run", "p.yaml")
	want(t, r, exitDone, "", "")
	if !strings.HasPrefix(first, `{"n":0,"s":"`) {
		t.Errorf("first line %q", first)
	}
	first, r = headed(t, "inspect", "--json", "m.wasm")
	want(t, r, exitDone, "", "")
	if first != "{\n" {
		t.Errorf("first line %q", first)
	}
}

func TestAClosedStandardOutputIsAFailureWhereOtherSinksWait(t *testing.T) {
	folder(t, map[string]string{"p.yaml": generating("", "stdout: ") + "  file: {from: in, file: out.json}\n"})
	_, r := headed(t, "run", "p.yaml")
	want(t, r, exitFailed, "", "wasmill: standard output was closed before the end of the input; the other sinks have written nothing\n")
	wantFiles(t, "p.yaml")
}

func TestAFullDeviceAtStandardOutputIsAFailure(t *testing.T) {
	folder(t, map[string]string{"p.yaml": generating("rows: 10, ", "stdout: "), "m.wasm": guest(t, "c")})
	full, err := os.OpenFile("/dev/full", os.O_WRONLY, 0)
	if err != nil {
		t.Fatal(err)
	}
	defer closeAll(t, full)
	tests := map[string]string{
		"run p.yaml":     "out: writing standard output: write /dev/stdout: no space left on device",
		"check p.yaml":   "write /dev/stdout: no space left on device",
		"inspect m.wasm": "write /dev/stdout: no space left on device",
		"version --json": "write /dev/stdout: no space left on device",
	}
	for args, message := range tests {
		p := newProcess(t, sharedCache(), strings.Fields(args)...)
		p.Stdout = full
		p.start(t)
		want(t, p.end(t), exitFailed, "", "wasmill: "+message+"\n")
	}
}

// A limit on the size of files fails a write as a full disk does, and needs no disk of its own.
func TestADiskThatIsFullLeavesWhatWasThere(t *testing.T) {
	for _, name := range []string{"out.json", "out.json.gz", "out.json.zst"} {
		t.Run(name, func(t *testing.T) {
			dir := folder(t, map[string]string{"p.yaml": generating("rows: 100000, ", "file: "+name), name: "before"})
			p := newProcess(t, sharedCache(), "run", "p.yaml")
			p.Args = []string{"sh", "-c", `ulimit -f 100; exec "$0" run p.yaml`, p.Path}
			p.Path = "/bin/sh"
			p.start(t)
			pid := p.Process.Pid
			r := p.end(t)
			if start := "wasmill: out: writing " + filepath.Join(dir, name) + ": "; r.code != exitFailed || !strings.HasPrefix(r.stderr, start) ||
				!strings.HasSuffix(r.stderr, "file too large; what was there before is untouched\n") || strings.Count(r.stderr, "\n") != 1 {
				t.Errorf("process %d: exit code %d, stderr %q", pid, r.code, r.stderr)
			}
			if content(t, name) != "before" {
				t.Error("what was there is gone")
			}
			wantFiles(t, name, "p.yaml")
		})
	}
}

func TestTwoRunsThatWriteOneFile(t *testing.T) {
	folder(t, map[string]string{"p.yaml": generating("rate: 1000, ", "file: out.json")})
	first := newProcess(t, sharedCache(), "run", "p.yaml")
	first.start(t)
	await(t, ".out.json.lock")
	var pid string
	for pid == "" {
		pid = strings.TrimSpace(content(t, ".out.json.lock"))
	}
	second := newProcess(t, sharedCache(), "run", "p.yaml")
	second.start(t)
	want(t, second.end(t), exitFailed, "", "wasmill: out: DIR/out.json is being written by another sink (process "+pid+"); two can't write one file\n")

	// The generator has no end: at Ctrl-C what was made so far is written.
	time.Sleep(50 * time.Millisecond)
	first.signal(t, syscall.SIGINT)
	want(t, first.end(t), exitDone, "", "wasmill: stopping; processing what has been read. Ctrl-C again aborts.\n")
	if rows := content(t, "out.json"); !strings.HasPrefix(rows, `{"n":0,`) || !strings.HasSuffix(rows, "}\n") {
		t.Errorf("out.json: %.100s", rows)
	}
	wantFiles(t, "out.json", "p.yaml")
}

// strikes is how often the tests below strike, each time at another moment.
const strikes = 10

// strike starts the command, and sends it a signal at a random moment before d is over, mostly.
func strike(t testing.TB, s syscall.Signal, cache string, d time.Duration) result {
	t.Helper()
	p := newProcess(t, cache, "run", "p.yaml")
	p.start(t)
	time.Sleep(time.Duration(rand.Int64N(int64(d))))
	p.signal(t, s)
	return p.end(t)
}

func TestAnInterruptionAtAnyMomentLeavesAllOrNothing(t *testing.T) {
	const rows = 50_000
	for name, cache := range map[string]func() string{"compiled": sharedCache, "cold": t.TempDir} {
		t.Run(name, func(t *testing.T) {
			folder(t, map[string]string{"m.wasm": guest(t, build.Rust), "p.yaml": "name: p\nsources:\n  in: {generator: {rows: 50000, columns: {n: {sequence: {start: 14}}}}}\n" +
				"operators:\n  o: {from: in, wasm: m.wasm, operator: crash}\nsinks:\n  out: {from: o, file: out.json}\n"})
			start := time.Now()
			p := newProcess(t, cache(), "run", "p.yaml")
			p.start(t)
			want(t, p.end(t), exitDone, "", "")
			whole := time.Since(start)
			for range strikes {
				if err := os.Remove("out.json"); err != nil && !errors.Is(err, os.ErrNotExist) {
					t.Fatal(err)
				}
				at := cache()
				r := strike(t, syscall.SIGINT, at, whole)
				switch r.code {
				case exitDone:
					want(t, r, exitDone, "", "")
					if n := strings.Count(content(t, "out.json"), "\n"); n != rows {
						t.Errorf("%d rows of %d", n, rows)
					}
					wantFiles(t, "m.wasm", "out.json", "p.yaml")
				case exitFailed:
					want(t, r, exitFailed, "", "wasmill: interrupted\n")
					wantFiles(t, "m.wasm", "p.yaml")
				case -int(syscall.SIGINT): // before main
					wantFiles(t, "m.wasm", "p.yaml")
				default:
					t.Errorf("exit code %d, stderr %q", r.code, r.stderr)
				}
				if unfinished, err := filepath.Glob(filepath.Join(at, "new-*")); err != nil || name == "cold" && len(unfinished) > 0 {
					t.Errorf("left in the cache: %q %v", unfinished, err)
				}
			}
		})
	}
}

func TestAKillAtAnyMomentLeavesNoHalfFileAndTheNextRunCleansUp(t *testing.T) {
	const rows = 300_000
	folder(t, map[string]string{"p.yaml": generating("rows: 300000, ", "file: out.json"), "out.json": "before\n"})
	start := time.Now()
	p := newProcess(t, sharedCache(), "run", "p.yaml")
	p.start(t)
	want(t, p.end(t), exitDone, "", "")
	whole := time.Since(start)
	for range strikes {
		write(t, "out.json", "before\n")
		strike(t, syscall.SIGKILL, sharedCache(), whole)
		if text := content(t, "out.json"); text != "before\n" && strings.Count(text, "\n") != rows {
			t.Errorf("%d lines of %d", strings.Count(text, "\n"), rows)
		}
	}
	p = newProcess(t, sharedCache(), "run", "p.yaml")
	p.start(t)
	want(t, p.end(t), exitDone, "", "")
	wantFiles(t, "out.json", "p.yaml")
}

func TestAJobThatCantStopIsEndedByTheThirdCtrlC(t *testing.T) {
	folder(t, map[string]string{"p.yaml": generating("", "stdout: ")})
	p := newProcess(t, sharedCache(), "run", "p.yaml")
	out, unread, err := os.Pipe() // a write to it waits, once it is full
	if err != nil {
		t.Fatal(err)
	}
	defer closeAll(t, out, unread)
	p.Stdout = unread
	p.start(t)
	if _, err := io.ReadFull(out, make([]byte, 1)); err != nil {
		t.Fatal(err)
	}
	for range 2 {
		p.signal(t, syscall.SIGINT)
		time.Sleep(patience / 10)
	}
	time.Sleep(patience)
	p.signal(t, syscall.SIGINT)
	want(t, p.end(t), exitFailed, "", "wasmill: stopping; processing what has been read. Ctrl-C again aborts.\n"+
		"wasmill: stopped at once; temporary files may be left, which the next run removes\n")
}

func TestWaitingForAPipeCanBeInterrupted(t *testing.T) {
	folder(t, map[string]string{"p.yaml": copying("{path: pipe}", ", format: json")})
	if err := syscall.Mkfifo("pipe", 0o600); err != nil {
		t.Fatal(err)
	}
	for _, args := range []string{"run pipe", "check pipe", "run p.yaml"} {
		p := newProcess(t, sharedCache(), strings.Fields(args)...)
		p.start(t)
		time.Sleep(100 * time.Millisecond)
		p.signal(t, syscall.SIGTERM)
		if r := p.end(t); r.code != exitFailed || r.stderr != "wasmill: interrupted\n" {
			t.Errorf("%s: exit code %d, stderr %q", args, r.code, r.stderr)
		}
		wantFiles(t, "p.yaml", "pipe")
	}
}

// peak returns the most memory that the process has had, once it has ended. (What the system tells
// of an ended process counts the memory of its parent before exec.)
func (p *process) peak() (bytes int64) {
	for {
		status, err := os.ReadFile(fmt.Sprintf("/proc/%d/status", p.Process.Pid))
		_, line, ok := strings.Cut(string(status), "\nVmHWM:")
		if err != nil || !ok {
			return bytes
		}
		var kilobytes int64
		if _, err := fmt.Sscan(line, &kilobytes); err == nil {
			bytes = max(bytes, kilobytes<<10)
		}
		time.Sleep(2 * time.Millisecond)
	}
}

func TestALineOf100MBTakesLittleMemory(t *testing.T) {
	const most = 400 << 20 // bytes; 45 MB without the race detector
	folder(t, map[string]string{"p.yaml": copying("in.json", ""), "drop.yaml": copying("in.json", ", on_error: drop"),
		"in.json": "{\"n\":1}\n{\"n\":2,\"s\":\"" + strings.Repeat("x", 100<<20) + "\"}\n{\"n\":3}\n"})
	run := func(pipeline string) result {
		p := newProcess(t, sharedCache(), "run", pipeline)
		p.start(t)
		peak := make(chan int64)
		go func() { peak <- p.peak() }()
		r := p.end(t)
		if peak := <-peak; peak == 0 || peak > most {
			t.Errorf("%s took %d MiB", pipeline, peak>>20)
		}
		return r
	}
	want(t, run("p.yaml"), exitFailed, "", "wasmill: in: in.json line 2: the line is longer than 16 MiB (max_record)\n")
	wantFiles(t, "drop.yaml", "in.json", "p.yaml")
	want(t, run("drop.yaml"), exitDone, "", "")
	if diff := cmp.Diff("{\"n\":1,\"s\":null}\n{\"n\":3,\"s\":null}\n", content(t, "out.json")); diff != "" {
		t.Error(diff)
	}
}

// changed runs a job over a file that is changed while the job waits for its output to be read.
func changed(t *testing.T, change func(path string) error) (lines int, r result) {
	const rows = 1_000_000
	folder(t, map[string]string{"in.json": strings.Repeat("{\"n\":1}\n", rows),
		"p.yaml": "name: p\nsources:\n  in: {file: in.json, schema: {n: int64}}\nsinks:\n  out: {from: in, stdout: }\n"})
	p := newProcess(t, sharedCache(), "run", "p.yaml")
	p.Stdout = nil
	out, err := p.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	p.start(t)
	first := make([]byte, 1)
	if _, err := io.ReadFull(out, first); err != nil {
		t.Fatal(err)
	}
	if err := change("in.json"); err != nil {
		t.Fatal(err)
	}
	rest, err := io.ReadAll(out)
	if err != nil {
		t.Fatal(err)
	}
	return bytes.Count(rest, []byte("\n")), p.end(t)
}

func TestAFileThatIsCutWhileItIsReadFailsTheJob(t *testing.T) {
	_, r := changed(t, func(path string) error { return os.Truncate(path, 100) })
	head, tail, _ := strings.Cut(r.stderr, " and has ")
	dir, _ := os.Getwd()
	if want := "wasmill: in: " + dir + "/in.json had 8000000 bytes when it was opened"; r.code != exitFailed || head != want ||
		!strings.HasSuffix(tail, " now: it was changed while it was read\nthe rows that were printed before are not the whole result\n") {
		t.Errorf("exit code %d, stderr %q", r.code, r.stderr)
	}
}

func TestAFileThatGrowsOrGoesWhileItIsReadIsReadAsItWas(t *testing.T) {
	grow := func(path string) error {
		f, err := os.OpenFile(path, os.O_APPEND|os.O_WRONLY, 0)
		if err != nil {
			return err
		}
		_, err = f.WriteString("{\"n\":2}\n")
		return errors.Join(err, f.Close())
	}
	for name, change := range map[string]func(string) error{"grows": grow, "goes": os.Remove} {
		lines, r := changed(t, change)
		want(t, r, exitDone, "", "")
		if lines != 1_000_000 {
			t.Errorf("it %s: %d lines", name, lines)
		}
	}
}
