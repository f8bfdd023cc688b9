// Copyright The wasmill Authors
// SPDX-License-Identifier: Apache-2.0

package examples

import (
	"bufio"
	"bytes"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"
)

// endless is a job that runs until it is interrupted.
type endless struct {
	t      *testing.T
	cmd    *exec.Cmd
	stdout *bufio.Reader
	stderr bytes.Buffer
	rows   []byte
}

func start(t *testing.T, path string) *endless {
	t.Helper()
	e := &endless{t: t, cmd: exec.CommandContext(t.Context(), "wasmill", "run", path)}
	e.cmd.Stderr = &e.stderr
	stdout, err := e.cmd.StdoutPipe()
	if err == nil {
		err = e.cmd.Start()
	}
	if err != nil {
		t.Fatal(err)
	}
	e.stdout = bufio.NewReader(stdout)
	return e
}

// await waits for so many rows more.
func (e *endless) await(n int) {
	e.t.Helper()
	for range n {
		row, err := e.stdout.ReadBytes('\n')
		if err != nil {
			e.t.Fatalf("after %q: %v\n%s", e.rows, err, e.stderr.Bytes())
		}
		e.rows = append(e.rows, row...)
	}
}

// interrupt presses Ctrl-C and returns all rows.
func (e *endless) interrupt() []string {
	e.t.Helper()
	if err := e.cmd.Process.Signal(os.Interrupt); err != nil {
		e.t.Fatal(err)
	}
	rest, err := io.ReadAll(e.stdout)
	if err != nil {
		e.t.Fatal(err)
	}
	if err := e.cmd.Wait(); err != nil {
		e.t.Fatalf("%s: %v\n%s", e.cmd, err, e.stderr.Bytes())
	}
	return lines(e.t, append(e.rows, rest...))
}

// keepBids lets the generator example write its bids to a file, and returns its path.
func keepBids(t *testing.T, pipeline string) string {
	t.Helper()
	edit(t, pipeline, "sinks:\n", "sinks:\n  bids_too: { from: bids, file: bids.json }\n")
	return filepath.Join(filepath.Dir(pipeline), "bids.json")
}

func TestGenerator(t *testing.T) {
	t.Parallel()
	file := filepath.Join(tree(t, "generator"), "generator", "pipeline.yaml")
	bids := keepBids(t, file)
	edit(t, file, "rate: 1000", "rows: 50000")
	same(t, "seconds", pipeline(t, file), oracle(t, "generator/oracle.py", bids))
	first := read(t, bids)

	edit(t, file, "sinks:", "options: { seed: 2 }\nsinks:")
	same(t, "seconds of another seed", pipeline(t, file), oracle(t, "generator/oracle.py", bids))
	if bytes.Equal(first, read(t, bids)) {
		t.Error("another seed gives the same bids")
	}
}

func TestGeneratorUntilInterrupted(t *testing.T) {
	t.Parallel()
	file := filepath.Join(tree(t, "generator"), "generator", "pipeline.yaml")
	bids := keepBids(t, file)
	job := start(t, file)
	job.await(4) // the first second, and a row of the next one
	same(t, "seconds", job.interrupt(), oracle(t, "generator/oracle.py", bids))
}

func TestFollow(t *testing.T) {
	t.Parallel()
	folder := filepath.Join(tree(t, "follow"), "follow")
	log := filepath.Join(folder, "flights.log")
	flights := slices.Collect(strings.Lines(string(run(t, "sh", "-c", "gzip -dc flights/data/flights.json.gz | head -n 60000"))))
	add := func(part []string) {
		t.Helper()
		f, err := os.OpenFile(log, os.O_APPEND|os.O_CREATE|os.O_WRONLY, 0o666)
		if err == nil {
			_, err = f.WriteString(strings.Join(part, ""))
		}
		if err == nil {
			err = f.Close()
		}
		if err != nil {
			t.Fatal(err)
		}
	}
	add(flights[:40000])
	job := start(t, filepath.Join(folder, "pipeline.yaml"))
	job.await(24)
	add(flights[40000:])
	// A flight so much later that all others are read and their windows fire.
	add([]string{`{"date":"2001/01/31 00:00","delay":0}` + "\n"})
	want := oracle(t, "flights/oracle/oracle.py", "hours", "--file", log, "--ndjson")
	job.await(len(want) - 1 - 24)
	same(t, "hours", job.interrupt(), want)
}
