// Copyright The wasmill Authors
// SPDX-License-Identifier: Apache-2.0

// Operators with state for benchmarks, written for speed.
#include "wasmill_state.h"

#define KEY(F) F(int64, k, key, "")
WM_ROW(counted_key, KEY)
#define SEEN(F) F(int64, value, required, "")
WM_ROW(seen_rows, SEEN)
#define SO_FAR(F) F(int64, count, required, "")
WM_ROW(so_far, SO_FAR)

WM_VALUE_STATE(seen, "seen", seen_rows)

// count_process: how many rows of its key there were so far, by the column.

static void count_process_process(const wm_batch *in) {
    const uint32_t *keys = in->group;
    seen_rows *counts = seen_values();
    int64_t *out = wm_emit_all(0)[0].values;
    for (uint32_t row = 0, rows = in->rows; row < rows; row++) out[row] = ++counts[keys[row]].value;
    seen_put_all();
}

const wm_operator count_process = {
    .name = "count_process",
    .doc = "Counts the rows of each key, by the column.",
    .inputs = {WM_INPUT("", counted_key, 0, count_process_process)},
    .outputs = {WM_PORT("", so_far, WM_FORWARD)},
    .states = {&seen},
};

// count_process_rows: the same by the row.

static void count_process_rows_process(const wm_batch *in) {
    for (uint32_t row = 0; row < in->rows; row++) so_far_emit(0, row, (so_far){++seen_update(in->group[row])->value});
}

const wm_operator count_process_rows = {
    .name = "count_process_rows",
    .doc = "Counts the rows of each key, by the row.",
    .inputs = {WM_INPUT("", counted_key, 0, count_process_rows_process)},
    .outputs = {WM_PORT("", so_far, WM_FORWARD)},
    .states = {&seen},
};
