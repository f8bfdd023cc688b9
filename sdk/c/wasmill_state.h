// Copyright The wasmill Authors
// SPDX-License-Identifier: Apache-2.0

// wasmill_state.h: keyed state and timers of a process, an operator with wm_operator.inputs.
//
//   1  values        WM_VALUE_STATE
//   2  lists         WM_LIST_STATE
//   3  reducing      WM_REDUCING_STATE
//   4  maps          WM_MAP_STATE
//   5  timers        wm_set_timer, wm_delete_timer, WM_DUE, wm_watermark
//
// A state is a static variable, which wm_operator.states names, and functions that begin with its name. Its rows are WM_ROWs.
// They lie on the host, by key: functions take the number of a key, in->group[row], which means nothing in another call.
//
//     WM_VALUE_STATE(balances, "balance", balance, .ttl = 24 * WM_HOUR, .renew = WM_RENEW_WRITE)
//
// The arguments behind the row are options:
//
//     .doc = "text"
//     .scope = WM_SCOPE_OPERATOR     rows of the subtask, whatever the key, whose number is not looked at
//     .scope = WM_SCOPE_BROADCAST    the same rows on each subtask; only rows of a broadcast input may write them
//     .ttl = 10 * WM_SECOND          forgets a row so long after it was
//     .renew = WM_RENEW_CREATE       created (where nothing is said), or
//     .renew = WM_RENEW_WRITE        last written, or
//     .renew = WM_RENEW_READ         last written or read,
//     .event_time = true             by the watermark instead of processing time
//
// What was written is seen by what is read later in the same call. What was read is valid until the call returns. Where a row
// fails the host takes back what the call has written, and calls again without that row: nothing need be undone.
#ifndef WASMILL_STATE_H
#define WASMILL_STATE_H

#include "wasmill.h"

enum { WM_SCOPE_KEY, WM_SCOPE_OPERATOR, WM_SCOPE_BROADCAST };
enum { WM_RENEW_CREATE, WM_RENEW_WRITE, WM_RENEW_READ };
enum { WM_STATE_VALUE_ = 1, WM_STATE_LIST_, WM_STATE_MAP_, WM_STATE_REDUCING_ };
enum { WM_SCHEMA_STATE_ = 0x20000, WM_SCHEMA_REQUEST_ = 0x30000 };
enum { WM_BOUNDS_NONE_, WM_BOUNDS_FROM_, WM_BOUNDS_TO_, WM_BOUNDS_FROM_TO_, WM_BOUNDS_PREFIX_ };
enum { WM_PRESENT_ = 1, WM_CHANGED_ = 2 }; // what is known of a row

#define WM_SECOND INT64_C(1000000)
#define WM_MINUTE (60 * WM_SECOND)
#define WM_HOUR (60 * WM_MINUTE)
#define WM_DAY (24 * WM_HOUR)

#ifdef __cplusplus
extern "C" {
#endif
WM_IMPORT_("state_get") uint32_t wm_import_state_get(uint32_t state, const void *request, uint32_t size, void *out, uint32_t room);
WM_IMPORT_("state_scan") uint32_t wm_import_state_scan(uint32_t state, uint32_t key, uint32_t bounds, const void *request, uint32_t size);
WM_IMPORT_("state_next") uint32_t wm_import_state_next(uint32_t scan, int32_t limit, void *out, uint32_t room);
WM_IMPORT_("state_read") uint32_t wm_import_state_read(void *out, uint32_t room);
WM_IMPORT_("state_put") void wm_import_state_put(const void *batch, uint32_t size);
WM_IMPORT_("watermark") int64_t wm_import_watermark(void);
#ifdef __cplusplus
}
#endif

// wm_watermark returns the operator's watermark in microseconds: no row is expected any more whose event time is not behind it.
// It is INT64_MIN before the first one, INT64_MAX at the end of all input, and stands still during a call.
WM_FN_ int64_t wm_watermark(void) { return wm_import_watermark(); }

WM_FN_ bool wm_fields_borrow_(const wm_field *f) {
    for (; f != NULL && f->name != NULL; f++) {
        if (f->type == WM_TYPE_STRING || f->type == WM_TYPE_BYTES || f->type == WM_TYPE_LIST) return true;
        if (f->type == WM_TYPE_STRUCT && wm_fields_borrow_(f->children)) return true;
    }
    return false;
}

// wm_puts_init_ makes an output one of rows, or of requests, that go to state_put or state_get.
WM_SLOW_ void wm_puts_init_(wm_output *o, uint32_t schema, const wm_field *fields, bool split, bool grouped) {
    wm_output_init_(o, schema, fields, 0, split);
    o->send = wm_import_state_put;
    o->grouped = grouped;
    if (!split) return;
    o->next = wm_global.puts;
    wm_global.puts = o;
}

