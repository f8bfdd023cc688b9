// Copyright The wasmill Authors
// SPDX-License-Identifier: Apache-2.0

// Tests of the SDK through its conformance module, and against the golden messages. Run it in
// sdk/c: make test
#include "../conformance/conformance.c"
#include "../conformance/process.c"
#include "wasmill_test.h"

// golden returns a file of abi/testdata, which the caller frees.
static uint8_t *golden(const char *name, long *size) {
    char path[256];
    snprintf(path, sizeof path, "../../abi/testdata/%s", name);
    FILE *file = fopen(path, "rb");
    if (file == NULL) {
        fprintf(stderr, "%s: run the test in sdk/c\n", path);
        exit(1);
    }
    fseek(file, 0, SEEK_END);
    *size = ftell(file);
    rewind(file);
    uint8_t *data = malloc((size_t)*size);
    if (fread(data, 1, (size_t)*size, file) != (size_t)*size) abort();
    fclose(file);
    return data;
}

// process_golden has an operator process a golden message.
static bool process_golden(const wm_operator *op, const char *name) {
    wm_test_config(op);
    if (!wm_test_open()) return false;
    long size;
    uint8_t *data = golden(name, &size);
    bool done = setjmp(wm_test.failed) == 0;
    if (done) wm_process_(data);
    free(data);
    return done;
}

static void a_message_is_written_as_the_host_writes_it(void) {
    const char *names[] = {"batch-everything.bin", "batch-everything-relaid.bin"};
    for (int i = 0; i < 2; i++) {
        WM_CHECK(process_golden(&everything_operator, names[i]));
        WM_CHECK(wm_test.emitted_count == 1);
        long size;
        uint8_t *want = golden("batch-everything.bin", &size);
        WM_CHECK(memcmp(wm_test.emitted[0], want, (size_t)size) == 0);
        free(want);
    }
}

static void each_type_is_read(void) {
    long size;
    uint8_t *data = golden("batch-everything-relaid.bin", &size);
    wm_batch b = wm_batch_at(data);
    everything_columns columns = everything_of(&b);
    WM_CHECK(b.rows == 10);
    everything v = everything_at(&columns, 0);
    WM_CHECK(v.b.has && v.b.value && v.i.value == 1 && v.l.value == 2 && v.f.value == 1.5 && v.d.value == 1234);
    WM_CHECK_TEXT(v.s, "hello");
    WM_CHECK_TEXT(v.y, "\1\2\3");
    WM_CHECK(v.t.value == 981173106000000);
    WM_CHECK(v.ls.has && v.ls.count == 2);
    WM_CHECK_TEXT(wm_string_list_get(&v.ls, 1), "bc");
    WM_CHECK(v.st.has && v.st.value.a.value == 1);
    WM_CHECK_TEXT(v.st.value.b, "x");
    v = everything_at(&columns, 1);
    WM_CHECK(!v.b.has && !v.i.has && !v.l.has && !v.f.has && !v.d.has && !v.t.has && !v.ls.has && !v.st.has);
    WM_CHECK(v.s.data == NULL && v.y.data == NULL);
    v = everything_at(&columns, 2);
    WM_CHECK(v.b.has && !v.b.value && v.s.data != NULL && v.s.size == 0 && v.ls.has && v.ls.count == 0);
    v = everything_at(&columns, 3);
    WM_CHECK(v.i.value == INT32_MAX && v.l.value == INT64_MAX && v.d.value == 999999999999999999);
    WM_CHECK(v.ls.count == 3 && wm_string_list_get(&v.ls, 1).data == NULL);
    free(data);
}

static void time_kind_origin_and_group_are_read(void) {
    long size;
    uint8_t *data = golden("batch-times-kinds-origin.bin", &size);
    wm_batch b = wm_batch_at(data);
    WM_CHECK(b.schema == 1 && b.rows == 5 && b.group == NULL);
    WM_CHECK(b.time[0] == 1000000000000000 && b.time[4] == INT64_MIN);
    WM_CHECK(b.kind[1] == 1 && b.kind[3] == 3);
    WM_CHECK(b.origin[2] == 1 && b.origin[4] == 65535);
    free(data);
    data = golden("batch-group.bin", &size);
    b = wm_batch_at(data);
    WM_CHECK(b.group[0] == 0 && b.group[3] == 2 && b.time == NULL);
    free(data);
}

static void no_rows_emit_nothing(void) {
    WM_CHECK(process_golden(&everything_operator, "batch-empty.bin"));
    WM_CHECK(wm_test.emitted_count == 0);
}

