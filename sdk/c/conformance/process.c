// Copyright The wasmill Authors
// SPDX-License-Identifier: Apache-2.0

// The operators with state of ../../../abi/conformance/README.md.
#include "wasmill_state.h"

#define IS(text, literal) wm_equal(text, WM_STR(literal))

// ledger: a value of each key.

#define POSTING(F)                    \
    F(string, account, key, "")       \
    F(int64, amount, nullable, "Null closes the account")
WM_ROW(posting, POSTING)
#define BALANCE(F)                    \
    F(int64, sum, required, "")       \
    F(int64, count, required, "")
WM_ROW(balance, BALANCE)
#define CLOSED(F)                     \
    F(string, account, required, "")  \
    F(int64, sum, required, "")
WM_ROW(closed, CLOSED)

WM_VALUE_STATE(balances, "balance", balance)

enum { LEDGER, LEDGER_CLOSED }; // outputs

static void check_overdrawn(const balance *b, uint32_t row) {
    if (b->sum < 0) wm_fail_row(row, "overdrawn: %lld", (long long)b->sum);
}

static void ledger_process(const wm_batch *in) {
    posting_columns columns = posting_of(in);
    for (uint32_t row = 0; row < in->rows; row++) {
        posting p = posting_at(&columns, row);
        uint32_t key = in->group[row];
        if (!p.amount.has) {
            const balance *b = balances_get(key);
            if (b != NULL) closed_emit(LEDGER_CLOSED, row, (closed){p.account, b->sum});
            balances_clear(key);
            continue;
        }
        balance *b = balances_update(key);
        b->sum += p.amount.value;
        b->count++;
        balance_emit(LEDGER, row, *b);
        check_overdrawn(b, row);
    }
}

const wm_operator ledger_operator = {
    .name = "ledger",
    .doc = "Balances of accounts.",
    .inputs = {WM_INPUT("", posting, 0, ledger_process)},
    .outputs = {WM_PORT("", balance, WM_FORWARD), WM_PORT("closed", closed, 0)},
    .states = {&balances},
};

// ledger_bulk: the same, on the array of all values.

static void ledger_bulk_process(const wm_batch *in) {
    posting_columns columns = posting_of(in);
    const int64_t *amounts = columns.amount.values;
    balance *all = balances_values();
    for (uint32_t row = 0; row < in->rows; row++) {
        uint32_t key = in->group[row];
        balance *b = &all[key];
        if (wm_null_at(&columns.amount, row)) {
            if (balances_get(key) != NULL) closed_emit(LEDGER_CLOSED, row, (closed){posting_at(&columns, row).account, b->sum});
            balances_clear(key);
            continue;
        }
        b->sum += amounts[row];
        b->count++;
        balances_put(key);
        balance_emit(LEDGER, row, *b);
        check_overdrawn(b, row);
    }
}

const wm_operator ledger_bulk_operator = {
    .name = "ledger_bulk",
    .doc = "Balances of accounts, by the batch.",
    .inputs = {WM_INPUT("", posting, 0, ledger_bulk_process)},
    .outputs = {WM_PORT("", balance, WM_FORWARD), WM_PORT("closed", closed, 0)},
    .states = {&balances},
};

// collect: a list, a map and a reducing state.

#define COLLECT(F)                    \
    F(int64, id, key, "")             \
    F(string, op, required, "")       \
    F(string, name, nullable, "")     \
    F(int64, at, nullable, "")        \
    F(int64, n, nullable, "")         \
    F(string, to, nullable, "")
WM_ROW(collect_order, COLLECT)
#define ITEM(F)                       \
    F(string, name, nullable, "")     \
    F(int64, n, nullable, "")
WM_ROW(item, ITEM)
#define PLACE(F)                      \
    F(string, name, nullable, "")     \
    F(int64, at, nullable, "")
WM_ROW(place, PLACE)
#define ENTRY(F) F(int64, n, nullable, "")
WM_ROW(entry, ENTRY)
#define SUMMARY(F)                    \
    F(int64, added, add, "")          \
    F(int64, least, min, "")          \
    F(string, most, max, "")          \
    F(string, text, append, "")
WM_ROW(summary, SUMMARY)
#define FOUND(F)                      \
    F(string, op, required, "")       \
    F(string, name, nullable, "")     \
    F(int64, at, nullable, "")        \
    F(int64, n, nullable, "")
WM_ROW(found, FOUND)

WM_LIST_STATE(items, "items", item)
WM_MAP_STATE(entries, "entries", place, entry)
WM_REDUCING_STATE(sums, "sums", summary)

