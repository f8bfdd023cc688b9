// Copyright The wasmill Authors
// SPDX-License-Identifier: Apache-2.0

// wasmill.h: operators for wasmill in C. README.md beside it shows how; ../../abi/SPEC.md is the
// contract that it speaks. It is one file so that a project takes it over by copying, and needs
// nothing else: with --target=wasm32 it brings its own memory, with wasi-libc it uses malloc.
//
//   1  texts, imports, memory        what an operator's code calls
//   2  batches and columns           reading a call's input in place
//   3  outputs                       columns that grow, sent once a call
//   4  rows                          WM_ROW: a C struct, its reader, writer and description
//   5  operators                     wm_operator, WM_AGGREGATE
//   6  the module                    the description, and the exports by WM_MODULE
//
// wasmill_state.h, beside it, has keyed state and timers. Names that end in _ are of the headers' own. A module is one
// thread and runs one operator, so that what the header keeps lies in two variables, wm_global and wm_outputs_. Strings and lists that were read from
// a batch, and what wm_temp and wm_format return, are valid until the call returns.
#ifndef WASMILL_H
#define WASMILL_H

#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#if !defined(__wasm__) || defined(__wasi__)
#include <assert.h>
#include <stdlib.h>
#endif

#define WM_SDK "wasmill-c/1"
#define WM_FN_ __attribute__((unused)) static inline
#define WM_SLOW_ __attribute__((unused, noinline)) static // what rows do not wait for

// Limits of an operator's description; define them before the header to raise them.
#ifndef WM_MAX_OUTPUTS
#define WM_MAX_OUTPUTS 8
#endif
#ifndef WM_MAX_COUNTERS
#define WM_MAX_COUNTERS 16
#endif
#ifndef WM_MAX_INPUTS
#define WM_MAX_INPUTS 8
#endif
#ifndef WM_MAX_STATES
#define WM_MAX_STATES 16
#endif

enum {
    WM_MAX_ROWS = 1 << 16,     // rows of one batch, by the contract
    WM_FLUSH_BYTES = 4 << 20,  // an output with a column of more bytes is sent before the call ends
    WM_MAX_TEXT = 4096,        // bytes kept of a formatted text
    WM_SCHEMA_ACCUMULATOR_ = 0x10000,
    WM_SCHEMA_EVENT_TIMER_ = 0x10002,
    WM_SCHEMA_PROCESSING_TIMER_ = 0x10003,
    WM_KIND_DELETE_ = 3,
};

// ------------------------------------------------------------------ 1  texts, imports, memory

// A run of bytes, UTF-8 where it is a string; null where data is NULL.
typedef struct {
    const char *data;
    uint32_t size;
} wm_string;

WM_FN_ wm_string wm_string_of(const char *data, uint32_t size) {
    wm_string s = {data, size};
    return s;
}

// WM_STR("text") is a literal as a wm_string.
#define WM_STR(literal) wm_string_of("" literal, sizeof(literal) - 1)
// WM_ARG(s) gives a wm_string to "%.*s".
#define WM_ARG(s) (int)(s).size, (s).data

WM_FN_ bool wm_equal(wm_string a, wm_string b) {
    if (a.size != b.size || (a.data == NULL) != (b.data == NULL)) return false;
    uint32_t at = 0;
    for (uint64_t x, y; a.size - at >= 8; at += 8) {
        __builtin_memcpy(&x, a.data + at, 8);
        __builtin_memcpy(&y, b.data + at, 8);
        if (x != y) return false;
    }
    for (; at < a.size; at++) {
        if (a.data[at] != b.data[at]) return false;
    }
    return true;
}

typedef enum { WM_DEBUG, WM_INFO, WM_WARN, WM_ERROR } wm_level;

#ifdef __cplusplus
extern "C" {
#endif
#ifdef __wasm__
#define WM_IMPORT_(name) __attribute__((import_module("wasmill"), import_name(name)))
#define WM_EXPORT_(name) __attribute__((export_name(name)))
#else // in a test, which brings the imports: wasmill_test.h
#define WM_IMPORT_(name)
#define WM_EXPORT_(name)
#endif
WM_IMPORT_("emit") void wm_import_emit(const void *batch, uint32_t size);
WM_IMPORT_("log") void wm_import_log(uint32_t level, const char *text, uint32_t size);
WM_IMPORT_("count") void wm_import_count(uint32_t counter, int64_t delta);
WM_IMPORT_("fail") void wm_import_fail(uint32_t kind, const char *text, uint32_t size);
WM_IMPORT_("now") int64_t wm_import_now(void);
#ifdef __cplusplus
}
#endif

// wm_now returns the job's time in microseconds since 1970 UTC; it stands still during a call.
WM_FN_ int64_t wm_now(void) { return wm_import_now(); }

// wm_count adds to a counter, by its place in wm_operator.counters.
WM_FN_ void wm_count(uint32_t counter, int64_t delta) { wm_import_count(counter, delta); }

struct wm_operator;
struct wm_output;
typedef struct {
    uint32_t row;
    wm_string text;
} wm_failure_;

typedef struct wm_chunk_ {
    struct wm_chunk_ *next;
    size_t room, used;
} wm_chunk_;

// All state of a module. It is weak so that several files of one module share it.
typedef struct {
    const struct wm_operator *op; // the open one
    uint32_t input_rows;          // of the call at hand
    bool keyed, broadcast;        // its rows have keys; they are of a broadcast input
    struct wm_output *puts;       // rows of states, and timers, on their way to the host
    wm_failure_ *failures;
    uint32_t failure_count, failure_room;
    wm_chunk_ *temp, *kept;
    uint8_t *input, *message, *description;
    uint32_t input_room, message_room, description_size;
    uintptr_t heap_at, heap_end; // freestanding: the memory that was never given out
    void *heap_free[32];         // freestanding: returned blocks of 2^n bytes
} wm_state_;
__attribute__((weak)) wm_state_ wm_global;

__attribute__((noreturn)) WM_SLOW_ void wm_fail_(uint32_t kind, wm_string text) {
    wm_import_fail(kind, text.data, text.size);
    __builtin_trap();
}

// wm_format_ writes at most room bytes. It knows %s %.*s %c %d %u %x %% and l, ll and z before
// the last three numbers; it is here because there is no stdio without a libc.
WM_SLOW_ uint32_t wm_format_(char *out, uint32_t room, const char *format, va_list args) {
    uint32_t at = 0;
    for (const char *p = format; *p; p++) {
        char digits[24];
        const char *text = p;
        int size = 1, longs = 0;
        if (*p == '%') {
            int limit = -1;
            p++;
            if (p[0] == '.' && p[1] == '*') {
                limit = va_arg(args, int);
                p += 2;
            }
            for (; *p == 'l' || *p == 'z'; p++) longs += *p == 'z' ? (sizeof(size_t) == 8 ? 2 : 0) : (sizeof(long) == 8 ? 2 : 1);
            text = digits;
            if (*p == 's') {
                text = va_arg(args, const char *);
                for (size = 0; size != limit && text[size]; size++) continue;
            } else if (*p == 'c') {
                digits[0] = (char)va_arg(args, int);
            } else if (*p == 'd' || *p == 'u' || *p == 'x') {
                uint64_t n, base = *p == 'x' ? 16 : 10;
                if (longs >= 2) n = va_arg(args, uint64_t);
                else n = *p == 'd' ? (uint64_t)(int64_t)va_arg(args, int32_t) : va_arg(args, uint32_t);
                bool minus = *p == 'd' && (int64_t)n < 0;
                if (minus) n = 0 - n;
                size = 0;
                char *end = digits + sizeof digits;
                do {
                    *--end = "0123456789abcdef"[n % base];
                    size++;
                } while (n /= base);
                if (minus) *--end = '-', size++;
                text = end;
            } else if (*p == '%') {
                digits[0] = '%';
            } else {
                break; // the compiler has warned: format(printf) below
            }
        }
        for (int i = 0; i < size && at < room; i++) out[at++] = text[i];
    }
    return at;
}

// wm_panic fails the operator for a bug in it: the host reports the text with the stack.
__attribute__((noreturn, format(printf, 1, 2))) WM_SLOW_ void wm_panic(const char *format, ...) {
    char text[512];
    va_list args;
    va_start(args, format);
    uint32_t size = wm_format_(text, sizeof text, format, args);
    va_end(args);
    wm_fail_(1, wm_string_of(text, size));
}

// wm_refuse fails the operator on purpose: a configuration that it can't work with.
__attribute__((noreturn, format(printf, 1, 2))) WM_SLOW_ void wm_refuse(const char *format, ...) {
    char text[512];
    va_list args;
    va_start(args, format);
    uint32_t size = wm_format_(text, sizeof text, format, args);
    va_end(args);
    wm_fail_(0, wm_string_of(text, size));
}

// An assertion that fails reaches the host with its expression and place.
#ifdef __wasm__
#ifdef __cplusplus
extern "C"
#endif
    __attribute__((weak, noreturn)) void
    __assert_fail(const char *expression, const char *file, int line, const char *function) {
    wm_panic("%s:%d: %s: assertion failed: %s", file, line, function, expression);
}
#ifndef __wasi__
#ifdef NDEBUG
#define assert(expression) ((void)0)
#else
#define assert(expression) ((expression) ? (void)0 : __assert_fail(#expression, __FILE__, __LINE__, __func__))
#endif
#endif
#endif

#if defined(__wasm__) && !defined(__wasi__)
extern unsigned char __heap_base;

// Blocks are 2^n bytes behind a header of 16 that holds n; a freed one waits for the next request
// of its size. Buffers here grow by doubling, so that little is lost to it.
WM_SLOW_ void *wm_try_alloc(size_t size) {
    uint32_t n = size <= 16 ? 4 : 32 - (uint32_t)__builtin_clz((uint32_t)size - 1);
    if (n > 30) return NULL;
    void **block = (void **)wm_global.heap_free[n];
    if (block != NULL) {
        wm_global.heap_free[n] = *block;
        return block;
    }
    if (wm_global.heap_at == 0) {
        wm_global.heap_at = ((uintptr_t)&__heap_base + 15) & ~(uintptr_t)15;
        wm_global.heap_end = (uintptr_t)__builtin_wasm_memory_size(0) << 16;
    }
    uint64_t end = (uint64_t)wm_global.heap_at + 16 + ((uint64_t)1 << n);
    if (end > wm_global.heap_end) {
        uint64_t pages = (end - wm_global.heap_end + 0xffff) >> 16;
        if (pages > 0x10000 || __builtin_wasm_memory_grow(0, (size_t)pages) == (size_t)-1) return NULL;
        wm_global.heap_end += (uintptr_t)pages << 16;
    }
    uint32_t *header = (uint32_t *)wm_global.heap_at;
    header[0] = n;
    wm_global.heap_at = (uintptr_t)end;
    return header + 4;
}

