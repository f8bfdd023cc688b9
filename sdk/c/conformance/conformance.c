// Copyright The wasmill Authors
// SPDX-License-Identifier: Apache-2.0

// The operators of ../../../abi/conformance/README.md, which every SDK builds.
#include "wasmill.h"

// everything: each row unchanged, of every type.

#define PAIR(F)                 \
    F(int64, a, nullable, "")   \
    F(string, b, nullable, "")
WM_ROW(pair, PAIR)

#define EVERYTHING(F)                    \
    F(bool, b, nullable, "")             \
    F(int32, i, nullable, "")            \
    F(int64, l, nullable, "")            \
    F(float64, f, nullable, "")          \
    F(decimal(2), d, nullable, "")       \
    F(string, s, nullable, "")           \
    F(bytes, y, nullable, "")            \
    F(timestamp, t, nullable, "")        \
    F(list(string), ls, nullable, "")    \
    F(struct(pair), st, nullable, "")
WM_ROW(everything, EVERYTHING)

static void everything_process(const wm_batch *in) {
    everything_columns columns = everything_of(in);
    for (uint32_t row = 0; row < in->rows; row++) everything_emit(0, row, everything_at(&columns, row));
}

static const wm_operator everything_operator = {
    .name = "everything",
    .doc = "Passes on each row unchanged.",
    .input = WM_PORT("", everything, 0),
    .outputs = {WM_PORT("", everything, 0)},
    .process = everything_process,
};

// split: a row for each part of a text.

#define TEXT(F) F(string, text, required, "What is split")
WM_ROW(text_row, TEXT)
#define SPLIT_CONFIG(F) F(string, separator, default(" "), "What stands between two words")
WM_ROW(split_config, SPLIT_CONFIG)
#define WORD(F)                                              \
    F(string, word, required, "A part that is not empty")    \
    F(int32, index, required, "Its number in its row, from 0")
WM_ROW(word, WORD)

enum { WORDS }; // counters

static wm_string separator;

static void split_open(const wm_batch *config) {
    split_config_columns columns = split_config_of(config);
    separator = wm_keep(split_config_at(&columns, 0).separator);
}

static bool starts_with(wm_string s, uint32_t at, wm_string part) {
    return part.size > 0 && part.size <= s.size - at && wm_equal(wm_string_of(s.data + at, part.size), part);
}

static int32_t emit_word(uint32_t row, wm_string text, uint32_t from, uint32_t to, int32_t index) {
    if (from == to) return index;
    word_emit(0, row, (word){.word = wm_string_of(text.data + from, to - from), .index = index});
    return index + 1;
}

static void split_process(const wm_batch *in) {
    text_row_columns columns = text_row_of(in);
    int64_t words = 0;
    for (uint32_t row = 0; row < in->rows; row++) {
        wm_string text = text_row_at(&columns, row).text;
        int32_t index = 0;
        uint32_t from = 0, at = 0;
        while (at < text.size) {
            if (!starts_with(text, at, separator)) {
                at++;
                continue;
            }
            index = emit_word(row, text, from, at, index);
            from = at += separator.size;
        }
        words += emit_word(row, text, from, text.size, index);
    }
    wm_count(WORDS, words);
}

static const wm_operator split_operator = {
    .name = "split",
    .doc = "Makes a row of each word of a text.",
    .input = WM_PORT("", text_row, 0),
    .outputs = {WM_PORT("", word, WM_FORWARD)},
    .config = split_config_fields,
    .counters = {"words"},
    .open = split_open,
    .process = split_process,
};

// route: even and odd numbers.

#define NUMBER(F) F(int64, n, nullable, "")
WM_ROW(number, NUMBER)

enum { EVEN, ODD }; // outputs

static void route_process(const wm_batch *in) {
    number_columns columns = number_of(in);
    for (uint32_t row = 0; row < in->rows; row++) {
        number value = number_at(&columns, row);
        if (!value.n.has) continue;
        if (value.n.value < 0) wm_fail_row(row, "n is negative: %lld", (long long)value.n.value);
        else number_emit(value.n.value % 2 == 0 ? EVEN : ODD, row, value);
    }
}

static const wm_operator route_operator = {
    .name = "route",
    .doc = "Parts even from odd numbers.",
    .input = WM_PORT("", number, 0),
    .outputs = {WM_PORT("", number, 0), WM_PORT("odd", number, 0)},
    .process = route_process,
};

// shift: another event time.

#define SHIFT_CONFIG(F) F(int64, by, required, "Microseconds that are added to the event time")
WM_ROW(shift_config, SHIFT_CONFIG)

static int64_t shift_by;

static void shift_open(const wm_batch *config) {
    shift_config_columns columns = shift_config_of(config);
    shift_by = shift_config_at(&columns, 0).by;
}

static void shift_process(const wm_batch *in) {
    number_columns columns = number_of(in);
    for (uint32_t row = 0; row < in->rows; row++) number_emit_at(0, row, number_at(&columns, row), in->time[row] + shift_by);
}

static const wm_operator shift_operator = {
    .name = "shift",
    .doc = "Moves the event time of each row.",
    .input = WM_PORT("", number, WM_TIME),
    .outputs = {WM_PORT("", number, WM_TIME)},
    .config = shift_config_fields,
    .open = shift_open,
    .process = shift_process,
};

// refuse: a configuration that it can't work with. Its rows go by the columns, not by the row.

#define REFUSE_CONFIG(F) F(int64, limit, required, "A positive number")
WM_ROW(refuse_config, REFUSE_CONFIG)

