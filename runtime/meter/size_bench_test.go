// Copyright The wasmill Authors
// SPDX-License-Identifier: Apache-2.0

package meter_test

import (
	"context"
	"os"
	"os/exec"
	"path/filepath"
	"testing"

	"github.com/tetratelabs/wazero"

	"github.com/wasmill/wasmill/runtime/meter"
	"github.com/wasmill/wasmill/runtime/module"
)

// goGuest is a program that links much of Go's library, as guests in Go do.
const goGuest = `package main

import (
	"encoding/json"
	"fmt"
)

func main() {
	var v map[string]any
	fmt.Println(json.Unmarshal([]byte("{}"), &v), v)
}
`

// buildGo compiles goGuest to a module.
func buildGo(b *testing.B) []byte {
	b.Helper()
	dir := b.TempDir()
	src, out := filepath.Join(dir, "main.go"), filepath.Join(dir, "main.wasm")
	if err := os.WriteFile(src, []byte(goGuest), 0o600); err != nil {
		b.Fatal(err)
	}
	cmd := exec.Command("go", "build", "-ldflags=-s -w", "-o", out, src)
	cmd.Env = append(os.Environ(), "GOOS=wasip1", "GOARCH=wasm")
	if msg, err := cmd.CombinedOutput(); err != nil {
		b.Fatalf("%v: %s", err, msg)
	}
	bin, err := os.ReadFile(out)
	if err != nil {
		b.Fatal(err)
	}
	return bin
}

// BenchmarkGoModule measures what a large module costs before it runs: parsing with validation,
// rewriting, and the engine's compilation of the module plain and metered.
func BenchmarkGoModule(b *testing.B) {
	bin := buildGo(b)
	m, err := module.Parse(bin, module.Policy{AnyImport: true})
	if err != nil {
		b.Fatal(err)
	}
	metered, info, err := meter.Rewrite(m, meter.Config{})
	if err != nil {
		b.Fatal(err)
	}
	b.Logf("%+v, %+v", m.Stats, info)
	b.Run("parse", func(b *testing.B) {
		b.SetBytes(int64(len(bin)))
		for b.Loop() {
			if _, err := module.Parse(bin, module.Policy{AnyImport: true}); err != nil {
				b.Fatal(err)
			}
		}
	})
	b.Run("rewrite", func(b *testing.B) {
		b.SetBytes(int64(len(bin)))
		for b.Loop() {
			if _, _, err := meter.Rewrite(m, meter.Config{}); err != nil {
				b.Fatal(err)
			}
		}
	})
	for name, bin := range map[string][]byte{"compile-plain": bin, "compile-metered": metered} {
		b.Run(name, func(b *testing.B) {
			ctx := context.Background()
			for b.Loop() {
				r := wazero.NewRuntimeWithConfig(ctx, engines[0].config())
				if _, err := r.CompileModule(ctx, bin); err != nil {
					b.Fatal(err)
				}
				_ = r.Close(ctx)
			}
		})
	}
}