WM_FN_ void wm_free(void *block) {
    if (block == NULL) return;
    uint32_t n = ((uint32_t *)block)[-4];
    *(void **)block = wm_global.heap_free[n];
    wm_global.heap_free[n] = block;
}
#else
WM_SLOW_ void *wm_try_alloc(size_t size) { return malloc(size > 0 ? size : 1); }
WM_FN_ void wm_free(void *block) { free(block); }
#endif

// wm_alloc returns memory, a multiple of 8, until wm_free. It panics where there is none.
WM_FN_ void *wm_alloc(size_t size) {
    void *block = wm_try_alloc(size);
    if (block == NULL) wm_panic("out of memory: no room for %zu bytes", size);
    return block;
}

// wm_regrow_ moves used bytes to a block of room bytes.
WM_SLOW_ void *wm_regrow_(void *block, size_t used, size_t room) {
    void *bigger = wm_alloc(room);
    if (used > 0) __builtin_memcpy(bigger, block, used);
    wm_free(block);
    return bigger;
}

// wm_chunk_first_ returns where the memory of a chunk begins.
WM_FN_ uint8_t *wm_chunk_first_(wm_chunk_ *chunk) { return (uint8_t *)(((uintptr_t)(chunk + 1) + 7) & ~(uintptr_t)7); }

// wm_temp returns memory, a multiple of 8, until the call returns.
WM_SLOW_ void *wm_temp(size_t size) {
    size = (size + 7) & ~(size_t)7;
    wm_chunk_ *chunk = wm_global.temp;
    if (chunk == NULL || chunk->room - chunk->used < size) {
        size_t room = chunk == NULL ? 4096 : 2 * chunk->room;
        while (room < size) room *= 2;
        chunk = (wm_chunk_ *)wm_alloc(sizeof(wm_chunk_) + 8 + room);
        chunk->next = wm_global.temp;
        chunk->room = room;
        chunk->used = 0;
        wm_global.temp = chunk;
    }
    chunk->used += size;
    return wm_chunk_first_(chunk) + chunk->used - size;
}

// wm_temp_reset_ keeps the largest chunk, the newest.
WM_FN_ void wm_temp_reset_(void) {
    if (wm_global.temp == NULL) return;
    wm_chunk_ *older = wm_global.temp->next;
    while (older != NULL) {
        wm_chunk_ *next = older->next;
        wm_free(older);
        older = next;
    }
    wm_global.temp->next = NULL;
    wm_global.temp->used = 0;
}

// wm_keep copies a text, a configuration's for one, for as long as the operator lives.
WM_FN_ wm_string wm_keep(wm_string text) {
    wm_chunk_ *chunk = (wm_chunk_ *)wm_alloc(sizeof(wm_chunk_) + text.size);
    chunk->next = wm_global.kept;
    wm_global.kept = chunk;
    if (text.size > 0) __builtin_memcpy(chunk + 1, text.data, text.size);
    return wm_string_of(text.data == NULL ? NULL : (const char *)(chunk + 1), text.size);
}

WM_SLOW_ wm_string wm_vformat_(const char *format, va_list args) {
    char text[WM_MAX_TEXT];
    uint32_t size = wm_format_(text, sizeof text, format, args);
    char *kept = (char *)wm_temp(size + 1);
    __builtin_memcpy(kept, text, size);
    return wm_string_of(kept, size);
}

// wm_format returns a text: %s %.*s %c %d %u %x, with ll for 64 bits; WM_ARG gives it a wm_string.
__attribute__((format(printf, 1, 2))) WM_SLOW_ wm_string wm_format(const char *format, ...) {
    va_list args;
    va_start(args, format);
    wm_string text = wm_vformat_(format, args);
    va_end(args);
    return text;
}

// wm_log writes a line to the job's log. A level that is none is an error.
__attribute__((format(printf, 2, 3))) WM_SLOW_ void wm_log(wm_level level, const char *format, ...) {
    va_list args;
    va_start(args, format);
    wm_string text = wm_vformat_(format, args);
    va_end(args);
    wm_import_log((uint32_t)level > WM_ERROR ? WM_ERROR : level, text.data, text.size);
}

// wm_fail_row says that a row of the input failed. The pipeline decides what becomes of the row;
// the host drops what was emitted for it, the other rows of the batch are as they are.
__attribute__((format(printf, 2, 3))) WM_SLOW_ void wm_fail_row(uint32_t row, const char *format, ...) {
    if (wm_global.failure_count == wm_global.failure_room) {
        uint32_t room = wm_global.failure_room == 0 ? 16 : 2 * wm_global.failure_room;
        wm_global.failures = (wm_failure_ *)wm_regrow_(wm_global.failures, wm_global.failure_count * sizeof(wm_failure_), room * sizeof(wm_failure_));
        wm_global.failure_room = room;
    }
    va_list args;
    va_start(args, format);
    wm_failure_ *f = &wm_global.failures[wm_global.failure_count++];
    f->row = row;
    f->text = wm_vformat_(format, args);
    va_end(args);
}

// ----------------------------------------------------------------- 2  batches and columns

typedef enum {
    WM_TYPE_BOOL = 1,
    WM_TYPE_INT32,
    WM_TYPE_INT64,
    WM_TYPE_FLOAT64,
    WM_TYPE_DECIMAL,
    WM_TYPE_STRING,
    WM_TYPE_BYTES,
    WM_TYPE_TIMESTAMP,
    WM_TYPE_LIST,
    WM_TYPE_STRUCT,
} wm_type;

// A column as it lies in a batch; offsets count from the batch's first byte.
typedef struct {
    uint32_t rows, nulls, validity, offsets, values, size;
} wm_wire_;

// A batch of rows, read in place.
typedef struct {
    const uint8_t *base;
    uint32_t schema, rows;
    uint32_t columns;       // nested ones counted
    const wm_wire_ *nodes;  // depth first, parents before children
    const int64_t *time;    // event time of each row; NULL where the input is not declared WM_TIME
    const uint8_t *kind;    // 0 insert, 1 update before, 2 update after, 3 delete; NULL where all are inserts
    const uint32_t *origin; // in a batch that was emitted; NULL where row n came from row n
    const uint32_t *group;  // of an aggregate's input, the number of each row's accumulator; of a process's, of its key
} wm_batch;

// A column of a batch. values is an array of int32_t, int64_t or double, the bits of a bool, or the
// bytes that offsets delimit; what lies under a null is arbitrary.
typedef struct {
    const uint8_t *validity; // a bit a row, 1 for a value; NULL where there are no nulls
    const int32_t *offsets;  // rows + 1 of them, of string, bytes and list
    const void *values;
    uint32_t rows, nulls;
} wm_column;

WM_FN_ uint32_t wm_load32_(const uint8_t *at) {
    uint32_t v;
    __builtin_memcpy(&v, at, 4);
    return v;
}

WM_FN_ uint16_t wm_load16_(const uint8_t *at) {
    uint16_t v;
    __builtin_memcpy(&v, at, 2);
    return v;
}

// wm_flat_field_ returns where a FlatBuffers table has a field, NULL where it is absent.
WM_FN_ const uint8_t *wm_flat_field_(const uint8_t *table, uint32_t id) {
    const uint8_t *vtable = table - (int32_t)wm_load32_(table);
    uint32_t slot = 4 + 2 * id;
    if (slot + 2 > wm_load16_(vtable)) return NULL;
    uint16_t at = wm_load16_(vtable + slot);
    return at == 0 ? NULL : table + at;
}

WM_FN_ const void *wm_per_row_(const uint8_t *base, const uint8_t *table, uint32_t id) {
    const uint8_t *column = wm_flat_field_(table, id);
    return column == NULL ? NULL : base + wm_load32_(column + 16);
}

// wm_batch_at reads the envelope of a batch that the host wrote.
WM_SLOW_ wm_batch wm_batch_at(const void *data) {
    wm_batch b;
    b.base = (const uint8_t *)data;
    const uint8_t *table = b.base + wm_load32_(b.base);
    const uint8_t *field = wm_flat_field_(table, 0);
    b.schema = field == NULL ? 0 : wm_load32_(field);
    field = wm_flat_field_(table, 1);
    b.rows = field == NULL ? 0 : wm_load32_(field);
    field = wm_flat_field_(table, 2);
    const uint8_t *columns = field == NULL ? NULL : field + wm_load32_(field);
    b.columns = columns == NULL ? 0 : wm_load32_(columns);
    b.nodes = (const wm_wire_ *)(const void *)(columns == NULL ? NULL : columns + 4);
    b.time = (const int64_t *)wm_per_row_(b.base, table, 4);
    b.kind = (const uint8_t *)wm_per_row_(b.base, table, 5);
    b.origin = (const uint32_t *)wm_per_row_(b.base, table, 6);
    b.group = (const uint32_t *)wm_per_row_(b.base, table, 7);
    return b;
}

// wm_batch_column returns a column by its number, nested ones counted depth first.
WM_FN_ wm_column wm_batch_column(const wm_batch *b, uint32_t number) {
    if (number >= b->columns) wm_panic("a batch of %u columns has no column %u", b->columns, number);
    const wm_wire_ *w = &b->nodes[number];
    wm_column c;
    c.validity = w->nulls > 0 ? b->base + w->validity : NULL;
    c.offsets = (const int32_t *)(const void *)(b->base + w->offsets);
    c.values = b->base + w->values;
    c.rows = w->rows;
    c.nulls = w->nulls;
    return c;
}

WM_FN_ bool wm_null_at(const wm_column *c, uint32_t row) {
    return c->validity != NULL && !(c->validity[row >> 3] >> (row & 7) & 1);
}

// ----------------------------------------------------------------------------- 3  outputs

// A field of a schema. An array of them ends with one whose name is NULL.
typedef struct wm_field {
    const char *name, *doc, *def; // def: a configuration field's default, as text, or NULL
    bool required;
    uint8_t type, scale;
    uint8_t item, item_scale;        // of a list
    const struct wm_field *children; // of a struct, or of a list of structs
    bool key;                        // of a keyed input: part of the key
    uint8_t merge;                   // of a reducing state
} wm_field;

// A column that is being written. The rows of a list's items, and the room for them, are in the
// list; every other column has the rows of its parent, in the end of the output.
typedef struct {
    uint8_t type;
    uint8_t width;  // bytes of a value, 0 where it has no fixed number
    uint16_t nodes; // columns beneath this one
    uint32_t nulls;
    uint8_t *validity; // all ones but under nulls
    int32_t *offsets;
    void *values;
    uint32_t size, room; // bytes used of values and room for them (string, bytes); items (list)
} wm_out;

// The rows on their way to a port, or to a state. Its memory is kept from call to call.
typedef struct wm_output {
    const wm_field *fields;
    uintptr_t key; // wm_key_ of what may be emitted here, 0 where there is no such output
    uint32_t schema;
    bool split;    // may be sent in parts
    bool timed;    // carries an event time for each row
    bool full;     // send it before the next row
    bool whole;    // holds a row for each of the input, whose origins are not written yet
    uint32_t nodes, rows;
    uint32_t room;  // rows that there is memory for
    uint32_t limit; // rows after which wm_room_ is asked
    uint32_t *origin; // of a state, the number of each row's key
    int64_t *time;
    wm_out *columns;
    // Of a state or of timers:
    void (*send)(const void *batch, uint32_t size); // NULL: the rows are emitted
    bool grouped;                                   // rows have keys
    bool removes;                                   // some row does
    uint8_t *kind;
    struct wm_output *next; // of wm_global.puts
} wm_output;