static void words_are_emitted_with_their_rows(void) {
    split_config_append(wm_test_config(&split_operator), (split_config){.separator = WM_STR(", ")});
    WM_CHECK(wm_test_open());
    text_row_append(wm_test_input(), (text_row){.text = WM_STR("one, , two")});
    text_row_append(wm_test_input(), (text_row){.text = WM_STR("")});
    text_row_append(wm_test_input(), (text_row){.text = WM_STR("three")});
    WM_CHECK(wm_test_process());
    wm_batch out = wm_test_emitted(0);
    word_columns words = word_of(&out);
    WM_CHECK(out.rows == 3);
    WM_CHECK_TEXT(word_at(&words, 1).word, "two");
    WM_CHECK(word_at(&words, 1).index == 1);
    WM_CHECK(wm_test_origin(&out, 2) == 2);
    WM_CHECK(wm_test.counters[WORDS] == 3);
}

static void side_outputs_and_failures(void) {
    wm_test_config(&route_operator);
    WM_CHECK(wm_test_open());
    int64_t values[] = {1, 2, -3, 4};
    for (int i = 0; i < 4; i++) number_append(wm_test_input(), (number){.n = {true, values[i]}});
    number_append(wm_test_input(), (number){.n = {.has = false}});
    WM_CHECK(wm_test_process());
    wm_batch even = wm_test_emitted(EVEN), odd = wm_test_emitted(ODD);
    number_columns numbers = number_of(&even);
    WM_CHECK(even.rows == 2 && odd.rows == 1);
    WM_CHECK(number_at(&numbers, 1).n.value == 4 && wm_test_origin(&even, 1) == 3);
    WM_CHECK_TEXT(wm_test_failure(2), "n is negative: -3");
    WM_CHECK(wm_test_failure(0).data == NULL);
}

static void failures_alone_are_sent_too(void) {
    wm_test_config(&route_operator);
    WM_CHECK(wm_test_open());
    number_append(wm_test_input(), (number){.n = {true, INT64_MIN}});
    WM_CHECK(wm_test_process());
    WM_CHECK(wm_test_emitted(EVEN).rows == 0);
    WM_CHECK_TEXT(wm_test_failure(0), "n is negative: -9223372036854775808");
    WM_CHECK(wm_test_process());
    WM_CHECK(wm_test.emitted_count == 0); // it was for one call
}

static void event_time_is_read_and_written(void) {
    shift_config_append(wm_test_config(&shift_operator), (shift_config){.by = 7});
    WM_CHECK(wm_test_open());
    number_append_at(wm_test_input(), (number){.n = {true, 1}}, 100);
    number_append_at(wm_test_input(), (number){.n = {true, 2}}, -200);
    WM_CHECK(wm_test_process());
    wm_batch out = wm_test_emitted(0);
    WM_CHECK(out.time[0] == 107 && out.time[1] == -193);
}

static void an_operator_may_refuse(void) {
    refuse_config_append(wm_test_config(&refuse_operator), (refuse_config){.limit = -1});
    WM_CHECK(!wm_test_open());
    WM_CHECK(wm_test.fail_kind == 0);
    WM_CHECK(strcmp(wm_test.fail_text, "limit must be positive, not -1") == 0);
}

static void columns_are_emitted_at_once(void) {
    refuse_config_append(wm_test_config(&refuse_operator), (refuse_config){.limit = 1});
    WM_CHECK(wm_test_open());
    for (int64_t i = 0; i < 1000; i++) number_append(wm_test_input(), (number){.n = {i % 3 != 0, i}});
    WM_CHECK(wm_test_process());
    wm_batch out = wm_test_emitted(0);
    number_columns numbers = number_of(&out);
    WM_CHECK(out.rows == 1000 && out.origin == NULL);
    for (uint32_t i = 0; i < out.rows; i++) {
        number n = number_at(&numbers, i);
        WM_CHECK(n.n.has == (i % 3 != 0));
        WM_CHECK(!n.n.has || n.n.value == i);
    }
}

static void an_assertion_reaches_the_host(void) {
    wm_test_config(&crash_operator);
    WM_CHECK(wm_test_open());
    needed_append(wm_test_input(), (needed){.n = 13});
    WM_CHECK(!wm_test_process());
    WM_CHECK(wm_test.fail_kind == 1);
    WM_CHECK(strstr(wm_test.fail_text, "conformance.c:") != NULL);
    WM_CHECK(strstr(wm_test.fail_text, "value.n != 13 && \"unlucky 13\"") != NULL);
}