static void refuse_open(const wm_batch *config) {
    refuse_config_columns columns = refuse_config_of(config);
    int64_t limit = refuse_config_at(&columns, 0).limit;
    if (limit <= 0) wm_refuse("limit must be positive, not %lld", (long long)limit);
}

static void refuse_process(const wm_batch *in) {
    number_columns columns = number_of(in);
    wm_out *out = wm_emit_all(0);
    const int64_t *from = columns.n.values;
    int64_t *to = out[0].values;
    for (uint32_t row = 0; row < in->rows; row++) to[row] = from[row];
    wm_nulls_copy(&out[0], &columns.n);
}

static const wm_operator refuse_operator = {
    .name = "refuse",
    .doc = "Refuses to open with a limit that is not positive.",
    .input = WM_PORT("", number, 0),
    .outputs = {WM_PORT("", number, 0)},
    .config = refuse_config_fields,
    .open = refuse_open,
    .process = refuse_process,
};

// crash: an assertion that fails.

#define NEEDED(F) F(int64, n, required, "")
WM_ROW(needed, NEEDED)

static void crash_process(const wm_batch *in) {
    needed_columns columns = needed_of(in);
    for (uint32_t row = 0; row < in->rows; row++) {
        needed value = needed_at(&columns, row);
        assert(value.n != 13 && "unlucky 13");
        needed_emit(0, row, value);
    }
}

static const wm_operator crash_operator = {
    .name = "crash",
    .doc = "Fails an assertion at 13.",
    .input = WM_PORT("", needed, 0),
    .outputs = {WM_PORT("", needed, 0)},
    .process = crash_process,
};

// say: a line of the log for each row.

#define LINE(F)                                                 \
    F(int32, level, required, "0 debug, 1 info, 2 warn, 3 error") \
    F(string, text, required, "What is logged")
WM_ROW(line, LINE)

static void say_process(const wm_batch *in) {
    line_columns columns = line_of(in);
    for (uint32_t row = 0; row < in->rows; row++) {
        line value = line_at(&columns, row);
        wm_log((wm_level)value.level, "%.*s", WM_ARG(value.text));
    }
}

static const wm_operator say_operator = {
    .name = "say",
    .doc = "Logs a text at a level.",
    .input = WM_PORT("", line, 0),
    .outputs = {WM_PORT("", number, 0)},
    .process = say_process,
};

// mean: an aggregate whose accumulator is a struct.

#define SAMPLE(F) F(float64, x, nullable, "")
WM_ROW(sample, SAMPLE)
#define MEAN_STATE(F)             \
    F(float64, sum, required, "") \
    F(int64, count, required, "")
WM_ROW(mean_state, MEAN_STATE)
#define MEAN(F)                                         \
    F(float64, mean, nullable, "Null where there is no value") \
    F(int64, count, required, "Values that are not null")
WM_ROW(mean, MEAN)

static void mean_add(mean_state *into, const sample *row, uint32_t number) {
    if (!row->x.has) return;
    if (row->x.value < 0) {
        wm_fail_row(number, "x is negative");
        return;
    }
    into->sum += row->x.value;
    into->count++;
}

static void mean_merge(mean_state *into, const mean_state *later) {
    into->sum += later->sum;
    into->count += later->count;
}

static void mean_result(const mean_state *acc, uint32_t number) {
    mean value = {.count = acc->count};
    if (acc->count > 0) value.mean = (wm_float64_opt){true, acc->sum / (double)acc->count};
    mean_emit(0, number, value);
}

WM_AGGREGATE(mean_aggregate, sample, struct(mean_state), mean_add, mean_merge, mean_result)

static const wm_operator mean_operator = {
    .name = "mean",
    .doc = "The mean of the values.",
    .input = WM_PORT("", sample, 0),
    .outputs = {WM_PORT("", mean, 0)},
    .accumulator = WM_ACCUMULATOR(struct(mean_state)),
    .aggregate = mean_aggregate,
};

// longest: an aggregate whose accumulator is a string.

#define OPTIONAL_TEXT(F) F(string, s, nullable, "")
WM_ROW(optional_text, OPTIONAL_TEXT)
#define LONGEST(F) F(string, longest, nullable, "The first of the longest ones")
WM_ROW(longest, LONGEST)

static void longest_merge(wm_string *into, const wm_string *later) {
    if (into->data == NULL || later->size > into->size) *into = *later;
}

static void longest_add(wm_string *into, const optional_text *row, uint32_t number) {
    (void)number;
    if (row->s.data != NULL) longest_merge(into, &row->s);
}

static void longest_result(const wm_string *acc, uint32_t number) {
    longest_emit(0, number, (longest){.longest = *acc});
}

WM_AGGREGATE(longest_aggregate, optional_text, string, longest_add, longest_merge, longest_result)

static const wm_operator longest_operator = {
    .name = "longest",
    .doc = "The longest string, by bytes.",
    .input = WM_PORT("", optional_text, 0),
    .outputs = {WM_PORT("", longest, 0)},
    .accumulator = WM_ACCUMULATOR(string),
    .aggregate = longest_aggregate,
};

// Operators with state: process.c.
extern const wm_operator ledger_operator, ledger_bulk_operator, collect_operator, alarm_operator, forget_operator, rules_operator;

WM_MODULE(&everything_operator, &split_operator, &route_operator, &shift_operator, &refuse_operator,
          &crash_operator, &say_operator, &mean_operator, &longest_operator,
          &ledger_operator, &ledger_bulk_operator, &collect_operator, &alarm_operator, &forget_operator, &rules_operator)
