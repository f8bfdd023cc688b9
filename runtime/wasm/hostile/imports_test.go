// Copyright The wasmill Authors
// SPDX-License-Identifier: Apache-2.0

package hostile

import (
	"encoding/binary"
	"strings"
	"testing"
	"time"

	"github.com/wasmill/wasmill/abi"
	"github.com/wasmill/wasmill/runtime/wasm"
)

// offered are all functions that a guest may import.
var offered = append(ours(), []imported{
	{"wasi_snapshot_preview1", "args_get", "ii", "i"}, {"wasi_snapshot_preview1", "args_sizes_get", "ii", "i"},
	{"wasi_snapshot_preview1", "clock_res_get", "ii", "i"}, {"wasi_snapshot_preview1", "clock_time_get", "ili", "i"},
	{"wasi_snapshot_preview1", "environ_get", "ii", "i"}, {"wasi_snapshot_preview1", "environ_sizes_get", "ii", "i"},
	{"wasi_snapshot_preview1", "fd_allocate", "ill", "i"}, {"wasi_snapshot_preview1", "fd_close", "i", "i"},
	{"wasi_snapshot_preview1", "fd_fdstat_get", "ii", "i"}, {"wasi_snapshot_preview1", "fd_filestat_get", "ii", "i"},
	{"wasi_snapshot_preview1", "fd_prestat_get", "ii", "i"}, {"wasi_snapshot_preview1", "fd_read", "iiii", "i"},
	{"wasi_snapshot_preview1", "fd_readdir", "iiili", "i"}, {"wasi_snapshot_preview1", "fd_renumber", "ii", "i"},
	{"wasi_snapshot_preview1", "fd_seek", "ilii", "i"}, {"wasi_snapshot_preview1", "fd_write", "iiii", "i"},
	{"wasi_snapshot_preview1", "path_open", "iiiiillii", "i"}, {"wasi_snapshot_preview1", "poll_oneoff", "iiii", "i"},
	{"wasi_snapshot_preview1", "proc_exit", "i", ""}, {"wasi_snapshot_preview1", "proc_raise", "i", "i"},
	{"wasi_snapshot_preview1", "random_get", "ii", "i"}, {"wasi_snapshot_preview1", "sock_recv", "iiiiii", "i"},
}...)

func ours() []imported {
	var out []imported
	for _, f := range abi.Imports() {
		out = append(out, imported{f.Module, f.Name, letters(f.Params), letters(f.Results)})
	}
	return out
}

func letters(types []abi.ValueType) string {
	text := ""
	for _, t := range types {
		text += map[abi.ValueType]string{abi.I32: "i", abi.I64: "l"}[t]
	}
	return text
}

// FuzzImports calls an import with any arguments, twice: nothing may go wrong in the host.
func FuzzImports(f *testing.F) {
	dir := f.TempDir()
	edges := []uint64{0, 1, 8, messageAt, firstPages<<16 - 1, firstPages << 16, 1<<31 - 1, 1 << 31, 1<<32 - 8, 1<<32 - 1, 1<<63 - 1, 1<<64 - 1}
	for n := range offered {
		for i := range edges {
			var args []byte
			for j := range 9 {
				args = binary.LittleEndian.AppendUint64(args, edges[(i*(j+1)+j)%len(edges)])
			}
			f.Add(byte(n), args)
		}
	}
	f.Fuzz(func(t *testing.T, which byte, args []byte) {
		function := offered[int(which)%len(offered)]
		a := operatorModule(t)
		a.imports[clockIndex] = function
		var once []byte
		for i, p := range function.params {
			v := make([]byte, 8)
			copy(v, args[min(len(args), 8*i):])
			if p == 'i' {
				once = append(once, i32(int64(int32(binary.LittleEndian.Uint32(v))))...)
			} else {
				once = append(once, i64(int64(binary.LittleEndian.Uint64(v)))...)
			}
		}
		once = append(once, call(clockIndex)...)
		if function.result != "" {
			once = append(once, opDrop)
		}
		e, err := wasm.NewEngine(wasm.Options{CacheDir: dir, Limits: wasm.Limits{CallFuel: 10_000_000, CallTime: time.Second}})
		if err != nil {
			t.Fatal(err)
		}
		defer e.Close()
		o := runOn(t, e, a.does(processIndex, once, once, i32(0)).bytes(), routeOperator)
		if text := o.String(); strings.Contains(text, "the engine failed") {
			t.Errorf("%s.%s: %s", function.module, function.name, text)
		}
	})
}