// Those of the open operator: one a port, and behind the last the accumulators'.
__attribute__((weak)) wm_output wm_outputs_[WM_MAX_OUTPUTS + 1];

// wm_key_ is what an emitted row must have in common with its output.
WM_FN_ uintptr_t wm_key_(const wm_field *fields, bool timed) { return ((uintptr_t)fields | 2) + timed; }

WM_FN_ uint32_t wm_width_(uint8_t type) {
    switch (type) {
    case WM_TYPE_INT32: return 4;
    case WM_TYPE_INT64:
    case WM_TYPE_FLOAT64:
    case WM_TYPE_DECIMAL:
    case WM_TYPE_TIMESTAMP: return 8;
    default: return 0;
    }
}

// wm_nodes_ lays out a schema's columns, or counts them where out is NULL, and returns their number.
WM_SLOW_ uint32_t wm_nodes_(const wm_field *f, wm_out *out) {
    uint32_t n = 0;
    for (; f != NULL && f->name != NULL; f++) {
        uint32_t self = n++;
        uint8_t type = f->type;
        for (;;) { // a list, then its item
            if (out != NULL) {
                __builtin_memset(&out[n - 1], 0, sizeof *out);
                out[n - 1].type = type;
                out[n - 1].width = (uint8_t)wm_width_(type);
            }
            if (type == WM_TYPE_STRUCT) n += wm_nodes_(f->children, out == NULL ? NULL : out + n);
            if (type != WM_TYPE_LIST) break;
            type = f->item;
            n++;
        }
        if (out == NULL) continue;
        out[self].nodes = (uint16_t)(n - self - 1);
        if (f->type == WM_TYPE_LIST) out[self + 1].nodes = (uint16_t)(n - self - 2);
    }
    return n;
}

// wm_columns_grow_ makes room in columns that share their rows.
WM_SLOW_ void wm_columns_grow_(wm_out *c, const wm_out *end, uint32_t rows, uint32_t room) {
    for (; c < end; c++) {
        uint32_t kept = c->nulls > 0 ? (rows + 7) / 8 : 0;
        c->validity = (uint8_t *)wm_regrow_(c->validity, kept, (room + 7) / 8);
        __builtin_memset(c->validity + kept, 0xff, (room + 7) / 8 - kept);
        if (c->type == WM_TYPE_BOOL) c->values = wm_regrow_(c->values, (rows + 7) / 8, (room + 7) / 8);
        else if (c->width > 0) c->values = wm_regrow_(c->values, rows * c->width, room * c->width);
        else if (c->type != WM_TYPE_STRUCT) {
            c->offsets = (int32_t *)wm_regrow_(c->offsets, rows > 0 ? 4 * (rows + 1) : 0, 4 * (room + 1));
            c->offsets[0] = 0;
        }
        if (c->type == WM_TYPE_LIST) c += c->nodes; // its items have rows of their own
    }
}

WM_FN_ uint32_t wm_align8_(uint32_t n) { return (n + 7) & ~(uint32_t)7; }

// wm_measure_ returns the bytes of a run of columns in a message.
WM_SLOW_ uint32_t wm_measure_(const wm_out *c, const wm_out *end, uint32_t rows) {
    uint32_t bytes = 0;
    for (; c < end; c++) {
        if (c->nulls > 0) bytes += wm_align8_((rows + 7) / 8);
        if (c->type == WM_TYPE_BOOL) bytes += wm_align8_((rows + 7) / 8);
        else if (c->width > 0) bytes += wm_align8_(rows * c->width);
        else if (c->type != WM_TYPE_STRUCT) bytes += wm_align8_(4 * (rows + 1));
        if (c->type == WM_TYPE_STRING || c->type == WM_TYPE_BYTES) bytes += wm_align8_(c->size);
        if (c->type == WM_TYPE_LIST) {
            bytes += wm_measure_(c + 1, c + 1 + c->nodes, c->size);
            c += c->nodes;
        }
    }
    return bytes;
}

WM_FN_ void wm_store32_(uint8_t *at, uint32_t v) { __builtin_memcpy(at, &v, 4); }

// A message under construction: where the next Column and the next buffer go.
typedef struct {
    uint8_t *data, *node;
    uint32_t body;
} wm_message_;

WM_FN_ uint32_t wm_append_(wm_message_ *m, const void *data, uint32_t size) {
    if (size == 0) return 0;
    uint32_t at = m->body;
    m->body = wm_align8_(at + size);
    __builtin_memset(m->data + m->body - 8, 0, 8); // the padding
    __builtin_memcpy(m->data + at, data, size);
    return at;
}

WM_SLOW_ void wm_write_columns_(wm_message_ *m, const wm_out *c, const wm_out *end, uint32_t rows) {
    for (; c < end; c++) {
        uint32_t bits = (rows + 7) / 8, size = 0;
        if (c->type == WM_TYPE_BOOL) size = bits;
        else if (c->width > 0) size = rows * c->width;
        else if (c->type == WM_TYPE_STRING || c->type == WM_TYPE_BYTES) size = c->size;
        wm_wire_ w = {rows, c->nulls, 0, 0, 0, size};
        if (c->nulls > 0) {
            w.validity = wm_append_(m, c->validity, bits);
            if ((rows & 7) != 0) m->data[w.validity + bits - 1] &= (uint8_t)((1u << (rows & 7)) - 1);
        }
        if (c->offsets != NULL && rows > 0) w.offsets = wm_append_(m, c->offsets, 4 * (rows + 1));
        w.values = wm_append_(m, c->values, size);
        __builtin_memcpy(m->node, &w, sizeof w);
        m->node += sizeof w;
        if (c->type == WM_TYPE_LIST) {
            wm_write_columns_(m, c + 1, c + 1 + c->nodes, c->size);
            c += c->nodes;
        }
    }
}

// wm_present_ says in the vtable of a message's table that it has a field, and returns its place.
WM_FN_ uint8_t *wm_present_(uint8_t *data, uint32_t id) {
    uint16_t at = (uint16_t)(id < 4 ? 4 + 4 * id : 20 + 24 * (id - 4));
    __builtin_memcpy(data + 12 + 2 * id, &at, 2);
    return data + 32 + at;
}

WM_FN_ void wm_write_per_row_(wm_message_ *m, uint32_t id, const void *data, uint32_t rows, uint32_t size) {
    wm_wire_ w = {rows, 0, 0, 0, wm_append_(m, data, size), size};
    __builtin_memcpy(wm_present_(m->data, id), &w, sizeof w);
}

// wm_encode_ writes the rows of an output, and what failed so far, as a message into
// wm_global.message and returns its size: a header and vtable of 32 bytes, the Batch table of
// 116, the vectors of Columns and Failures, the buffers.
WM_SLOW_ uint32_t wm_encode_(const wm_output *o) {
    uint32_t failures = o->send == NULL ? wm_global.failure_count : 0, columns = 148, rows = o->rows;
    uint32_t after = columns + 4 + 24 * o->nodes, body = wm_align8_(after + 4 + 12 * failures);
    uint64_t bytes = (uint64_t)body + wm_measure_(o->columns, o->columns + o->nodes, rows) + 12 * (uint64_t)rows + 16;
    for (uint32_t i = 0; i < failures; i++) bytes += wm_align8_(wm_global.failures[i].text.size);
    if (bytes > wm_global.message_room) {
        uint64_t room = wm_global.message_room > 0 ? wm_global.message_room : 4096;
        while (room < bytes) room *= 2;
        if (room > INT32_MAX) wm_panic("output %u has too many bytes for one batch", o->schema);
        wm_free(wm_global.message);
        wm_global.message = (uint8_t *)wm_alloc((size_t)room);
        wm_global.message_room = (uint32_t)room;
    }
    wm_message_ m = {wm_global.message, wm_global.message + columns + 4, body};
    __builtin_memset(m.data, 0, columns);
    __builtin_memset(m.data + body - 8, 0, 8); // the padding before the buffers
    wm_store32_(m.data, 32);
    __builtin_memcpy(m.data + 4, "WMB1\x14\0\x74\0", 8);
    wm_store32_(m.data + 32, 32 - 8);
    wm_store32_(wm_present_(m.data, 0), o->schema);
    wm_store32_(wm_present_(m.data, 1), rows);
    uint8_t *at = wm_present_(m.data, 2);
    wm_store32_(at, (uint32_t)(m.data + columns - at));
    wm_store32_(m.data + columns, o->nodes);
    wm_write_columns_(&m, o->columns, o->columns + o->nodes, rows);
    at = wm_present_(m.data, 3);
    wm_store32_(at, (uint32_t)(m.data + after - at));
    wm_store32_(m.data + after, failures);
    for (uint32_t i = 0; i < failures; i++) {
        const wm_failure_ *f = &wm_global.failures[i];
        uint8_t *entry = m.data + after + 4 + 12 * i;
        wm_store32_(entry, f->row);
        wm_store32_(entry + 4, wm_append_(&m, f->text.data, f->text.size));
        wm_store32_(entry + 8, f->text.size);
    }
    if (o->timed) wm_write_per_row_(&m, 4, o->time, rows, 8 * rows);
    bool same = rows == wm_global.input_rows || o->send != NULL; // row n came from row n
    for (uint32_t row = 0; same && !o->whole && o->send == NULL && row < rows; row++) same = o->origin[row] == row;
    if (!same && o->schema < WM_SCHEMA_ACCUMULATOR_) wm_write_per_row_(&m, 6, o->origin, rows, 4 * rows);
    if (o->removes) wm_write_per_row_(&m, 5, o->kind, rows, rows);
    if (o->grouped) wm_write_per_row_(&m, 7, o->origin, rows, 4 * rows);
    return m.body;
}

WM_SLOW_ void wm_columns_reset_(wm_out *c, const wm_out *end, uint32_t rows) {
    for (; c < end; c++) {
        if (c->nulls > 0) __builtin_memset(c->validity, 0xff, (rows + 7) / 8);
        c->nulls = 0;
        if (c->type == WM_TYPE_LIST) {
            wm_columns_reset_(c + 1, c + 1 + c->nodes, c->size);
            c->size = 0;
            c += c->nodes;
        }
        c->size = 0;
        if (c->room > WM_FLUSH_BYTES && (c->type == WM_TYPE_STRING || c->type == WM_TYPE_BYTES)) {
            wm_free(c->values);
            c->values = NULL;
            c->room = 0;
        }
    }
}

WM_FN_ void wm_output_reset_(wm_output *o) {
    wm_columns_reset_(o->columns, o->columns + o->nodes, o->rows);
    o->rows = 0;
    o->full = false;
    o->whole = false;
    o->removes = false;
    o->limit = o->room;
}

