// Copyright The wasmill Authors
// SPDX-License-Identifier: Apache-2.0

// Tests of state and timers, by the conformance module's operators and by some of their own, against a naive model where
// the order of things is random. Run it in sdk/c: make test
#include "../conformance/process.c"
#include "wasmill_test.h"

static wm_string text(const char *s) { return wm_string_of(s, (uint32_t)strlen(s)); }

static void post(const char *account, int64_t amount) { posting_append(wm_test_input(), (posting){text(account), {true, amount}}); }

static void check_balance(const wm_batch *out, uint32_t row, int64_t sum, int64_t count, uint32_t origin) {
    balance_columns columns = balance_of(out);
    balance b = balance_at(&columns, row);
    WM_CHECK(b.sum == sum && b.count == count);
    WM_CHECK(wm_test_origin(out, row) == origin);
}

static void check_ledger(const wm_operator *op) {
    wm_test_config(op);
    WM_CHECK(wm_test_open());
    post("a", 5);
    post("b", 7);
    post("a", -6); // fails, and leaves nothing
    post("a", 1);
    posting_append(wm_test_input(), (posting){.account = WM_STR("c")}); // there is none
    WM_CHECK(wm_test_process());
    wm_batch out = wm_test_emitted(LEDGER);
    WM_CHECK(out.rows == 3);
    check_balance(&out, 0, 5, 1, 0);
    check_balance(&out, 1, 7, 1, 1);
    check_balance(&out, 2, 6, 2, 3);
    WM_CHECK_TEXT(wm_test_failure(2), "overdrawn: -1");
    WM_CHECK(wm_test_failure(3).data == NULL && wm_test_emitted(LEDGER_CLOSED).rows == 0);
    posting_append(wm_test_input(), (posting){.account = WM_STR("a")});
    post("a", 2);
    post("b", 1);
    WM_CHECK(wm_test_process());
    out = wm_test_emitted(LEDGER);
    check_balance(&out, 0, 2, 1, 1);
    check_balance(&out, 1, 8, 2, 2);
    out = wm_test_emitted(LEDGER_CLOSED);
    closed_columns columns = closed_of(&out);
    WM_CHECK(out.rows == 1 && closed_at(&columns, 0).sum == 6);
    WM_CHECK_TEXT(closed_at(&columns, 0).account, "a");
}

static void values_are_kept_by_key(void) {
    check_ledger(&ledger_operator);
    check_ledger(&ledger_bulk_operator);
}

static void values_of_many_keys_are_kept_as_batches_grow(void) {
    wm_test_config(&ledger_operator);
    WM_CHECK(wm_test_open());
    int64_t sums[1000] = {0};
    const int sizes[] = {1, 70, 3, 1000, 129};
    for (int i = 0; i < 5; i++) {
        for (int key = 0; key < sizes[i]; key++) posting_append(wm_test_input(), (posting){wm_format("%d", key), {true, 1 + key % 7}});
        WM_CHECK(wm_test_process());
        wm_batch out = wm_test_emitted(LEDGER);
        balance_columns columns = balance_of(&out);
        for (int key = 0; key < sizes[i]; key++) WM_CHECK(balance_at(&columns, (uint32_t)key).sum == (sums[key] += 1 + key % 7));
    }
}

static void memory_is_kept_from_call_to_call(void) {
    wm_test_config(&collect_operator);
    WM_CHECK(wm_test_open());
    const void *before[6];
    for (int call = 0; call < 6; call++) {
        for (int i = 0; i < 300; i++) {
            const char *const ops[] = {"append", "put", "get", "add", "items", "clear_items"};
            collect_order_append(wm_test_input(), (collect_order){i % 40, text(ops[i % 6]), WM_STR("a name"), {true, i % 5}, {true, i}, {NULL, 0}});
        }
        WM_CHECK(wm_test_process());
        const void *now[] = {wm_global.temp, entries.entries, entries.table, entries.puts.origin, items.puts.columns[0].values, sums.puts.columns};
        if (call > 2) WM_CHECK(memcmp(before, now, sizeof now) == 0);
        memcpy(before, now, sizeof now);
    }
}