enum { COLLECT_FOUND, COLLECT_SUMS }; // outputs

static void collect_entries(uint32_t row, uint32_t key, const collect_order *o) {
    place at = {o->name, o->at}, to = {.name = o->to};
    bool from_some = o->name.data != NULL, to_some = o->to.data != NULL;
    entries_scan scan;
    if (IS(o->op, "prefix") && from_some) scan = entries_prefix(key, at, 1);
    else if (IS(o->op, "range") && from_some && to_some) scan = entries_range(key, at, to);
    else if (IS(o->op, "range") && from_some) scan = entries_from(key, at);
    else if (IS(o->op, "range") && to_some) scan = entries_to(key, to);
    else scan = entries_all(key);
    entry e;
    while (entries_next(&scan, &at, &e)) found_emit(COLLECT_FOUND, row, (found){o->op, at.name, at.at, e.n});
}

static void collect_row(uint32_t row, uint32_t key, const collect_order *o) {
    place at = {o->name, o->at};
    bool fail = IS(o->op, "fail");
    if (fail || IS(o->op, "append")) items_append(key, (item){o->name, o->n});
    if (fail || IS(o->op, "put")) entries_put(key, at, (entry){o->n});
    if (fail || IS(o->op, "add")) sums_add(key, (summary){o->n, o->n, o->name, o->name});
    if (fail) {
        wm_fail_row(row, "failed: %.*s", WM_ARG(o->name));
    } else if (IS(o->op, "items")) {
        item i;
        for (items_scan scan = items_all(key); items_next(&scan, &i);) found_emit(COLLECT_FOUND, row, (found){.op = o->op, .name = i.name, .n = i.n});
    } else if (IS(o->op, "clear_items")) {
        items_clear(key);
    } else if (IS(o->op, "get")) {
        const entry *e = entries_get(key, at);
        if (e != NULL) found_emit(COLLECT_FOUND, row, (found){o->op, o->name, o->at, e->n});
    } else if (IS(o->op, "remove")) {
        entries_remove(key, at);
    } else if (IS(o->op, "clear_entries")) {
        entries_clear(key);
    } else if (IS(o->op, "entries") || IS(o->op, "range") || IS(o->op, "prefix")) {
        collect_entries(row, key, o);
    } else if (IS(o->op, "sums")) {
        const summary *s = sums_get(key);
        if (s != NULL) summary_emit(COLLECT_SUMS, row, *s);
    } else if (IS(o->op, "clear_sums")) {
        sums_clear(key);
    } else if (!IS(o->op, "append") && !IS(o->op, "put") && !IS(o->op, "add")) {
        wm_fail_row(row, "unknown op: %.*s", WM_ARG(o->op));
    }
}

static void collect_process(const wm_batch *in) {
    collect_order_columns columns = collect_order_of(in);
    for (uint32_t row = 0; row < in->rows; row++) {
        collect_order o = collect_order_at(&columns, row);
        collect_row(row, in->group[row], &o);
    }
}

const wm_operator collect_operator = {
    .name = "collect",
    .doc = "A list, a map and a reducing state.",
    .inputs = {WM_INPUT("", collect_order, 0, collect_process)},
    .outputs = {WM_PORT("", found, 0), WM_PORT("sums", summary, 0)},
    .states = {&items, &entries, &sums},
};

// alarm: timers.

#define WAKE(F)                       \
    F(int64, id, key, "")             \
    F(string, op, required, "")       \
    F(timestamp, at, nullable, "")    \
    F(bytes, space, nullable, "")
WM_ROW(wake, WAKE)
#define RUNG(F)                       \
    F(int64, id, nullable, "")        \
    F(timestamp, at, nullable, "")    \
    F(bytes, space, nullable, "")     \
    F(int64, pending, required, "")   \
    F(int64, watermark, required, "")
WM_ROW(rung, RUNG)
#define COUNTED(F) F(int64, value, required, "")
WM_ROW(counted, COUNTED)
#define RING(F) WM_DUE(F) F(int64, id, required, "")
WM_ROW(ring, RING)

WM_VALUE_STATE(pending, "pending", counted)

enum { ALARM, ALARM_PROCESSING }; // outputs

static int64_t alarms(uint32_t key) {
    const counted *c = pending_get(key);
    return c == NULL ? 0 : c->value;
}

