// Copyright The wasmill Authors
// SPDX-License-Identifier: Apache-2.0

// The operators of the benchmarks: each reads four columns of numbers.
#include "wasmill.h"

#define FOUR(F)                \
    F(int64, a, required, "")  \
    F(int64, b, required, "")  \
    F(int64, c, required, "")  \
    F(int64, d, required, "")
WM_ROW(four, FOUR)

// touch does nothing with its rows.
static void touch_process(const wm_batch *in) { (void)in; }

static const wm_operator touch = {
    .name = "touch",
    .input = WM_PORT("", four, 0),
    .outputs = {WM_PORT("", four, 0)},
    .process = touch_process,
};

// rows writes four columns, row by row.
static void rows_process(const wm_batch *in) {
    four_columns columns = four_of(in);
    for (uint32_t row = 0; row < in->rows; row++) {
        four v = four_at(&columns, row);
        four_emit(0, row, (four){.a = v.a + v.b, .b = v.b - v.c, .c = v.c ^ v.d, .d = v.d + 1});
    }
}

static const wm_operator rows = {
    .name = "rows",
    .input = WM_PORT("", four, 0),
    .outputs = {WM_PORT("", four, 0)},
    .process = rows_process,
};

// columns does the same, column by column.
static void columns_process(const wm_batch *in) {
    four_columns c = four_of(in);
    const int64_t *a = c.a.values, *b = c.b.values, *x = c.c.values, *d = c.d.values;
    wm_out *out = wm_emit_all(0);
    int64_t *p = out[0].values, *q = out[1].values, *r = out[2].values, *s = out[3].values;
    for (uint32_t row = 0; row < in->rows; row++) {
        p[row] = a[row] + b[row];
        q[row] = b[row] - x[row];
        r[row] = x[row] ^ d[row];
        s[row] = d[row] + 1;
    }
}

static const wm_operator columns = {
    .name = "columns",
    .input = WM_PORT("", four, 0),
    .outputs = {WM_PORT("", four, 0)},
    .process = columns_process,
};

// odd passes the rows on whose first number is odd; their columns stay on the host.
static void odd_process(const wm_batch *in) {
    four_columns c = four_of(in);
    const int64_t *a = c.a.values;
    for (uint32_t row = 0; row < in->rows; row++) {
        if (a[row] & 1) wm_emit_row(0, row);
    }
}

static const wm_operator odd = {
    .name = "odd",
    .input = WM_PORT("", four, 0),
    .outputs = {WM_NO_COLUMNS("", WM_FORWARD)},
    .process = odd_process,
};

WM_MODULE(&touch, &rows, &columns, &odd)