// A model of collect's list and map of a few keys.
enum { MODEL_KEYS = 3, MODEL_PLACES = 12, MODEL_ITEMS = 2000 };

typedef struct {
    bool has[MODEL_KEYS][MODEL_PLACES];
    int64_t n[MODEL_KEYS][MODEL_PLACES];
    int64_t list[MODEL_KEYS][MODEL_ITEMS];
    int items[MODEL_KEYS];
} model;

static uint64_t random_state;

static uint32_t random_below(uint32_t n) {
    random_state = wm_hash_(random_state, 1);
    return (uint32_t)(random_state >> 16) % n;
}

// model_place returns the key of a map with a number, in order: a null, then names of which one begins with the other.
static place model_place(int number) {
    static const wm_string names[] = {{NULL, 0}, {"", 0}, {"a", 1}, {"ab", 2}};
    return (place){names[number / 3], {number % 3 > 0, number % 3}};
}

static char want_text[1 << 20];
static size_t want_size;

static void want(uint32_t row, wm_string name, wm_int64_opt at, wm_int64_opt n) {
    want_size += (size_t)snprintf(want_text + want_size, sizeof want_text - want_size, "%u %d %.*s %d %lld %d %lld\n", row, name.data != NULL, (int)name.size,
                                  name.data ? name.data : "", at.has, at.has ? (long long)at.value : 0, n.has, n.has ? (long long)n.value : 0);
}

static void want_entries(const model *m, uint32_t row, int key, int from, int to) {
    for (int p = from; p < to; p++) {
        if (m->has[key][p]) want(row, model_place(p).name, model_place(p).at, (wm_int64_opt){true, m->n[key][p]});
    }
}

// random_row appends a row to the input and does in the model what it shall do.
static void random_row(model *m, uint32_t row) {
    int key = (int)random_below(MODEL_KEYS), at = (int)random_below(MODEL_PLACES), to = (int)random_below(4) * 3;
    int64_t n = random_below(1000);
    place p = model_place(at);
    collect_order o = {.id = key, .name = p.name, .at = p.at, .n = {true, n}};
    switch (random_below(11)) {
    case 0: case 1: case 2:
        o.op = WM_STR("put");
        m->has[key][at] = true;
        m->n[key][at] = n;
        break;
    case 3: case 4:
        o.op = WM_STR("get");
        if (m->has[key][at]) want_entries(m, row, key, at, at + 1);
        break;
    case 5:
        o.op = WM_STR("remove");
        m->has[key][at] = false;
        break;
    case 6:
        o.op = WM_STR("append");
        m->list[key][m->items[key]++] = n;
        break;
    case 7:
        o.op = WM_STR("items");
        for (int i = 0; i < m->items[key]; i++) want(row, WM_STR("x"), (wm_int64_opt){false, 0}, (wm_int64_opt){true, m->list[key][i]});
        break;
    case 8:
        o.op = WM_STR("range");
        if (to > 0) o.to = model_place(to).name;
        want_entries(m, row, key, o.name.data != NULL ? at : 0, o.to.data != NULL ? to : MODEL_PLACES);
        break;
    case 9:
        o.op = WM_STR("prefix");
        want_entries(m, row, key, o.name.data == NULL ? 0 : (at / 3) * 3, MODEL_PLACES);
        break;
    default:
        o.op = random_below(4) == 0 ? WM_STR("clear_entries") : WM_STR("fail");
        if (!wm_equal(o.op, WM_STR("fail"))) memset(m->has[key], 0, sizeof m->has[key]);
    }
    if (wm_equal(o.op, WM_STR("append"))) o.name = WM_STR("x");
    collect_order_append(wm_test_input(), o);
}

