// Copyright The wasmill Authors
// SPDX-License-Identifier: Apache-2.0

package vm

import (
	"context"
	"errors"
	"fmt"
	"path/filepath"
	"time"

	"github.com/tetratelabs/wazero"
	"github.com/tetratelabs/wazero/api"
	"github.com/tetratelabs/wazero/experimental"

	"github.com/wasmill/wasmill/runtime/module"
)

// Config says how modules are compiled and kept.
type Config struct {
	// CacheDir is the folder of compiled modules. It is made with mode 0700 where it is missing;
	// whoever can write to it can run native code as this user.
	CacheDir string
	Compiler Compiler
	Budget   Budget
}

// Code is a module that is ready to be instantiated. Its methods may be called from any goroutine.
type Code struct {
	// Compiled says that this Load had it compiled; else it lay in the cache. CompileTime is how
	// long that took.
	Compiled    bool
	CompileTime time.Duration

	runtime  wazero.Runtime
	cache    wazero.CompilationCache
	compiled wazero.CompiledModule
	names    frameNames
}

func runtimeConfig() wazero.RuntimeConfig {
	return wazero.NewRuntimeConfigCompiler().
		WithCoreFeatures(api.CoreFeaturesV2).
		WithDebugInfoEnabled(false)
}

// Load makes code of a module: m as it was accepted, metered as the meter wrote it. host are the
// functions that it may import.
//
// Each module has a wazero runtime of its own with a cache of its own, so that closing it frees all
// of it, and so that no two stores share types (wazero issue 2511).
func Load(ctx context.Context, cfg Config, m *module.Module, metered []byte, host []HostFunction) (*Code, error) {
	c := &Code{names: frameNames{imports: m.Imports}}
	store := folder{root: cfg.CacheDir}
	if err := store.prepare(); err != nil {
		return nil, err
	}
	entry := store.entry(metered)
	// The second round is for an entry that lay there whole and was of no use: another process
	// removed it in between, or it was made for another CPU.
	for range 2 {
		if !store.verify(entry) {
			start := time.Now()
			if err := store.fill(entry, func(dir string) error {
				return cfg.Compiler.compile(ctx, dir, metered, cfg.Budget)
			}); err != nil {
				return nil, err
			}
			c.Compiled, c.CompileTime = true, time.Since(start)
		}
		err := c.open(entry, m, metered, host)
		if err == nil {
			store.touch(entry)
			return c, nil
		}
		c.Close()
		if !errors.Is(err, errNotCached) {
			return nil, err
		}
		if err := store.remove(entry); err != nil {
			return nil, err
		}
	}
	return nil, fmt.Errorf("the compiled module in %s can't be used on this machine", filepath.Dir(entry))
}

// errNotCached says that wazero found no usable native code.
var errNotCached = errors.New("not in the cache")

// open loads native code from the cache, and only from there: the context that it gives to wazero
// is done, so that where nothing is cached, nothing is compiled outside of the budget. (With more
// than one worker, wazero looks at the context before each function.)
func (c *Code) open(dir string, m *module.Module, metered []byte, host []HostFunction) (err error) {
	defer func() {
		if r := recover(); r != nil {
			err = fmt.Errorf("load the compiled module: %v", r)
		}
	}()
	if c.cache, err = wazero.NewCompilationCacheWithDir(filepath.Join(dir, codeFolder)); err != nil {
		return err
	}
	background := context.Background()
	c.runtime = wazero.NewRuntimeWithConfig(background, runtimeConfig().WithCompilationCache(c.cache))
	done, cancel := context.WithCancelCause(background)
	cancel(errNotCached)
	c.compiled, err = c.runtime.CompileModule(experimental.WithCompilationWorkers(done, 2), metered)
	if err != nil {
		if errors.Is(err, errNotCached) || errors.Is(err, context.Canceled) {
			return errNotCached
		}
		return fmt.Errorf("load the compiled module: %w", err)
	}
	return link(background, c.runtime, m, host)
}

// Close frees the code. All its instances must be closed.
func (c *Code) Close() {
	ctx := context.Background()
	if c.runtime != nil {
		_ = c.runtime.Close(ctx) // ends in an error only where an instance does, and these have none
	}
	if c.cache != nil {
		_ = c.cache.Close(ctx)
	}
	c.runtime, c.cache, c.compiled = nil, nil, nil
}
