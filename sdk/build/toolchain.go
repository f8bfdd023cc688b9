// Copyright The wasmill Authors
// SPDX-License-Identifier: Apache-2.0

package build

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
)

// A toolchain builds the guests of one language.
type toolchain struct {
	lang    Language
	sdk     string // the SDK's folder, which need not exist
	version string // of the compiler, and of what else goes into a module without lying in its project or SDK
	compile func(ctx context.Context, dir, out string) error
	test    func(ctx context.Context) error // runs the SDK's unit tests; nil if "go test" does
}

// find returns the toolchain of a language. A compiler is looked for in the environment
// (WASMILL_CLANG, WASMILL_CARGO, WASMILL_ASC), then in what .ci/toolchains wrote, then in the
// PATH.
func find(ctx context.Context, repo string, lang Language) (*toolchain, error) {
	makers := map[Language]func(context.Context, string) (*toolchain, error){
		Go: findGo, Rust: findRust, C: findC, AssemblyScript: findAssemblyScript,
	}
	makeOne, ok := makers[lang]
	if !ok {
		return nil, fmt.Errorf("no such language; there are %v", Languages())
	}
	tc, err := makeOne(ctx, repo)
	if err != nil {
		return nil, err
	}
	tc.lang = lang
	tc.sdk = filepath.Join(repo, "sdk", string(lang))
	return tc, nil
}

// setting returns a setting of the environment or of .ci/toolchains, or the default.
func setting(repo, key, byDefault string) string {
	if value := os.Getenv(key); value != "" {
		return value
	}
	file, err := os.ReadFile(filepath.Join(repo, ".cache", "toolchains.env"))
	if err != nil {
		return byDefault // nothing was installed: the PATH may still do
	}
	for line := range strings.Lines(string(file)) {
		if value, ok := strings.CutPrefix(strings.TrimSpace(line), key+"="); ok {
			return value
		}
	}
	return byDefault
}

func missing(install string, cause error) error {
	return fmt.Errorf("%w: run .ci/toolchains, or install %s (%w)", ErrNoToolchain, install, cause)
}

func findGo(ctx context.Context, repo string) (*toolchain, error) {
	version, err := run(ctx, repo, nil, "go", "version")
	if err != nil {
		return nil, missing("Go 1.26 or newer", err)
	}
	modules, err := os.ReadFile(filepath.Join(repo, "go.sum")) // what a guest in our module is linked with
	if err != nil {
		return nil, err
	}
	// Without -s the module keeps the names of its functions, which a stack trace needs; they
	// are 2% of it. Go writes no DWARF into a Wasm module.
	env := []string{"GOOS=wasip1", "GOARCH=wasm"}
	return &toolchain{
		version: string(version) + string(modules),
		compile: func(ctx context.Context, dir, out string) error {
			_, err := run(ctx, dir, env, "go", "build", "-buildmode=c-shared", "-o", out, ".")
			return err
		},
	}, nil
}

func findC(ctx context.Context, repo string) (*toolchain, error) {
	clang := setting(repo, "WASMILL_CLANG", "clang-19")
	version, err := run(ctx, repo, nil, clang, "--version")
	if err != nil {
		return nil, missing("clang 19 or newer with lld, compiler-rt for wasm32 and wasi-libc, and set WASMILL_CLANG to it", err)
	}
	return &toolchain{
		version: string(version),
		test: func(ctx context.Context) error {
			_, err := run(ctx, filepath.Join(repo, "sdk", "c"), []string{"WASMILL_CLANG=" + clang}, "make", "-s", "test")
			return err
		},
		compile: func(ctx context.Context, dir, out string) error {
			sources, err := filepath.Glob(filepath.Join(dir, "*.c"))
			if err != nil {
				return err
			}
			if len(sources) == 0 {
				return errors.New("no *.c file in the folder")
			}
			// wasi-libc comes with DWARF: strip it, and keep the names of functions.
			args := []string{"--target=wasm32-wasi", "-O2", "-mexec-model=reactor", "-Wl,--strip-debug"}
			if _, err := os.Stat(filepath.Join(dir, "compile_flags.txt")); err == nil {
				args = []string{"@compile_flags.txt"}
			}
			args = append(args, "-I", filepath.Join(repo, "sdk", "c"), "-o", out)
			for _, source := range sources {
				args = append(args, filepath.Base(source))
			}
			_, err = run(ctx, dir, nil, clang, args...)
			return err
		},
	}, nil
}

