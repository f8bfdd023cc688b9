// Copyright The wasmill Authors
// SPDX-License-Identifier: Apache-2.0

package wasm

import "strings"

// readable returns the frames of a guest's stack for people: without the machinery by which a
// language gets from a panic or a failed assertion to the host, and without the marks that
// compilers put into names.
func readable(frames []string) []string {
	out := make([]string, 0, len(frames))
	for _, f := range frames {
		name := demangle(f)
		if machinery(name) {
			// All that a language calls to panic, its SDK's hooks included, lies above.
			out = out[:0]
			continue
		}
		out = append(out, name)
	}
	if len(out) == 0 {
		return frames
	}
	return out
}

// machinery says whether a function is one that panics, asserts or aborts in some language.
func machinery(name string) bool {
	switch name {
	case "runtime.gopanic", "runtime.fatalthrow", "runtime.fatalpanic", "runtime.throw", "runtime.sigpanic", "os.Exit", // Go
		"rust_panic", "rust_begin_unwind", "__rust_start_panic", "std::process::abort", "std::process::exit",
		"core::result::unwrap_failed", "core::option::unwrap_failed", "core::option::expect_failed",
		"abort", "__assert_fail", "_Exit", "exit", "raise", "wm_fail_", "wm_panic", // C
		"~lib/builtins/abort", "~lib/wasi_internal/wasi_abort": // AssemblyScript
		return true
	}
	for _, prefix := range []string{"runtime.panic", "runtime.goPanic", "core::panicking::", "std::panicking::", "std::sys::"} {
		if strings.HasPrefix(name, prefix) {
			return true
		}
	}
	return false
}

// demangle makes a symbol of Rust's readable: those of its old scheme, _ZN4core3fooE, and ones
// that the linker has made readable already but for the hash at their end. Others stay as they are.
func demangle(name string) string {
	if rest, ok := strings.CutPrefix(name, "_ZN"); ok {
		if parts, ok := legacyParts(rest); ok {
			name = strings.Join(parts, "::")
		}
	}
	if at := len(name) - len("::h0123456789abcdef"); at > 0 && strings.HasPrefix(name[at:], "::h") && hexDigits(name[at+3:]) {
		name = name[:at]
	}
	return name
}

// legacyParts reads the parts of a path, each after its length in decimal, up to an E.
func legacyParts(s string) ([]string, bool) {
	var parts []string
	for s != "" && s[0] != 'E' {
		n := 0
		for s != "" && s[0] >= '0' && s[0] <= '9' && n < 1000 {
			n = 10*n + int(s[0]-'0')
			s = s[1:]
		}
		if n == 0 || n > len(s) {
			return nil, false
		}
		parts = append(parts, legacyEscapes.Replace(s[:n]))
		s = s[n:]
	}
	return parts, len(parts) > 0 && s != ""
}

var legacyEscapes = strings.NewReplacer("$LT$", "<", "$GT$", ">", "$u20$", " ", "$RF$", "&", "$BP$", "*",
	"$LP$", "(", "$RP$", ")", "$C$", ",", "$u7b$", "{", "$u7d$", "}", "_$", "$", "..", "::")

func hexDigits(s string) bool {
	return strings.Trim(s, "0123456789abcdef") == ""
}