// wm_send_ hands the rows of an output to the host, with what failed so far.
WM_SLOW_ void wm_send_(wm_output *o) {
    uint32_t size = wm_encode_(o);
    if (o->send != NULL) {
        o->send(wm_global.message, size);
    } else {
        wm_import_emit(wm_global.message, size);
        wm_global.failure_count = 0;
    }
    wm_output_reset_(o);
}

// wm_reserve_ makes memory for so many rows.
WM_SLOW_ void wm_reserve_(wm_output *o, uint32_t room) {
    room = (room + 63) & ~(uint32_t)63;
    wm_columns_grow_(o->columns, o->columns + o->nodes, o->rows, room);
    o->origin = (uint32_t *)wm_regrow_(o->origin, 4 * o->rows, 4 * room);
    if (o->timed) o->time = (int64_t *)wm_regrow_(o->time, 8 * o->rows, 8 * room);
    if (o->send != NULL) o->kind = (uint8_t *)wm_regrow_(o->kind, o->rows, room);
    o->room = o->limit = room;
}

// wm_room_ makes room for a row more, by sending the others or by growing.
WM_SLOW_ void wm_room_(wm_output *o) {
    for (uint32_t row = 0; o->whole && row < o->rows; row++) o->origin[row] = row;
    o->whole = false;
    if (o->split && (o->full || o->rows == WM_MAX_ROWS)) {
        wm_send_(o);
        return;
    }
    o->limit = o->room;
    if (o->rows < o->room) return;
    if (o->rows >= WM_MAX_ROWS) wm_panic("one batch has at most %d rows", WM_MAX_ROWS);
    uint32_t room = 2 * o->room;
    if (room < wm_global.input_rows) room = wm_global.input_rows;
    wm_reserve_(o, room < 64 ? 64 : room > WM_MAX_ROWS ? (uint32_t)WM_MAX_ROWS : room);
}

WM_FN_ void wm_full_if_(wm_output *o, const wm_out *c) {
    if (!o->split || c < o->columns || c >= o->columns + o->nodes) return;
    o->full = true;
    o->limit = o->rows; // the row at hand is counted already
}

// wm_full_ has the output that a column belongs to sent before its next row.
WM_SLOW_ void wm_full_(const wm_out *c) {
    for (wm_output *o = wm_outputs_; o <= &wm_outputs_[WM_MAX_OUTPUTS]; o++) wm_full_if_(o, c);
    for (wm_output *o = wm_global.puts; o != NULL; o = o->next) wm_full_if_(o, c);
}

// wm_bytes_grow_ makes room for so many bytes more in a column of strings or bytes.
WM_SLOW_ void wm_bytes_grow_(wm_out *c, uint32_t more) {
    uint64_t room = (uint64_t)c->size + more;
    if (room > WM_FLUSH_BYTES) wm_full_(c);
    else if (room < 2 * (uint64_t)c->room) room = 2 * (uint64_t)c->room;
    if (room < 1024) room = 1024;
    if (room > INT32_MAX) wm_panic("a column of %u bytes has no room for %u more", c->size, more);
    c->values = wm_regrow_(c->values, c->size, (size_t)room);
    c->room = (uint32_t)room;
}

// wm_items_grow_ makes room for so many items more in a list.
WM_SLOW_ void wm_items_grow_(wm_out *c, uint32_t more) {
    uint32_t room = c->size + more;
    if (room > WM_FLUSH_BYTES / 8) wm_full_(c);
    if (room < 2 * c->room) room = 2 * c->room;
    room = (room + 63) & ~(uint32_t)63;
    wm_columns_grow_(c + 1, c + 1 + c->nodes, c->size, room);
    c->room = room;
}

WM_FN_ void wm_null_mark_(wm_out *c, uint32_t row) {
    c->nulls++;
    c->validity[row >> 3] &= (uint8_t)~(1u << (row & 7));
}

// wm_null_put writes a null of any type.
WM_SLOW_ void wm_null_put(wm_out *c, uint32_t row) {
    wm_null_mark_(c, row);
    switch (c->type) {
    case WM_TYPE_STRING:
    case WM_TYPE_BYTES:
    case WM_TYPE_LIST: c->offsets[row + 1] = (int32_t)c->size; break;
    case WM_TYPE_BOOL: {
        uint8_t *bits = (uint8_t *)c->values;
        bits[row >> 3] = (uint8_t)(bits[row >> 3] & ((1u << (row & 7)) - 1));
        break;
    }
    case WM_TYPE_INT32: ((int32_t *)c->values)[row] = 0; break;
    case WM_TYPE_STRUCT:
        for (uint32_t i = 1; i <= c->nodes; i += 1 + c[i].nodes) wm_null_put(&c[i], row);
        break;
    default: ((int64_t *)c->values)[row] = 0;
    }
}

// wm_nulls_copy gives an output's column the nulls of an input's.
WM_FN_ void wm_nulls_copy(wm_out *out, const wm_column *in) {
    if (in->nulls == 0) return;
    uint32_t bytes = (in->rows + 7) / 8;
    __builtin_memcpy(out->validity, in->validity, bytes);
    if ((in->rows & 7) != 0) out->validity[bytes - 1] |= (uint8_t)(0xff << (in->rows & 7));
    out->nulls = in->nulls;
}

__attribute__((noreturn)) WM_SLOW_ void wm_no_output_(uint32_t port, bool timed) {
    const wm_output *o = &wm_outputs_[port < WM_MAX_OUTPUTS ? port : WM_MAX_OUTPUTS];
    if (o == &wm_outputs_[WM_MAX_OUTPUTS] || o->key == 0) wm_panic("the operator has no output %u", port);
    if (o->timed != timed) wm_panic("output %u is %sdeclared WM_TIME: use _emit%s", port, timed ? "not " : "", timed ? "" : "_at");
    wm_panic("output %u is declared with other columns than are emitted to it", port);
}

// wm_next_ returns an output with room for a row of these fields.
WM_FN_ wm_output *wm_next_(uint32_t port, const wm_field *fields, bool timed) {
    wm_output *o = &wm_outputs_[port];
    if (port >= WM_MAX_OUTPUTS || o->key != wm_key_(fields, timed)) wm_no_output_(port, timed);
    if (o->rows == o->limit) wm_room_(o);
    return o;
}

// wm_emit_row emits a row to an output that has no columns of its own: it forwards the row.
WM_FN_ void wm_emit_row(uint32_t port, uint32_t row) {
    wm_output *o = wm_next_(port, NULL, false);
    o->origin[o->rows++] = row;
}

// wm_emit_all emits a row for each row of the input at once, and returns the columns, which the
// caller fills: values of numbers by the array, all others by the _put functions in row order.
WM_FN_ wm_out *wm_emit_all(uint32_t port) {
    wm_output *o = &wm_outputs_[port];
    if (port >= WM_MAX_OUTPUTS || o->key == 0 || o->timed) wm_no_output_(port, false);
    if (o->rows > 0) wm_panic("wm_emit_all: output %u has rows already", port);
    if (o->room < wm_global.input_rows) wm_reserve_(o, wm_global.input_rows);
    o->rows = o->limit = wm_global.input_rows;
    o->whole = true;
    return o->columns;
}

// -------------------------------------------------------------------------------- 4  rows

// WM_ROW(flight, FLIGHT) makes of a list of columns
//
//     #define FLIGHT(F) F(string, origin, required, "Airport it left") F(int64, delay, nullable, "Minutes")
//     WM_ROW(flight, FLIGHT)
//
// the struct flight; flight_of(batch), which finds the columns of a batch, and flight_at(&columns,
// row), which reads a row; flight_emit(port, row, value), or flight_emit_at with an event time
// where the port is declared WM_TIME; and flight_fields for descriptions.
//
//     type            required     nullable: .has and .value; a wm_string is null where .data is NULL
//     bool            bool         wm_bool_opt
//     int32           int32_t      wm_int32_opt
//     int64           int64_t      wm_int64_opt
//     float64         double       wm_float64_opt
//     decimal(digits) int64_t      wm_int64_opt     times 10^digits, at most 18 digits
//     timestamp       int64_t      wm_int64_opt     microseconds since 1970 UTC
//     string, bytes   wm_string    wm_string
//     struct(row)     row          row_opt          row is an earlier WM_ROW
//     list(type)      wm_int64_list, row_list, ...  not of lists; null where .has is false
//
// What is left out of an initializer is null, or zero where it is required. The third argument
// may also be default("15"), for a configuration's fields; key, for a required column that is the key of a
// process; and for a reducing state's nullable ones, add, min, max or append.
#define WM_STEM_bool wm_bool
#define WM_STEM_int32 wm_int32
#define WM_STEM_int64 wm_int64
#define WM_STEM_float64 wm_float64
#define WM_STEM_decimal(digits) wm_int64
#define WM_STEM_timestamp wm_int64
#define WM_STEM_string wm_string
#define WM_STEM_bytes wm_string
#define WM_STEM_struct(row) row
#define WM_STEM_list(item) WM_CAT_(WM_STEM_##item, _list)
#define WM_CAT_(a, b) WM_CAT2_(a, b)
#define WM_CAT2_(a, b) a##b
#define WM_CAT3_(a, b, c) WM_CAT_(WM_CAT2_(a, b), c)
#define WM_FUNCTION_(a, b, c) WM_FUNCTION2_(a, b, c)
#define WM_FUNCTION2_(a, b, c) a##b##c

// A field's type, scale, item, item_scale and children.
#define WM_TYPE_bool WM_TYPE_BOOL, 0, 0, 0, NULL
#define WM_TYPE_int32 WM_TYPE_INT32, 0, 0, 0, NULL
#define WM_TYPE_int64 WM_TYPE_INT64, 0, 0, 0, NULL
#define WM_TYPE_float64 WM_TYPE_FLOAT64, 0, 0, 0, NULL
#define WM_TYPE_decimal(digits) WM_TYPE_DECIMAL, digits, 0, 0, NULL
#define WM_TYPE_timestamp WM_TYPE_TIMESTAMP, 0, 0, 0, NULL
#define WM_TYPE_string WM_TYPE_STRING, 0, 0, 0, NULL
#define WM_TYPE_bytes WM_TYPE_BYTES, 0, 0, 0, NULL
#define WM_TYPE_struct(row) WM_TYPE_STRUCT, 0, 0, 0, row##_fields
#define WM_TYPE_list(item) WM_LIST_OF_(WM_TYPE_##item)
#define WM_LIST_OF_(...) WM_LIST_OF2_(__VA_ARGS__)
#define WM_LIST_OF2_(type, scale, item, item_scale, children) WM_TYPE_LIST, 0, type, scale, children

