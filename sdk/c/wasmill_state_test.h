// Copyright The wasmill Authors
// SPDX-License-Identifier: Apache-2.0

// wasmill_state_test.h: the host's side of state and timers. wasmill_test.h includes it where the operator's source includes
// wasmill_state.h:
//
//     wm_test_config(&watch);
//     WM_CHECK(wm_test_open());
//     payment_append(wm_test_input(), (payment){...});       or wm_test_input_of(1), by input
//     WM_CHECK(wm_test_process());                           or wm_test_process_input(1)
//     WM_CHECK(wm_test_advance_watermark(2 * WM_HOUR));      or wm_test_advance_clock(time)
//     wm_batch out = wm_test_emitted(0);                     what came of the last of these
//
// It keeps the state by the operator's key (where the operator declares none, all rows have the same), takes back what failed rows
// have written, and fires timers. wm_test_origin and wm_test_failure number the timers that a call fired from 0.
//
// A row of a state is a batch of one row, which is never changed and stays until wm_test_reset, so that a copy of the
// array of rows is a snapshot.
#ifndef WASMILL_STATE_TEST_H
#define WASMILL_STATE_TEST_H

enum {
    WM_TEST_SCANS = 64,           // that may be open
    WM_TEST_SCAN_ROWS = 100,      // given at once: few, so that tests see several batches
    WM_TEST_TIMERS = 100,         // given at once
    WM_TEST_TIMER_CHAIN = 10000,  // that are due in turn, each set by the one before it
};

typedef struct wm_test_block_ {
    struct wm_test_block_ *next;
    uint32_t size;
} wm_test_block_; // bytes follow

typedef struct {
    const uint8_t *row; // a batch
    uint32_t state, key;
    int64_t stamp; // what its time to live counts from
} wm_test_row_;

typedef struct {
    wm_clock clock;
    int64_t time;
    uint32_t key;
    wm_string space;
} wm_test_timer_;

typedef struct {
    uint32_t state, count, at;
    const uint8_t **rows;
    bool open;
} wm_test_scan_;

typedef struct {
    wm_test_row_ *rows; // of all states; of a key in its order
    wm_test_timer_ *timers;
    uint32_t row_count, row_room, timer_count, timer_room;
    int64_t watermark, event_time; // event_time: by which rows are over; the watermark, but for the end of input
    wm_test_block_ *blocks;
    const wm_test_block_ **keys; // each a batch of one row
    uint32_t key_count, key_room;
    // Of the call at hand:
    uint32_t *call_keys; // keys by number
    uint32_t call_key_count, call_key_room;
    bool put;
    wm_test_scan_ scans[WM_TEST_SCANS];
    uint8_t *answer;
    uint32_t answer_size;
} wm_test_store_state_;
static wm_test_store_state_ wm_test_store_;

// wm_test_breach_ fails the operator for what no host would accept.
__attribute__((noreturn, format(printf, 1, 2))) WM_SLOW_ void wm_test_breach_(const char *format, ...) {
    char text[256];
    va_list args;
    va_start(args, format);
    vsnprintf(text, sizeof text, format, args);
    va_end(args);
    wm_fail_(1, wm_string_of(text, (uint32_t)strlen(text)));
}

// wm_test_grown_ returns an array with room for one element more.
WM_SLOW_ void *wm_test_grown_(void *array, uint32_t count, uint32_t *room, size_t size) {
    if (count < *room) return array;
    *room = *room == 0 ? 64 : 2 * *room;
    return realloc(array, *room * size);
}

// The harness writes messages with the guest's functions, and must leave the guest's own message as it is.
typedef struct {
    uint8_t *message;
    uint32_t room, input_rows;
} wm_test_guest_;

WM_FN_ wm_test_guest_ wm_test_leave_guest_(void) {
    wm_test_guest_ guest = {wm_global.message, wm_global.message_room, wm_global.input_rows};
    wm_global.message = NULL;
    wm_global.message_room = 0;
    return guest;
}

WM_FN_ void wm_test_enter_guest_(wm_test_guest_ guest) {
    free(wm_global.message);
    wm_global.message = guest.message;
    wm_global.message_room = guest.room;
    wm_global.input_rows = guest.input_rows;
}

// wm_test_keep_ writes the rows of an output as a message that stays until wm_test_reset, and gives back the output.
WM_SLOW_ const wm_test_block_ *wm_test_keep_(wm_output *o, uint32_t input_rows) {
    wm_test_guest_ guest = wm_test_leave_guest_();
    uint32_t failures = wm_global.failure_count;
    wm_global.failure_count = 0;
    wm_global.input_rows = input_rows;
    uint32_t size = wm_encode_(o);
    wm_test_block_ *block = (wm_test_block_ *)malloc(sizeof(wm_test_block_) + size);
    memcpy(block + 1, wm_global.message, size);
    block->size = size;
    block->next = wm_test_store_.blocks;
    wm_test_store_.blocks = block;
    wm_global.failure_count = failures;
    wm_test_enter_guest_(guest);
    wm_test_columns_free_(o);
    return block;
}

