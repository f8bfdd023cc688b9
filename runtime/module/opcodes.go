// Copyright The wasmill Authors
// SPDX-License-Identifier: Apache-2.0

package module

import (
	"strconv"
	"strings"
)

// Opcode is an instruction of WebAssembly 2.0: its byte, 0x100 plus what follows the prefix 0xfc,
// or 0x200 plus what follows the prefix 0xfd.
type Opcode uint16

// NumOpcodes is the size of a table by Opcode.
const NumOpcodes = 0x300

// Opcodes whose meaning the packages here need to know. The others are in opcodeTable only.
const (
	OpUnreachable  Opcode = 0x00
	OpNop          Opcode = 0x01
	OpBlock        Opcode = 0x02
	OpLoop         Opcode = 0x03
	OpIf           Opcode = 0x04
	OpElse         Opcode = 0x05
	OpEnd          Opcode = 0x0b
	OpBr           Opcode = 0x0c
	OpBrIf         Opcode = 0x0d
	OpBrTable      Opcode = 0x0e
	OpReturn       Opcode = 0x0f
	OpCall         Opcode = 0x10
	OpCallIndirect Opcode = 0x11
	OpDrop         Opcode = 0x1a
	OpSelect       Opcode = 0x1b
	OpSelectT      Opcode = 0x1c
	OpLocalGet     Opcode = 0x20
	OpLocalSet     Opcode = 0x21
	OpLocalTee     Opcode = 0x22
	OpGlobalGet    Opcode = 0x23
	OpGlobalSet    Opcode = 0x24
	OpTableGet     Opcode = 0x25
	OpTableSet     Opcode = 0x26
	OpMemorySize   Opcode = 0x3f
	OpMemoryGrow   Opcode = 0x40
	OpI32Const     Opcode = 0x41
	OpI64Const     Opcode = 0x42
	OpF32Const     Opcode = 0x43
	OpF64Const     Opcode = 0x44
	OpRefNull      Opcode = 0xd0
	OpRefIsNull    Opcode = 0xd1
	OpRefFunc      Opcode = 0xd2
	OpMemoryInit   Opcode = 0x108
	OpDataDrop     Opcode = 0x109
	OpMemoryCopy   Opcode = 0x10a
	OpMemoryFill   Opcode = 0x10b
	OpTableInit    Opcode = 0x10c
	OpElemDrop     Opcode = 0x10d
	OpTableCopy    Opcode = 0x10e
	OpTableGrow    Opcode = 0x10f
	OpTableSize    Opcode = 0x110
	OpTableFill    Opcode = 0x111
	opVector       Opcode = 0x200 // the first vector instruction
	OpV128Const    Opcode = 0x20c
	OpI8x16Shuffle Opcode = 0x20d
)

// String returns the instruction's name in the text format.
func (op Opcode) String() string {
	if int(op) < len(ops) && ops[op].name != "" {
		return ops[op].name
	}
	return "opcode 0x" + strconv.FormatUint(uint64(op), 16)
}

// immediate is what follows an opcode.
type immediate byte

const (
	immNone    immediate = iota
	immU32               // one index
	immMem               // align and offset
	immLane              // a lane's number
	immMemLane           // align, offset, lane
	immOther             // the instruction has a case of its own
)

// opInfo describes an instruction; name is "" where there is none. pops are the types that it takes,
// the top of the stack last; push is anyType when it leaves nothing.
type opInfo struct {
	name  string
	imm   immediate
	align byte // log2 of the access's bytes: the greatest alignment that may be declared
	lanes byte // how many lanes there are
	push  ValueType
	pops  []ValueType
}