// wm_state_open_ makes a state ready. A map's rows are its key's columns, then its values'.
WM_SLOW_ void wm_state_open_(wm_state *s, uint32_t number) {
    uint32_t keys = wm_fields_count_(s->key), fields = wm_fields_count_(s->fields);
    wm_field *all = (wm_field *)wm_alloc((keys + fields + 1) * sizeof(wm_field));
    if (keys > 0) __builtin_memcpy(all, s->key, keys * sizeof(wm_field));
    __builtin_memcpy(all + keys, s->fields, (fields + 1) * sizeof(wm_field)); // with the end
    s->number = number;
    s->mask = s->scope == WM_SCOPE_KEY ? UINT32_MAX : 0;
    s->borrows = wm_fields_borrow_(all);
    wm_puts_init_(&s->puts, WM_SCHEMA_STATE_ + number, all, true, s->mask != 0);
    wm_puts_init_(&s->asked, WM_SCHEMA_REQUEST_ + number, s->key, false, s->mask != 0);
    s->opened = true;
}

// wm_state_use_ checks that a state may be read, or written, in the call at hand.
WM_SLOW_ void wm_state_use_(wm_state *s, bool write) {
    if (!s->opened) wm_panic("state %s is not among the states of the operator", s->name);
    if (s->mask != 0 && !wm_global.keyed)
        wm_panic("state %s is kept by key, and there is none here: only rows of keyed inputs and timers have one", s->name);
    if (write && s->scope == WM_SCOPE_BROADCAST && !wm_global.broadcast)
        wm_panic("state %s is broadcast: only rows of a broadcast input may write it, so that it is the same on each subtask", s->name);
    s->readable = true;
    s->writable |= write;
}

// wm_put_ makes room for a row that is put, or that removes, and returns its number; the caller writes its columns.
WM_FN_ uint32_t wm_put_(wm_output *o, uint32_t key, bool remove) {
    if (o->rows == o->limit) wm_room_(o);
    uint32_t row = o->rows++;
    o->origin[row] = key;
    o->kind[row] = remove ? WM_KIND_DELETE_ : 0;
    o->removes |= remove;
    return row;
}

WM_FN_ uint32_t wm_state_put_(wm_state *s, uint32_t key, bool remove) {
    if (!s->writable) wm_state_use_(s, true);
    return wm_put_(&s->puts, key & s->mask, remove);
}

// wm_state_remove_ removes what there is of a key.
WM_SLOW_ void wm_state_remove_(wm_state *s, uint32_t key) {
    uint32_t row = wm_state_put_(s, key, true);
    for (uint32_t i = 0; i < s->puts.nodes; i += 1 + s->puts.columns[i].nodes) wm_null_put(&s->puts.columns[i], row);
}

// wm_state_settle_ has the host see all that was written.
WM_SLOW_ void wm_state_settle_(wm_state *s) {
    if (s->flush != NULL) s->flush(s);
    if (s->puts.rows > 0) wm_send_(&s->puts);
}

// wm_nulls_clear_ makes zero, or empty, what lies under the nulls of a column, so that one that is required can be read: the row
// may have been written when it was not.
WM_SLOW_ void wm_nulls_clear_(const wm_column *c, const wm_out *type) {
    int32_t *offsets = (int32_t *)(uintptr_t)c->offsets;
    uint8_t *values = (uint8_t *)(uintptr_t)c->values;
    bool text = type->type == WM_TYPE_STRING || type->type == WM_TYPE_BYTES;
    int32_t from = 0, end = 0; // of a text, before it moves, and of all after that
    for (uint32_t row = 0; row < c->rows; row++) {
        bool null = wm_null_at(c, row);
        if (text) {
            int32_t size = null ? 0 : offsets[row + 1] - from;
            if (end != from && size > 0) __builtin_memmove(values + end, values + from, (size_t)size);
            from = offsets[row + 1];
            end += size;
            offsets[row + 1] = end;
        } else if (null && type->width > 0) {
            __builtin_memset(values + row * type->width, 0, type->width);
        } else if (null && type->type == WM_TYPE_BOOL) {
            values[row >> 3] &= (uint8_t)~(1u << (row & 7));
        }
    }
}

// wm_state_answer_ keeps a result of some bytes, which lies in out where it fits, until the call returns.
WM_SLOW_ wm_batch wm_state_answer_(wm_state *s, void *out, uint32_t room, uint32_t size) {
    uint32_t kept = wm_align8_(size);
    if (size > room) {
        wm_global.temp->used -= room;
        out = wm_temp(kept);
        wm_import_state_read(out, kept);
    } else {
        wm_global.temp->used -= room - kept;
    }
    if (kept > s->likely) s->likely = kept;
    wm_batch b = wm_batch_at(out);
    for (uint32_t i = 0; i < b.columns && i < s->puts.nodes; i++) {
        if (b.nodes[i].nulls == 0) continue;
        wm_column c = wm_batch_column(&b, i);
        wm_nulls_clear_(&c, &s->puts.columns[i]);
    }
    return b;
}

WM_FN_ uint32_t wm_state_room_(const wm_state *s) { return s->likely > 1024 ? s->likely : 1024; }