static void check_found(void) {
    static char got_text[sizeof want_text];
    size_t size = 0;
    wm_batch out = wm_test_emitted(COLLECT_FOUND);
    found_columns columns = found_of(&out);
    got_text[0] = want_text[want_size] = 0;
    for (uint32_t row = 0; row < out.rows; row++) {
        found f = found_at(&columns, row);
        size += (size_t)snprintf(got_text + size, sizeof got_text - size, "%u %d %.*s %d %lld %d %lld\n", wm_test_origin(&out, row), f.name.data != NULL,
                                 (int)f.name.size, f.name.data ? f.name.data : "", f.at.has, f.at.has ? (long long)f.at.value : 0, f.n.has, f.n.has ? (long long)f.n.value : 0);
    }
    WM_CHECK(strcmp(got_text, want_text) == 0);
}

static void lists_and_maps_are_as_a_model_of_them(void) {
    for (uint64_t seed = 1; seed <= 40; seed++) {
        model m = {.items = {0}};
        int before = wm_test.failures;
        random_state = seed;
        wm_test_config(&collect_operator);
        WM_CHECK(wm_test_open());
        for (int call = 0; call < 30; call++) {
            want_size = 0;
            for (uint32_t row = 0, rows = 1 + random_below(30); row < rows; row++) random_row(&m, row);
            WM_CHECK(wm_test_process());
            check_found();
        }
        if (before != wm_test.failures) fprintf(stderr, "with seed %d\n", (int)seed);
    }
}

static void what_is_added_is_merged(void) {
    wm_test_config(&collect_operator);
    WM_CHECK(wm_test_open());
    collect_order_append(wm_test_input(), (collect_order){.id = 1, .op = WM_STR("sums")}); // there are none
    collect_order_append(wm_test_input(), (collect_order){.id = 1, .op = WM_STR("add"), .name = WM_STR("b"), .n = {true, 5}});
    collect_order_append(wm_test_input(), (collect_order){.id = 1, .op = WM_STR("add"), .name = WM_STR("a"), .n = {true, 3}});
    collect_order_append(wm_test_input(), (collect_order){.id = 2, .op = WM_STR("add"), .n = {true, 9}});
    collect_order_append(wm_test_input(), (collect_order){.id = 1, .op = WM_STR("add"), .name = WM_STR("lost"), .n = {.has = false}});
    collect_order_append(wm_test_input(), (collect_order){.id = 1, .op = WM_STR("sums")});
    WM_CHECK(wm_test_process());
    wm_batch out = wm_test_emitted(COLLECT_SUMS);
    summary_columns columns = summary_of(&out);
    WM_CHECK(out.rows == 1);
    summary s = summary_at(&columns, 0);
    WM_CHECK(s.added.value == 8 && s.least.value == 3);
    WM_CHECK_TEXT(s.most, "lost");
    WM_CHECK_TEXT(s.text, "balost");
    collect_order_append(wm_test_input(), (collect_order){.id = 1, .op = WM_STR("clear_sums")});
    collect_order_append(wm_test_input(), (collect_order){.id = 1, .op = WM_STR("sums")});
    collect_order_append(wm_test_input(), (collect_order){.id = 2, .op = WM_STR("sums")});
    WM_CHECK(wm_test_process());
    out = wm_test_emitted(COLLECT_SUMS);
    columns = summary_of(&out);
    WM_CHECK(out.rows == 1 && wm_test_origin(&out, 0) == 2 && summary_at(&columns, 0).most.data == NULL);
}

static void wake_at_time(int64_t id, const char *op, int64_t at, const char *space) {
    wake_append(wm_test_input(), (wake){id, text(op), {true, at}, text(space)});
}

static void check_rung(uint32_t output, uint32_t row, int64_t id, int64_t at, const char *space, int64_t count) {
    wm_batch out = wm_test_emitted(output);
    rung_columns columns = rung_of(&out);
    WM_CHECK(row < out.rows);
    if (row >= out.rows) return;
    rung r = rung_at(&columns, row);
    WM_CHECK(r.id.value == id && r.at.value == at && r.pending == count);
    WM_CHECK_TEXT(r.space, space);
}