static void lines_are_logged(void) {
    wm_test_config(&say_operator);
    WM_CHECK(wm_test_open());
    line_append(wm_test_input(), (line){.level = 2, .text = WM_STR("größer")});
    WM_CHECK(wm_test_process());
    WM_CHECK(wm_test.emitted_count == 0);
    line_append(wm_test_input(), (line){.level = 99, .text = WM_STR("loud")});
    WM_CHECK(wm_test_process());
    WM_CHECK(wm_test.line_count == 2 && wm_test.levels[1] == WM_ERROR);
    WM_CHECK(wm_test.levels[0] == WM_WARN && strcmp(wm_test.lines[0], "größer") == 0);
}

static void an_aggregate_adds_merges_and_ends(void) {
    wm_test_config(&mean_operator);
    WM_CHECK(wm_test_open());
    double values[] = {1, 3, -1, 8};
    uint32_t groups[] = {0, 0, 0, 1, 2};
    for (int i = 0; i < 4; i++) sample_append(wm_test_input(), (sample){.x = {true, values[i]}});
    sample_append(wm_test_input(), (sample){.x = {.has = false}});
    WM_CHECK(wm_test_add(groups, wm_test_accumulators(4)));
    WM_CHECK_TEXT(wm_test_failure(2), "x is negative");
    void *one = wm_test_accumulators(0);
    sample_append(wm_test_input(), (sample){.x = {true, 5}});
    WM_CHECK(wm_test_add(groups, wm_test_accumulators(4)));
    void *two = wm_test_accumulators(0);
    WM_CHECK(wm_test_merge(one, two));
    WM_CHECK(wm_test.emitted_count == 1);
    WM_CHECK(wm_test_result(wm_test_accumulators(0)));
    wm_batch out = wm_test_emitted(0);
    mean_columns means = mean_of(&out);
    WM_CHECK(out.rows == 4 && out.origin == NULL);
    WM_CHECK(mean_at(&means, 0).mean.value == 3 && mean_at(&means, 0).count == 3);
    WM_CHECK(mean_at(&means, 1).mean.value == 8);
    WM_CHECK(!mean_at(&means, 2).mean.has && !mean_at(&means, 3).mean.has);
}

static void a_string_may_be_an_accumulator(void) {
    wm_test_config(&longest_operator);
    WM_CHECK(wm_test_open());
    uint32_t groups[] = {0, 0, 0, 2};
    optional_text_append(wm_test_input(), (optional_text){.s = WM_STR("a")});
    optional_text_append(wm_test_input(), (optional_text){.s = WM_STR("bb")});
    optional_text_append(wm_test_input(), (optional_text){.s = WM_STR("cc")});
    optional_text_append(wm_test_input(), (optional_text){.s = WM_STR("")});
    WM_CHECK(wm_test_add(groups, wm_test_accumulators(3)));
    WM_CHECK(wm_test_merge(wm_test_accumulators(0), wm_test_accumulators(3)));
    WM_CHECK(wm_test_result(wm_test_accumulators(0)));
    wm_batch out = wm_test_emitted(0);
    longest_columns texts = longest_of(&out);
    WM_CHECK_TEXT(longest_at(&texts, 0).longest, "bb");
    WM_CHECK(longest_at(&texts, 1).longest.data == NULL);
    WM_CHECK_TEXT(longest_at(&texts, 2).longest, "");
}

static void a_large_output_is_sent_in_parts(void) {
    split_config_append(wm_test_config(&split_operator), (split_config){.separator = WM_STR(" ")});
    WM_CHECK(wm_test_open());
    for (int i = 0; i < 1000; i++) text_row_append(wm_test_input(), (text_row){.text = wm_format("%d%199s", i, "")});
    char letters[401];
    for (int i = 0; i < 400; i++) letters[i] = i % 2 == 0 ? 'x' : ' ';
    for (int i = 0; i < 1000; i++) text_row_append(wm_test_input(), (text_row){.text = wm_string_of(letters, 400)});
    WM_CHECK(wm_test_process());
    uint32_t rows = 0;
    for (uint32_t i = 0; i < wm_test.emitted_count; i++) {
        wm_batch b = wm_batch_at(wm_test.emitted[i]);
        WM_CHECK(b.rows <= WM_MAX_ROWS);
        rows += b.rows;
    }
    WM_CHECK(wm_test.emitted_count == 4 && rows == 1000 * 200 + wm_test.counters[WORDS] - 1000 * 200);
}

static void a_batch_of_long_strings_is_sent_in_parts(void) {
    wm_test_config(&everything_operator);
    WM_CHECK(wm_test_open());
    char *big = malloc(1 << 20);
    memset(big, 'x', 1 << 20);
    for (int call = 0; call < 3; call++) {
        for (int i = 0; i < 12; i++) everything_append(wm_test_input(), (everything){.s = wm_string_of(big, 1 << 20)});
        WM_CHECK(wm_test_process());
        uint32_t rows = 0;
        for (uint32_t i = 0; i < wm_test.emitted_count; i++) rows += wm_batch_at(wm_test.emitted[i]).rows;
        WM_CHECK(wm_test.emitted_count == 3 && rows == 12);
    }
    free(big);
}