// wm_state_get_ reads rows: those that s->asked says, or that of each key.
WM_SLOW_ wm_batch wm_state_get_(wm_state *s) {
    uint32_t asked = s->asked.rows > 0 ? wm_encode_(&s->asked) : 0, room = wm_state_room_(s);
    if (asked > 0) wm_output_reset_(&s->asked);
    void *out = wm_temp(room);
    return wm_state_answer_(s, out, room, wm_import_state_get(s->number, asked > 0 ? wm_global.message : NULL, asked, out, room));
}

// A list or a map that is being read in order.
typedef struct {
    wm_state *state;
    uint32_t number, row;
    bool ended;
    wm_batch batch;
    wm_chunk_ *chunk; // where the batch lies, from a place on and up to another
    size_t from, to;
} wm_scan_;

// wm_state_scan_ begins to read the rows of a key, within the bounds that s->asked says.
WM_SLOW_ wm_scan_ wm_state_scan_(wm_state *s, uint32_t key, uint32_t bounds) {
    wm_scan_ scan;
    __builtin_memset(&scan, 0, sizeof scan);
    if (!s->readable) wm_state_use_(s, false);
    wm_state_settle_(s);
    uint32_t asked = s->asked.rows > 0 ? wm_encode_(&s->asked) : 0;
    if (asked > 0) wm_output_reset_(&s->asked);
    scan.state = s;
    scan.number = wm_import_state_scan(s->number, key & s->mask, bounds, asked > 0 ? wm_global.message : NULL, asked);
    return scan;
}

// wm_scan_drop_ gives back the memory of a scan's rows, where nothing points to it and none was taken since.
WM_FN_ void wm_scan_drop_(wm_scan_ *scan) {
    if (scan->chunk == NULL || scan->state->borrows) return;
    if (scan->chunk == wm_global.temp && scan->chunk->used == scan->to) scan->chunk->used = scan->from;
    scan->chunk = NULL;
}

// wm_scan_next_ reads the next rows of a scan; false is its end.
WM_SLOW_ bool wm_scan_next_(wm_scan_ *scan) {
    if (scan->ended) return false;
    wm_scan_drop_(scan);
    uint32_t room = wm_state_room_(scan->state);
    uint8_t *out = (uint8_t *)wm_temp(room);
    scan->batch = wm_state_answer_(scan->state, out, room, wm_import_state_next(scan->number, 0, out, room));
    scan->chunk = wm_global.temp;
    scan->to = scan->chunk->used;
    scan->from = (size_t)(scan->batch.base - (const uint8_t *)wm_chunk_first_(scan->chunk));
    scan->row = 0;
    scan->ended = scan->batch.rows == 0;
    if (scan->ended) wm_scan_drop_(scan);
    return !scan->ended;
}

// wm_scan_end_ ends a scan before its last row.
WM_SLOW_ void wm_scan_end_(wm_scan_ *scan) {
    wm_scan_drop_(scan);
    if (!scan->ended) wm_import_state_next(scan->number, -1, NULL, 0);
    scan->ended = true;
    scan->batch.rows = scan->row = 0;
}

// ------------------------------------------------------------------------------ 1  values