static void timers_are_due_in_order_with_their_key(void) {
    wm_test_config(&alarm_operator);
    WM_CHECK(wm_test_open());
    wake_at_time(1, "event", 30, "");
    wake_at_time(2, "event", 20, "again");
    wake_at_time(1, "event", 10, "a");
    wake_at_time(1, "event", 10, "a"); // the same one
    wake_at_time(1, "event", 15, "");
    wake_at_time(1, "cancel_event", 15, "");
    wake_at_time(3, "processing", 5, "stop");
    wake_at_time(4, "event", 25, "fail");
    WM_CHECK(wm_test_process());
    WM_CHECK(wm_test_advance_watermark(9) && wm_test_emitted(ALARM).rows == 0);
    WM_CHECK(wm_test_advance_watermark(25));
    WM_CHECK(wm_test_emitted(ALARM).rows == 2);
    check_rung(ALARM, 0, 1, 10, "a", 4);
    check_rung(ALARM, 1, 2, 20, "again", 1);
    WM_CHECK_TEXT(wm_test_failure(2), "timer failed");
    WM_CHECK(wm_test_advance_clock(5) && wm_test_emitted(ALARM_PROCESSING).rows == 1);
    check_rung(ALARM_PROCESSING, 0, 3, 5, "stop", 1);
    wake_append(wm_test_input(), (wake){.id = 3, .op = WM_STR("count")});
    wake_append(wm_test_input(), (wake){.id = 4, .op = WM_STR("count")});
    WM_CHECK(wm_test_process());
    wm_batch out = wm_test_emitted(ALARM);
    rung_columns columns = rung_of(&out);
    WM_CHECK(rung_at(&columns, 0).pending == 0 && rung_at(&columns, 0).space.data == NULL && rung_at(&columns, 1).pending == 1 && rung_at(&columns, 1).watermark == 25);
    WM_CHECK(wm_test_advance_watermark(INT64_MAX) && wm_test_emitted(ALARM).rows == 2);
    check_rung(ALARM, 0, 1, 30, "", 4);
    check_rung(ALARM, 1, 2, 20 + WM_SECOND, "", 1);
}

static memory remember(int64_t id) {
    memo_append(wm_test_input(), (memo){.id = id, .op = WM_STR("read")});
    WM_CHECK(wm_test_process());
    wm_batch out = wm_test_emitted(0);
    memory_columns columns = memory_of(&out);
    return memory_at(&columns, 0);
}

static void state_is_forgotten_when_its_time_is_over(void) {
    wm_test_config(&forget_operator);
    WM_CHECK(wm_test_open());
    memo_append(wm_test_input(), (memo){1, WM_STR("set"), {true, 4}});
    WM_CHECK(wm_test_process());
    WM_CHECK(wm_test_advance_clock(6 * WM_SECOND));
    memo_append(wm_test_input(), (memo){1, WM_STR("set"), {true, 5}});
    WM_CHECK(wm_test_process());
    WM_CHECK(wm_test_advance_clock(10 * WM_SECOND));
    memory m = remember(1);
    WM_CHECK(!m.created.has && m.written.value == 5 && m.used.value == 5 && m.by_event.value == 5 && m.items == 1 && m.entries == 1);
    WM_CHECK(wm_test_advance_clock(16 * WM_SECOND) && wm_test_advance_watermark(0));
    m = remember(1);
    WM_CHECK(!m.written.has && m.used.value == 5 && m.by_event.value == 5 && m.items == 0 && m.entries == 0);
    WM_CHECK(wm_test_advance_watermark(10 * WM_SECOND));
    m = remember(1);
    WM_CHECK(m.used.has && !m.by_event.has);
}