static void texts_are_formatted(void) {
    WM_CHECK_TEXT(wm_format("%s %d %u %lld %x %c%% %.*s", "a", -5, 7u, -9000000000000000000ll, 255, 'c', WM_ARG(WM_STR("largo"))),
                  "a -5 7 -9000000000000000000 ff c% largo");
    WM_CHECK_TEXT(wm_format("%zu|%ld", (size_t)42, -1l), "42|-1");
}

static void lists_of_arrays_are_written(void) {
    wm_test_config(&everything_operator);
    WM_CHECK(wm_test_open());
    wm_string items[] = {WM_STR("one"), {NULL, 0}, WM_STR("three")};
    everything_append(wm_test_input(), (everything){.ls = wm_string_list_of(items, 3), .st = {true, {.a = {true, 4}}}});
    WM_CHECK(wm_test_process());
    wm_batch out = wm_test_emitted(0);
    everything_columns columns = everything_of(&out);
    everything v = everything_at(&columns, 0);
    WM_CHECK(v.ls.count == 3 && wm_string_list_get(&v.ls, 1).data == NULL);
    WM_CHECK_TEXT(wm_string_list_get(&v.ls, 2), "three");
    WM_CHECK(v.st.has && v.st.value.a.value == 4 && v.st.value.b.data == NULL);
}

static void a_wrong_emit_is_a_bug(void) {
    wm_test_config(&route_operator);
    WM_CHECK(wm_test_open());
    bool returned = setjmp(wm_test.failed) == 0;
    if (returned) word_emit(ODD, 0, (word){.index = 1});
    WM_CHECK(wm_test.fail_kind == 1 && strcmp(wm_test.fail_text, "output 1 is declared with other columns than are emitted to it") == 0);
    if (setjmp(wm_test.failed) == 0) number_emit(7, 0, (number){.n = {true, 1}});
    WM_CHECK(strcmp(wm_test.fail_text, "the operator has no output 7") == 0);
}

static void the_description_stays_as_it_is(void) {
    wm_test_reset();
    uint64_t once = wasmill_describe();
    WM_CHECK(once == wasmill_describe() && wm_global.description_size > 1000);
    wm_test_reset();
}

static void strings_are_compared_to_the_last_byte(void) {
    const char text[] = "a text of several words of eight bytes";
    char other[sizeof text];
    for (uint32_t size = 0; size < sizeof text; size++) {
        memcpy(other, text, sizeof text);
        WM_CHECK(wm_equal(wm_string_of(text, size), wm_string_of(other, size)));
        WM_CHECK(!wm_equal(wm_string_of(text, size), wm_string_of(other, size + 1)));
        for (uint32_t at = 0; at < size; at++) {
            other[at] ^= 1;
            WM_CHECK(!wm_equal(wm_string_of(text, size), wm_string_of(other, size)));
            other[at] ^= 1;
        }
    }
    WM_CHECK(!wm_equal(wm_string_of(NULL, 0), wm_string_of(text, 0)));
}

int main(void) {
    WM_RUN(a_message_is_written_as_the_host_writes_it);
    WM_RUN(each_type_is_read);
    WM_RUN(time_kind_origin_and_group_are_read);
    WM_RUN(no_rows_emit_nothing);
    WM_RUN(words_are_emitted_with_their_rows);
    WM_RUN(side_outputs_and_failures);
    WM_RUN(failures_alone_are_sent_too);
    WM_RUN(event_time_is_read_and_written);
    WM_RUN(an_operator_may_refuse);
    WM_RUN(columns_are_emitted_at_once);
    WM_RUN(an_assertion_reaches_the_host);
    WM_RUN(lines_are_logged);
    WM_RUN(an_aggregate_adds_merges_and_ends);
    WM_RUN(a_string_may_be_an_accumulator);
    WM_RUN(a_large_output_is_sent_in_parts);
    WM_RUN(a_batch_of_long_strings_is_sent_in_parts);
    WM_RUN(texts_are_formatted);
    WM_RUN(strings_are_compared_to_the_last_byte);
    WM_RUN(lists_of_arrays_are_written);
    WM_RUN(a_wrong_emit_is_a_bug);
    WM_RUN(the_description_stays_as_it_is);
    wm_test_reset();
    return wm_test_done();
}