// WM_VALUE_STATE(N, "name", row, options...) is at most one row of each key. The rows of all keys of a batch are read together
// when the first is asked for; those that changed are written together at the end of the call. A text or a list in one
// must last until then, as wm_format's and wm_temp's do.
//
//     const row *N_get(key)     NULL where there is none
//     row *N_update(key)        to be changed in place; zero where there was none
//     void N_set(key, row)
//     void N_clear(key)         removes it
//
// By the batch:
//
//     row *N_values()           of all keys, by number; zero where there is none
//     uint32_t N_count()        how many keys there are
//     void N_put(key)           writes back what lies in N_values
//     void N_put_all()
#define WM_VALUE_STATE(N, title, S, ...)                                                               \
    WM_FN_ void N##_load_(wm_state *s, const wm_batch *b, uint32_t from) {                             \
        (void)from;                                                                                    \
        S##_columns columns = S##_of(b);                                                               \
        S *rows = (S *)s->rows;                                                                        \
        for (uint32_t n = 0; n < b->rows; n++) rows[n] = S##_at(&columns, n);                          \
    }                                                                                                  \
    WM_FN_ void N##_flush_(wm_state *s) {                                                              \
        if (!s->changed) return;                                                                       \
        const S *rows = (const S *)s->rows;                                                            \
        uint8_t *flags = s->flags;                                                                     \
        wm_output *o = &s->puts;                                                                       \
        uint32_t changes = s->borrows ? 0 : wm_value_changes_(s), *keys = o->origin;                   \
        wm_out *columns = o->columns;                                                                  \
        for (uint32_t row = 0; row < changes; row++) S##_put_(columns, row, &rows[keys[row]]);         \
        for (uint32_t key = 0, count = s->borrows ? s->count : 0; key < count; key++) {                \
            if ((flags[key] & WM_CHANGED_) == 0) continue;                                             \
            uint32_t row = wm_put_(o, key, (flags[key] & WM_PRESENT_) == 0);                           \
            S##_put_(o->columns, row, &rows[key]);                                                     \
            flags[key] &= WM_PRESENT_;                                                                 \
        }                                                                                              \
        s->changed = false;                                                                            \
    }                                                                                                  \
    static wm_state N = {.name = title, .fields = S##_fields, .kind = WM_STATE_VALUE_, .width = sizeof(S), \
                         .open = wm_state_open_, .load = N##_load_, .flush = N##_flush_, __VA_ARGS__}; \
    WM_FN_ const S *N##_get(uint32_t key) {                                                            \
        key = wm_value_(&N, key);                                                                      \
        return (N.flags[key] & WM_PRESENT_) != 0 ? &((const S *)N.rows)[key] : NULL;                   \
    }                                                                                                  \
    WM_FN_ S *N##_update(uint32_t key) {                                                               \
        key = wm_value_mark_(&N, key, WM_PRESENT_ | WM_CHANGED_);                                      \
        return &((S *)N.rows)[key];                                                                    \
    }                                                                                                  \
    WM_FN_ void N##_set(uint32_t key, S value) { *N##_update(key) = value; }                           \
    WM_FN_ void N##_clear(uint32_t key) {                                                              \
        key = wm_value_mark_(&N, key, WM_CHANGED_);                                                    \
        __builtin_memset(&((S *)N.rows)[key], 0, sizeof(S));                                           \
    }                                                                                                  \
    WM_FN_ uint32_t N##_count(void) {                                                                  \
        if (!N.loaded) wm_value_load_(&N);                                                             \
        return N.count;                                                                                \
    }                                                                                                  \
    WM_FN_ S *N##_values(void) {                                                                       \
        if (!N.loaded) wm_value_load_(&N);                                                             \
        return (S *)N.rows;                                                                            \
    }                                                                                                  \
    WM_FN_ void N##_put(uint32_t key) { wm_value_mark_(&N, key, WM_PRESENT_ | WM_CHANGED_); }          \
    WM_FN_ void N##_put_all(void) {                                                                    \
        if (N##_count() == 0) return;                                                                  \
        N##_put(0);                                                                                    \
        __builtin_memset(N.flags, WM_PRESENT_ | WM_CHANGED_, N.count);                                 \
    }

// wm_value_changes_ makes a row of s->puts for each value that has changed and returns how many these are; the caller
// writes their columns. It is for rows of a fixed size, which fit into one batch.
WM_SLOW_ uint32_t wm_value_changes_(wm_state *s) {
    wm_output *o = &s->puts;
    uint32_t n = 0, count = s->count;
    if (o->room < count) wm_reserve_(o, count);
    uint32_t *keys = o->origin;
    uint8_t *kinds = o->kind, *flags = s->flags, removes = 0;
    for (uint32_t key = 0; key < count; key++) { // no branch but the loop's
        uint8_t kind = (flags[key] & WM_PRESENT_) != 0 ? 0 : WM_KIND_DELETE_, changed = flags[key] / WM_CHANGED_;
        keys[n] = key;
        kinds[n] = kind;
        removes |= kind & (uint8_t)-changed;
        flags[key] &= WM_PRESENT_;
        n += changed;
    }
    o->rows = n;
    o->removes = removes != 0;
    return n;
}

// wm_value_load_ reads the values of all keys.
WM_SLOW_ void wm_value_load_(wm_state *s) {
    wm_state_use_(s, false);
    wm_batch b = wm_state_get_(s);
    if (b.rows > s->room) {
        uint32_t room = b.rows > 2 * s->room ? b.rows : 2 * s->room;
        s->rows = wm_regrow_(s->rows, 0, room * s->width);
        s->flags = (uint8_t *)wm_regrow_(s->flags, 0, room);
        s->room = room;
    }
    s->load(s, &b, 0);
    __builtin_memset(s->flags, WM_PRESENT_, b.rows);
    for (uint32_t n = 0; b.kind != NULL && n < b.rows; n++) {
        if (b.kind[n] != WM_KIND_DELETE_) continue;
        s->flags[n] = 0;
        __builtin_memset((uint8_t *)s->rows + n * s->width, 0, s->width);
    }
    s->count = b.rows;
    s->loaded = true;
}

// wm_value_miss_ is for a key whose value is not there: the first of a call, or one that is none.
WM_SLOW_ void wm_value_miss_(wm_state *s, uint32_t key) {
    if (!s->loaded) wm_value_load_(s);
    if (key >= s->count) wm_panic("state %s: there is no key number %u in a call with %u keys", s->name, key, s->count);
}

WM_FN_ uint32_t wm_value_(wm_state *s, uint32_t key) {
    key &= s->mask;
    if (key >= s->count) wm_value_miss_(s, key);
    return key;
}

