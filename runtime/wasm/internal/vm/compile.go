// Copyright The wasmill Authors
// SPDX-License-Identifier: Apache-2.0

package vm

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"runtime"
	"strconv"
	"strings"
	"time"

	"github.com/tetratelabs/wazero"
	"github.com/tetratelabs/wazero/experimental"
)

// Budget is what compiling one module may use. A field that is zero takes its default.
type Budget struct {
	Time   time.Duration // by the clock; 10 s
	Memory int64         // bytes on top of what the child process has from the start; 1 GiB
}

func (b Budget) withDefaults() Budget {
	if b.Time == 0 {
		b.Time = 10 * time.Second
	}
	if b.Memory == 0 {
		b.Memory = 1 << 30
	}
	return b
}

// Compiler compiles modules. The zero value does so in this process, where only the time is
// bounded, and that only between two functions; the one that MaybeCompileChild returns does so in
// a child process.
type Compiler struct{ program string }

// The child gets the folder to compile into and its memory in bytes and time in seconds by these
// variables, and the module by its standard input.
const (
	childDir    = "WASMILL_COMPILE_DIR"
	childMemory = "WASMILL_COMPILE_MEMORY"
	childTime   = "WASMILL_COMPILE_SECONDS"
)

// MaybeCompileChild is the first thing that a program calls. Where this process was started to
// compile a module, it does so and exits. Else it returns a Compiler that starts this program
// again as such a child.
func MaybeCompileChild() Compiler {
	if dir := os.Getenv(childDir); dir != "" {
		if err := compileChild(dir); err != nil {
			fmt.Fprintln(os.Stderr, err)
			os.Exit(1)
		}
		os.Exit(0)
	}
	program, err := os.Executable()
	if err != nil {
		return Compiler{}
	}
	return Compiler{program: program}
}

func compileChild(dir string) error {
	memory, err := strconv.ParseInt(os.Getenv(childMemory), 10, 64)
	if err != nil {
		return err
	}
	seconds, err := strconv.ParseInt(os.Getenv(childTime), 10, 64)
	if err != nil {
		return err
	}
	if err := limitProcess(memory, seconds); err != nil {
		return err
	}
	metered, err := io.ReadAll(os.Stdin)
	if err != nil {
		return err
	}
	return compileInto(context.Background(), dir, metered)
}

// compileInto compiles a module into a cache folder of wazero's.
func compileInto(ctx context.Context, dir string, metered []byte) (err error) {
	defer func() {
		if r := recover(); r != nil {
			err = fmt.Errorf("the compiler failed: %v", r)
		}
	}()
	cache, err := wazero.NewCompilationCacheWithDir(dir)
	if err != nil {
		return err
	}
	r := wazero.NewRuntimeWithConfig(ctx, runtimeConfig().WithCompilationCache(cache))
	_, err = r.CompileModule(experimental.WithCompilationWorkers(ctx, runtime.GOMAXPROCS(0)), metered)
	return errors.Join(err, r.Close(ctx), cache.Close(ctx))
}

func (c Compiler) compile(ctx context.Context, dir string, metered []byte, b Budget) error {
	b = b.withDefaults()
	limited, cancel := context.WithTimeoutCause(ctx, b.Time, errCompileTime)
	defer cancel()
	if c.program == "" {
		err := compileInto(limited, dir, metered)
		return compileError(ctx, limited, b, err, "")
	}
	var stderr head
	cmd := exec.CommandContext(limited, c.program)
	cmd.Env = []string{
		childDir + "=" + dir,
		childMemory + "=" + strconv.FormatInt(b.Memory, 10),
		// Seconds of all cores together: a second line of defence, should this process die.
		childTime + "=" + strconv.Itoa(runtime.GOMAXPROCS(0)*(1+int(b.Time/time.Second))),
	}
	apart(cmd)
	cmd.Stdin = bytes.NewReader(metered)
	cmd.Stderr = &stderr
	cmd.WaitDelay = time.Second
	return compileError(ctx, limited, b, cmd.Run(), stderr.String())
}

var errCompileTime = errors.New("out of time")

// compileError says why compiling failed, in words for the module's author.
func compileError(ctx, limited context.Context, b Budget, err error, stderr string) error {
	switch {
	case err == nil:
		return nil
	case ctx.Err() != nil:
		return fmt.Errorf("compile the module: %w", context.Cause(ctx))
	case context.Cause(limited) == errCompileTime || strings.Contains(err.Error(), "signal: CPU time limit exceeded"):
		return fmt.Errorf("compile the module: it takes longer than %v, more than a module may: "+
			"split its largest functions, or have fewer of them", b.Time)
	case strings.Contains(stderr, "out of memory") || strings.Contains(stderr, "cannot allocate memory"):
		return fmt.Errorf("compile the module: it takes more than %d MiB of memory, more than a module may: "+
			"split its largest functions, or have fewer of them", b.Memory>>20)
	case stderr != "":
		return fmt.Errorf("compile the module: %w: %s", err, stderr)
	}
	return fmt.Errorf("compile the module: %w", err)
}

// head keeps the first bytes of what is written: a crash says first what it is.
type head struct{ kept []byte }

func (h *head) Write(p []byte) (int, error) {
	h.kept = append(h.kept, p[:min(len(p), 2048-len(h.kept))]...)
	return len(p), nil
}

func (h *head) String() string { return strings.TrimSpace(string(h.kept)) }
