// Copyright The wasmill Authors
// SPDX-License-Identifier: Apache-2.0

package meter_test

import (
	"encoding/binary"
	"errors"

	"github.com/wasmill/wasmill/runtime/meter"
	"github.com/wasmill/wasmill/runtime/module"
)

var errTrap = errors.New("trap")

// reference runs a program by its tree, one instruction after the other, and adds up what each
// instruction that it runs costs. It shares nothing with the engines and nothing but the cost table with the
// meter.
type reference struct {
	p      *program
	memory [65536]byte
	global uint32
	cost   int64
	left   int // instructions until it gives up
}

// frameState is one call of the reference.
type frameState struct {
	locals []uint32
	stack  []uint32
}

func (f *frameState) pop() uint32 {
	v := f.stack[len(f.stack)-1]
	f.stack = f.stack[:len(f.stack)-1]
	return v
}

func (f *frameState) push(v uint32) { f.stack = append(f.stack, v) }

var errLong = errors.New("the program runs for too long")

func (r *reference) call(i int, a, b uint32) (uint32, error) {
	f := &frameState{locals: make([]uint32, 2+r.p.locals[i])}
	f.locals[0], f.locals[1] = a, b
	if _, err := r.run(f, r.p.funcs[i]); err != nil {
		return 0, err
	}
	return f.stack[len(f.stack)-1], nil
}

// run returns how many blocks a branch still has to leave, -1 when the code ran to its end.
func (r *reference) run(f *frameState, code []ins) (int, error) {
	for i := range code {
		in := &code[i]
		r.cost += meter.CostOf(in.op)
		if r.left--; r.left < 0 {
			return 0, errLong
		}
		to, err := r.step(f, in)
		if to >= 0 || err != nil {
			return to, err
		}
	}
	return -1, nil
}

func (r *reference) step(f *frameState, in *ins) (int, error) {
	switch in.op {
	case module.OpBlock, module.OpLoop, module.OpIf:
		return r.block(f, in)
	case module.OpBr:
		return int(in.imm), nil
	case module.OpBrIf:
		if f.pop() != 0 {
			return int(in.imm), nil
		}
	case module.OpBrTable:
		i := min(int(f.pop()), len(in.labels)-1)
		return int(in.labels[i]), nil
	case module.OpCall, module.OpCallIndirect:
		return -1, r.callStep(f, in)
	case module.OpMemoryFill:
		n, v, at := f.pop(), f.pop(), f.pop()
		if uint64(at)+uint64(n) > 65536 {
			return 0, errTrap
		}
		r.cost += meter.BulkCostOf(in.op, int64(n))
		for i := range n {
			r.memory[at+i] = byte(v)
		}
	default:
		return -1, r.simple(f, in)
	}
	return -1, nil
}

// block runs a block. A branch to it leaves it, with its result if it has one; to a loop, it starts over.
func (r *reference) block(f *frameState, in *ins) (int, error) {
	body := in.body
	if in.op == module.OpIf && f.pop() == 0 {
		body = in.alt
	}
	height := len(f.stack)
	for {
		to, err := r.run(f, body)
		if err != nil || to < 0 {
			return -1, err
		}
		var result uint32
		if n := len(f.stack); n > height {
			result = f.stack[n-1]
		}
		// A branch further out may carry a value, which is always on the top.
		f.stack = f.stack[:height]
		switch {
		case to > 0:
			f.push(result)
			return to - 1, nil
		case in.op == module.OpLoop:
			continue
		case in.result:
			f.push(result)
		}
		return -1, nil
	}
}

func (r *reference) callStep(f *frameState, in *ins) error {
	callee := int(in.imm)
	if in.op == module.OpCallIndirect {
		if callee = int(f.pop()); callee%2 != 0 {
			return errTrap // not in the table
		}
	}
	b, a := f.pop(), f.pop()
	v, err := r.call(callee, a, b)
	f.push(v)
	return err
}

func (r *reference) simple(f *frameState, in *ins) error {
	switch in.op {
	case module.OpNop:
	case module.OpDrop:
		f.pop()
	case module.OpI32Const:
		f.push(uint32(in.imm))
	case module.OpLocalGet:
		f.push(f.locals[in.imm])
	case module.OpLocalSet:
		f.locals[in.imm] = f.pop()
	case module.OpLocalTee:
		f.locals[in.imm] = f.stack[len(f.stack)-1]
	case module.OpGlobalGet:
		f.push(r.global)
	case module.OpGlobalSet:
		r.global = f.pop()
	case module.OpSelect:
		if c, b := f.pop(), f.pop(); c == 0 {
			f.pop()
			f.push(b)
		}
	case 0x28: // i32.load
		at := uint64(f.pop())
		if at+4 > 65536 {
			return errTrap
		}
		f.push(binary.LittleEndian.Uint32(r.memory[at:]))
	case 0x36: // i32.store
		v, at := f.pop(), uint64(f.pop())
		if at+4 > 65536 {
			return errTrap
		}
		binary.LittleEndian.PutUint32(r.memory[at:], v)
	case 0x45: // i32.eqz
		f.push(truth(f.pop() == 0))
	default:
		return binaryOp(f, in.op)
	}
	return nil
}

func truth(b bool) uint32 {
	if b {
		return 1
	}
	return 0
}

func binaryOp(f *frameState, op module.Opcode) error {
	b, a := f.pop(), f.pop()
	switch op {
	case 0x46:
		f.push(truth(a == b))
	case 0x48:
		f.push(truth(int32(a) < int32(b)))
	case 0x4d:
		f.push(truth(a <= b))
	case 0x6a:
		f.push(a + b)
	case 0x6b:
		f.push(a - b)
	case 0x6c:
		f.push(a * b)
	case 0x6d:
		if b == 0 || a == 1<<31 && b == 1<<32-1 {
			return errTrap
		}
		f.push(uint32(int32(a) / int32(b)))
	case 0x70:
		if b == 0 {
			return errTrap
		}
		f.push(a % b)
	case 0x71:
		f.push(a & b)
	case 0x72:
		f.push(a | b)
	case 0x73:
		f.push(a ^ b)
	case 0x74:
		f.push(a << (b % 32))
	case 0x76:
		f.push(a >> (b % 32))
	}
	return nil
}