// Of the third argument: the end of the C type's name, whether it is required, the default.
#define WM_OPT_required _value
#define WM_OPT_nullable _opt
#define WM_OPT_default(text) _value
#define WM_OPT_key _value
#define WM_OPT_add _opt
#define WM_OPT_min _opt
#define WM_OPT_max _opt
#define WM_OPT_append _opt
#define WM_REQUIRED_required true
#define WM_REQUIRED_nullable false
#define WM_REQUIRED_default(text) false
#define WM_REQUIRED_key true
#define WM_REQUIRED_add false
#define WM_REQUIRED_min false
#define WM_REQUIRED_max false
#define WM_REQUIRED_append false
#define WM_DEFAULT_required NULL
#define WM_DEFAULT_nullable NULL
#define WM_DEFAULT_default(text) text
#define WM_DEFAULT_key NULL
#define WM_DEFAULT_add NULL
#define WM_DEFAULT_min NULL
#define WM_DEFAULT_max NULL
#define WM_DEFAULT_append NULL

// Of the third argument: whether the column is of the key, how it is merged.
#define WM_ROLE_required false, 0
#define WM_ROLE_nullable false, 0
#define WM_ROLE_default(text) false, 0
#define WM_ROLE_key true, 0
#define WM_ROLE_add false, 1
#define WM_ROLE_min false, 2
#define WM_ROLE_max false, 3
#define WM_ROLE_append false, 4

// wm_hash_ and the S_..._hash and S_..._same functions are for keys of maps.
WM_FN_ uint64_t wm_hash_(uint64_t hash, uint64_t v) {
    hash = (hash ^ v) * UINT64_C(0x9e3779b97f4a7c15);
    return hash ^ hash >> 32;
}

// For each stem S there are: S_value, S_opt, S_columns; S_nodes; S_open, S_value_at, S_opt_at,
// S_value_put, S_opt_put; S_value_hash, S_opt_hash, S_value_same, S_opt_same; S_acc and S_acc_of for accumulators.
#define WM_SCALAR_(S, C, get, put, bits)                                                                     \
    typedef C S##_value;                                                                               \
    typedef struct {                                                                                   \
        bool has;                                                                                      \
        C value;                                                                                       \
    } S##_opt;                                                                                         \
    WM_FN_ S##_value S##_value_at(const wm_column *c, uint32_t row) { return get; }                    \
    WM_FN_ S##_opt S##_opt_at(const wm_column *c, uint32_t row) {                                      \
        S##_opt v = {!wm_null_at(c, row), get};                                                        \
        return v;                                                                                      \
    }                                                                                                  \
    WM_FN_ void S##_value_put(wm_out *c, uint32_t row, C v) { put; }                                   \
    WM_FN_ void S##_opt_put(wm_out *c, uint32_t row, S##_opt v) {                                      \
        if (!v.has) wm_null_mark_(c, row);                                                             \
        S##_value_put(c, row, v.has ? v.value : 0);                                                    \
    }                                                                                                  \
    WM_FN_ uint64_t S##_value_hash(uint64_t h, const C *v) { return wm_hash_(h, bits); }               \
    WM_FN_ uint64_t S##_opt_hash(uint64_t h, const S##_opt *v) {                                       \
        return v->has ? S##_value_hash(h, &v->value) : wm_hash_(h, 1);                                 \
    }                                                                                                  \
    WM_FN_ bool S##_value_same(const C *a, const C *b) { return *a == *b || (*a != *a && *b != *b); }  \
    WM_FN_ bool S##_opt_same(const S##_opt *a, const S##_opt *b) {                                     \
        return a->has == b->has && (!a->has || S##_value_same(&a->value, &b->value));                  \
    }                                                                                                  \
    WM_LEAF_(S)                                                                                        \
    WM_LIST_(S)

#define WM_LEAF_(S)                                                                                    \
    enum { S##_nodes = 1 };                                                                            \
    typedef wm_column S##_columns;                                                                     \
    WM_FN_ wm_column S##_open(const wm_batch *b, uint32_t node) { return wm_batch_column(b, node); }   \
    typedef S##_opt S##_acc;                                                                           \
    WM_FN_ S##_acc *S##_acc_of(S##_opt *v) { return v; }                                               \
    WM_FN_ bool S##_acc_has(const S##_opt *v) { return S##_has_(v); }                                  \
    WM_FN_ void S##_acc_touch(S##_opt *v) { (void)v; }

// S_list is a list of S: of a batch, or by S_list_of of an array, which must last until it is
// emitted. S_list_get returns an item.
#define WM_LIST_(S)                                                                                    \
    typedef struct {                                                                                   \
        bool has;                                                                                      \
        uint32_t count, first_;                                                                        \
        const S##_opt *array_;                                                                         \
        S##_columns items_;                                                                            \
    } S##_list;                                                                                        \
    typedef S##_list S##_list_value, S##_list_opt;                                                     \
    typedef struct {                                                                                   \
        wm_column self;                                                                                \
        S##_columns items;                                                                             \
    } S##_list_columns;                                                                                \
    enum { S##_list_nodes = 1 + S##_nodes };                                                           \
    WM_FN_ S##_list S##_list_of(const S##_opt *array, uint32_t count) {                                \
        S##_list list;                                                                                 \
        __builtin_memset(&list, 0, sizeof list);                                                       \
        list.has = true;                                                                               \
        list.count = count;                                                                            \
        list.array_ = array;                                                                           \
        return list;                                                                                   \
    }                                                                                                  \
    WM_FN_ S##_opt S##_list_get(const S##_list *list, uint32_t i) {                                    \
        if (i >= list->count) wm_panic("item %u of a list of %u", i, list->count);                     \
        return list->array_ != NULL ? list->array_[i] : S##_opt_at(&list->items_, list->first_ + i);   \
    }                                                                                                  \
    WM_FN_ S##_list_columns S##_list_open(const wm_batch *b, uint32_t node) {                          \
        S##_list_columns c;                                                                            \
        c.self = wm_batch_column(b, node);                                                             \
        c.items = S##_open(b, node + 1);                                                               \
        return c;                                                                                      \
    }                                                                                                  \
    WM_FN_ S##_list S##_list_value_at(const S##_list_columns *c, uint32_t row) {                       \
        S##_list list = S##_list_of(NULL, 0);                                                          \
        list.has = !wm_null_at(&c->self, row);                                                         \
        list.first_ = (uint32_t)c->self.offsets[row];                                                  \
        list.count = (uint32_t)c->self.offsets[row + 1] - list.first_;                                 \
        list.items_ = c->items;                                                                        \
        return list;                                                                                   \
    }                                                                                                  \
    WM_FN_ S##_list S##_list_opt_at(const S##_list_columns *c, uint32_t row) {                         \
        return S##_list_value_at(c, row);                                                              \
    }                                                                                                  \
    WM_FN_ void S##_list_value_put(wm_out *c, uint32_t row, S##_list v) {                              \
        if (c->size + v.count > c->room) wm_items_grow_(c, v.count);                                   \
        for (uint32_t i = 0; i < v.count; i++) S##_opt_put(c + 1, c->size + i, S##_list_get(&v, i));   \
        c->size += v.count;                                                                            \
        c->offsets[row + 1] = (int32_t)c->size;                                                        \
    }                                                                                                  \
    WM_FN_ void S##_list_opt_put(wm_out *c, uint32_t row, S##_list v) {                                \
        if (v.has) S##_list_value_put(c, row, v);                                                      \
        else wm_null_put(c, row);                                                                      \
    }                                                                                                  \
    WM_FN_ uint64_t S##_list_value_hash(uint64_t h, const S##_list *v) {                               \
        (void)v;                                                                                       \
        wm_panic("the key of a map has no lists");                                                     \
        return h;                                                                                      \
    }                                                                                                  \
    WM_FN_ uint64_t S##_list_opt_hash(uint64_t h, const S##_list *v) { return S##_list_value_hash(h, v); } \
    WM_FN_ bool S##_list_value_same(const S##_list *a, const S##_list *b) { return a == b; }           \
    WM_FN_ bool S##_list_opt_same(const S##_list *a, const S##_list *b) { return a == b; }

WM_FN_ void wm_bit_put_(uint8_t *bits, uint32_t row, bool v) {
    bits += row >> 3; // rows come in order, so that what follows is not written yet
    *bits = (uint8_t)((*bits & ((1u << (row & 7)) - 1)) | (uint32_t)v << (row & 7));
}

#define wm_bool_has_(v) ((v)->has)
#define wm_int32_has_(v) ((v)->has)
#define wm_int64_has_(v) ((v)->has)
#define wm_float64_has_(v) ((v)->has)
#define wm_string_has_(v) ((v)->data != NULL)
WM_SCALAR_(wm_bool, bool, ((const uint8_t *)c->values)[row >> 3] >> (row & 7) & 1 ? true : false, wm_bit_put_((uint8_t *)c->values, row, v), *v)
WM_SCALAR_(wm_int32, int32_t, ((const int32_t *)c->values)[row], ((int32_t *)c->values)[row] = v, (uint32_t)*v)
WM_SCALAR_(wm_int64, int64_t, ((const int64_t *)c->values)[row], ((int64_t *)c->values)[row] = v, (uint64_t)*v)

// To the host, zeros are the same key, and so are NaNs.
WM_FN_ uint64_t wm_bits_(double v) {
    uint64_t bits;
    __builtin_memcpy(&bits, &v, 8);
    return v == 0 ? 0 : v != v ? 1 : bits;
}
WM_SCALAR_(wm_float64, double, ((const double *)c->values)[row], ((double *)c->values)[row] = v, wm_bits_(*v))

typedef wm_string wm_string_value, wm_string_opt;
WM_FN_ wm_string wm_string_value_at(const wm_column *c, uint32_t row) {
    return wm_string_of((const char *)c->values + c->offsets[row], (uint32_t)(c->offsets[row + 1] - c->offsets[row]));
}
WM_FN_ wm_string wm_string_opt_at(const wm_column *c, uint32_t row) {
    wm_string none = {NULL, 0};
    return wm_null_at(c, row) ? none : wm_string_value_at(c, row);
}
WM_FN_ void wm_string_value_put(wm_out *c, uint32_t row, wm_string v) {
    if (v.size > c->room - c->size) wm_bytes_grow_(c, v.size);
    char *to = (char *)c->values + c->size;
    if (v.size > 16) __builtin_memcpy(to, v.data, v.size);
    else if (v.size >= 8) { // two copies that may overlap cost less than a call
        __builtin_memcpy(to, v.data, 8);
        __builtin_memcpy(to + v.size - 8, v.data + v.size - 8, 8);
    } else if (v.size >= 4) {
        __builtin_memcpy(to, v.data, 4);
        __builtin_memcpy(to + v.size - 4, v.data + v.size - 4, 4);
    } else {
        for (uint32_t i = 0; i < v.size; i++) to[i] = v.data[i];
    }
    c->size += v.size;
    c->offsets[row + 1] = (int32_t)c->size;
}
WM_FN_ void wm_string_opt_put(wm_out *c, uint32_t row, wm_string v) {
    if (v.data == NULL) wm_null_mark_(c, row);
    wm_string_value_put(c, row, v);
}
WM_SLOW_ uint64_t wm_string_value_hash(uint64_t h, const wm_string *s) {
    uint32_t at = 0;
    uint64_t word;
    for (; s->size - at >= 8; at += 8) {
        __builtin_memcpy(&word, s->data + at, 8);
        h = wm_hash_(h, word);
    }
    for (word = s->size; at < s->size; at++) word = word << 8 | (uint8_t)s->data[at];
    return wm_hash_(h, word);
}
WM_FN_ uint64_t wm_string_opt_hash(uint64_t h, const wm_string *s) {
    return s->data == NULL ? wm_hash_(h, 1) : wm_string_value_hash(h, s);
}
WM_FN_ bool wm_string_value_same(const wm_string *a, const wm_string *b) {
    return a->size == b->size && (a->size == 0 || wm_equal(*a, *b));
}
WM_FN_ bool wm_string_opt_same(const wm_string *a, const wm_string *b) { return wm_equal(*a, *b); }
WM_LEAF_(wm_string)
WM_LIST_(wm_string)