WM_FN_ uint32_t wm_value_mark_(wm_state *s, uint32_t key, uint8_t flags) {
    key = wm_value_(s, key);
    if (!s->writable) wm_state_use_(s, true);
    s->changed = true;
    s->flags[key] = flags;
    return key;
}

// ------------------------------------------------------------------------------- 2  lists

// WM_LIST_STATE(N, "name", row, options...) is rows of each key, in the order in which they were appended.
//
//     void N_append(key, row)
//     void N_clear(key)             removes all
//     N_scan N_all(key)             reads them in order, by
//     bool N_next(&scan, &row)      false at the end
//     void N_end(&scan)             ends it before that; at most 64 may be open
//
// What is appended while a scan is open may be seen by it or not.
#define WM_LIST_STATE(N, title, S, ...)                                                                \
    static wm_state N = {.name = title, .fields = S##_fields, .kind = WM_STATE_LIST_, .open = wm_state_open_, __VA_ARGS__}; \
    WM_FN_ void N##_append(uint32_t key, S value) {                                                    \
        uint32_t row = wm_state_put_(&N, key, false);                                                  \
        S##_put_(N.puts.columns, row, &value);                                                         \
    }                                                                                                  \
    WM_FN_ void N##_clear(uint32_t key) { wm_state_remove_(&N, key); }                                 \
    typedef struct {                                                                                   \
        wm_scan_ scan;                                                                                 \
        S##_columns columns;                                                                           \
    } N##_scan;                                                                                        \
    WM_FN_ N##_scan N##_all(uint32_t key) {                                                            \
        N##_scan s;                                                                                    \
        __builtin_memset(&s, 0, sizeof s);                                                             \
        s.scan = wm_state_scan_(&N, key, WM_BOUNDS_NONE_);                                             \
        return s;                                                                                      \
    }                                                                                                  \
    WM_FN_ bool N##_next(N##_scan *s, S *into) {                                                       \
        if (s->scan.row == s->scan.batch.rows) {                                                       \
            if (!wm_scan_next_(&s->scan)) return false;                                                \
            s->columns = S##_of(&s->scan.batch);                                                       \
        }                                                                                              \
        *into = S##_at(&s->columns, s->scan.row++);                                                    \
        return true;                                                                                   \
    }                                                                                                  \
    WM_FN_ void N##_end(N##_scan *s) { wm_scan_end_(&s->scan); }

// ---------------------------------------------------------------------------- 3  reducing

// WM_REDUCING_STATE(N, "name", row, options...) is at most one row of each key, into which the host merges what is added,
// column by column as WM_ROW's third argument says: add, min, max or append. Null leaves a column as it is.
//
//     void N_add(key, row)
//     const row *N_get(key)     NULL where there is none
//     void N_clear(key)
#define WM_REDUCING_STATE(N, title, S, ...)                                                            \
    static wm_state N = {.name = title, .fields = S##_fields, .kind = WM_STATE_REDUCING_, .open = wm_state_open_, __VA_ARGS__}; \
    WM_FN_ void N##_add(uint32_t key, S value) {                                                       \
        uint32_t row = wm_state_put_(&N, key, false);                                                  \
        S##_put_(N.puts.columns, row, &value);                                                         \
    }                                                                                                  \
    WM_FN_ void N##_clear(uint32_t key) { wm_state_remove_(&N, key); }                                 \
    WM_FN_ const S *N##_get(uint32_t key) {                                                            \
        wm_batch b = wm_reducing_get_(&N, key);                                                        \
        if (b.kind != NULL && b.kind[0] == WM_KIND_DELETE_) return NULL;                               \
        S##_columns columns = S##_of(&b);                                                              \
        S *value = (S *)wm_temp(sizeof(S));                                                            \
        *value = S##_at(&columns, 0);                                                                  \
        return value;                                                                                  \
    }

WM_SLOW_ wm_batch wm_reducing_get_(wm_state *s, uint32_t key) {
    if (!s->readable) wm_state_use_(s, false);
    wm_state_settle_(s);
    wm_put_(&s->asked, key & s->mask, false);
    return wm_state_get_(s);
}

// -------------------------------------------------------------------------------- 4  maps

