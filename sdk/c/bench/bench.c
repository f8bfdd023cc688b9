// Copyright The wasmill Authors
// SPDX-License-Identifier: Apache-2.0

// The operators of ../../../cmd/bench, which every SDK builds: written for speed, by the column, and
// compiled with -msimd128.
#include "wasmill.h"

// A row of no columns, whose functions do not use their parameters.
#define NOTHING(F)
WM_ROW(nothing, NOTHING)

// empty: reads nothing and forwards all rows.

static void empty_process(const wm_batch *in) {
    wm_emit_all(0);
}

static const wm_operator empty = {
    .name = "empty",
    .doc = "Forwards all rows.",
    .input = WM_PORT("", nothing, 0),
    .outputs = {WM_NO_COLUMNS("", WM_FORWARD)},
    .process = empty_process,
};

// four: four numbers of four numbers.

#define NUMBERS(F)             \
    F(int64, a, required, "")  \
    F(int64, b, required, "")  \
    F(int64, c, required, "")  \
    F(int64, d, required, "")
WM_ROW(numbers, NUMBERS)

#define MIXED(F)               \
    F(int64, w, required, "")  \
    F(int64, x, required, "")  \
    F(int64, y, required, "")  \
    F(int64, z, required, "")
WM_ROW(mixed, MIXED)

static void four_process(const wm_batch *in) {
    numbers_columns columns = numbers_of(in);
    const int64_t *a = columns.a.values, *b = columns.b.values, *c = columns.c.values, *d = columns.d.values;
    wm_out *out = wm_emit_all(0);
    int64_t *w = out[0].values, *x = out[1].values, *y = out[2].values, *z = out[3].values;
    for (uint32_t row = 0; row < in->rows; row++) {
        w[row] = a[row] + b[row];
        x[row] = c[row] - d[row];
        y[row] = a[row] ^ c[row];
        z[row] = b[row] + d[row];
    }
}

static const wm_operator four = {
    .name = "four",
    .doc = "Four numbers of four numbers, by the column.",
    .input = WM_PORT("", numbers, 0),
    .outputs = {WM_PORT("", mixed, 0)},
    .process = four_process,
};

// four_rows: the same by the row.

static void four_rows_process(const wm_batch *in) {
    numbers_columns columns = numbers_of(in);
    for (uint32_t row = 0; row < in->rows; row++) {
        numbers n = numbers_at(&columns, row);
        mixed_emit(0, row, (mixed){.w = n.a + n.b, .x = n.c - n.d, .y = n.a ^ n.c, .z = n.b + n.d});
    }
}

static const wm_operator four_rows = {
    .name = "four_rows",
    .doc = "Four numbers of four numbers, by the row.",
    .input = WM_PORT("", numbers, 0),
    .outputs = {WM_PORT("", mixed, 0)},
    .process = four_rows_process,
};

// filter: the rows with a given string.

#define TEXT(F) F(string, s, required, "")
WM_ROW(text, TEXT)
#define FILTER_CONFIG(F) F(string, value, required, "What s must be")
WM_ROW(filter_config, FILTER_CONFIG)

static wm_string wanted;

static void filter_open(const wm_batch *config) {
    filter_config_columns columns = filter_config_of(config);
    wanted = wm_keep(filter_config_at(&columns, 0).value);
}

static void filter_process(const wm_batch *in) {
    text_columns columns = text_of(in);
    wm_string value = wanted; // in a local, so that a row emitted may not have changed it
    for (uint32_t row = 0, rows = in->rows; row < rows; row++) {
        if (wm_equal(text_at(&columns, row).s, value)) wm_emit_row(0, row);
    }
}

static const wm_operator filter = {
    .name = "filter",
    .doc = "Forwards the rows whose s has a given value.",
    .input = WM_PORT("", text, 0),
    .outputs = {WM_NO_COLUMNS("", WM_FORWARD)},
    .config = filter_config_fields,
    .open = filter_open,
    .process = filter_process,
};

// count: how many rows there are.

#define COUNTED(F) F(int64, count, required, "")
WM_ROW(counted, COUNTED)

static void count_add(wm_int64_opt *into, const nothing *row, uint32_t number) {
    into->has = true;
    into->value++;
}

static void count_merge(wm_int64_opt *into, const wm_int64_opt *later) { into->value += later->value; }

static void count_result(const wm_int64_opt *acc, uint32_t number) { counted_emit(0, number, (counted){acc->value}); }

WM_AGGREGATE(count_aggregate, nothing, int64, count_add, count_merge, count_result)

static const wm_operator count = {
    .name = "count",
    .doc = "How many rows there are.",
    .input = WM_PORT("", nothing, 0),
    .outputs = {WM_PORT("", counted, 0)},
    .accumulator = WM_ACCUMULATOR(int64),
    .aggregate = count_aggregate,
};

// Operators with state: process.c.
extern const wm_operator count_process, count_process_rows;

WM_MODULE(&empty, &four, &four_rows, &filter, &count, &count_process, &count_process_rows)
