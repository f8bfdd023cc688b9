// Copyright The wasmill Authors
// SPDX-License-Identifier: Apache-2.0

// wasmill_test.h: the host's side of an operator, for tests that run natively. A test includes
// the operator's source and this file, is built by any C compiler, and reads
//
//     wm_output *config = wm_test_config(&movements);       the configuration's row
//     settings_append(config, (settings){.late_after = 15});
//     WM_CHECK(wm_test_open());
//     flight_append(wm_test_input(), (flight){...});         the rows of a call
//     WM_CHECK(wm_test_process());
//     wm_batch out = wm_test_emitted(0);                     what came of them, by port
//
// wm_test_open and the calls after it return false where the operator failed: wm_test.fail_kind
// and wm_test.fail_text then say how. It must be included by one source file only.
// wasmill_state_test.h says how operators with state are tested.
#ifndef WASMILL_TEST_H
#define WASMILL_TEST_H

#include "wasmill.h"

#include <setjmp.h>
#include <stdio.h>
#include <string.h>

enum { WM_TEST_MESSAGES = 64, WM_TEST_LINES = 64, WM_TEST_LINE = 256 };

typedef struct {
    const wm_operator *op;
    wm_output config, inputs[WM_MAX_INPUTS];
    jmp_buf failed;
    int fail_kind; // -1 where it did not fail, 0 refused, 1 a bug
    char fail_text[512];
    void *emitted[WM_TEST_MESSAGES]; // by the last call, in order
    uint32_t emitted_count;
    const wm_failure_ *failed_rows; // of a process
    uint32_t failed_count;
    int64_t counters[WM_MAX_COUNTERS];
    wm_level levels[WM_TEST_LINES]; // of lines
    char lines[WM_TEST_LINES][WM_TEST_LINE];
    uint32_t line_count;
    int64_t now; // what wm_now returns
    int failures; // of checks
} wm_test_state;
static wm_test_state wm_test;

