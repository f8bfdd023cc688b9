// Copyright The wasmill Authors
// SPDX-License-Identifier: Apache-2.0

package wasm_test

import (
	"testing"

	"github.com/wasmill/wasmill/abi/conformance"
	"github.com/wasmill/wasmill/runtime/wasm"
)

func TestEverySDKsModulePassesConformance(t *testing.T) {
	for lang, build := range guests {
		t.Run(lang, func(t *testing.T) {
			m := load(t, newEngine(t, wasm.Options{}), build(t))
			report := conformance.RunSDK(t.Context(), m.Guests())
			if failed := report.Failed(); len(failed) > 0 {
				t.Errorf("%d of %d checks failed:\n%s", len(failed), len(report.Checks), report)
			}
		})
	}
}
