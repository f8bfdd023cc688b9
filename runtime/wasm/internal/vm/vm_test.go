// Copyright The wasmill Authors
// SPDX-License-Identifier: Apache-2.0

package vm

import (
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/wasmill/wasmill/runtime/meter"
	"github.com/wasmill/wasmill/runtime/module"
)

func TestEngineVersionIsThatOfGoMod(t *testing.T) {
	mod, err := os.ReadFile(filepath.Join("..", "..", "..", "..", "go.mod"))
	if err != nil {
		t.Fatal(err)
	}
	if want := "github.com/tetratelabs/wazero " + engineVersion; !strings.Contains(string(mod), want) {
		t.Errorf("go.mod does not require %s: change engineVersion with it", want)
	}
}

func TestCodeThatIsNotInTheCacheIsMadeAnewUnderTheBudget(t *testing.T) {
	// The smallest module that exports a memory.
	m, err := module.Parse([]byte("\x00asm\x01\x00\x00\x00\x05\x03\x01\x00\x01\x07\x0a\x01\x06memory\x02\x00"), module.Policy{})
	if err != nil {
		t.Fatal(err)
	}
	metered, _, err := meter.Rewrite(m, meter.Config{})
	if err != nil {
		t.Fatal(err)
	}
	cfg := Config{CacheDir: t.TempDir()}
	load := func() *Code {
		t.Helper()
		c, err := Load(t.Context(), cfg, m, metered, nil)
		if err != nil {
			t.Fatal(err)
		}
		c.Close()
		return c
	}
	load()
	// As if the code were for another CPU: the entry is whole, and wazero looks for another name.
	files, err := filepath.Glob(filepath.Join(cfg.CacheDir, "*", codeFolder, "*", "*"))
	if err != nil || len(files) != 1 {
		t.Fatalf("the cache holds %q, %v", files, err)
	}
	if err := os.Rename(files[0], files[0]+"0"); err != nil {
		t.Fatal(err)
	}
	entry := folder{root: cfg.CacheDir}.entry(metered)
	lines, err := sums(filepath.Join(entry, codeFolder))
	if err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(filepath.Join(entry, sumFile), []byte(lines), 0o600); err != nil {
		t.Fatal(err)
	}
	if !load().Compiled {
		t.Error("the code was not made anew")
	}
	if load().Compiled {
		t.Error("the new code was not kept")
	}
}

func TestStacksShowTheGuestsFunctionsByTheirNames(t *testing.T) {
	n := frameNames{}
	got := n.clean(strings.Join([]string{
		".core::fmt::write(i32,i32) i32", ".f()", ".g(i64) (i32,i32)", "wasmill:meter.refill(i64) i64",
		".main.(*T).run(i32)", ".evil\x1b[2J(i32)", "... maybe followed by omitted frames",
	}, frameMark))
	want := []string{"core::fmt::write", "f", "g", "main.(*T).run", "evil\uFFFD[2J"}
	if strings.Join(got, "|") != strings.Join(want, "|") {
		t.Errorf("%q, want %q", got, want)
	}
}

func TestGuestMemoryIsZeroAndStaysWhereItIs(t *testing.T) {
	m := &guestMemory{}
	if err := m.reserve(1 << 30); err != nil {
		t.Fatal(err)
	}
	defer m.Free()
	small := m.Reallocate(1 << 16)
	small[0], small[1<<16-1] = 1, 2
	large := m.Reallocate(1 << 20)
	if &small[0] != &large[0] || large[0] != 1 || large[1<<16-1] != 2 {
		t.Error("growing moved or lost the memory")
	}
	for i, b := range large[1<<16:] {
		if b != 0 {
			t.Fatalf("byte %d of fresh memory is %d", i, b)
		}
	}
	if m.Reallocate(1<<30+1) != nil {
		t.Error("more than the maximum was given")
	}
}