// wm_test_copy_ appends a value of a batch to a column.
WM_SLOW_ void wm_test_copy_(wm_out *to, uint32_t row, const wm_batch *b, uint32_t node, uint32_t from) {
    wm_column c = wm_batch_column(b, node);
    if (wm_null_at(&c, from)) {
        wm_null_put(to, row);
    } else if (to->type == WM_TYPE_BOOL) {
        wm_bool_value_put(to, row, wm_bool_value_at(&c, from));
    } else if (to->width > 0) {
        memcpy((uint8_t *)to->values + row * to->width, (const uint8_t *)c.values + from * to->width, to->width);
    } else if (to->type == WM_TYPE_LIST) {
        uint32_t first = (uint32_t)c.offsets[from], count = (uint32_t)c.offsets[from + 1] - first;
        if (to->size + count > to->room) wm_items_grow_(to, count);
        for (uint32_t i = 0; i < count; i++) wm_test_copy_(to + 1, to->size + i, b, node + 1, first + i);
        to->size += count;
        to->offsets[row + 1] = (int32_t)to->size;
    } else if (to->type == WM_TYPE_STRUCT) {
        for (uint32_t i = 1; i <= to->nodes; i += 1 + to[i].nodes) wm_test_copy_(&to[i], row, b, node + i, from);
    } else {
        wm_string_value_put(to, row, wm_string_value_at(&c, from));
    }
}

// wm_test_append_ appends a row of a batch with the same columns to an output.
WM_SLOW_ uint32_t wm_test_append_(wm_output *o, const wm_batch *b, uint32_t from) {
    if (o->rows == WM_MAX_ROWS) {
        fprintf(stderr, "a test has more than %d rows at once\n", WM_MAX_ROWS);
        abort();
    }
    if (o->rows == o->limit) wm_room_(o);
    uint32_t row = o->rows++;
    for (uint32_t i = 0; i < o->nodes; i += 1 + o->columns[i].nodes) wm_test_copy_(&o->columns[i], row, b, i, from);
    if (o->timed) o->time[row] = b->time[from];
    o->origin[row] = row;
    return row;
}

// wm_test_row_of_ returns a row of a batch as a batch.
WM_SLOW_ const wm_test_block_ *wm_test_row_of_(const wm_field *fields, const wm_batch *b, uint32_t row) {
    wm_output o;
    wm_output_init_(&o, 0, fields, 0, false);
    wm_test_append_(&o, b, row);
    return wm_test_keep_(&o, 1);
}

WM_SLOW_ int wm_test_compare_(uint8_t type, const wm_batch *a, uint32_t a_row, const wm_batch *b, uint32_t b_row, uint32_t node) {
    wm_column left = wm_batch_column(a, node), right = wm_batch_column(b, node);
    bool a_null = wm_null_at(&left, a_row), b_null = wm_null_at(&right, b_row);
    if (a_null || b_null) return (int)b_null - (int)a_null;
    if (type == WM_TYPE_STRING || type == WM_TYPE_BYTES) {
        wm_string x = wm_string_value_at(&left, a_row), y = wm_string_value_at(&right, b_row);
        int order = memcmp(x.data, y.data, x.size < y.size ? x.size : y.size);
        return order != 0 ? order : (x.size > y.size) - (x.size < y.size);
    }
    if (type == WM_TYPE_FLOAT64) {
        double x = ((const double *)left.values)[a_row], y = ((const double *)right.values)[b_row];
        return x < y || (x == x && y != y) ? -1 : x > y || (x != x && y == y);
    }
    int64_t x, y;
    if (type == WM_TYPE_BOOL) x = wm_bool_value_at(&left, a_row), y = wm_bool_value_at(&right, b_row);
    else if (type == WM_TYPE_INT32) x = ((const int32_t *)left.values)[a_row], y = ((const int32_t *)right.values)[b_row];
    else x = ((const int64_t *)left.values)[a_row], y = ((const int64_t *)right.values)[b_row];
    return (x > y) - (x < y);
}

// wm_test_order_ compares the keys of two rows of a map.
WM_SLOW_ int wm_test_order_(const wm_state *s, const wm_batch *a, uint32_t a_row, const wm_batch *b, uint32_t b_row) {
    for (uint32_t i = 0; s->key != NULL && s->key[i].name != NULL; i++) {
        int order = wm_test_compare_(s->key[i].type, a, a_row, b, b_row, i);
        if (order != 0) return order;
    }
    return 0;
}

// ---------------------------------------------------------------------------------- state

WM_FN_ int64_t wm_test_clock_(const wm_state *s) { return s->event_time ? wm_test_store_.event_time : wm_test.now; }

WM_FN_ void wm_test_remove_(uint32_t at) {
    wm_test_store_state_ *t = &wm_test_store_;
    memmove(&t->rows[at], &t->rows[at + 1], (--t->row_count - at) * sizeof *t->rows);
}