#define WM_MEMBER_(type, id, null, doc) WM_CAT_(WM_STEM_##type, WM_OPT_##null) id;
#define WM_VIEW_(type, id, null, doc) WM_CAT_(WM_STEM_##type, _columns) id;
#define WM_COUNT_(type, id, null, doc) +WM_CAT_(WM_STEM_##type, _nodes)
#define WM_FIELD_(type, id, null, doc) {#id, doc, WM_DEFAULT_##null, WM_REQUIRED_##null, WM_TYPE_##type, WM_ROLE_##null},
#define WM_FIND_(type, id, null, doc)                                                                  \
    c.id = WM_CAT_(WM_STEM_##type, _open)(b, node);                                                    \
    node += WM_CAT_(WM_STEM_##type, _nodes);
#define WM_GET_(type, id, null, doc) v.id = WM_FUNCTION_(WM_STEM_##type, WM_OPT_##null, _at)(&c->id, row);
#define WM_PUT_(type, id, null, doc)                                                                   \
    WM_FUNCTION_(WM_STEM_##type, WM_OPT_##null, _put)(c, row, v->id);                                  \
    c += WM_CAT_(WM_STEM_##type, _nodes);
#define WM_HASH_(type, id, null, doc) h = WM_FUNCTION_(WM_STEM_##type, WM_OPT_##null, _hash)(h, &v->id);
#define WM_SAME_(type, id, null, doc) &&WM_FUNCTION_(WM_STEM_##type, WM_OPT_##null, _same)(&a->id, &b->id)

#ifdef __cplusplus
#define WM_SHARED_ extern __attribute__((weak))
#else
#define WM_SHARED_ __attribute__((weak))
#endif

#define WM_ROW(S, COLUMNS)                                                                             \
    typedef struct S {                                                                                 \
        COLUMNS(WM_MEMBER_)                                                                            \
    } S;                                                                                               \
    typedef S S##_value, S##_acc;                                                                      \
    typedef struct {                                                                                   \
        bool has;                                                                                      \
        S value;                                                                                       \
    } S##_opt;                                                                                         \
    typedef struct {                                                                                   \
        wm_column self; /* of a struct: which rows are null */                                         \
        COLUMNS(WM_VIEW_)                                                                              \
    } S##_columns;                                                                                     \
    enum { S##_nodes = 1 COLUMNS(WM_COUNT_) };                                                         \
    WM_SHARED_ const wm_field S##_fields[] = {COLUMNS(WM_FIELD_){NULL, NULL, NULL, false, 0, 0, 0, 0, NULL, false, 0}}; \
    WM_FN_ void S##_find_(S##_columns *into, const wm_batch *b, uint32_t node) {                       \
        S##_columns c = *into;                                                                         \
        COLUMNS(WM_FIND_)                                                                              \
        *into = c;                                                                                     \
    }                                                                                                  \
    WM_FN_ S##_columns S##_of(const wm_batch *b) {                                                     \
        S##_columns c;                                                                                 \
        __builtin_memset(&c, 0, sizeof c);                                                             \
        if (b->columns != S##_nodes - 1 && b->rows > 0)                                                \
            wm_panic("a batch of %u columns is read as " #S ", which has %d", b->columns, S##_nodes - 1); \
        if (b->rows > 0) S##_find_(&c, b, 0);                                                          \
        return c;                                                                                      \
    }                                                                                                  \
    WM_FN_ S##_columns S##_open(const wm_batch *b, uint32_t node) {                                    \
        S##_columns c;                                                                                 \
        __builtin_memset(&c, 0, sizeof c);                                                             \
        c.self = wm_batch_column(b, node);                                                             \
        S##_find_(&c, b, node + 1);                                                                    \
        return c;                                                                                      \
    }                                                                                                  \
    WM_FN_ S S##_at(const S##_columns *c, uint32_t row) {                                              \
        S v;                                                                                           \
        COLUMNS(WM_GET_)                                                                               \
        return v;                                                                                      \
    }                                                                                                  \
    WM_FN_ S S##_value_at(const S##_columns *c, uint32_t row) { return S##_at(c, row); }               \
    WM_FN_ S##_opt S##_opt_at(const S##_columns *c, uint32_t row) {                                    \
        S##_opt v = {!wm_null_at(&c->self, row), S##_at(c, row)};                                      \
        return v;                                                                                      \
    }                                                                                                  \
    WM_FN_ void S##_put_(wm_out *c, uint32_t row, const S *v) { COLUMNS(WM_PUT_) }                     \
    WM_FN_ void S##_value_put(wm_out *c, uint32_t row, S v) { S##_put_(c + 1, row, &v); }              \
    WM_FN_ void S##_opt_put(wm_out *c, uint32_t row, S##_opt v) {                                      \
        if (v.has) S##_put_(c + 1, row, &v.value);                                                     \
        else wm_null_put(c, row);                                                                      \
    }                                                                                                  \
    WM_FN_ void S##_append(wm_output *o, S v) { /* tests make their input by it */                     \
        if (o->rows == o->limit) wm_room_(o);                                                          \
        S##_put_(o->columns, o->rows++, &v);                                                           \
    }                                                                                                  \
    WM_FN_ void S##_append_at(wm_output *o, S v, int64_t time) {                                       \
        if (o->rows == o->limit) wm_room_(o);                                                          \
        o->time[o->rows] = time;                                                                       \
        S##_put_(o->columns, o->rows++, &v);                                                           \
    }                                                                                                  \
    WM_FN_ void S##_emit(uint32_t port, uint32_t row, S v) {                                           \
        wm_output *o = wm_next_(port, S##_fields, false);                                              \
        o->origin[o->rows] = row;                                                                      \
        S##_put_(o->columns, o->rows++, &v);                                                           \
    }                                                                                                  \
    WM_FN_ void S##_emit_at(uint32_t port, uint32_t row, S v, int64_t time) {                          \
        wm_output *o = wm_next_(port, S##_fields, true);                                               \
        o->origin[o->rows] = row;                                                                      \
        o->time[o->rows] = time;                                                                       \
        S##_put_(o->columns, o->rows++, &v);                                                           \
    }                                                                                                  \
    WM_FN_ uint64_t S##_value_hash(uint64_t h, const S *v) {                                           \
        (void)v;                                                                                       \
        COLUMNS(WM_HASH_)                                                                              \
        return h;                                                                                      \
    }                                                                                                  \
    WM_FN_ uint64_t S##_opt_hash(uint64_t h, const S##_opt *v) {                                       \
        return v->has ? S##_value_hash(h, &v->value) : wm_hash_(h, 1);                                 \
    }                                                                                                  \
    WM_FN_ bool S##_value_same(const S *a, const S *b) { return (a != NULL && b != NULL)COLUMNS(WM_SAME_); } \
    WM_FN_ bool S##_opt_same(const S##_opt *a, const S##_opt *b) {                                     \
        return a->has == b->has && (!a->has || S##_value_same(&a->value, &b->value));                  \
    }                                                                                                  \
    WM_FN_ S##_acc *S##_acc_of(S##_opt *v) { return &v->value; }                                       \
    WM_FN_ bool S##_acc_has(const S##_opt *v) { return v->has; }                                       \
    WM_FN_ void S##_acc_touch(S##_opt *v) { v->has = true; }                                           \
    WM_LIST_(S)

// --------------------------------------------------------------------------- 5  operators

enum { WM_FORWARD = 1, WM_TIME = 2, WM_BROADCAST = 4 };

// A port: WM_PORT("", movement, 0), WM_PORT("long_haul", band, WM_FORWARD), WM_PORT("", tick, WM_TIME).
// WM_NO_COLUMNS(name, flags) is an output that only forwards, by wm_emit_row.
typedef struct {
    const char *name;
    const wm_field *fields;
    uint32_t flags;
} wm_port;
#define WM_PORT(name, row, flags) {name, row##_fields, flags}
#define WM_NO_COLUMNS(name, flags) {name, NULL, flags}

// WM_ACCUMULATOR(type) is the type of an aggregate's accumulator: struct(row), string, int64, ...
#define WM_ACCUMULATOR(type) {"accumulator", "", NULL, false, WM_TYPE_##type, false, 0}

// An input of a process, and what is given each of its batches: WM_INPUT("orders", order, WM_TIME, order_process). The rows
// of one with the flag WM_BROADCAST are given to each subtask and have no key; of any other, in->group[row] is the
// number of the row's key. One or two inputs are keyed.
typedef struct {
    const char *name;
    const wm_field *fields;
    uint32_t flags;
    void (*process)(const wm_batch *in);
} wm_input;
#define WM_INPUT(name, row, flags, process) {name, row##_fields, flags, process}

// A state of a process: made, and used, by the macros of wasmill_state.h.
typedef struct wm_state {
    const char *name;
    const wm_field *fields, *key; // key: of a map
    uint8_t kind;
    size_t width; // bytes of a value, or of an entry of a map
    void (*open)(struct wm_state *s, uint32_t number);
    void (*load)(struct wm_state *s, const wm_batch *b, uint32_t from); // takes over what was read
    void (*flush)(struct wm_state *s);                                  // hands over what was set
    // Options:
    const char *doc;
    uint8_t scope;
    int64_t ttl;
    uint8_t renew;
    bool event_time;
    // Of the open operator:
    uint32_t number, mask; // mask: of key numbers, 0 where the state has none
    bool opened, borrows;  // borrows: rows that were read point into what they were read from
    wm_output puts, asked; // rows, and requests, on their way to the host
    uint32_t likely;       // bytes of the largest result so far
    // Of the call at hand:
    bool readable, writable, loaded, changed;
    uint32_t count, room; // of rows, or of entries
    void *rows;           // values by key number
    uint8_t *flags;
    void **entries;  // of a map
    uint32_t *table; // places in entries, from 1, by hash; 0 is free
    uint32_t table_size, table_room;
} wm_state;

// An operator. A map has input and process, which is given each batch; an aggregate has input, accumulator and
// aggregate, by WM_AGGREGATE; a process has inputs, and where it has state and timers, states and timer. Outputs,
// counters, inputs and states end with the first that is not set.
typedef struct wm_operator {
    const char *name, *doc;
    wm_port input;
    wm_port outputs[WM_MAX_OUTPUTS];
    const wm_field *config; // WM_ROW's fields, or NULL
    wm_field accumulator;
    const char *counters[WM_MAX_COUNTERS];
    // open reads the configuration, a batch of one row, and may refuse it; it may be NULL.
    void (*open)(const wm_batch *config);
    void (*process)(const wm_batch *in);
    void (*aggregate)(uint32_t step, const wm_batch *a, const wm_batch *b);
    wm_input inputs[WM_MAX_INPUTS];
    wm_state *states[WM_MAX_STATES];
    void (*timer)(const wm_batch *due); // is given timers that are due
} wm_operator;