static void inputs_share_state_and_rules_are_broadcast(void) {
    wm_test_config(&rules_operator);
    WM_CHECK(wm_test_open());
    rule_append(wm_test_input_of(2), (rule){WM_STR("tea"), {true, 10}});
    rule_append(wm_test_input_of(2), (rule){WM_STR("?"), {.has = false}});
    WM_CHECK(wm_test_process_input(2));
    wm_batch out = wm_test_emitted(RULES_KNOWN);
    known_columns rules = known_of(&out);
    WM_CHECK(out.rows == 2 && !known_at(&rules, 0).limit.has && known_at(&rules, 1).limit.value == 10);
    sale_append(wm_test_input(), (sale){1, WM_STR("tea"), 12});
    sale_append(wm_test_input(), (sale){1, WM_STR("tea"), 3});
    WM_CHECK(wm_test_process());
    WM_CHECK_TEXT(wm_test_failure(0), "over the limit of 10: 12");
    payment_append(wm_test_input_of(1), (payment){2});
    payment_append(wm_test_input_of(1), (payment){1});
    payment_append(wm_test_input_of(1), (payment){1});
    WM_CHECK(wm_test_process_input(1));
    out = wm_test_emitted(RULES_PAID);
    paid_columns columns = paid_of(&out);
    WM_CHECK(out.rows == 1 && wm_test_origin(&out, 0) == 1 && paid_at(&columns, 0).amount == 3);
}

// misuse does with state what row.name says and must not.

WM_VALUE_STATE(unlisted, "unlisted", counted)

static void misuse_keyed(const wm_batch *in) {
    sale_columns columns = sale_of(in);
    wm_string name = sale_at(&columns, 0).name;
    if (IS(name, "broadcast")) limits_put(0, (rule_key){name}, (counted){1});
    if (IS(name, "key")) pending_update(7);
    if (IS(name, "unlisted")) unlisted_get(0);
}

static void misuse_broadcast(const wm_batch *in) {
    rule_columns columns = rule_of(in);
    if (IS(rule_at(&columns, 0).name, "timer")) wm_set_timer(WM_EVENT_TIME, 0, 0, WM_STR(""));
    else pending_get(0);
}

static const wm_operator misuse_operator = {
    .name = "misuse",
    .inputs = {WM_INPUT("", sale, 0, misuse_keyed), WM_INPUT("rules", rule, WM_BROADCAST, misuse_broadcast)},
    .outputs = {WM_PORT("", paid, 0)},
    .states = {&limits, &pending},
};

static void a_misuse_of_state_is_a_bug(void) {
    const char *const cases[][2] = {
        {"broadcast", "state limits is broadcast: only rows of a broadcast input may write it, so that it is the same on each subtask"},
        {"key", "state pending: there is no key number 7 in a call with 1 keys"},
        {"unlisted", "state unlisted is not among the states of the operator"},
        {"timer", "a timer belongs to a key, and there is none here: only rows of keyed inputs and timers have one"},
        {"keyed", "state pending is kept by key, and there is none here: only rows of keyed inputs and timers have one"},
    };
    for (uint32_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        wm_test_config(&misuse_operator);
        WM_CHECK(wm_test_open());
        if (i < 3) sale_append(wm_test_input(), (sale){1, text(cases[i][0]), 0});
        else rule_append(wm_test_input_of(1), (rule){.name = text(cases[i][0])});
        WM_CHECK(!wm_test_process_input(i < 3 ? 0 : 1));
        WM_CHECK_TEXT(text(wm_test.fail_text), cases[i][1]);
    }
}

// bulky has much state of one key or none.

#define BYTES(F) F(bytes, data, required, "")
WM_ROW(blob, BYTES)
#define NUMBERED(F) F(float64, number, required, "")
WM_ROW(numbered, NUMBERED)
WM_LIST_STATE(blobs, "blobs", blob)
WM_MAP_STATE(numbers, "numbers", numbered, counted, .scope = WM_SCOPE_OPERATOR)
WM_VALUE_STATE(last, "last", blob)

static void bulky_process(const wm_batch *in) {
    sale_columns columns = sale_of(in);
    for (uint32_t row = 0; row < in->rows; row++) {
        sale s = sale_at(&columns, row);
        uint32_t key = in->group[row];
        if (s.amount >= 0) {
            for (int64_t i = 0; i < s.amount; i++) numbers_update(0, (numbered){(double)i})->value++;
            blobs_append(key, (blob){s.name});
            last_set(key, (blob){s.name});
            continue;
        }
        int64_t bytes = 0;
        blob b;
        for (blobs_scan scan = blobs_all(key); blobs_next(&scan, &b);) bytes += b.data.size;
        blobs_scan begun = blobs_all(key);
        if (blobs_next(&begun, &b)) blobs_end(&begun);
        bytes += 1000000000 * (int64_t)last_get(key)->data.size;
        double nan = __builtin_nan("");
        numbers_put(0, (numbered){nan}, (counted){7});
        numbers_put(0, (numbered){-0.0}, (counted){8});
        paid_emit(0, row, (paid){bytes, s.name, numbers_get(0, (numbered){-nan})->value + numbers_get(0, (numbered){0.0})->value});
    }
}