// wm_test_expire_ removes the rows of a key that are over, and renews those that are read.
WM_SLOW_ void wm_test_expire_(const wm_state *s, uint32_t key, bool read) {
    wm_test_store_state_ *t = &wm_test_store_;
    int64_t now = wm_test_clock_(s);
    for (uint32_t i = t->row_count; s->ttl != 0 && i-- > 0;) {
        wm_test_row_ *r = &t->rows[i];
        if (r->state != s->number || r->key != key) continue;
        if (now != INT64_MIN && now - r->stamp >= s->ttl) wm_test_remove_(i);
        else if (read && s->renew == WM_RENEW_READ) r->stamp = now;
    }
}

// wm_test_find_ returns the place of a row of a key, and of a map's, of the key in a batch; row_count where there is none.
WM_SLOW_ uint32_t wm_test_find_(const wm_state *s, uint32_t key, const wm_batch *b, uint32_t row) {
    wm_test_store_state_ *t = &wm_test_store_;
    for (uint32_t i = 0; i < t->row_count; i++) {
        if (t->rows[i].state != s->number || t->rows[i].key != key) continue;
        wm_batch have = wm_batch_at(t->rows[i].row);
        if (s->key == NULL || wm_test_order_(s, &have, 0, b, row) == 0) return i;
    }
    return t->row_count;
}

WM_FN_ wm_state *wm_test_state_(uint32_t number) {
    if (number >= wm_states_count_(wm_test.op)) wm_test_breach_("the operator has no state %u", number);
    return wm_test.op->states[number];
}

// wm_test_key_ returns the key that a number stands for in a state.
WM_FN_ uint32_t wm_test_key_(const wm_state *s, uint32_t number) {
    if (s->scope != WM_SCOPE_KEY) return 0;
    if (number >= wm_test_store_.call_key_count) wm_test_breach_("there is no key number %u", number);
    return wm_test_store_.call_keys[number];
}

WM_SLOW_ uint32_t wm_test_answer_(wm_output *o, void *out, uint32_t room) {
    const wm_test_block_ *block = wm_test_keep_(o, 0);
    wm_test_store_.answer = (uint8_t *)(uintptr_t)(block + 1);
    wm_test_store_.answer_size = block->size;
    return wm_import_state_read(out, room);
}

uint32_t wm_import_state_read(void *out, uint32_t room) {
    uint32_t size = wm_test_store_.answer_size;
    if (size <= room) memcpy(out, wm_test_store_.answer, size);
    return size;
}

uint32_t wm_import_state_get(uint32_t state, const void *request, uint32_t size, void *out, uint32_t room) {
    wm_test_store_state_ *t = &wm_test_store_;
    wm_state *s = wm_test_state_(state);
    wm_batch asked;
    memset(&asked, 0, sizeof asked);
    if (size > 0) asked = wm_batch_at(request);
    uint32_t rows = size > 0 ? asked.rows : s->scope == WM_SCOPE_KEY ? t->call_key_count : 1;
    for (uint32_t n = 0; n < rows; n++) wm_test_key_(s, asked.group != NULL ? asked.group[n] : n);
    wm_output o;
    wm_output_init_(&o, WM_SCHEMA_STATE_ + state, s->puts.fields, 0, false);
    o.send = wm_import_state_put;
    for (uint32_t n = 0; n < rows; n++) {
        uint32_t key = wm_test_key_(s, asked.group != NULL ? asked.group[n] : n);
        wm_test_expire_(s, key, true);
        uint32_t at = wm_test_find_(s, key, &asked, n);
        if (at < t->row_count) {
            wm_batch have = wm_batch_at(t->rows[at].row);
            uint32_t row = wm_test_append_(&o, &have, 0);
            o.kind[row] = 0;
            continue;
        }
        uint32_t row = wm_put_(&o, 0, true);
        for (uint32_t i = 0; i < o.nodes; i += 1 + o.columns[i].nodes) wm_null_put(&o.columns[i], row);
    }
    return wm_test_answer_(&o, out, room);
}

// wm_test_begins_ says whether the key of a row begins with what was asked for.
WM_SLOW_ bool wm_test_begins_(const wm_state *s, const wm_batch *row, const wm_batch *asked) {
    uint32_t n = wm_fields_count_(s->key);
    for (; n > 0; n--) {
        wm_column c = wm_batch_column(asked, n - 1);
        if (!wm_null_at(&c, 0)) break;
    }
    for (uint32_t i = 0; i < n; i++) {
        if (wm_test_compare_(s->key[i].type, row, 0, asked, 0, i) == 0) continue;
        if (i < n - 1 || (s->key[i].type != WM_TYPE_STRING && s->key[i].type != WM_TYPE_BYTES)) return false;
        wm_column have = wm_batch_column(row, i), want = wm_batch_column(asked, i);
        wm_string x = wm_string_opt_at(&have, 0), y = wm_string_opt_at(&want, 0);
        if (x.data == NULL || x.size < y.size || memcmp(x.data, y.data, y.size) != 0) return false;
    }
    return true;
}

