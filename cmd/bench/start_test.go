// Copyright The wasmill Authors
// SPDX-License-Identifier: Apache-2.0

package bench

import (
	"bufio"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/wasmill/wasmill/sdk/build"
	"github.com/wasmill/wasmill/sdk/build/guesttest"
)

// BenchmarkStart is the command from its start to its first row of output: warm with the module
// in the cache of compiled ones, cold without.
func BenchmarkStart(b *testing.B) {
	command := filepath.Join(b.TempDir(), "wasmill")
	if out, err := exec.Command("go", "build", "-o", command, "github.com/wasmill/wasmill/cmd/wasmill").CombinedOutput(); err != nil {
		b.Fatalf("build the command: %v\n%s", err, out)
	}
	for _, lang := range build.Languages() {
		pipeline := filepath.Join(b.TempDir(), "pipeline.yaml")
		for _, warm := range []bool{true, false} {
			name := string(lang) + "/cold"
			if warm {
				name = string(lang) + "/warm"
			}
			b.Run(name, func(b *testing.B) {
				writeTinyJob(b, pipeline, lang)
				cache := b.TempDir()
				if warm {
					start(b, command, pipeline, cache)
				}
				var rows, ends []time.Duration
				for b.Loop() {
					if !warm {
						b.StopTimer()
						cache = b.TempDir()
						b.StartTimer()
					}
					row, end := start(b, command, pipeline, cache)
					rows, ends = append(rows, row), append(ends, end)
				}
				b.ReportMetric(median(rows), "ms-to-first-row")
				b.ReportMetric(median(ends), "ms-to-end")
				b.ReportMetric(0, "ns/op")
			})
		}
	}
}

func median(spans []time.Duration) float64 {
	slices.Sort(spans)
	return float64(spans[len(spans)/2].Microseconds()) / 1000
}

// writeTinyJob writes a job of one row, with the module of a language.
func writeTinyJob(b *testing.B, pipeline string, lang build.Language) {
	b.Helper()
	dir := filepath.Dir(pipeline)
	for name, content := range map[string]string{
		"row.json":   `{"a":1,"b":2,"c":3,"d":4}` + "\n",
		"bench.wasm": string(guesttest.Module(b, lang, filepath.Join("..", "..", "sdk", string(lang), "bench"))),
		filepath.Base(pipeline): `name: tiny
sources:
  row: { file: row.json, format: json, schema: { a: int64, b: int64, c: int64, d: int64 } }
operators:
  four: { from: row, wasm: bench.wasm, operator: four }
sinks:
  out: { from: four, stdout: , format: json }
`,
	} {
		if err := os.WriteFile(filepath.Join(dir, name), []byte(content), 0o600); err != nil {
			b.Fatal(err)
		}
	}
}

// start runs the job and returns how long its first row took, and its end.
func start(b *testing.B, command, pipeline, cache string) (row, end time.Duration) {
	b.Helper()
	cmd := exec.Command(command, "run", pipeline)
	cmd.Env = append(os.Environ(), "WASMILL_CACHE="+cache)
	var stderr strings.Builder
	cmd.Stderr = &stderr
	stdout, err := cmd.StdoutPipe()
	if err != nil {
		b.Fatal(err)
	}
	begin := time.Now()
	if err := cmd.Start(); err != nil {
		b.Fatal(err)
	}
	line, err := bufio.NewReader(stdout).ReadString('\n')
	row = time.Since(begin)
	if waitErr := cmd.Wait(); err != nil || waitErr != nil {
		b.Fatalf("%s: %v, %v\n%s", cmd, err, waitErr, &stderr)
	}
	if want := `{"w":3,"x":-1,"y":2,"z":6}`; strings.TrimSpace(line) != want {
		b.Fatal(fmt.Errorf("the row is %s, not %s", line, want))
	}
	return row, time.Since(begin)
}