// opcodeTable lists the instructions, those with an entry of their own in validateInstr first by
// name only. A line is the first opcode, then consecutive ones: name, and what it takes and leaves
// (i i32, l i64, f f32, d f64, v v128), `/n` its log2 of bytes in memory, `*n` its number of lanes.
// `-` is a gap.
const opcodeTable = `
00: unreachable ? nop : block ? loop ? if ? else ?
0b: end ? br ? br_if ? br_table ? return ? call ? call_indirect ?
1a: drop ? select ? select(t) ?
20: local.get ? local.set ? local.tee ? global.get ? global.set ? table.get ? table.set ?
28: i32.load i:i/2 i64.load i:l/3 f32.load i:f/2 f64.load i:d/3
2c: i32.load8_s i:i/0 i32.load8_u i:i/0 i32.load16_s i:i/1 i32.load16_u i:i/1
30: i64.load8_s i:l/0 i64.load8_u i:l/0 i64.load16_s i:l/1 i64.load16_u i:l/1
34: i64.load32_s i:l/2 i64.load32_u i:l/2
36: i32.store ii:/2 i64.store il:/3 f32.store if:/2 f64.store id:/3
3a: i32.store8 ii:/0 i32.store16 ii:/1 i64.store8 il:/0 i64.store16 il:/1 i64.store32 il:/2
3f: memory.size ? memory.grow ? i32.const ? i64.const ? f32.const ? f64.const ?
45: i32.eqz i:i i32.eq ii:i i32.ne ii:i i32.lt_s ii:i i32.lt_u ii:i i32.gt_s ii:i i32.gt_u ii:i
4c: i32.le_s ii:i i32.le_u ii:i i32.ge_s ii:i i32.ge_u ii:i
50: i64.eqz l:i i64.eq ll:i i64.ne ll:i i64.lt_s ll:i i64.lt_u ll:i i64.gt_s ll:i i64.gt_u ll:i
57: i64.le_s ll:i i64.le_u ll:i i64.ge_s ll:i i64.ge_u ll:i
5b: f32.eq ff:i f32.ne ff:i f32.lt ff:i f32.gt ff:i f32.le ff:i f32.ge ff:i
61: f64.eq dd:i f64.ne dd:i f64.lt dd:i f64.gt dd:i f64.le dd:i f64.ge dd:i
67: i32.clz i:i i32.ctz i:i i32.popcnt i:i i32.add ii:i i32.sub ii:i i32.mul ii:i
6d: i32.div_s ii:i i32.div_u ii:i i32.rem_s ii:i i32.rem_u ii:i
71: i32.and ii:i i32.or ii:i i32.xor ii:i i32.shl ii:i i32.shr_s ii:i i32.shr_u ii:i
77: i32.rotl ii:i i32.rotr ii:i
79: i64.clz l:l i64.ctz l:l i64.popcnt l:l i64.add ll:l i64.sub ll:l i64.mul ll:l
7f: i64.div_s ll:l i64.div_u ll:l i64.rem_s ll:l i64.rem_u ll:l
83: i64.and ll:l i64.or ll:l i64.xor ll:l i64.shl ll:l i64.shr_s ll:l i64.shr_u ll:l
89: i64.rotl ll:l i64.rotr ll:l
8b: f32.abs f:f f32.neg f:f f32.ceil f:f f32.floor f:f f32.trunc f:f f32.nearest f:f f32.sqrt f:f
92: f32.add ff:f f32.sub ff:f f32.mul ff:f f32.div ff:f f32.min ff:f f32.max ff:f f32.copysign ff:f
99: f64.abs d:d f64.neg d:d f64.ceil d:d f64.floor d:d f64.trunc d:d f64.nearest d:d f64.sqrt d:d
a0: f64.add dd:d f64.sub dd:d f64.mul dd:d f64.div dd:d f64.min dd:d f64.max dd:d f64.copysign dd:d
a7: i32.wrap_i64 l:i i32.trunc_f32_s f:i i32.trunc_f32_u f:i i32.trunc_f64_s d:i i32.trunc_f64_u d:i
ac: i64.extend_i32_s i:l i64.extend_i32_u i:l
ae: i64.trunc_f32_s f:l i64.trunc_f32_u f:l i64.trunc_f64_s d:l i64.trunc_f64_u d:l
b2: f32.convert_i32_s i:f f32.convert_i32_u i:f f32.convert_i64_s l:f f32.convert_i64_u l:f
b6: f32.demote_f64 d:f
b7: f64.convert_i32_s i:d f64.convert_i32_u i:d f64.convert_i64_s l:d f64.convert_i64_u l:d
bb: f64.promote_f32 f:d
bc: i32.reinterpret_f32 f:i i64.reinterpret_f64 d:l f32.reinterpret_i32 i:f f64.reinterpret_i64 l:d
c0: i32.extend8_s i:i i32.extend16_s i:i i64.extend8_s l:l i64.extend16_s l:l i64.extend32_s l:l
d0: ref.null ? ref.is_null ? ref.func ?
100: i32.trunc_sat_f32_s f:i i32.trunc_sat_f32_u f:i i32.trunc_sat_f64_s d:i i32.trunc_sat_f64_u d:i
104: i64.trunc_sat_f32_s f:l i64.trunc_sat_f32_u f:l i64.trunc_sat_f64_s d:l i64.trunc_sat_f64_u d:l
108: memory.init ? data.drop ? memory.copy ? memory.fill ?
10c: table.init ? elem.drop ? table.copy ? table.grow ? table.size ? table.fill ?
200: v128.load i:v/4 v128.load8x8_s i:v/3 v128.load8x8_u i:v/3 v128.load16x4_s i:v/3 v128.load16x4_u i:v/3
205: v128.load32x2_s i:v/3 v128.load32x2_u i:v/3
207: v128.load8_splat i:v/0 v128.load16_splat i:v/1 v128.load32_splat i:v/2 v128.load64_splat i:v/3
20b: v128.store iv:/4 v128.const ? i8x16.shuffle ? i8x16.swizzle vv:v
20f: i8x16.splat i:v i16x8.splat i:v i32x4.splat i:v i64x2.splat l:v f32x4.splat f:v f64x2.splat d:v
215: i8x16.extract_lane_s v:i*16 i8x16.extract_lane_u v:i*16 i8x16.replace_lane vi:v*16
218: i16x8.extract_lane_s v:i*8 i16x8.extract_lane_u v:i*8 i16x8.replace_lane vi:v*8
21b: i32x4.extract_lane v:i*4 i32x4.replace_lane vi:v*4 i64x2.extract_lane v:l*2 i64x2.replace_lane vl:v*2
21f: f32x4.extract_lane v:f*4 f32x4.replace_lane vf:v*4 f64x2.extract_lane v:d*2 f64x2.replace_lane vd:v*2
223: i8x16.eq vv:v i8x16.ne vv:v i8x16.lt_s vv:v i8x16.lt_u vv:v i8x16.gt_s vv:v i8x16.gt_u vv:v
229: i8x16.le_s vv:v i8x16.le_u vv:v i8x16.ge_s vv:v i8x16.ge_u vv:v
22d: i16x8.eq vv:v i16x8.ne vv:v i16x8.lt_s vv:v i16x8.lt_u vv:v i16x8.gt_s vv:v i16x8.gt_u vv:v
233: i16x8.le_s vv:v i16x8.le_u vv:v i16x8.ge_s vv:v i16x8.ge_u vv:v
237: i32x4.eq vv:v i32x4.ne vv:v i32x4.lt_s vv:v i32x4.lt_u vv:v i32x4.gt_s vv:v i32x4.gt_u vv:v
23d: i32x4.le_s vv:v i32x4.le_u vv:v i32x4.ge_s vv:v i32x4.ge_u vv:v
241: f32x4.eq vv:v f32x4.ne vv:v f32x4.lt vv:v f32x4.gt vv:v f32x4.le vv:v f32x4.ge vv:v
247: f64x2.eq vv:v f64x2.ne vv:v f64x2.lt vv:v f64x2.gt vv:v f64x2.le vv:v f64x2.ge vv:v
24d: v128.not v:v v128.and vv:v v128.andnot vv:v v128.or vv:v v128.xor vv:v v128.bitselect vvv:v v128.any_true v:i
254: v128.load8_lane iv:v/0*16 v128.load16_lane iv:v/1*8 v128.load32_lane iv:v/2*4 v128.load64_lane iv:v/3*2
258: v128.store8_lane iv:/0*16 v128.store16_lane iv:/1*8 v128.store32_lane iv:/2*4 v128.store64_lane iv:/3*2
25c: v128.load32_zero i:v/2 v128.load64_zero i:v/3 f32x4.demote_f64x2_zero v:v f64x2.promote_low_f32x4 v:v
260: i8x16.abs v:v i8x16.neg v:v i8x16.popcnt v:v i8x16.all_true v:i i8x16.bitmask v:i
265: i8x16.narrow_i16x8_s vv:v i8x16.narrow_i16x8_u vv:v
267: f32x4.ceil v:v f32x4.floor v:v f32x4.trunc v:v f32x4.nearest v:v
26b: i8x16.shl vi:v i8x16.shr_s vi:v i8x16.shr_u vi:v i8x16.add vv:v i8x16.add_sat_s vv:v i8x16.add_sat_u vv:v
271: i8x16.sub vv:v i8x16.sub_sat_s vv:v i8x16.sub_sat_u vv:v f64x2.ceil v:v f64x2.floor v:v
276: i8x16.min_s vv:v i8x16.min_u vv:v i8x16.max_s vv:v i8x16.max_u vv:v f64x2.trunc v:v i8x16.avgr_u vv:v
27c: i16x8.extadd_pairwise_i8x16_s v:v i16x8.extadd_pairwise_i8x16_u v:v
27e: i32x4.extadd_pairwise_i16x8_s v:v i32x4.extadd_pairwise_i16x8_u v:v
280: i16x8.abs v:v i16x8.neg v:v i16x8.q15mulr_sat_s vv:v i16x8.all_true v:i i16x8.bitmask v:i
285: i16x8.narrow_i32x4_s vv:v i16x8.narrow_i32x4_u vv:v i16x8.extend_low_i8x16_s v:v i16x8.extend_high_i8x16_s v:v
289: i16x8.extend_low_i8x16_u v:v i16x8.extend_high_i8x16_u v:v i16x8.shl vi:v i16x8.shr_s vi:v i16x8.shr_u vi:v
28e: i16x8.add vv:v i16x8.add_sat_s vv:v i16x8.add_sat_u vv:v i16x8.sub vv:v i16x8.sub_sat_s vv:v
293: i16x8.sub_sat_u vv:v f64x2.nearest v:v i16x8.mul vv:v i16x8.min_s vv:v i16x8.min_u vv:v i16x8.max_s vv:v
299: i16x8.max_u vv:v - i16x8.avgr_u vv:v i16x8.extmul_low_i8x16_s vv:v i16x8.extmul_high_i8x16_s vv:v
29e: i16x8.extmul_low_i8x16_u vv:v i16x8.extmul_high_i8x16_u vv:v
2a0: i32x4.abs v:v i32x4.neg v:v - i32x4.all_true v:i i32x4.bitmask v:i
2a7: i32x4.extend_low_i16x8_s v:v i32x4.extend_high_i16x8_s v:v i32x4.extend_low_i16x8_u v:v
2aa: i32x4.extend_high_i16x8_u v:v i32x4.shl vi:v i32x4.shr_s vi:v i32x4.shr_u vi:v i32x4.add vv:v - - i32x4.sub vv:v
2b5: i32x4.mul vv:v i32x4.min_s vv:v i32x4.min_u vv:v i32x4.max_s vv:v i32x4.max_u vv:v i32x4.dot_i16x8_s vv:v
2bc: i32x4.extmul_low_i16x8_s vv:v i32x4.extmul_high_i16x8_s vv:v
2be: i32x4.extmul_low_i16x8_u vv:v i32x4.extmul_high_i16x8_u vv:v
2c0: i64x2.abs v:v i64x2.neg v:v - i64x2.all_true v:i i64x2.bitmask v:i
2c7: i64x2.extend_low_i32x4_s v:v i64x2.extend_high_i32x4_s v:v i64x2.extend_low_i32x4_u v:v
2ca: i64x2.extend_high_i32x4_u v:v i64x2.shl vi:v i64x2.shr_s vi:v i64x2.shr_u vi:v i64x2.add vv:v - - i64x2.sub vv:v
2d5: i64x2.mul vv:v i64x2.eq vv:v i64x2.ne vv:v i64x2.lt_s vv:v i64x2.gt_s vv:v i64x2.le_s vv:v i64x2.ge_s vv:v
2dc: i64x2.extmul_low_i32x4_s vv:v i64x2.extmul_high_i32x4_s vv:v
2de: i64x2.extmul_low_i32x4_u vv:v i64x2.extmul_high_i32x4_u vv:v
2e0: f32x4.abs v:v f32x4.neg v:v - f32x4.sqrt v:v f32x4.add vv:v f32x4.sub vv:v f32x4.mul vv:v f32x4.div vv:v
2e8: f32x4.min vv:v f32x4.max vv:v f32x4.pmin vv:v f32x4.pmax vv:v
2ec: f64x2.abs v:v f64x2.neg v:v - f64x2.sqrt v:v f64x2.add vv:v f64x2.sub vv:v f64x2.mul vv:v f64x2.div vv:v
2f4: f64x2.min vv:v f64x2.max vv:v f64x2.pmin vv:v f64x2.pmax vv:v
2f8: i32x4.trunc_sat_f32x4_s v:v i32x4.trunc_sat_f32x4_u v:v f32x4.convert_i32x4_s v:v f32x4.convert_i32x4_u v:v
2fc: i32x4.trunc_sat_f64x2_s_zero v:v i32x4.trunc_sat_f64x2_u_zero v:v f64x2.convert_low_i32x4_s v:v f64x2.convert_low_i32x4_u v:v
`