WM_SLOW_ bool wm_test_within_(const wm_state *s, const wm_batch *row, uint32_t bounds, const wm_batch *asked) {
    if ((bounds == WM_BOUNDS_FROM_ || bounds == WM_BOUNDS_FROM_TO_) && wm_test_order_(s, row, 0, asked, 0) < 0) return false;
    if ((bounds == WM_BOUNDS_TO_ || bounds == WM_BOUNDS_FROM_TO_) && wm_test_order_(s, row, 0, asked, asked->rows - 1) >= 0) return false;
    return bounds != WM_BOUNDS_PREFIX_ || wm_test_begins_(s, row, asked);
}

uint32_t wm_import_state_scan(uint32_t state, uint32_t number, uint32_t bounds, const void *request, uint32_t size) {
    wm_test_store_state_ *t = &wm_test_store_;
    wm_state *s = wm_test_state_(state);
    uint32_t key = wm_test_key_(s, number), n = 0;
    wm_batch asked;
    memset(&asked, 0, sizeof asked);
    if (size > 0) asked = wm_batch_at(request);
    while (n < WM_TEST_SCANS && t->scans[n].open) n++;
    if (n == WM_TEST_SCANS) wm_test_breach_("more than %d scans are open", WM_TEST_SCANS);
    wm_test_scan_ *scan = &t->scans[n];
    free(scan->rows);
    memset(scan, 0, sizeof *scan);
    wm_test_expire_(s, key, true);
    scan->rows = (const uint8_t **)malloc((t->row_count + 1) * sizeof *scan->rows);
    scan->state = state;
    scan->open = true;
    for (uint32_t i = 0; i < t->row_count; i++) {
        if (t->rows[i].state != state || t->rows[i].key != key) continue;
        wm_batch have = wm_batch_at(t->rows[i].row);
        if (wm_test_within_(s, &have, bounds, &asked)) scan->rows[scan->count++] = t->rows[i].row;
    }
    return n;
}

uint32_t wm_import_state_next(uint32_t number, int32_t limit, void *out, uint32_t room) {
    if (number >= WM_TEST_SCANS || !wm_test_store_.scans[number].open) wm_test_breach_("scan %u is not open", number);
    wm_test_scan_ *scan = &wm_test_store_.scans[number];
    uint32_t rows = limit < 0 ? 0 : limit == 0 || limit > WM_TEST_SCAN_ROWS ? WM_TEST_SCAN_ROWS : (uint32_t)limit;
    if (rows > scan->count - scan->at) rows = scan->count - scan->at;
    wm_output o;
    wm_output_init_(&o, WM_SCHEMA_STATE_ + scan->state, wm_test.op->states[scan->state]->puts.fields, 0, false);
    o.send = wm_import_state_put;
    for (uint32_t i = 0; i < rows; i++) {
        wm_batch have = wm_batch_at(scan->rows[scan->at++]);
        wm_test_append_(&o, &have, 0);
    }
    scan->open = rows > 0;
    return wm_test_answer_(&o, out, room);
}

// wm_test_merge_column_ merges a column of two rows of a reducing state into another one.
WM_SLOW_ void wm_test_merge_column_(const wm_field *f, wm_out *to, const wm_batch *old, const wm_batch *put, uint32_t row, uint32_t node) {
    wm_column a = wm_batch_column(old, node), b = wm_batch_column(put, node);
    if (wm_null_at(&b, row)) {
        wm_test_copy_(to, 0, old, node, 0);
    } else if (wm_null_at(&a, 0)) {
        wm_test_copy_(to, 0, put, node, row);
    } else if (f->merge == 2 || f->merge == 3) { // min, max
        int order = wm_test_compare_(f->type, old, 0, put, row, node);
        if (f->merge == 2 ? order <= 0 : order >= 0) wm_test_copy_(to, 0, old, node, 0);
        else wm_test_copy_(to, 0, put, node, row);
    } else if (f->type == WM_TYPE_INT32) {
        wm_int32_value_put(to, 0, wm_int32_value_at(&a, 0) + wm_int32_value_at(&b, row));
    } else if (f->type == WM_TYPE_FLOAT64) {
        wm_float64_value_put(to, 0, wm_float64_value_at(&a, 0) + wm_float64_value_at(&b, row));
    } else if (to->width > 0) {
        wm_int64_value_put(to, 0, wm_int64_value_at(&a, 0) + wm_int64_value_at(&b, row));
    } else if (f->type == WM_TYPE_LIST) {
        uint32_t have = (uint32_t)(a.offsets[1] - a.offsets[0]), first = (uint32_t)b.offsets[row], more = (uint32_t)b.offsets[row + 1] - first;
        if (have + more > to->room) wm_items_grow_(to, have + more);
        for (uint32_t i = 0; i < have; i++) wm_test_copy_(to + 1, i, old, node + 1, (uint32_t)a.offsets[0] + i);
        for (uint32_t i = 0; i < more; i++) wm_test_copy_(to + 1, have + i, put, node + 1, first + i);
        to->size = have + more;
        to->offsets[1] = (int32_t)to->size;
    } else {
        wm_string x = wm_string_value_at(&a, 0), y = wm_string_value_at(&b, row);
        wm_string_value_put(to, 0, x);
        wm_string_value_put(to, 0, y); // behind it: a row goes from the end of the one before to its own
    }
}

