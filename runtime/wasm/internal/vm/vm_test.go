// Copyright The wasmill Authors
// SPDX-License-Identifier: Apache-2.0

package vm

import (
	"os"
	"path/filepath"
	"strings"
	"testing"
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