// WM_MAP_STATE(N, "name", K, V, options...) is rows V of each key by rows K, which order them and have neither lists nor structs.
// An entry is read once in a call and then kept until its end, as are those that are put, which are written together. A text
// in one must last until then.
//
//     const V *N_get(key, k)                NULL where there is none
//     V *N_update(key, k)                   to be changed in place before N is used again; zero where there was none
//     void N_put(key, k, v)
//     void N_remove(key, k)
//     void N_clear(key)                     removes all entries of the key, which it reads for that
//     void N_fetch(keys, ks, count)         reads entries in one call of the host, for N_get and N_update to find
//     N_scan N_all(key)                     reads entries in order, by
//     bool N_next(&scan, &k, &v)            false at the end
//     void N_end(&scan)                     ends it before that; at most 64 may be open
//     N_scan N_from(key, k)                 from k on
//     N_scan N_to(key, k)                   up to k, without it
//     N_scan N_range(key, from, to)         both
//     N_scan N_prefix(key, k, columns)      whose first columns are equal; of the last of these a text need only begin so
//
// What is put while a scan is open may be seen by it or not.
#define WM_MAP_STATE(N, title, K, V, ...)                                                              \
    typedef struct {                                                                                   \
        wm_entry_ entry;                                                                               \
        K key;                                                                                         \
        V value;                                                                                       \
    } N##_entry_;                                                                                      \
    WM_FN_ void N##_load_(wm_state *s, const wm_batch *b, uint32_t from) {                             \
        V##_columns columns;                                                                           \
        __builtin_memset(&columns, 0, sizeof columns);                                                 \
        V##_find_(&columns, b, K##_nodes - 1);                                                         \
        for (uint32_t n = 0; n < b->rows; n++) {                                                       \
            if (b->kind != NULL && b->kind[n] == WM_KIND_DELETE_) continue;                            \
            N##_entry_ *e = (N##_entry_ *)s->entries[from + n];                                        \
            e->value = V##_at(&columns, n);                                                            \
            e->entry.flags = WM_PRESENT_;                                                              \
        }                                                                                              \
    }                                                                                                  \
    WM_FN_ void N##_flush_(wm_state *s) {                                                              \
        wm_output *o = &s->puts;                                                                       \
        for (uint32_t i = 0; s->changed && i < s->count; i++) {                                        \
            N##_entry_ *e = (N##_entry_ *)s->entries[i];                                               \
            if ((e->entry.flags & WM_CHANGED_) == 0) continue;                                         \
            uint32_t row = wm_put_(o, e->entry.group, (e->entry.flags & WM_PRESENT_) == 0);            \
            K##_put_(o->columns, row, &e->key);                                                        \
            V##_put_(o->columns + K##_nodes - 1, row, &e->value);                                      \
            e->entry.flags &= WM_PRESENT_;                                                             \
        }                                                                                              \
        s->changed = false;                                                                            \
    }                                                                                                  \
    static wm_state N = {.name = title, .fields = V##_fields, .key = K##_fields, .kind = WM_STATE_MAP_, \
                         .width = sizeof(N##_entry_), .open = wm_state_open_, .load = N##_load_, .flush = N##_flush_, __VA_ARGS__}; \
    WM_FN_ void N##_ask_(uint32_t key, const K *k) {                                                   \
        if (!N.readable) wm_state_use_(&N, false);                                                     \
        uint32_t row = wm_put_(&N.asked, key & N.mask, false);                                         \
        K##_put_(N.asked.columns, row, k);                                                             \
    }                                                                                                  \
    /* the entry of k, made where it is not known yet */                                               \
    WM_FN_ N##_entry_ *N##_entry_of_(uint32_t key, const K *k) {                                       \
        key &= N.mask;                                                                                 \
        uint32_t hash = (uint32_t)K##_value_hash(wm_hash_(0, key), k);                                 \
        for (uint32_t at = hash, place; (place = wm_map_place_(&N, at)) != 0; at++) {                  \
            N##_entry_ *e = (N##_entry_ *)N.entries[place - 1];                                        \
            if (e->entry.hash == hash && e->entry.group == key && K##_value_same(&e->key, k)) return e; \
        }                                                                                              \
        N##_entry_ *e = (N##_entry_ *)wm_map_add_(&N, key, hash);                                      \
        e->key = *k;                                                                                   \
        return e;                                                                                      \
    }                                                                                                  \
    WM_FN_ N##_entry_ *N##_known_(uint32_t key, const K *k) {                                          \
        N##_entry_ *e = N##_entry_of_(key, k);                                                         \
        if (e->entry.flags == WM_UNKNOWN_) {                                                           \
            N##_ask_(key, k);                                                                          \
            wm_map_load_(&N, N.count - 1);                                                             \
        }                                                                                              \
        return e;                                                                                      \
    }                                                                                                  \
    WM_FN_ const V *N##_get(uint32_t key, K k) {                                                       \
        const N##_entry_ *e = N##_known_(key, &k);                                                     \
        return (e->entry.flags & WM_PRESENT_) != 0 ? &e->value : NULL;                                 \
    }                                                                                                  \
    WM_FN_ V *N##_update(uint32_t key, K k) {                                                          \
        if (!N.writable) wm_state_use_(&N, true);                                                      \
        N##_entry_ *e = N##_known_(key, &k);                                                           \
        e->entry.flags = WM_PRESENT_ | WM_CHANGED_;                                                    \
        N.changed = true;                                                                              \
        return &e->value;                                                                              \
    }                                                                                                  \
    WM_FN_ void N##_put(uint32_t key, K k, V value) {                                                  \
        if (!N.writable) wm_state_use_(&N, true);                                                      \
        N##_entry_ *e = N##_entry_of_(key, &k);                                                        \
        e->value = value;                                                                              \
        e->entry.flags = WM_PRESENT_ | WM_CHANGED_;                                                    \
        N.changed = true;                                                                              \
    }                                                                                                  \
    WM_FN_ void N##_remove(uint32_t key, K k) {                                                        \
        if (!N.writable) wm_state_use_(&N, true);                                                      \
        N##_entry_ *e = N##_entry_of_(key, &k);                                                        \
        __builtin_memset(&e->value, 0, sizeof e->value);                                               \
        e->entry.flags = WM_CHANGED_;                                                                  \
        N.changed = true;                                                                              \
    }                                                                                                  \
    WM_FN_ void N##_fetch(const uint32_t *keys, const K *ks, uint32_t count) {                         \
        if (count > WM_MAX_ROWS) wm_panic("state " title ": %u entries are fetched at once; %d are allowed", count, WM_MAX_ROWS); \
        if (N.count + count > WM_MAX_ROWS) wm_map_forget_(&N);                                         \
        uint32_t from = N.count;                                                                       \
        for (uint32_t i = 0; i < count; i++) N##_entry_of_(keys[i], &ks[i]);                           \
        for (uint32_t i = from; i < N.count; i++) {                                                    \
            const N##_entry_ *e = (const N##_entry_ *)N.entries[i];                                    \
            N##_ask_(e->entry.group, &e->key);                                                         \
        }                                                                                              \
        if (N.count > from) wm_map_load_(&N, from);                                                    \
    }                                                                                                  \
    typedef struct {                                                                                   \
        wm_scan_ scan;                                                                                 \
        K##_columns keys;                                                                              \
        V##_columns values;                                                                            \
    } N##_scan;                                                                                        \
    WM_FN_ N##_scan N##_scan_of_(uint32_t key, uint32_t bounds) {                                      \
        N##_scan s;                                                                                    \
        __builtin_memset(&s, 0, sizeof s);                                                             \
        s.scan = wm_state_scan_(&N, key, bounds);                                                      \
        return s;                                                                                      \
    }                                                                                                  \
    WM_FN_ N##_scan N##_all(uint32_t key) { return N##_scan_of_(key, WM_BOUNDS_NONE_); }               \
    WM_FN_ N##_scan N##_from(uint32_t key, K from) {                                                   \
        N##_ask_(key, &from);                                                                          \
        return N##_scan_of_(key, WM_BOUNDS_FROM_);                                                     \
    }                                                                                                  \
    WM_FN_ N##_scan N##_to(uint32_t key, K to) {                                                       \
        N##_ask_(key, &to);                                                                            \
        return N##_scan_of_(key, WM_BOUNDS_TO_);                                                       \
    }                                                                                                  \
    WM_FN_ N##_scan N##_range(uint32_t key, K from, K to) {                                            \
        N##_ask_(key, &from);                                                                          \
        N##_ask_(key, &to);                                                                            \
        return N##_scan_of_(key, WM_BOUNDS_FROM_TO_);                                                  \
    }                                                                                                  \
    WM_FN_ N##_scan N##_prefix(uint32_t key, K k, uint32_t columns) {                                  \
        N##_ask_(key, &k);                                                                             \
        wm_map_prefix_(&N, columns);                                                                   \
        return N##_scan_of_(key, WM_BOUNDS_PREFIX_);                                                   \
    }                                                                                                  \
    WM_FN_ bool N##_next(N##_scan *s, K *k, V *v) {                                                    \
        if (s->scan.row == s->scan.batch.rows) {                                                       \
            if (!wm_scan_next_(&s->scan)) return false;                                                \
            K##_find_(&s->keys, &s->scan.batch, 0);                                                    \
            V##_find_(&s->values, &s->scan.batch, K##_nodes - 1);                                      \
        }                                                                                              \
        *k = K##_at(&s->keys, s->scan.row);                                                            \
        *v = V##_at(&s->values, s->scan.row++);                                                        \
        return true;                                                                                   \
    }                                                                                                  \
    WM_FN_ void N##_end(N##_scan *s) { wm_scan_end_(&s->scan); }                                       \
    WM_FN_ void N##_clear(uint32_t key) {                                                              \
        K k;                                                                                           \
        V v;                                                                                           \
        for (N##_scan s = N##_all(key); N##_next(&s, &k, &v);) N##_remove(key, k);                     \
    }