static const wm_operator bulky_operator = {
    .name = "bulky",
    .inputs = {WM_INPUT("", sale, 0, bulky_process)},
    .outputs = {WM_PORT("", paid, 0)},
    .states = {&blobs, &numbers, &last},
};

static void much_state_travels_in_parts(void) {
    enum { BIG = 3 << 20 };
    char *big = malloc(BIG);
    memset(big, 'x', BIG);
    wm_test_config(&bulky_operator);
    WM_CHECK(wm_test_open());
    for (int i = 0; i < 5; i++) sale_append(wm_test_input(), (sale){i % 2, wm_string_of(big, BIG), 0});
    WM_CHECK(wm_test_process());
    sale_append(wm_test_input(), (sale){0, {NULL, 0}, -1});
    sale_append(wm_test_input(), (sale){1, {NULL, 0}, -1});
    WM_CHECK(wm_test_process());
    wm_batch out = wm_test_emitted(0);
    paid_columns columns = paid_of(&out);
    WM_CHECK(out.rows == 2 && paid_at(&columns, 0).id == 1000000000ll * BIG + 3 * BIG && paid_at(&columns, 1).id == 1000000000ll * BIG + 2 * BIG);
    WM_CHECK(paid_at(&columns, 0).amount == 15);
    free(big);
}

// fetcher counts by a map, whose entries it reads at once.

WM_MAP_STATE(by_name, "by_name", rule_key, counted)

static void fetcher_process(const wm_batch *in) {
    sale_columns columns = sale_of(in);
    rule_key *keys = (rule_key *)wm_temp(in->rows * sizeof *keys);
    for (uint32_t row = 0; row < in->rows; row++) keys[row].key = sale_at(&columns, row).name;
    by_name_fetch(in->group, keys, in->rows);
    for (uint32_t row = 0; row < in->rows; row++) {
        counted *c = by_name_update(in->group[row], keys[row]);
        c->value++;
        paid_emit(0, row, (paid){.amount = c->value});
    }
}

static const wm_operator fetcher_operator = {
    .name = "fetcher",
    .inputs = {WM_INPUT("", sale, 0, fetcher_process)},
    .outputs = {WM_PORT("", paid, 0)},
    .states = {&by_name},
};

static void entries_are_fetched_for_a_whole_batch(void) {
    wm_test_config(&fetcher_operator);
    WM_CHECK(wm_test_open());
    const struct { int64_t id; const char *name; int64_t want; } rows[] = {
        {1, "x", 1}, {2, "x", 1}, {1, "x", 2}, {1, "y", 1}, {0, NULL, 0}, {2, "x", 2}, {1, "x", 3}, {1, "z", 1}, {1, "x", 4}, {2, "", 1},
    };
    uint32_t first = 0;
    for (uint32_t i = 0; i <= sizeof rows / sizeof *rows; i++) {
        if (i < sizeof rows / sizeof *rows && rows[i].name != NULL) {
            sale_append(wm_test_input(), (sale){rows[i].id, text(rows[i].name), 0});
            continue;
        }
        WM_CHECK(wm_test_process());
        wm_batch out = wm_test_emitted(0);
        paid_columns columns = paid_of(&out);
        WM_CHECK(out.rows == i - first);
        for (uint32_t row = 0; row < out.rows; row++) WM_CHECK(paid_at(&columns, row).amount == rows[first + row].want);
        first = i + 1;
    }
}

