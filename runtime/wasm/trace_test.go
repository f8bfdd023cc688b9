// Copyright The wasmill Authors
// SPDX-License-Identifier: Apache-2.0

package wasm_test

import (
	"strings"
	"testing"

	"github.com/wasmill/wasmill/abi"
	"github.com/wasmill/wasmill/runtime/wasm"
)

func TestATrapShowsTheGuestsMessageAndStackInEachLanguage(t *testing.T) {
	innermost := map[string]string{"c": "crash_process", "go": "main.__Crash_.Process", "rust": "maps::Crash", "assemblyscript": "assembly/maps"}
	for lang, build := range guests {
		t.Run(lang, func(t *testing.T) {
			m := load(t, newEngine(t, wasm.Options{}), build(t))
			s := process(t, m, "crash", nil, []any{1}, []any{13}, []any{2})
			want(t, "output", s.emitted, "0 n=1 #1", "0 n=2 #3")
			if len(s.failed) != 1 {
				t.Fatalf("failed: %q", s.failed)
			}
			head, stack, _ := strings.Cut(s.failed[0], "\n    at ")
			for _, part := range []string{"n=13 #2: ", `operator "crash" of module ` + m.Digest()[:12], "unlucky 13"} {
				if !strings.Contains(head, part) {
					t.Errorf("the message lacks %q: %s", part, head)
				}
			}
			frames := strings.Split(stack, "\n    at ")
			if !strings.Contains(frames[0], innermost[lang]) || !strings.HasSuffix(frames[len(frames)-1], abi.ExportProcess) {
				t.Errorf("the stack does not lead from %s to %s:\n%s", abi.ExportProcess, innermost[lang], stack)
			}
		})
	}
}