// ops is opcodeTable by Opcode. It is never written to.
var ops = parseOpcodes(opcodeTable)

func parseOpcodes(table string) *[NumOpcodes]opInfo {
	var out [NumOpcodes]opInfo
	for line := range strings.Lines(table) {
		fields := strings.Fields(line)
		if len(fields) == 0 {
			continue
		}
		first, err := strconv.ParseUint(strings.TrimSuffix(fields[0], ":"), 16, 16)
		if err != nil {
			panic("module: opcode table: " + err.Error())
		}
		op := int(first)
		for i := 1; i < len(fields); op++ {
			if fields[i] == "-" {
				i++
				continue
			}
			out[op] = parseSignature(fields[i], fields[i+1])
			i += 2
		}
	}
	for _, op := range []Opcode{OpBr, OpBrIf, OpCall, OpLocalGet, OpLocalSet, OpLocalTee, OpGlobalGet,
		OpGlobalSet, OpTableGet, OpTableSet, OpRefFunc, OpDataDrop, OpElemDrop, OpTableGrow, OpTableSize, OpTableFill} {
		out[op].imm = immU32
	}
	return &out
}

func parseSignature(name, sig string) opInfo {
	info := opInfo{name: name}
	if sig == "?" {
		info.imm = immOther
		return info
	}
	sig, lanes, hasLanes := strings.Cut(sig, "*")
	sig, align, hasAlign := strings.Cut(sig, "/")
	switch {
	case hasLanes && hasAlign:
		info.imm = immMemLane
	case hasLanes:
		info.imm = immLane
	case hasAlign:
		info.imm = immMem
	}
	if hasLanes {
		n, _ := strconv.Atoi(lanes)
		info.lanes = byte(n)
	}
	if hasAlign {
		info.align = align[0] - '0'
	}
	pops, push, _ := strings.Cut(sig, ":")
	for _, c := range []byte(pops) {
		info.pops = append(info.pops, typeOfLetter(c))
	}
	if push != "" {
		info.push = typeOfLetter(push[0])
	}
	return info
}

func typeOfLetter(c byte) ValueType {
	return map[byte]ValueType{'i': I32, 'l': I64, 'f': F32, 'd': F64, 'v': V128}[c]
}