static void a_map_that_forgets_its_entries_has_written_them(void) {
    wm_test_config(&bulky_operator);
    WM_CHECK(wm_test_open());
    wm_global.keyed = true;
    wm_test_store_.call_key_count = 0;
    bool done = setjmp(wm_test.failed) == 0;
    if (done) {
        numbers_put(0, (numbered){0.5}, (counted){3});
        for (int i = 0; i < 64; i++) numbers_put(0, (numbered){1000.0 + i}, (counted){i});
        wm_map_forget_(&numbers);
        WM_CHECK(numbers_get(0, (numbered){0.5})->value == 3 && numbers_get(0, (numbered){1063})->value == 63);
        WM_CHECK(numbers_get(0, (numbered){7}) == NULL);
    }
    WM_CHECK(done);
}

// golden returns a message of abi/testdata, which the caller frees.
static uint8_t *golden(const char *path) {
    FILE *file = fopen(path, "rb");
    if (file == NULL) {
        fprintf(stderr, "%s: run the test in sdk/c\n", path);
        exit(1);
    }
    uint8_t *data = malloc(1 << 16);
    if (fread(data, 1, 1 << 16, file) == 0) abort();
    fclose(file);
    return data;
}

static void messages_are_read_as_the_host_writes_them(void) {
    uint8_t *data = golden("../../abi/testdata/batch-state-answer.bin");
    wm_batch b = wm_batch_at(data);
    balance_columns balances_read = balance_of(&b);
    WM_CHECK(b.schema == WM_SCHEMA_STATE_ && b.rows == 3 && b.kind[1] == WM_KIND_DELETE_);
    WM_CHECK(balance_at(&balances_read, 0).sum == INT64_MAX && balance_at(&balances_read, 0).count == 3);
    free(data);
    data = golden("../../abi/testdata/batch-timers-due.bin");
    b = wm_batch_at(data);
    ring_columns rings = ring_of(&b);
    WM_CHECK(wm_clock_of(&b) == WM_EVENT_TIME && b.rows == 3 && b.group[2] == 2);
    WM_CHECK(ring_at(&rings, 0).time == -((int64_t)1 << 62) && ring_at(&rings, 1).id == -7 && ring_at(&rings, 1).space.size == 2);
    WM_CHECK_TEXT(ring_at(&rings, 2).space, "again");
    free(data);
}

static void what_lies_under_nulls_is_cleared(void) {
    uint8_t validity[] = {0x35};
    char texts[] = "onetwothreefour!";
    int32_t offsets[] = {0, 3, 6, 11, 11, 15, 16};
    int64_t values[] = {1, 2, 3, 4, 5, 6};
    const wm_out text_type = {.type = WM_TYPE_STRING}, number_type = {.type = WM_TYPE_INT64, .width = 8};
    wm_column c = {validity, offsets, texts, 6, 2}, n = {validity, NULL, values, 6, 2};
    const char *const want[] = {"one", "", "three", "", "four", "!"};
    wm_nulls_clear_(&c, &text_type);
    wm_nulls_clear_(&n, &number_type);
    for (uint32_t row = 0; row < 6; row++) {
        WM_CHECK_TEXT(wm_string_value_at(&c, row), want[row]);
        WM_CHECK(values[row] == (row == 1 || row == 3 ? 0 : row + 1));
    }
}

int main(void) {
    WM_RUN(messages_are_read_as_the_host_writes_them);
    WM_RUN(what_lies_under_nulls_is_cleared);
    WM_RUN(values_are_kept_by_key);
    WM_RUN(values_of_many_keys_are_kept_as_batches_grow);
    WM_RUN(memory_is_kept_from_call_to_call);
    WM_RUN(lists_and_maps_are_as_a_model_of_them);
    WM_RUN(what_is_added_is_merged);
    WM_RUN(timers_are_due_in_order_with_their_key);
    WM_RUN(state_is_forgotten_when_its_time_is_over);
    WM_RUN(inputs_share_state_and_rules_are_broadcast);
    WM_RUN(a_misuse_of_state_is_a_bug);
    WM_RUN(much_state_travels_in_parts);
    WM_RUN(entries_are_fetched_for_a_whole_batch);
    WM_RUN(a_map_that_forgets_its_entries_has_written_them);
    wm_test_reset();
    return wm_test_done();
}