enum { WM_UNKNOWN_ = 4 }; // of an entry that was not read

// An entry of a map begins with the number of its key. It lies in wm_temp's memory, so that it stays where it is.
typedef struct {
    uint32_t group, hash;
    uint8_t flags;
} wm_entry_;

// wm_map_place_ returns what the table has at a place: the number of an entry, from 1, or 0.
WM_FN_ uint32_t wm_map_place_(const wm_state *s, uint32_t at) {
    return s->table_size == 0 ? 0 : s->table[at & (s->table_size - 1)];
}

WM_FN_ void wm_map_index_(wm_state *s, uint32_t hash, uint32_t number) {
    while (s->table[hash & (s->table_size - 1)] != 0) hash++;
    s->table[hash & (s->table_size - 1)] = number + 1;
}

// wm_map_grow_ makes a table of twice the size, of which at most half is in use.
WM_SLOW_ void wm_map_grow_(wm_state *s) {
    s->table_size = s->table_size == 0 ? 64 : 2 * s->table_size;
    if (s->table_size > s->table_room) {
        s->table = (uint32_t *)wm_regrow_(s->table, 0, s->table_size * sizeof *s->table);
        s->table_room = s->table_size;
    }
    __builtin_memset(s->table, 0, s->table_size * sizeof *s->table);
    for (uint32_t i = 0; i < s->count; i++) wm_map_index_(s, ((const wm_entry_ *)s->entries[i])->hash, i);
}