WM_SLOW_ const wm_test_block_ *wm_test_merged_(const wm_state *s, const uint8_t *row, const wm_batch *put, uint32_t at) {
    wm_batch old = wm_batch_at(row);
    wm_output o;
    wm_output_init_(&o, 0, s->puts.fields, 0, false);
    wm_room_(&o);
    o.rows = 1;
    o.origin[0] = 0;
    for (uint32_t i = 0, f = 0; i < o.nodes; i += 1 + o.columns[i].nodes) wm_test_merge_column_(&s->fields[f++], &o.columns[i], &old, put, at, i);
    return wm_test_keep_(&o, 1);
}

// wm_test_put_row_ writes a row of a state.
WM_SLOW_ void wm_test_put_row_(const wm_state *s, uint32_t key, const wm_batch *b, uint32_t row, bool remove) {
    wm_test_store_state_ *t = &wm_test_store_;
    wm_test_expire_(s, key, false);
    if (s->kind == WM_STATE_LIST_ && remove) {
        for (uint32_t i = t->row_count; i-- > 0;) {
            if (t->rows[i].state == s->number && t->rows[i].key == key) wm_test_remove_(i);
        }
        return;
    }
    uint32_t at = s->kind == WM_STATE_LIST_ ? t->row_count : wm_test_find_(s, key, b, row);
    if (remove) {
        if (at < t->row_count) wm_test_remove_(at);
        return;
    }
    bool found = at < t->row_count;
    const wm_test_block_ *block = found && s->kind == WM_STATE_REDUCING_ ? wm_test_merged_(s, t->rows[at].row, b, row) : wm_test_row_of_(s->puts.fields, b, row);
    if (!found) {
        for (uint32_t i = 0; s->kind == WM_STATE_MAP_ && i < t->row_count && at == t->row_count; i++) {
            wm_batch have = wm_batch_at(t->rows[i].row);
            if (t->rows[i].state == s->number && t->rows[i].key == key && wm_test_order_(s, &have, 0, b, row) > 0) at = i;
        }
        t->rows = (wm_test_row_ *)wm_test_grown_(t->rows, t->row_count, &t->row_room, sizeof *t->rows);
        memmove(&t->rows[at + 1], &t->rows[at], (t->row_count++ - at) * sizeof *t->rows);
    }
    wm_test_row_ *r = &t->rows[at];
    if (!found || s->renew != WM_RENEW_CREATE) r->stamp = wm_test_clock_(s);
    r->row = (const uint8_t *)(block + 1);
    r->state = s->number;
    r->key = key;
}

// wm_test_put_timer_ sets or deletes a timer.
WM_SLOW_ void wm_test_put_timer_(const wm_batch *b, uint32_t row) {
    wm_test_store_state_ *t = &wm_test_store_;
    if (b->group[row] >= t->call_key_count) wm_test_breach_("there is no key number %u", b->group[row]);
    wm_timer_columns columns = wm_timer_of(b);
    wm_timer timer = wm_timer_at(&columns, row);
    wm_test_timer_ made = {wm_clock_of(b), timer.time, t->call_keys[b->group[row]], timer.space};
    uint32_t at = 0;
    for (; at < t->timer_count; at++) {
        const wm_test_timer_ *have = &t->timers[at];
        if (have->clock == made.clock && have->time == made.time && have->key == made.key && wm_equal(have->space, made.space)) break;
    }
    if (b->kind != NULL && b->kind[row] == WM_KIND_DELETE_) {
        if (at < t->timer_count) t->timers[at] = t->timers[--t->timer_count];
    } else if (at == t->timer_count) {
        wm_test_block_ *block = (wm_test_block_ *)malloc(sizeof(wm_test_block_) + made.space.size + 1);
        block->next = t->blocks;
        t->blocks = block;
        memcpy(block + 1, made.space.data, made.space.size);
        made.space.data = (const char *)(block + 1);
        t->timers = (wm_test_timer_ *)wm_test_grown_(t->timers, at, &t->timer_room, sizeof *t->timers);
        t->timers[t->timer_count++] = made;
    }
}

void wm_import_state_put(const void *batch, uint32_t size) {
    (void)size;
    wm_batch b = wm_batch_at(batch);
    wm_test_store_.put = true;
    if (b.schema < WM_SCHEMA_STATE_) {
        for (uint32_t row = 0; row < b.rows; row++) wm_test_put_timer_(&b, row);
        return;
    }
    const wm_state *s = wm_test_state_(b.schema - WM_SCHEMA_STATE_);
    if (s->scope == WM_SCOPE_BROADCAST && !wm_global.broadcast) wm_test_breach_("broadcast state %s is written in a call that may not", s->name);
    for (uint32_t row = 0; row < b.rows; row++) {
        uint32_t key = wm_test_key_(s, b.group != NULL ? b.group[row] : 0);
        wm_test_put_row_(s, key, &b, row, b.kind != NULL && b.kind[row] == WM_KIND_DELETE_);
    }
}

int64_t wm_import_watermark(void) { return wm_test_store_.watermark; }

