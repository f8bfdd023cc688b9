// Copyright The wasmill Authors
// SPDX-License-Identifier: Apache-2.0

package wasm

import (
	"fmt"
	"os"
	"path/filepath"
	"time"

	"github.com/wasmill/wasmill/abi"
	"github.com/wasmill/wasmill/runtime/module"
	"github.com/wasmill/wasmill/runtime/wasm/internal/vm"
)

// Compiler compiles modules; see MaybeCompileChild.
type Compiler = vm.Compiler

// Budget is what compiling one module may use.
type Budget = vm.Budget

// MaybeCompileChild must be the first thing that a program calls that makes an Engine, in main and
// in TestMain: where this process was started to compile a module (the environment says so by
// WASMILL_COMPILE_DIR), it compiles and exits. Else it returns a Compiler for Options, which starts
// the program again as such a child, with nothing in its environment but what it needs.
func MaybeCompileChild() Compiler { return vm.MaybeCompileChild() }

// Options are an Engine's. A field that is zero takes its default.
type Options struct {
	// CacheDir is the folder of compiled modules; "wasmill" in the user's cache folder. Who can
	// write to it can run native code as this user.
	CacheDir string
	// Compiler is what MaybeCompileChild returned. The zero Compiler compiles in this process,
	// where a hostile module can take a minute and gigabytes: for one's own modules only.
	Compiler Compiler
	Budget   Budget // of compiling one module; 10 s, 1 GiB
	Limits   Limits
	// RecycleEachBatch gives each batch a fresh instance, so that tests find guests that keep
	// something between two calls.
	RecycleEachBatch bool
}

// Limits bound one instance or one call. A field that is zero takes its default.
type Limits struct {
	Module       module.Limits // of the module's bytes; see there
	MemoryBytes  int64         // of one instance; 256 MiB, less than 4 GiB
	TableEntries uint32        // of all tables of one instance; 1,000,000
	StackBytes   int64         // of nested calls, estimated; 4 MiB

	// CallFuel is what one call may use, in the meter's units; 20,000,000,000, about 10 s. A batch
	// as a whole may use four times as much while the row that is at fault is looked for.
	CallFuel int64
	// CallTime is how long one call may take by the clock; 60 s. It is a second wall behind
	// CallFuel, since clocks differ between machines. A batch may take four times as long, too.
	CallTime time.Duration

	Emits     int   // calls to emit in one call; 65,536
	EmitBytes int64 // that one call may make of output, forwarded columns included; 256 MiB
	// StateBytes is what one call may put into its state, and what of its state it may change; 256 MiB.
	StateBytes    int64
	StateRowBytes int64 // of one row of a state; 4 MiB, at most 32
	// BadRows is how many rows of one batch may bring the guest down before the operator fails;
	// each costs an instance. 64.
	BadRows int

	// LogBytes is how much a subtask may log at once, LogRate how much of it comes back in a
	// second; 512 KiB and 64 KiB.
	LogBytes, LogRate int

	// RecycleBytes is the size of memory from which on an instance is replaced by a fresh one
	// between two batches, if it is also 4 times as large as after open: guests leak. 64 MiB.
	RecycleBytes int64
}

// batchCalls is how many times CallFuel a batch may use.
const batchCalls = 4

// recycleFactor is by how much a memory has grown since open when its instance is replaced.
const recycleFactor = 4

// mostStateRow leaves a message that has the row room for the rest of it.
const mostStateRow = 32 << 20

const pageBytes = 1 << 16

func (o Options) withDefaults() (Options, error) {
	if o.CacheDir == "" {
		dir, err := os.UserCacheDir()
		if err != nil {
			return o, fmt.Errorf("cache of compiled modules: %w: set CacheDir", err)
		}
		o.CacheDir = filepath.Join(dir, "wasmill")
	}
	l := &o.Limits
	setDefault(&l.MemoryBytes, 256<<20)
	setDefault(&l.TableEntries, 1_000_000)
	setDefault(&l.StackBytes, 4<<20)
	setDefault(&l.CallFuel, 20_000_000_000)
	setDefault(&l.CallTime, time.Minute)
	setDefault(&l.Emits, abi.MaxRows)
	setDefault(&l.EmitBytes, 256<<20)
	setDefault(&l.StateBytes, 256<<20)
	setDefault(&l.StateRowBytes, 4<<20)
	setDefault(&l.BadRows, 64)
	setDefault(&l.LogBytes, 512<<10)
	setDefault(&l.LogRate, 64<<10)
	setDefault(&l.RecycleBytes, 64<<20)
	if l.MemoryBytes < pageBytes || l.MemoryBytes > 1<<32-pageBytes {
		return o, fmt.Errorf("limits: MemoryBytes is %d; at least one page of %d and less than 4 GiB are possible", l.MemoryBytes, pageBytes)
	}
	if l.StateRowBytes > mostStateRow {
		return o, fmt.Errorf("limits: StateRowBytes is %d; at most %d are possible", l.StateRowBytes, mostStateRow)
	}
	for _, f := range []struct {
		name  string
		value int64
	}{
		{"StackBytes", l.StackBytes}, {"CallFuel", l.CallFuel}, {"CallTime", int64(l.CallTime)}, {"Emits", int64(l.Emits)},
		{"EmitBytes", l.EmitBytes},
		{"StateBytes", l.StateBytes}, {"StateRowBytes", l.StateRowBytes}, {"BadRows", int64(l.BadRows)}, {"LogBytes", int64(l.LogBytes)},
		{"LogRate", int64(l.LogRate)}, {"RecycleBytes", l.RecycleBytes},
	} {
		if f.value < 0 {
			return o, fmt.Errorf("limits: %s is %d; it can't be negative", f.name, f.value)
		}
	}
	return o, nil
}

func setDefault[T int | int64 | uint32 | time.Duration](field *T, value T) {
	if *field == 0 {
		*field = value
	}
}