// WM_AGGREGATE(function, row, type, add, merge, result) defines the function for
// wm_operator.aggregate out of three of yours. ACC is the row of struct(row), wm_string of string,
// else wm_int64_opt and the like: a struct begins as zero, the others as null.
//
//     void add(ACC *into, const ROW *row, uint32_t number);     wm_fail_row(number, ...) before *into changes
//     void merge(ACC *into, const ACC *later);
//     void result(const ACC *acc, uint32_t number);             emits, by ..._emit(0, number, ...)
#define WM_AGGREGATE(function, row, type, add, merge, result)                                          \
    WM_AGGREGATE_(function, row, WM_STEM_##type, add, merge, result)
#define WM_AGGREGATE_(function, row, S, add, merge, result) WM_AGGREGATE2_(function, row, S, add, merge, result)
#define WM_AGGREGATE2_(function, row, S, add, merge, result)                                           \
    WM_FN_ S##_opt *function##_read_(const wm_batch *b) {                                              \
        S##_opt *acc = (S##_opt *)wm_temp(b->rows * sizeof *acc);                                      \
        if (b->rows == 0) return acc;                                                                  \
        S##_columns columns = S##_open(b, 0);                                                          \
        for (uint32_t n = 0; n < b->rows; n++) {                                                       \
            acc[n] = S##_opt_at(&columns, n);                                                          \
            if (!S##_acc_has(&acc[n])) __builtin_memset(&acc[n], 0, sizeof *acc);                      \
        }                                                                                              \
        return acc;                                                                                    \
    }                                                                                                  \
    WM_FN_ void function##_write_(const S##_opt *acc, uint32_t count) {                                \
        wm_output *o = wm_accumulators_(count);                                                        \
        for (uint32_t n = 0; n < count; n++) S##_opt_put(o->columns, n, acc[n]);                       \
    }                                                                                                  \
    static void function(uint32_t step, const wm_batch *a, const wm_batch *b) {                        \
        if (step == 0) {                                                                               \
            S##_opt *acc = function##_read_(b);                                                        \
            row##_columns columns = row##_of(a);                                                       \
            for (uint32_t n = 0; n < a->rows; n++) {                                                   \
                row value = row##_at(&columns, n);                                                     \
                uint32_t failed = wm_global.failure_count;                                             \
                add(S##_acc_of(&acc[a->group[n]]), &value, n);                                         \
                if (failed == wm_global.failure_count) S##_acc_touch(&acc[a->group[n]]);               \
            }                                                                                          \
            function##_write_(acc, b->rows);                                                           \
        } else if (step == 1) {                                                                        \
            S##_opt *into = function##_read_(a), *later = function##_read_(b);                         \
            for (uint32_t n = 0; n < a->rows; n++) {                                                   \
                if (!S##_acc_has(&into[n])) into[n] = later[n];                                        \
                else if (S##_acc_has(&later[n])) merge(S##_acc_of(&into[n]), S##_acc_of(&later[n]));   \
            }                                                                                          \
            function##_write_(into, a->rows);                                                          \
        } else {                                                                                       \
            S##_opt *acc = function##_read_(a);                                                        \
            for (uint32_t n = 0; n < a->rows; n++) result(S##_acc_of(&acc[n]), n);                     \
        }                                                                                              \
    }

WM_FN_ wm_output *wm_accumulators_(uint32_t count) {
    wm_output *o = &wm_outputs_[WM_MAX_OUTPUTS];
    if (o->room < count) wm_reserve_(o, count);
    o->rows = count;
    o->limit = count;
    return o;
}

// -------------------------------------------------------------------------- 6  the module

// A writer of FlatBuffers, parents before children: a table is a vtable and then a cell of 4
// bytes for each of its fields.
typedef struct {
    uint8_t *data;
    uint32_t size, room;
} wm_flat_;

WM_SLOW_ uint32_t wm_flat_bytes_(wm_flat_ *w, uint32_t size) {
    uint32_t at = w->size;
    if (at + size > w->room) {
        w->room = 2 * (at + size) + 1024;
        w->data = (uint8_t *)wm_regrow_(w->data, at, w->room);
    }
    __builtin_memset(w->data + at, 0, size);
    w->size += size;
    return at;
}

// wm_flat_link_ has the reference at a place point to what is written next.
WM_FN_ void wm_flat_link_(wm_flat_ *w, uint32_t at) { wm_store32_(w->data + at, w->size - at); }

WM_SLOW_ uint32_t wm_flat_table_(wm_flat_ *w, uint32_t reference, uint32_t fields) {
    uint32_t vtable_size = 4 + 2 * fields, padded = (vtable_size + 3) & ~(uint32_t)3;
    uint32_t vtable = wm_flat_bytes_(w, padded), table;
    wm_flat_link_(w, reference);
    table = wm_flat_bytes_(w, 4 + 4 * fields);
    wm_store32_(w->data + vtable, vtable_size | (4 + 4 * fields) << 16);
    wm_store32_(w->data + table, table - vtable);
    return table;
}

// wm_flat_cell_ marks a field as present and returns its place.
WM_FN_ uint32_t wm_flat_cell_(wm_flat_ *w, uint32_t table, uint32_t id) {
    uint16_t at = (uint16_t)(4 + 4 * id);
    __builtin_memcpy(w->data + table - wm_load32_(w->data + table) + 4 + 2 * id, &at, 2);
    return table + at;
}

WM_FN_ void wm_flat_number_(wm_flat_ *w, uint32_t table, uint32_t id, uint32_t v) {
    if (v != 0) wm_store32_(w->data + wm_flat_cell_(w, table, id), v);
}

WM_SLOW_ void wm_flat_string_(wm_flat_ *w, uint32_t reference, const char *text) {
    uint32_t size = 0;
    while (text[size]) size++;
    wm_flat_link_(w, reference);
    uint32_t at = wm_flat_bytes_(w, (4 + size + 1 + 3) & ~(uint32_t)3);
    wm_store32_(w->data + at, size);
    __builtin_memcpy(w->data + at + 4, text, size);
}

WM_FN_ void wm_flat_text_(wm_flat_ *w, uint32_t table, uint32_t id, const char *text) {
    if (text != NULL && text[0] != 0) wm_flat_string_(w, wm_flat_cell_(w, table, id), text);
}

// wm_flat_vector_ returns the place of the first of count references.
WM_SLOW_ uint32_t wm_flat_vector_(wm_flat_ *w, uint32_t table, uint32_t id, uint32_t count) {
    wm_flat_link_(w, wm_flat_cell_(w, table, id));
    uint32_t at = wm_flat_bytes_(w, 4 + 4 * count);
    wm_store32_(w->data + at, count);
    return at + 4;
}

WM_FN_ uint32_t wm_fields_count_(const wm_field *f) {
    uint32_t n = 0;
    while (f != NULL && f[n].name != NULL) n++;
    return n;
}

// wm_describe_field_ writes a Field; an output's are never required.
WM_SLOW_ void wm_describe_field_(wm_flat_ *w, uint32_t reference, const wm_field *f, bool output) {
    uint32_t t = wm_flat_table_(w, reference, 7);
    wm_flat_text_(w, t, 0, f->name);
    wm_flat_number_(w, t, 1, f->type);
    wm_flat_number_(w, t, 2, f->scale);
    wm_flat_number_(w, t, 3, f->required && !output);
    if (f->type == WM_TYPE_LIST) {
        wm_field item = {"item", NULL, NULL, false, f->item, f->item_scale, 0, 0, f->children, false, 0};
        wm_describe_field_(w, wm_flat_vector_(w, t, 4, 1), &item, true);
    } else if (f->children != NULL) {
        uint32_t n = wm_fields_count_(f->children), at = wm_flat_vector_(w, t, 4, n);
        for (uint32_t i = 0; i < n; i++) wm_describe_field_(w, at + 4 * i, &f->children[i], true);
    }
    wm_flat_text_(w, t, 5, f->def);
    wm_flat_text_(w, t, 6, f->doc);
}

WM_SLOW_ void wm_describe_fields_(wm_flat_ *w, uint32_t table, uint32_t id, const wm_field *fields, bool output) {
    uint32_t n = wm_fields_count_(fields);
    if (n == 0) return;
    uint32_t at = wm_flat_vector_(w, table, id, n);
    for (uint32_t i = 0; i < n; i++) wm_describe_field_(w, at + 4 * i, &fields[i], output);
}

WM_SLOW_ void wm_describe_ports_(wm_flat_ *w, uint32_t table, uint32_t id, const wm_port *ports, uint32_t n, bool output) {
    uint32_t at = wm_flat_vector_(w, table, id, n);
    for (uint32_t i = 0; i < n; i++) {
        uint32_t t = wm_flat_table_(w, at + 4 * i, 5);
        wm_flat_text_(w, t, 0, ports[i].name);
        wm_describe_fields_(w, t, 1, ports[i].fields, output);
        wm_flat_number_(w, t, 2, (ports[i].flags & WM_FORWARD) != 0);
        wm_flat_number_(w, t, 3, (ports[i].flags & WM_TIME) != 0);
        wm_flat_number_(w, t, 4, (ports[i].flags & WM_BROADCAST) != 0);
    }
}

WM_FN_ uint32_t wm_outputs_count_(const wm_operator *op) {
    uint32_t n = 0;
    while (n < WM_MAX_OUTPUTS && op->outputs[n].name != NULL) n++;
    return n;
}

WM_FN_ uint32_t wm_inputs_count_(const wm_operator *op) {
    uint32_t n = 0;
    while (n < WM_MAX_INPUTS && op->inputs[n].process != NULL) n++;
    return n;
}

WM_FN_ uint32_t wm_states_count_(const wm_operator *op) {
    uint32_t n = 0;
    while (n < WM_MAX_STATES && op->states[n] != NULL) n++;
    return n;
}

// wm_describe_key_ writes the key of the first keyed input.
WM_SLOW_ void wm_describe_key_(wm_flat_ *w, uint32_t table, const wm_operator *op) {
    uint32_t input = 0, inputs = wm_inputs_count_(op), count = 0, n = 0;
    while (input < inputs && (op->inputs[input].flags & WM_BROADCAST) != 0) input++;
    if (input == inputs) return;
    const wm_field *fields = op->inputs[input].fields;
    for (const wm_field *f = fields; f != NULL && f->name != NULL; f++) count += f->key;
    if (count == 0) return;
    uint32_t at = wm_flat_vector_(w, table, 8, count);
    for (const wm_field *f = fields; f->name != NULL; f++) {
        if (f->key) wm_describe_field_(w, at + 4 * n++, f, true);
    }
}

// wm_describe_state_ writes a State, with its ttl, 8 bytes at a multiple of 8, behind the other cells.
WM_SLOW_ void wm_describe_state_(wm_flat_ *w, uint32_t reference, const wm_state *s) {
    enum { FIELDS = 10, MERGE = 5, TTL = 7 };
    uint32_t t = wm_flat_table_(w, reference, FIELDS + 3), n = wm_fields_count_(s->fields);
    wm_flat_text_(w, t, 0, s->name);
    wm_flat_number_(w, t, 1, s->kind);
    wm_flat_text_(w, t, 2, s->doc);
    wm_describe_fields_(w, t, 3, s->fields, true);
    wm_describe_fields_(w, t, 4, s->key, true);
    if (s->kind == 4) {
        wm_flat_link_(w, wm_flat_cell_(w, t, MERGE));
        uint32_t at = wm_flat_bytes_(w, 4 + ((n + 3) & ~(uint32_t)3));
        wm_store32_(w->data + at, n);
        for (uint32_t i = 0; i < n; i++) w->data[at + 4 + i] = s->fields[i].merge;
    }
    wm_flat_number_(w, t, 6, s->scope);
    if (s->ttl != 0) {
        uint16_t at = 4 + 4 * FIELDS;
        if (((t + at) & 7) != 0) at += 4;
        __builtin_memcpy(w->data + t - wm_load32_(w->data + t) + 4 + 2 * TTL, &at, 2);
        __builtin_memcpy(w->data + t + at, &s->ttl, 8);
    }
    wm_flat_number_(w, t, 8, s->renew);
    wm_flat_number_(w, t, 9, s->event_time);
}

// wm_describe_process_ writes what only a process has.
WM_SLOW_ void wm_describe_process_(wm_flat_ *w, uint32_t table, const wm_operator *op) {
    wm_port ports[WM_MAX_INPUTS] = {{NULL, NULL, 0}};
    uint32_t n = wm_inputs_count_(op), states = wm_states_count_(op);
    for (uint32_t i = 0; i < n; i++) {
        ports[i].name = op->inputs[i].name;
        ports[i].fields = op->inputs[i].fields;
        ports[i].flags = op->inputs[i].flags;
    }
    wm_describe_ports_(w, table, 3, ports, n, false);
    wm_describe_key_(w, table, op);
    if (states == 0) return;
    uint32_t at = wm_flat_vector_(w, table, 9, states);
    for (uint32_t i = 0; i < states; i++) wm_describe_state_(w, at + 4 * i, op->states[i]);
}

WM_SLOW_ void wm_describe_operator_(wm_flat_ *w, uint32_t reference, const wm_operator *op) {
    uint32_t t = wm_flat_table_(w, reference, 10), counters = 0;
    bool process = op->inputs[0].process != NULL;
    wm_flat_text_(w, t, 0, op->name);
    wm_flat_number_(w, t, 1, op->aggregate != NULL ? 3 : process ? 2 : 1);
    wm_flat_text_(w, t, 2, op->doc);
    if (process) wm_describe_process_(w, t, op);
    else wm_describe_ports_(w, t, 3, &op->input, 1, false);
    wm_describe_ports_(w, t, 4, op->outputs, wm_outputs_count_(op), true);
    wm_describe_fields_(w, t, 5, op->config, false);
    if (op->aggregate != NULL) wm_describe_field_(w, wm_flat_cell_(w, t, 6), &op->accumulator, true);
    while (counters < WM_MAX_COUNTERS && op->counters[counters] != NULL) counters++;
    if (counters == 0) return;
    uint32_t at = wm_flat_vector_(w, t, 7, counters);
    for (uint32_t i = 0; i < counters; i++) wm_flat_string_(w, at + 4 * i, op->counters[i]);
}

// wm_describe_ writes the description once; it stays as it is.
WM_FN_ void wm_describe_(const wm_operator *const *operators, uint32_t count) {
    if (wm_global.description != NULL) return;
    wm_flat_ w = {NULL, 0, 0};
    wm_flat_bytes_(&w, 4);
    uint32_t t = wm_flat_table_(&w, 0, 3);
    wm_flat_number_(&w, t, 0, 1);
    wm_flat_text_(&w, t, 1, WM_SDK);
    uint32_t at = wm_flat_vector_(&w, t, 2, count);
    for (uint32_t i = 0; i < count; i++) wm_describe_operator_(&w, at + 4 * i, operators[i]);
    wm_global.description = w.data;
    wm_global.description_size = w.size;
}

// wm_output_init_ lays out the columns of an output.
WM_SLOW_ void wm_output_init_(wm_output *o, uint32_t schema, const wm_field *fields, uint32_t flags, bool split) {
    __builtin_memset(o, 0, sizeof *o);
    o->fields = fields;
    o->schema = schema;
    o->split = split;
    o->timed = (flags & WM_TIME) != 0;
    o->key = wm_key_(fields, o->timed);
    o->nodes = wm_nodes_(fields, NULL);
    o->columns = (wm_out *)wm_alloc((o->nodes + 1) * sizeof(wm_out));
    wm_nodes_(fields, o->columns);
}

WM_FN_ uint32_t wm_open_(const wm_operator *op, const void *config) {
    uint32_t n = wm_outputs_count_(op);
    wm_global.op = op;
    for (uint32_t i = 0; i < n; i++) wm_output_init_(&wm_outputs_[i], i, op->outputs[i].fields, op->outputs[i].flags, op->aggregate == NULL);
    wm_field *accumulator = (wm_field *)wm_alloc(2 * sizeof(wm_field));
    accumulator[0] = op->accumulator;
    accumulator[1].name = NULL;
    wm_output_init_(&wm_outputs_[WM_MAX_OUTPUTS], WM_SCHEMA_ACCUMULATOR_, accumulator, 0, false);
    for (uint32_t i = 0, states = wm_states_count_(op); i < states; i++) op->states[i]->open(op->states[i], i);
    wm_batch b = wm_batch_at(config);
    if (op->open != NULL) op->open(&b);
    return 0;
}

WM_FN_ void wm_begin_(uint32_t rows) {
    wm_global.input_rows = rows;
    wm_temp_reset_();
}

// wm_state_begin_ forgets what was known of a state in the last call.
WM_FN_ void wm_state_begin_(wm_state *s) {
    s->readable = s->writable = s->loaded = s->changed = false;
    s->count = s->table_size = 0;
}

// wm_process_ gives rows, or timers that are due, to the operator.
WM_SLOW_ uint32_t wm_process_(const void *data) {
    wm_batch in = wm_batch_at(data);
    const wm_operator *op = wm_global.op;
    void (*process)(const wm_batch *) = op->process;
    wm_begin_(in.rows);
    if (in.schema >= WM_SCHEMA_EVENT_TIMER_) process = op->timer;
    else if (op->inputs[0].process != NULL) process = in.schema < WM_MAX_INPUTS ? op->inputs[in.schema].process : NULL;
    if (process == NULL) wm_panic("the operator has no function for rows of schema %u", in.schema);
    wm_global.broadcast = in.schema < WM_MAX_INPUTS && (op->inputs[in.schema].flags & WM_BROADCAST) != 0;
    wm_global.keyed = !wm_global.broadcast;
    for (uint32_t i = 0; i < WM_MAX_STATES && op->states[i] != NULL; i++) wm_state_begin_(op->states[i]);
    process(&in);
    for (uint32_t i = 0; i < WM_MAX_STATES && op->states[i] != NULL; i++) {
        if (op->states[i]->flush != NULL) op->states[i]->flush(op->states[i]);
    }
    for (wm_output *o = wm_global.puts; o != NULL; o = o->next) {
        if (o->rows > 0) wm_send_(o);
    }
    for (uint32_t i = 0; i < WM_MAX_OUTPUTS; i++) {
        if (wm_outputs_[i].rows > 0) wm_send_(&wm_outputs_[i]);
    }
    if (wm_global.failure_count > 0) wm_send_(&wm_outputs_[0]);
    return 0;
}

// wm_aggregate_ emits exactly once: accumulators by the first two steps, results by the last.
WM_FN_ uint32_t wm_aggregate_(uint32_t step, const void *a, const void *b) {
    wm_batch first = wm_batch_at(a), second = first;
    if (step < 2) second = wm_batch_at(b);
    wm_begin_(first.rows);
    wm_global.op->aggregate(step, &first, &second);
    wm_send_(&wm_outputs_[step < 2 ? WM_MAX_OUTPUTS : 0]);
    return 0;
}

WM_FN_ void *wm_input_(uint32_t size) {
    if (size > wm_global.input_room || wm_global.input == NULL) {
        uint32_t room = size < 4096 ? 4096 : size;
        wm_free(wm_global.input);
        wm_global.input = (uint8_t *)wm_try_alloc(room);
        wm_global.input_room = wm_global.input == NULL ? 0 : room;
    }
    return wm_global.input;
}

#ifdef __cplusplus
#define WM_C_ extern "C"
#else
#define WM_C_
#endif

// WM_MODULE(&movements, &other) exports the operators; their numbers are their places.
#define WM_MODULE(...)                                                                                 \
    static const wm_operator *const wm_operators[] = {__VA_ARGS__};                                    \
    WM_C_ WM_EXPORT_("wasmill_version") uint32_t wasmill_version(void) { return 1; }                   \
    WM_C_ WM_EXPORT_("wasmill_describe") uint64_t wasmill_describe(void) {                             \
        wm_describe_(wm_operators, sizeof wm_operators / sizeof *wm_operators);                        \
        return (uint64_t)(uintptr_t)wm_global.description << 32 | wm_global.description_size;          \
    }                                                                                                  \
    WM_C_ WM_EXPORT_("wasmill_buffer") void *wasmill_buffer(uint32_t size) { return wm_input_(size); } \
    WM_C_ WM_EXPORT_("wasmill_open") uint32_t wasmill_open(uint32_t number, const void *config, uint32_t size) { \
        (void)size;                                                                                    \
        if (number >= sizeof wm_operators / sizeof *wm_operators) wm_panic("the module has no operator %u", number); \
        return wm_open_(wm_operators[number], config);                                                 \
    }                                                                                                  \
    WM_C_ WM_EXPORT_("wasmill_process") uint32_t wasmill_process(const void *batch, uint32_t size) {   \
        (void)size;                                                                                    \
        return wm_process_(batch);                                                                     \
    }                                                                                                  \
    WM_C_ WM_EXPORT_("wasmill_timer") uint32_t wasmill_timer(const void *batch, uint32_t size) {       \
        (void)size;                                                                                    \
        return wm_process_(batch);                                                                     \
    }                                                                                                  \
    WM_C_ WM_EXPORT_("wasmill_aggregate") uint32_t wasmill_aggregate(                                  \
        uint32_t step, const void *a, uint32_t a_size, const void *b, uint32_t b_size) {               \
        (void)a_size;                                                                                  \
        (void)b_size;                                                                                  \
        return wm_aggregate_(step, a, b);                                                              \
    }

#endif // WASMILL_H