WM_SLOW_ void wm_test_store_reset_(void) {
    wm_test_store_state_ *t = &wm_test_store_;
    while (t->blocks != NULL) {
        wm_test_block_ *next = t->blocks->next;
        free(t->blocks);
        t->blocks = next;
    }
    for (uint32_t i = 0; i < WM_TEST_SCANS; i++) free(t->scans[i].rows);
    free(t->rows);
    free(t->timers);
    free(t->keys);
    free(t->call_keys);
    memset(t, 0, sizeof *t);
    t->watermark = t->event_time = INT64_MIN;
}

// ---------------------------------------------------------------------------------- calls

// Rows that are given to the operator.
typedef struct {
    const wm_field *fields;
    bool timed, keyed;
    wm_batch rows;
    const uint32_t *keys; // of each
} wm_test_call_;

// What came of them: rows by output, and which of the input failed, and why.
typedef struct {
    wm_output outputs[WM_MAX_OUTPUTS];
    wm_failure_ failures[WM_TEST_MESSAGES];
    uint32_t failure_count, input_rows;
} wm_test_result_;
static wm_test_result_ wm_test_result_of_;

// wm_test_fail_ keeps that a row failed.
WM_SLOW_ void wm_test_fail_(wm_test_result_ *r, uint32_t row, wm_string text) {
    if (r->failure_count == WM_TEST_MESSAGES) {
        fprintf(stderr, "more than %d rows fail at once\n", WM_TEST_MESSAGES);
        abort();
    }
    wm_test_block_ *block = (wm_test_block_ *)malloc(sizeof(wm_test_block_) + text.size + 1);
    block->next = wm_test_store_.blocks;
    wm_test_store_.blocks = block;
    memcpy(block + 1, text.data, text.size);
    wm_failure_ f = {row, wm_string_of((const char *)(block + 1), text.size)};
    r->failures[r->failure_count++] = f;
}

// wm_test_collect_ adds what the last call emitted, for rows of the input from one on.
WM_SLOW_ void wm_test_collect_(wm_test_result_ *r, uint32_t from) {
    for (uint32_t i = 0; i < wm_test.emitted_count; i++) {
        wm_batch b = wm_batch_at(wm_test.emitted[i]);
        wm_output *o = &r->outputs[b.schema];
        for (uint32_t row = 0; row < b.rows; row++) {
            uint32_t origin = wm_test_origin(&b, row);
            if (wm_test_failure(origin).data != NULL) continue; // a row that failed leaves nothing
            uint32_t at = wm_test_append_(o, &b, row);
            o->origin[at] = r->input_rows + from + origin;
        }
    }
}

// wm_test_key_numbers_ numbers the keys of rows in the order in which they come. The caller frees the numbers.
WM_SLOW_ uint32_t *wm_test_key_numbers_(const uint32_t *keys, uint32_t rows) {
    wm_test_store_state_ *t = &wm_test_store_;
    uint32_t *numbers = (uint32_t *)malloc((rows + 1) * sizeof *numbers);
    for (uint32_t row = 0; row < rows; row++) {
        uint32_t n = 0;
        while (n < t->call_key_count && t->call_keys[n] != keys[row]) n++;
        if (n == t->call_key_count) {
            t->call_keys = (uint32_t *)wm_test_grown_(t->call_keys, n, &t->call_key_room, sizeof *t->call_keys);
            t->call_keys[t->call_key_count++] = keys[row];
        }
        numbers[row] = n;
    }
    return numbers;
}

// wm_test_call_once_ gives some of the rows to the operator; false where it failed.
WM_SLOW_ bool wm_test_call_once_(const wm_test_call_ *call, uint32_t from, uint32_t to) {
    wm_test_store_state_ *t = &wm_test_store_;
    t->call_key_count = 0;
    t->put = false;
    for (uint32_t i = 0; i < WM_TEST_SCANS; i++) t->scans[i].open = false;
    wm_output o;
    wm_output_init_(&o, call->rows.schema, call->fields, call->timed ? WM_TIME : 0, false);
    for (uint32_t row = from; row < to; row++) wm_test_append_(&o, &call->rows, row);
    uint32_t *numbers = call->keyed ? wm_test_key_numbers_(call->keys + from, to - from) : NULL;
    void *in = wm_test_encode_(&o, numbers);
    wm_test_columns_free_(&o);
    free(numbers);
    wm_test_drop_emitted_();
    bool done = setjmp(wm_test.failed) == 0;
    if (done) wm_process_(in);
    free(in);
    return done;
}

// wm_test_first_failure_ returns the first row that the last call said failed, before a limit.
WM_FN_ uint32_t wm_test_first_failure_(uint32_t rows) {
    uint32_t row = 0;
    while (row < rows && wm_test_failure(row).data == NULL) row++;
    return row;
}

