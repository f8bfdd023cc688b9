// Copyright The wasmill Authors
// SPDX-License-Identifier: Apache-2.0

package wasm

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"

	"github.com/wasmill/wasmill/abi"
	"github.com/wasmill/wasmill/abi/describe"
	"github.com/wasmill/wasmill/runtime/meter"
	"github.com/wasmill/wasmill/runtime/module"
	"github.com/wasmill/wasmill/runtime/wasm/internal/vm"
	"github.com/wasmill/wasmill/scheduler/operator"
)

// Engine loads modules. Its methods may be called from any goroutine.
type Engine struct {
	opts    Options
	host    []vm.HostFunction
	policy  module.Policy
	loading chan struct{} // holds a token while nobody loads: modules are loaded one at a time
	modules map[string]*Module
}

var _ operator.Modules = (*Engine)(nil)

// NewEngine returns an engine.
func NewEngine(opts Options) (*Engine, error) {
	opts, err := opts.withDefaults()
	if err != nil {
		return nil, fmt.Errorf("wasm engine: %w", err)
	}
	e := &Engine{opts: opts, host: hostFunctions(), loading: make(chan struct{}, 1), modules: map[string]*Module{}}
	e.policy = module.Policy{Limits: opts.Limits.Module}
	for i := range e.host {
		e.policy.Imports = append(e.policy.Imports, e.host[i].Import)
	}
	e.loading <- struct{}{}
	return e, nil
}

// Close frees all modules. Their operators must be closed.
func (e *Engine) Close() {
	<-e.loading
	for _, m := range e.modules {
		m.code.Close()
	}
	clear(e.modules)
	e.loading <- struct{}{}
}

// Load checks and compiles the module in a file; see LoadBytes.
func (e *Engine) Load(ctx context.Context, path string) (operator.Module, error) {
	m, err := e.LoadFile(ctx, path)
	if err != nil {
		return nil, err
	}
	return m, nil
}

// LoadFile is Load for callers that want more of a module than the scheduler does.
func (e *Engine) LoadFile(ctx context.Context, path string) (*Module, error) {
	bin, err := readModule(path, e.opts.Limits.Module.Size)
	if err != nil {
		return nil, &operator.Error{Fault: operator.FaultConfig, Err: fmt.Errorf("%s: %w", path, err)}
	}
	m, err := e.LoadBytes(ctx, bin)
	if err != nil {
		return nil, fmt.Errorf("%s: %w", path, err)
	}
	return m, nil
}

// readModule reads a file of at most limit bytes and one more, so that what is longer is refused
// by whoever parses it. limit 0 is the default of package module.
func readModule(path string, limit int) ([]byte, error) {
	if limit == 0 {
		limit = 10 << 20
	}
	info, err := os.Stat(path)
	switch {
	case errors.Is(err, fs.ErrNotExist):
		return nil, errors.New("there is no such file; it is what the build of an operator writes")
	case err != nil:
		return nil, err
	case info.IsDir():
		return nil, errors.New("this is a directory; name the .wasm file in it")
	case !info.Mode().IsRegular():
		return nil, errors.New("this is a pipe or a device; a module is read from a regular file")
	}
	file, err := os.Open(path)
	if err != nil {
		return nil, err
	}
	defer func() { _ = file.Close() }() // it was only read
	return io.ReadAll(io.LimitReader(file, int64(limit)+1))
}

// LoadBytes checks and compiles a module, and asks it what it holds. A module that is loaded
// already costs a hash. Its error is an *operator.Error where the module is at fault.
func (e *Engine) LoadBytes(ctx context.Context, bin []byte) (*Module, error) {
	sum := sha256.Sum256(bin)
	digest := hex.EncodeToString(sum[:])
	select {
	case <-e.loading:
	case <-ctx.Done():
		return nil, context.Cause(ctx)
	}
	defer func() { e.loading <- struct{}{} }()
	if m := e.modules[digest]; m != nil {
		return m, nil
	}
	m, err := e.load(ctx, bin, digest)
	if err != nil {
		if ctx.Err() != nil {
			return nil, context.Cause(ctx)
		}
		return nil, moduleError(err)
	}
	e.modules[digest] = m
	return m, nil
}

func (e *Engine) load(ctx context.Context, bin []byte, digest string) (*Module, error) {
	m := &Module{engine: e, digest: digest}
	var err error
	if m.parsed, err = module.Parse(bin, e.policy); err != nil {
		return nil, err
	}
	if err := checkExports(m.parsed); err != nil {
		return nil, err
	}
	l := &e.opts.Limits
	var metered []byte
	metered, m.meter, err = meter.Rewrite(m.parsed, meter.Config{
		StackBytes: l.StackBytes, MemoryPages: uint32(l.MemoryBytes / pageBytes), TableEntries: l.TableEntries,
	})
	if err != nil {
		return nil, err
	}
	cfg := vm.Config{CacheDir: e.opts.CacheDir, Compiler: e.opts.Compiler, Budget: e.opts.Budget}
	if m.code, err = vm.Load(ctx, cfg, m.parsed, metered, e.host); err != nil {
		return nil, err
	}
	if err := m.describe(ctx); err != nil {
		m.code.Close()
		return nil, err
	}
	return m, nil
}

// Module is a loaded module. Its methods may be called from any goroutine.
type Module struct {
	engine      *Engine
	digest      string
	parsed      *module.Module
	meter       meter.Info
	code        *vm.Code
	description *describe.Module
}

var _ operator.Module = (*Module)(nil)

// Digest returns the sha256 of the module's bytes, in hex.
func (m *Module) Digest() string { return m.digest }

// Description returns what the module says of itself. Nobody may change it.
func (m *Module) Description() *describe.Module { return m.description }

// describe asks the module for its version and its description.
func (m *Module) describe(ctx context.Context) error {
	g, err := m.instantiate(ctx, surroundings{})
	if err != nil {
		return err
	}
	defer g.close()
	if m.description, err = g.describe(ctx); err != nil {
		return err
	}
	for i := range m.description.Operators {
		if err := m.checkOperator(&m.description.Operators[i]); err != nil {
			return fmt.Errorf("operator %q: %w", m.description.Operators[i].Name, err)
		}
	}
	return nil
}

// checkOperator holds what an operator says of itself against what the module exports.
func (m *Module) checkOperator(op *describe.Operator) error {
	need := map[describe.Kind]string{describe.Map: abi.ExportProcess, describe.Process: abi.ExportProcess, describe.Aggregate: abi.ExportAggregate}[op.Kind]
	if _, ok := m.parsed.Export(need); need != "" && !ok {
		return fmt.Errorf("it is of kind %s, but the module does not export %s", op.Kind, need)
	}
	for _, name := range op.Counters {
		if name == counterFuel {
			return fmt.Errorf("its counter %q has the name of one that the host keeps; choose another", name)
		}
	}
	return nil
}

// Operator makes a map or a process.
func (m *Module) Operator(c operator.Context, spec operator.ModuleSpec) (operator.Operator, error) {
	if ops := m.description.Operators; spec.Number >= 0 && spec.Number < len(ops) && ops[spec.Number].Kind == describe.Process {
		return newProcess(m, c, spec)
	}
	return newMapper(m, c, spec)
}

// Aggregate makes an aggregate.
func (m *Module) Aggregate(c operator.Context, spec operator.ModuleSpec) (operator.Aggregate, error) {
	return newAggregate(m, c, spec)
}
