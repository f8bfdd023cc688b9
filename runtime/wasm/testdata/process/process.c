// Copyright The wasmill Authors
// SPDX-License-Identifier: Apache-2.0

// The operator ledger of abi/conformance with as little of its own as possible, for benchmarks of the host's side: it
// reads the state of all keys of a batch in one call, folds the rows into the answer in place, and writes the answer back.
// It knows the layout in which the host writes messages, which no other guest may.
#include <stdint.h>

#define IMPORT(name) __attribute__((import_module("wasmill"), import_name(name)))
#define EXPORT(name) __attribute__((export_name(name)))

IMPORT("emit") void emit(const void *batch, uint32_t len);
IMPORT("state_get") uint32_t state_get(uint32_t state, const void *request, uint32_t len, void *out, uint32_t cap);
IMPORT("state_put") void state_put(const void *batch, uint32_t len);

static const uint8_t description[] = {
#embed "description.bin"
};

typedef struct { uint32_t rows, nulls, validity, offsets, values, size; } column;

// A message as the host writes it, up to its first two columns.
typedef struct {
    uint32_t root;
    char identifier[4];
    uint16_t vtable_size, table_size, fields[8];
    uint32_t pad;
    int32_t vtable;
    uint32_t schema, rows, columns, failures;
    column time, kind, origin, group;
    uint32_t count;
    column column[2];
} message;

enum { KIND = 5, ORIGIN = 6, GROUP = 7, ROOM = 4 << 20 };

static _Alignas(8) uint8_t input[ROOM], state[ROOM], output[ROOM];

EXPORT("wasmill_version") int32_t version(void) { return 1; }

EXPORT("wasmill_describe") uint64_t describe(void) {
    return (uint64_t)(uintptr_t)description << 32 | sizeof description;
}

EXPORT("wasmill_buffer") void *buffer(uint32_t size) { return size <= ROOM ? input : 0; }

EXPORT("wasmill_open") int32_t open(uint32_t operator, const void *config, uint32_t len) {
    (void)operator, (void)config, (void)len;
    return 0;
}

static int64_t *values(const message *m, const column *c) { return (int64_t *)((uint8_t *)m + c->values); }

// clear makes nulls zeros, and the column one without nulls.
static void clear(message *m, column *c) {
    if (c->nulls > 0) {
        const uint8_t *valid = (const uint8_t *)m + c->validity;
        for (uint32_t i = 0; i < c->rows; i++) {
            if (!(valid[i >> 3] >> (i & 7) & 1)) {
                values(m, c)[i] = 0;
            }
        }
    }
    c->nulls = c->validity = 0;
}

EXPORT("wasmill_process") int32_t process(const message *in, uint32_t len) {
    (void)len;
    message *balances = (message *)state, *out = (message *)output;
    uint32_t size = state_get(0, 0, 0, state, ROOM);
    if (size > ROOM) {
        return 1;
    }
    clear(balances, &balances->column[0]);
    clear(balances, &balances->column[1]);
    int64_t *sum = values(balances, &balances->column[0]), *count = values(balances, &balances->column[1]);
    const uint32_t *key = (const uint32_t *)((const uint8_t *)in + in->group.values);
    const int64_t *amount = values(in, &in->column[1]);

    uint32_t n = in->rows, at = sizeof(message) + 7 & ~7u;
    __builtin_memcpy(out, balances, sizeof(message));
    out->schema = 0;
    out->rows = n;
    out->fields[KIND] = 0;
    for (uint32_t i = 0; i < 2; i++) {
        out->column[i] = (column){.rows = n, .values = at + i * 8 * n, .size = 8 * n};
    }
    out->failures = at + 16 * n - __builtin_offsetof(message, failures);
    *(uint32_t *)(output + at + 16 * n) = 0;
    int64_t *sums = values(out, &out->column[0]), *counts = values(out, &out->column[1]);
    for (uint32_t row = 0; row < n; row++) {
        uint32_t k = key[row];
        sums[row] = sum[k] += amount[row];
        counts[row] = ++count[k];
    }
    emit(out, at + 16 * n + 8);

    uint32_t keys = balances->rows;
    balances->fields[KIND] = 0;
    balances->fields[GROUP] = __builtin_offsetof(message, group) - __builtin_offsetof(message, vtable);
    balances->group = (column){.rows = keys, .values = size, .size = 4 * keys};
    for (uint32_t i = 0; i < keys; i++) {
        ((uint32_t *)(state + size))[i] = i;
    }
    state_put(balances, size + 4 * keys);
    return 0;
}