// wm_test_run_ gives the rows from one to another to the operator. As the host does, it takes back a call that has put something
// where rows fail, and calls again without the first that did.
WM_SLOW_ bool wm_test_run_(const wm_test_call_ *call, uint32_t from, uint32_t to, wm_test_result_ *result) {
    wm_test_store_state_ *t = &wm_test_store_;
    if (from == to) return true;
    uint32_t rows = t->row_count, timers = t->timer_count;
    wm_test_row_ *row_copy = (wm_test_row_ *)malloc((rows + 1) * sizeof *row_copy);
    wm_test_timer_ *timer_copy = (wm_test_timer_ *)malloc((timers + 1) * sizeof *timer_copy);
    if (rows > 0) memcpy(row_copy, t->rows, rows * sizeof *row_copy);
    if (timers > 0) memcpy(timer_copy, t->timers, timers * sizeof *timer_copy);
    bool done = wm_test_call_once_(call, from, to);
    uint32_t failed = done ? wm_test_first_failure_(to - from) : 0;
    bool again = failed < to - from && t->put;
    if (!done || again) {
        if (rows > 0) memcpy(t->rows, row_copy, rows * sizeof *row_copy);
        if (timers > 0) memcpy(t->timers, timer_copy, timers * sizeof *timer_copy);
        t->row_count = rows;
        t->timer_count = timers;
    }
    free(row_copy);
    free(timer_copy);
    if (!done) return false;
    if (again) {
        wm_test_fail_(result, result->input_rows + from + failed, wm_test_failure(failed));
        return wm_test_run_(call, from, from + failed, result) && wm_test_run_(call, from + failed + 1, to, result);
    }
    for (uint32_t row = 0; row < to - from; row++) {
        wm_string text = wm_test_failure(row);
        if (text.data != NULL) wm_test_fail_(result, result->input_rows + from + row, text);
    }
    wm_test_collect_(result, from);
    return true;
}

// wm_test_begin_result_ and wm_test_end_result_ stand around the calls that one result comes of; then wm_test_emitted
// gives what was emitted to each output as one batch.
WM_SLOW_ wm_test_result_ *wm_test_begin_result_(void) {
    wm_test_result_ *r = &wm_test_result_of_;
    memset(r, 0, sizeof *r);
    for (uint32_t i = 0; i < wm_outputs_count_(wm_test.op); i++) wm_output_init_(&r->outputs[i], i, wm_test.op->outputs[i].fields, wm_test.op->outputs[i].flags, false);
    return r;
}

WM_SLOW_ void wm_test_end_result_(wm_test_result_ *r) {
    wm_test_drop_emitted_();
    wm_test.failed_rows = r->failures;
    wm_test.failed_count = r->failure_count;
    for (uint32_t i = 0; i < wm_outputs_count_(wm_test.op); i++) {
        bool some = r->outputs[i].rows > 0;
        const wm_test_block_ *block = wm_test_keep_(&r->outputs[i], r->input_rows);
        if (some) wm_import_emit(block + 1, block->size);
    }
}

// wm_test_key_fields_ returns the fields of the first keyed input, whose key is the operator's.
WM_FN_ const wm_field *wm_test_key_fields_(void) {
    uint32_t i = 0;
    while (i < WM_MAX_INPUTS - 1 && (wm_test.op->inputs[i].flags & WM_BROADCAST) != 0) i++;
    return wm_test.op->inputs[i].fields;
}

// wm_test_key_schema_ appends the fields of the operator's key to some others.
WM_FN_ void wm_test_key_schema_(wm_field *fields, uint32_t count) {
    for (const wm_field *f = wm_test_key_fields_(); f != NULL && f->name != NULL; f++) {
        if (f->key) fields[count++] = *f;
    }
    memset(&fields[count], 0, sizeof *fields);
}

// wm_test_key_of_ returns the key of a row of an input.
WM_SLOW_ uint32_t wm_test_key_of_(const wm_field *fields, const wm_batch *b, uint32_t row) {
    wm_test_store_state_ *t = &wm_test_store_;
    wm_field key[64];
    wm_test_key_schema_(key, 0);
    wm_output o;
    wm_output_init_(&o, 0, key, 0, false);
    wm_room_(&o);
    o.rows = 1;
    o.origin[0] = 0;
    for (uint32_t i = 0; key[i].name != NULL; i++) {
        uint32_t node = 0;
        for (const wm_field *f = fields; f->name != NULL && strcmp(f->name, key[i].name) != 0; f++) {
            wm_field one[2] = {*f, fields[wm_fields_count_(fields)]};
            node += wm_nodes_(one, NULL);
        }
        wm_test_copy_(&o.columns[i], 0, b, node, row);
    }
    const wm_test_block_ *block = wm_test_keep_(&o, 1);
    for (uint32_t i = 0; i < t->key_count; i++) {
        if (t->keys[i]->size == block->size && memcmp(t->keys[i] + 1, block + 1, block->size) == 0) return i;
    }
    t->keys = (const wm_test_block_ **)wm_test_grown_(t->keys, t->key_count, &t->key_room, sizeof *t->keys);
    t->keys[t->key_count] = block;
    return t->key_count++;
}