func findRust(ctx context.Context, repo string) (*toolchain, error) {
	const target = "wasm32-unknown-unknown"
	const install = "Rust by rustup, then: rustup target add " + target
	cargo := setting(repo, "WASMILL_CARGO", "cargo")
	version, err := run(ctx, repo, nil, cargo, "-vV")
	if err != nil {
		return nil, missing(install, err)
	}
	rustc := "rustc"
	if filepath.IsAbs(cargo) {
		rustc = filepath.Join(filepath.Dir(cargo), "rustc")
	}
	libs, err := run(ctx, repo, nil, rustc, "--print", "target-libdir", "--target", target)
	if err != nil {
		return nil, missing(install, err)
	}
	if _, err := os.Stat(strings.TrimSpace(string(libs))); err != nil {
		return nil, missing(install, err)
	}
	// One folder for all guests: what they have in common is compiled once. Cargo locks it.
	env := []string{"CARGO_TARGET_DIR=" + filepath.Join(repo, ".cache", "cargo")}
	return &toolchain{
		version: string(version) + string(libs),
		test: func(ctx context.Context) error {
			_, err := run(ctx, filepath.Join(repo, "sdk", "rust"), env, cargo, "test", "--quiet")
			return err
		},
		compile: func(ctx context.Context, dir, out string) error {
			messages, err := run(ctx, dir, env, cargo, "build", "--release", "--target", target,
				"--message-format=json-render-diagnostics")
			if err != nil {
				return err
			}
			return copyArtifact(messages, out)
		},
	}, nil
}

// copyArtifact copies the last .wasm file that cargo's messages name: the crate's own, for cargo
// builds dependencies first.
func copyArtifact(messages []byte, out string) error {
	wasm := ""
	for line := range strings.Lines(string(messages)) {
		var message struct{ Filenames []string }
		if err := json.Unmarshal([]byte(line), &message); err != nil {
			return fmt.Errorf("read cargo's messages: %w", err)
		}
		for _, name := range message.Filenames {
			if strings.HasSuffix(name, ".wasm") {
				wasm = name
			}
		}
	}
	if wasm == "" {
		return errors.New(`cargo built no .wasm file; Cargo.toml needs [lib] crate-type = ["cdylib"]`)
	}
	module, err := os.ReadFile(wasm)
	if err != nil {
		return err
	}
	return os.WriteFile(out, module, 0o666)
}

func findAssemblyScript(ctx context.Context, repo string) (*toolchain, error) {
	const install = "Node.js 20 or newer with npm"
	asc := setting(repo, "WASMILL_ASC", filepath.Join(repo, ".cache", "assemblyscript", "node_modules", "assemblyscript"))
	version, err := os.ReadFile(filepath.Join(asc, "package.json"))
	if err != nil {
		return nil, missing(install, err)
	}
	if _, err := exec.LookPath("node"); err != nil {
		return nil, missing(install, err)
	}
	sdk := filepath.Join(repo, "sdk", string(AssemblyScript))
	return &toolchain{
		version: string(version),
		test: func(ctx context.Context) error {
			if err := linkModules(sdk, asc, sdk); err != nil {
				return err
			}
			_, err := run(ctx, sdk, nil, "npm", "test", "--silent")
			return err
		},
		compile: func(ctx context.Context, dir, out string) error {
			if err := linkModules(dir, asc, sdk); err != nil {
				return err
			}
			// --debug keeps the names of functions and adds nothing else to the module.
			args := []string{filepath.Join(asc, "bin", "asc.js"), filepath.Join("assembly", "index.ts"), "--outFile", out, "--debug"}
			if _, err := os.Stat(filepath.Join(dir, "asconfig.json")); err == nil {
				args = append(args, "--config", "asconfig.json", "--target", "release")
			} else {
				args = append(args, "-O3", "--runtime", "incremental", "--exportStart", "_initialize")
			}
			_, err := run(ctx, dir, nil, "node", args...)
			return err
		},
	}, nil
}

// linkModules does for a project what "npm install" would, and without the network: it makes the
// compiler and the SDK, under the name in its package.json, appear in node_modules. What is
// installed already stays. The SDK's own folder gets the compiler too.
func linkModules(dir, asc, sdk string) error {
	links := map[string]string{filepath.Join(dir, "node_modules", "assemblyscript"): asc}
	manifest, err := os.ReadFile(filepath.Join(sdk, "package.json"))
	switch {
	case err == nil:
		var sdkPackage struct{ Name string }
		if err := json.Unmarshal(manifest, &sdkPackage); err != nil {
			return fmt.Errorf("read %s: %w", filepath.Join(sdk, "package.json"), err)
		}
		links[filepath.Join(sdk, "node_modules", "assemblyscript")] = asc
		links[filepath.Join(dir, "node_modules", filepath.FromSlash(sdkPackage.Name))] = sdk
	case !errors.Is(err, fs.ErrNotExist):
		return err
	}
	for link, target := range links {
		if err := os.MkdirAll(filepath.Dir(link), 0o777); err != nil {
			return err
		}
		if err := os.Symlink(target, link); err != nil && !errors.Is(err, fs.ErrExist) {
			return err
		}
	}
	return nil
}