// wm_map_forget_ has the host see all that was written, and forgets what is known of it.
WM_SLOW_ void wm_map_forget_(wm_state *s) {
    wm_state_settle_(s);
    s->count = s->table_size = 0;
}

// wm_map_add_ adds an entry that is not known yet.
WM_SLOW_ void *wm_map_add_(wm_state *s, uint32_t key, uint32_t hash) {
    if (s->count == WM_MAX_ROWS) wm_map_forget_(s);
    if (s->count == s->room) {
        uint32_t room = s->room == 0 ? 64 : 2 * s->room;
        s->entries = (void **)wm_regrow_(s->entries, s->count * sizeof *s->entries, room * sizeof *s->entries);
        s->room = room;
    }
    if (2 * s->count >= s->table_size) wm_map_grow_(s);
    wm_entry_ *e = (wm_entry_ *)wm_temp(s->width);
    __builtin_memset(e, 0, s->width);
    e->group = key;
    e->hash = hash;
    e->flags = WM_UNKNOWN_;
    wm_map_index_(s, hash, s->count);
    s->entries[s->count++] = e;
    return e;
}

// wm_map_load_ reads the last entries, those that were asked for; of which there is none, that is known then.
WM_SLOW_ void wm_map_load_(wm_state *s, uint32_t from) {
    wm_batch b = wm_state_get_(s);
    for (uint32_t i = from; i < s->count; i++) ((wm_entry_ *)s->entries[i])->flags = 0;
    s->load(s, &b, from);
}

// wm_map_prefix_ makes all but the first columns of what is asked for null.
WM_SLOW_ void wm_map_prefix_(wm_state *s, uint32_t columns) {
    for (uint32_t i = columns; i < s->asked.nodes; i++) {
        if (s->asked.columns[i].nulls == 0) wm_null_mark_(&s->asked.columns[i], 0);
    }
}

// ------------------------------------------------------------------------------ 5  timers

typedef enum { WM_EVENT_TIME, WM_PROCESSING_TIME } wm_clock;

// The columns of timers that are due, which wm_operator.timer is given, the earliest first: when it was due, and its namespace.
// Behind them are those of the operator's key:
//
//     #define DUE(F) WM_DUE(F) F(string, account, required, "")
//     WM_ROW(due, DUE)
#define WM_DUE(F)                                   \
    F(timestamp, time, required, "When it was due") \
    F(bytes, space, required, "Its namespace")
WM_ROW(wm_timer, WM_DUE)

// wm_clock_of says what clock timers that are due go by.
WM_FN_ wm_clock wm_clock_of(const wm_batch *due) {
    return due->schema == WM_SCHEMA_PROCESSING_TIMER_ ? WM_PROCESSING_TIME : WM_EVENT_TIME;
}

// Timers on their way to the host, by clock.
__attribute__((weak)) wm_output wm_timers_[2];

WM_SLOW_ void wm_timer_put_at_(wm_clock clock, uint32_t key, int64_t at, wm_string space, bool remove) {
    wm_output *o = &wm_timers_[clock];
    if (!wm_global.keyed) wm_panic("a timer belongs to a key, and there is none here: only rows of keyed inputs and timers have one");
    if (o->send == NULL) wm_puts_init_(o, clock == WM_EVENT_TIME ? WM_SCHEMA_EVENT_TIMER_ : WM_SCHEMA_PROCESSING_TIMER_, wm_timer_fields, true, true);
    uint32_t row = wm_put_(o, key, remove);
    wm_timer timer = {at, space};
    wm_timer_put_(o->columns, row, &timer);
}

// wm_set_timer sets a timer of a key at a time, in microseconds, in a namespace, which may be WM_STR(""). A timer is one for its
// key, clock, namespace and time, however often it is set. One whose time has passed already is due with the next watermark, or
// the next look at the clock; where a timer has set it, with the one at hand.
WM_FN_ void wm_set_timer(wm_clock clock, uint32_t key, int64_t at, wm_string space) {
    wm_timer_put_at_(clock, key, at, space, false);
}

// wm_delete_timer deletes a timer, if there is one.
WM_FN_ void wm_delete_timer(wm_clock clock, uint32_t key, int64_t at, wm_string space) {
    wm_timer_put_at_(clock, key, at, space, true);
}

#endif // WASMILL_STATE_H