// WM_CHECK(condition) reports a condition that does not hold, and goes on.
#define WM_CHECK(condition)                                                                            \
    do {                                                                                               \
        if (!(condition)) {                                                                            \
            wm_test.failures++;                                                                        \
            fprintf(stderr, "%s:%d: %s: not so: %s\n", __FILE__, __LINE__, __func__, #condition);      \
        }                                                                                              \
    } while (0)

// WM_CHECK_TEXT(wm_string, "text") compares texts.
#define WM_CHECK_TEXT(got, want)                                                                       \
    do {                                                                                               \
        wm_string got_ = (got);                                                                        \
        if (!wm_equal(got_, wm_string_of((want), (uint32_t)strlen(want)))) {                           \
            wm_test.failures++;                                                                        \
            fprintf(stderr, "%s:%d: %s: \"%.*s\", want \"%s\"\n", __FILE__, __LINE__, __func__, (int)got_.size, got_.data ? got_.data : "", (want)); \
        }                                                                                              \
    } while (0)

// WM_RUN(test) runs a function of no arguments; wm_test_done is main's result.
#define WM_RUN(test)                                                                                   \
    do {                                                                                               \
        int before_ = wm_test.failures;                                                                \
        test();                                                                                        \
        printf("%s %s\n", before_ == wm_test.failures ? "ok  " : "FAIL", #test);                       \
    } while (0)

WM_FN_ int wm_test_done(void) { return wm_test.failures == 0 ? 0 : 1; }

void wm_import_emit(const void *batch, uint32_t size) {
    if (wm_test.emitted_count == WM_TEST_MESSAGES) {
        fprintf(stderr, "a call emits more than %d batches\n", WM_TEST_MESSAGES);
        abort();
    }
    void *copy = malloc(size);
    memcpy(copy, batch, size);
    wm_test.emitted[wm_test.emitted_count++] = copy;
}

void wm_import_log(uint32_t level, const char *text, uint32_t size) {
    if (wm_test.line_count == WM_TEST_LINES) return;
    wm_test.levels[wm_test.line_count] = (wm_level)level;
    snprintf(wm_test.lines[wm_test.line_count++], WM_TEST_LINE, "%.*s", (int)size, text);
}

void wm_import_count(uint32_t counter, int64_t delta) {
    if (counter >= WM_MAX_COUNTERS) abort();
    wm_test.counters[counter] += delta;
}

void wm_import_fail(uint32_t kind, const char *text, uint32_t size) {
    wm_test.fail_kind = (int)kind;
    snprintf(wm_test.fail_text, sizeof wm_test.fail_text, "%.*s", (int)size, text);
    longjmp(wm_test.failed, 1);
}

int64_t wm_import_now(void) { return wm_test.now; }

// glibc's, so that an assertion that fails is caught as it is in a module.
void __assert_fail(const char *expression, const char *file, unsigned line, const char *function) {
    wm_panic("%s:%u: %s: assertion failed: %s", file, line, function, expression);
}

WM_FN_ void wm_test_columns_free_(wm_output *o) {
    for (uint32_t i = 0; i < o->nodes; i++) {
        free(o->columns[i].validity);
        free(o->columns[i].offsets);
        free(o->columns[i].values);
    }
    free(o->columns);
    free(o->origin);
    free(o->time);
    free(o->kind);
    memset(o, 0, sizeof *o);
}

WM_FN_ void wm_test_drop_emitted_(void) {
    for (uint32_t i = 0; i < wm_test.emitted_count; i++) free(wm_test.emitted[i]);
    wm_test.emitted_count = 0;
    wm_test.failed_count = 0;
}

// wm_test_encode_ returns rows as the host writes them, with the groups of an aggregate's input.
// The caller frees it.
WM_FN_ void *wm_test_encode_(wm_output *o, const uint32_t *groups) {
    uint32_t failures = wm_global.failure_count, rows = o->rows;
    wm_global.failure_count = 0;
    wm_global.input_rows = rows;
    o->whole = true; // no origins
    uint32_t size = wm_encode_(o);
    uint8_t *copy = (uint8_t *)malloc(size + 4 * rows + 8);
    memcpy(copy, wm_global.message, size);
    if (groups != NULL) {
        wm_message_ m = {copy, NULL, size};
        wm_write_per_row_(&m, 7, groups, rows, 4 * rows);
    }
    wm_global.failure_count = failures;
    wm_output_reset_(o);
    return copy;
}

// wm_test_emitted returns what the last call emitted to a port: its first batch, or no rows.
WM_FN_ wm_batch wm_test_emitted(uint32_t port) {
    wm_batch none;
    memset(&none, 0, sizeof none);
    for (uint32_t i = 0; i < wm_test.emitted_count; i++) {
        wm_batch b = wm_batch_at(wm_test.emitted[i]);
        if (b.schema == port) return b;
    }
    return none;
}

// wm_test_origin returns the row of the input that an emitted row came from.
WM_FN_ uint32_t wm_test_origin(const wm_batch *b, uint32_t row) { return b->origin == NULL ? row : b->origin[row]; }

// wm_test_failure returns why a row of the last call's input failed; its data is NULL where it
// did not.
WM_FN_ wm_string wm_test_failure(uint32_t row) {
    for (uint32_t i = 0; i < wm_test.failed_count; i++) {
        if (wm_test.failed_rows[i].row == row) return wm_test.failed_rows[i].text;
    }
    for (uint32_t i = 0; i < wm_test.emitted_count; i++) {
        const uint8_t *base = (const uint8_t *)wm_test.emitted[i];
        const uint8_t *field = wm_flat_field_(base + wm_load32_(base), 3);
        const uint8_t *vector = field + wm_load32_(field);
        for (uint32_t n = 0; n < wm_load32_(vector); n++) {
            const uint8_t *entry = vector + 4 + 12 * n;
            if (wm_load32_(entry) == row) return wm_string_of((const char *)base + wm_load32_(entry + 4), wm_load32_(entry + 8));
        }
    }
    return wm_string_of(NULL, 0);
}

#ifdef WASMILL_STATE_H
#include "wasmill_state_test.h"
#endif

// wm_test_states_free_ gives back the memory of the operator's states.
WM_FN_ void wm_test_states_free_(void) {
    for (uint32_t i = 0; wm_test.op != NULL && i < wm_states_count_(wm_test.op); i++) {
        wm_state *s = wm_test.op->states[i];
        free(s->rows);
        free(s->flags);
        free(s->entries);
        free(s->table);
        if (s->opened) free((void *)(uintptr_t)s->puts.fields); // open allocated them
        s->rows = NULL, s->flags = NULL, s->entries = NULL, s->table = NULL;
        s->room = s->table_room = s->likely = 0;
        s->opened = false;
        wm_state_begin_(s);
        wm_test_columns_free_(&s->asked);
    }
    while (wm_global.puts != NULL) {
        wm_output *next = wm_global.puts->next;
        wm_test_columns_free_(wm_global.puts);
        wm_global.puts = next;
    }
}

// wm_test_reset gives back all memory and forgets the operator.
WM_FN_ void wm_test_reset(void) {
    for (uint32_t i = 0; i <= WM_MAX_OUTPUTS; i++) {
        if (i == WM_MAX_OUTPUTS) free((void *)wm_outputs_[i].fields); // wm_open_ allocated them
        wm_test_columns_free_(&wm_outputs_[i]);
    }
    wm_test_states_free_();
#ifdef WASMILL_STATE_H
    wm_test_store_reset_();
#endif
    wm_temp_reset_();
    free(wm_global.temp);
    while (wm_global.kept != NULL) {
        wm_chunk_ *next = wm_global.kept->next;
        free(wm_global.kept);
        wm_global.kept = next;
    }
    free(wm_global.failures);
    free(wm_global.message);
    free(wm_global.input);
    free(wm_global.description);
    memset(&wm_global, 0, sizeof wm_global);
    wm_test_columns_free_(&wm_test.config);
    for (uint32_t i = 0; i < WM_MAX_INPUTS; i++) wm_test_columns_free_(&wm_test.inputs[i]);
    wm_test_drop_emitted_();
    int failures = wm_test.failures;
    memset(&wm_test, 0, sizeof wm_test);
    wm_test.failures = failures;
    wm_test.fail_kind = -1;
}

// wm_test_config begins a test of an operator, on a fresh instance, and returns where the row of
// its configuration is appended.
WM_FN_ wm_output *wm_test_config(const wm_operator *op) {
    wm_test_reset();
    wm_test.op = op;
    wm_output_init_(&wm_test.config, 0x10001, op->config, 0, false);
    if (op->inputs[0].process == NULL) wm_output_init_(&wm_test.inputs[0], 0, op->input.fields, op->input.flags, false);
    for (uint32_t i = 0; i < wm_inputs_count_(op); i++) wm_output_init_(&wm_test.inputs[i], i, op->inputs[i].fields, op->inputs[i].flags, false);
    return &wm_test.config;
}

// wm_test_input_of returns where rows of an input for the next call are appended.
WM_FN_ wm_output *wm_test_input_of(uint32_t port) { return &wm_test.inputs[port]; }

// wm_test_input is that of the first input.
WM_FN_ wm_output *wm_test_input(void) { return wm_test_input_of(0); }

WM_FN_ bool wm_test_open(void) {
    void *config = wm_test_encode_(&wm_test.config, NULL);
    bool done = setjmp(wm_test.failed) == 0;
    if (done) wm_open_(wm_test.op, config);
    free(config);
    return done;
}

// wm_test_process gives the rows that were appended to the operator, and empties the input.
WM_FN_ bool wm_test_process(void) {
#ifdef WASMILL_STATE_H
    if (wm_test.op->inputs[0].process != NULL) return wm_test_process_input(0);
#endif
    wm_test_drop_emitted_();
    void *in = wm_test_encode_(&wm_test.inputs[0], NULL);
    bool done = setjmp(wm_test.failed) == 0;
    if (done) wm_process_(in);
    free(in);
    return done;
}

// wm_test_aggregate_ runs a step and drops its inputs. What it emits takes their place.
WM_FN_ bool wm_test_aggregate_(uint32_t step, void *a, void *b) {
    wm_test_drop_emitted_();
    bool done = setjmp(wm_test.failed) == 0;
    if (done) wm_aggregate_(step, a, b);
    free(a);
    free(b);
    return done;
}

// wm_test_accumulators takes over the accumulators that the last step emitted; it returns as many
// new ones, all null, where count is not 0. Each is given to one step.
WM_FN_ void *wm_test_accumulators(uint32_t count) {
    if (count == 0) return wm_test.emitted[--wm_test.emitted_count];
    wm_output *o = wm_accumulators_(count);
    for (uint32_t n = 0; n < count; n++) wm_null_put(o->columns, n);
    return wm_test_encode_(o, NULL);
}

// wm_test_add adds the rows that were appended to accumulators, each to that of its group.
WM_FN_ bool wm_test_add(const uint32_t *groups, void *accumulators) {
    return wm_test_aggregate_(0, wm_test_encode_(&wm_test.inputs[0], groups), accumulators);
}

WM_FN_ bool wm_test_merge(void *into, void *later) { return wm_test_aggregate_(1, into, later); }

WM_FN_ bool wm_test_result(void *accumulators) { return wm_test_aggregate_(2, accumulators, NULL); }

#endif // WASMILL_TEST_H