static void alarm_process(const wm_batch *in) {
    wake_columns columns = wake_of(in);
    for (uint32_t row = 0; row < in->rows; row++) {
        wake w = wake_at(&columns, row);
        uint32_t key = in->group[row];
        bool event = IS(w.op, "event"), processing = IS(w.op, "processing");
        if (event || processing) {
            wm_set_timer(event ? WM_EVENT_TIME : WM_PROCESSING_TIME, key, w.at.value, w.space);
            pending_update(key)->value++;
        } else if (IS(w.op, "cancel_event")) {
            wm_delete_timer(WM_EVENT_TIME, key, w.at.value, w.space);
        } else if (IS(w.op, "cancel_processing")) {
            wm_delete_timer(WM_PROCESSING_TIME, key, w.at.value, w.space);
        } else if (IS(w.op, "count")) {
            rung_emit(ALARM, row, (rung){.id = {true, w.id}, .pending = alarms(key), .watermark = wm_watermark()});
        } else {
            wm_fail_row(row, "unknown op: %.*s", WM_ARG(w.op));
        }
    }
}

static void alarm_timer(const wm_batch *due) {
    ring_columns columns = ring_of(due);
    wm_clock clock = wm_clock_of(due);
    for (uint32_t row = 0; row < due->rows; row++) {
        ring r = ring_at(&columns, row);
        uint32_t key = due->group[row];
        rung_emit(clock == WM_EVENT_TIME ? ALARM : ALARM_PROCESSING, row,
                  (rung){{true, r.id}, {true, r.time}, r.space, alarms(key), wm_watermark()});
        if (IS(r.space, "again")) {
            wm_set_timer(clock, key, r.time + WM_SECOND, WM_STR(""));
        } else if (IS(r.space, "stop")) {
            pending_clear(key);
        } else if (IS(r.space, "fail")) {
            pending_set(key, (counted){-1});
            wm_fail_row(row, "timer failed");
        }
    }
}

const wm_operator alarm_operator = {
    .name = "alarm",
    .doc = "Timers.",
    .inputs = {WM_INPUT("", wake, 0, alarm_process)},
    .outputs = {WM_PORT("", rung, 0), WM_PORT("processing", rung, 0)},
    .states = {&pending},
    .timer = alarm_timer,
};

// forget: state with a time to live.

#define MEMO(F)                       \
    F(int64, id, key, "")             \
    F(string, op, required, "")       \
    F(int64, n, nullable, "")
WM_ROW(memo, MEMO)
#define MEMORY(F)                     \
    F(int64, created, nullable, "")   \
    F(int64, written, nullable, "")   \
    F(int64, used, nullable, "")      \
    F(int64, by_event, nullable, "")  \
    F(int64, items, required, "")     \
    F(int64, entries, required, "")
WM_ROW(memory, MEMORY)
#define NOTED(F) F(int64, value, nullable, "")
WM_ROW(noted, NOTED)
#define NOTE_KEY(F) F(int64, key, nullable, "")
WM_ROW(note_key, NOTE_KEY)

WM_VALUE_STATE(created, "created", noted, .ttl = 10 * WM_SECOND)
WM_VALUE_STATE(written, "written", noted, .ttl = 10 * WM_SECOND, .renew = WM_RENEW_WRITE)
WM_VALUE_STATE(used, "used", noted, .ttl = 10 * WM_SECOND, .renew = WM_RENEW_READ)
WM_VALUE_STATE(by_event, "by_event", noted, .ttl = 10 * WM_SECOND, .renew = WM_RENEW_WRITE, .event_time = true)
WM_LIST_STATE(notes, "items", noted, .ttl = 10 * WM_SECOND, .renew = WM_RENEW_CREATE)
WM_MAP_STATE(noted_by, "entries", note_key, noted, .ttl = 10 * WM_SECOND, .renew = WM_RENEW_WRITE)

static wm_int64_opt noted_or_null(const noted *n) { return n == NULL ? (wm_int64_opt){.has = false} : n->value; }

static memory remembered(uint32_t key) {
    memory m = {noted_or_null(created_get(key)), noted_or_null(written_get(key)), noted_or_null(used_get(key)), noted_or_null(by_event_get(key)), 0, 0};
    noted n;
    note_key k;
    for (notes_scan scan = notes_all(key); notes_next(&scan, &n);) m.items++;
    for (noted_by_scan scan = noted_by_all(key); noted_by_next(&scan, &k, &n);) m.entries++;
    return m;
}