// wm_test_process_input gives the rows that were appended to an input to the operator, and empties the input.
WM_SLOW_ bool wm_test_process_input(uint32_t port) {
    const wm_input *input = &wm_test.op->inputs[port];
    void *in = wm_test_encode_(&wm_test.inputs[port], NULL);
    wm_test_call_ call = {input->fields, (input->flags & WM_TIME) != 0, (input->flags & WM_BROADCAST) == 0, wm_batch_at(in), NULL};
    uint32_t *keys = (uint32_t *)malloc((call.rows.rows + 1) * sizeof *keys);
    for (uint32_t row = 0; call.keyed && row < call.rows.rows; row++) keys[row] = wm_test_key_of_(input->fields, &call.rows, row);
    call.keys = keys;
    wm_test_result_ *result = wm_test_begin_result_();
    bool done = wm_test_run_(&call, 0, call.rows.rows, result);
    result->input_rows = call.rows.rows;
    wm_test_end_result_(result);
    free(in);
    free(keys);
    return done;
}

// wm_test_pop_ takes the earliest timers of a clock that are due at a time, at most one a key, and returns how many.
WM_SLOW_ uint32_t wm_test_pop_(wm_clock clock, int64_t at, wm_test_timer_ *due) {
    wm_test_store_state_ *t = &wm_test_store_;
    uint32_t count = 0;
    while (count < WM_TEST_TIMERS) {
        uint32_t first = t->timer_count;
        for (uint32_t i = 0; i < t->timer_count; i++) {
            const wm_test_timer_ *a = &t->timers[i], *b = &t->timers[first];
            if (a->clock != clock || a->time > at) continue;
            if (first == t->timer_count || a->time < b->time || (a->time == b->time && (a->key < b->key || (a->key == b->key && a->space.size < b->space.size)))) first = i;
        }
        if (first == t->timer_count) break;
        for (uint32_t i = 0; i < count; i++) {
            if (due[i].key == t->timers[first].key) return count;
        }
        due[count++] = t->timers[first];
        t->timers[first] = t->timers[--t->timer_count];
    }
    return count;
}

// wm_test_fire_ gives timers that are due to the operator.
WM_SLOW_ bool wm_test_fire_(wm_clock clock, const wm_test_timer_ *due, uint32_t count, wm_test_result_ *result) {
    wm_field fields[64] = {wm_timer_fields[0], wm_timer_fields[1]};
    uint32_t keys[WM_TEST_TIMERS];
    wm_test_key_schema_(fields, 2);
    wm_output o;
    wm_output_init_(&o, clock == WM_EVENT_TIME ? WM_SCHEMA_EVENT_TIMER_ : WM_SCHEMA_PROCESSING_TIMER_, fields, 0, false);
    for (uint32_t n = 0; n < count; n++) {
        if (o.rows == o.limit) wm_room_(&o);
        uint32_t row = o.rows++;
        o.origin[row] = row;
        wm_timer timer = {due[n].time, due[n].space};
        wm_timer_put_(o.columns, row, &timer);
        wm_batch key = wm_batch_at(wm_test_store_.keys[due[n].key] + 1);
        for (uint32_t i = 2; fields[i].name != NULL; i++) wm_test_copy_(&o.columns[i], row, &key, i - 2, 0);
        keys[n] = due[n].key;
    }
    const wm_test_block_ *block = wm_test_keep_(&o, count);
    wm_test_call_ call = {fields, false, true, wm_batch_at(block + 1), keys};
    return wm_test_run_(&call, 0, count, result);
}

WM_SLOW_ bool wm_test_fire_all_(wm_clock clock, int64_t at) {
    wm_test_timer_ due[WM_TEST_TIMERS];
    wm_test_result_ *result = wm_test_begin_result_();
    bool done = true;
    for (uint32_t count; done && (count = wm_test_pop_(clock, at, due)) > 0;) {
        done = wm_test_fire_(clock, due, count, result);
        result->input_rows += count;
        if (result->input_rows > WM_TEST_TIMER_CHAIN) {
            wm_test.fail_kind = 1;
            snprintf(wm_test.fail_text, sizeof wm_test.fail_text, "more than %d timers are due at once", WM_TEST_TIMER_CHAIN);
            done = false;
        }
    }
    wm_test_end_result_(result);
    return done;
}

// wm_test_advance_watermark moves the watermark, INT64_MAX is the end of all input, and gives the operator the timers of event time
// that are due then.
WM_SLOW_ bool wm_test_advance_watermark(int64_t to) {
    wm_test_store_state_ *t = &wm_test_store_;
    if (to > t->watermark) t->watermark = to;
    if (t->watermark != INT64_MAX) {
        for (uint32_t i = 0; t->event_time == INT64_MIN && i < t->row_count; i++) { // written before the first one counts as written at it
            if (wm_test.op->states[t->rows[i].state]->event_time) t->rows[i].stamp = t->watermark;
        }
        t->event_time = t->watermark;
    }
    return wm_test_fire_all_(WM_EVENT_TIME, t->watermark);
}

// wm_test_advance_clock moves processing time, which is wm_now too, and gives the operator the timers that are due then.
WM_SLOW_ bool wm_test_advance_clock(int64_t to) {
    if (to > wm_test.now) wm_test.now = to;
    return wm_test_fire_all_(WM_PROCESSING_TIME, wm_test.now);
}

#endif // WASMILL_STATE_TEST_H