static void forget_process(const wm_batch *in) {
    memo_columns columns = memo_of(in);
    for (uint32_t row = 0; row < in->rows; row++) {
        memo m = memo_at(&columns, row);
        uint32_t key = in->group[row];
        noted n = {m.n};
        if (IS(m.op, "set")) {
            created_set(key, n);
            written_set(key, n);
            used_set(key, n);
            by_event_set(key, n);
            notes_append(key, n);
            noted_by_put(key, (note_key){m.n}, n);
        } else if (IS(m.op, "read")) {
            memory_emit(0, row, remembered(key));
        } else {
            wm_fail_row(row, "unknown op: %.*s", WM_ARG(m.op));
        }
    }
}

const wm_operator forget_operator = {
    .name = "forget",
    .doc = "State with a time to live.",
    .inputs = {WM_INPUT("", memo, 0, forget_process)},
    .outputs = {WM_PORT("", memory, 0)},
    .states = {&created, &written, &used, &by_event, &notes, &noted_by},
};

// rules: two keyed inputs and a broadcast one.

#define SALE(F)                       \
    F(int64, id, key, "")             \
    F(string, name, required, "")     \
    F(int64, amount, required, "")
WM_ROW(sale, SALE)
#define PAYMENT(F) F(int64, id, key, "")
WM_ROW(payment, PAYMENT)
#define RULE(F)                       \
    F(string, name, required, "")     \
    F(int64, limit, nullable, "Null removes it")
WM_ROW(rule, RULE)
#define SOLD(F)                       \
    F(string, name, required, "")     \
    F(int64, amount, required, "")
WM_ROW(sold, SOLD)
#define PAID(F)                       \
    F(int64, id, required, "")        \
    F(string, name, required, "")     \
    F(int64, amount, required, "")
WM_ROW(paid, PAID)
#define KNOWN(F)                      \
    F(string, name, required, "")     \
    F(int64, limit, nullable, "")
WM_ROW(known, KNOWN)
#define RULE_KEY(F) F(string, key, required, "")
WM_ROW(rule_key, RULE_KEY)
#define RULE_NAME(F) F(string, value, required, "")
WM_ROW(rule_name, RULE_NAME)

WM_LIST_STATE(unpaid, "open", sold)
WM_MAP_STATE(limits, "limits", rule_key, counted, .scope = WM_SCOPE_BROADCAST)
WM_LIST_STATE(names, "names", rule_name, .scope = WM_SCOPE_OPERATOR)

enum { RULES_PAID, RULES_KNOWN }; // outputs

static void rules_orders(const wm_batch *in) {
    sale_columns columns = sale_of(in);
    for (uint32_t row = 0; row < in->rows; row++) {
        sale s = sale_at(&columns, row);
        unpaid_append(in->group[row], (sold){s.name, s.amount});
        const counted *limit = limits_get(0, (rule_key){s.name});
        if (limit != NULL && limit->value < s.amount) wm_fail_row(row, "over the limit of %lld: %lld", (long long)limit->value, (long long)s.amount);
    }
}

static void rules_payments(const wm_batch *in) {
    payment_columns columns = payment_of(in);
    for (uint32_t row = 0; row < in->rows; row++) {
        payment p = payment_at(&columns, row);
        sold s;
        for (unpaid_scan scan = unpaid_all(in->group[row]); unpaid_next(&scan, &s);) paid_emit(RULES_PAID, row, (paid){p.id, s.name, s.amount});
        unpaid_clear(in->group[row]);
    }
}

static void emit_rules(uint32_t row) {
    rule_name name;
    rule_key key;
    counted limit;
    for (names_scan scan = names_all(0); names_next(&scan, &name);) known_emit(RULES_KNOWN, row, (known){.name = name.value});
    for (limits_scan scan = limits_all(0); limits_next(&scan, &key, &limit);) known_emit(RULES_KNOWN, row, (known){key.key, {true, limit.value}});
}

static void rules_rules(const wm_batch *in) {
    rule_columns columns = rule_of(in);
    for (uint32_t row = 0; row < in->rows; row++) {
        rule r = rule_at(&columns, row);
        if (IS(r.name, "?")) {
            emit_rules(row);
            continue;
        }
        if (r.limit.has) limits_put(0, (rule_key){r.name}, (counted){r.limit.value});
        else limits_remove(0, (rule_key){r.name});
        names_append(0, (rule_name){r.name});
    }
}

const wm_operator rules_operator = {
    .name = "rules",
    .doc = "Two keyed inputs and a broadcast one.",
    .inputs = {WM_INPUT("orders", sale, 0, rules_orders), WM_INPUT("payments", payment, 0, rules_payments),
               WM_INPUT("rules", rule, WM_BROADCAST, rules_rules)},
    .outputs = {WM_PORT("", paid, 0), WM_PORT("known", known, 0)},
    .states = {&unpaid, &limits, &names},
};
