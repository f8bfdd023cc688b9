// Copyright The wasmill Authors
// SPDX-License-Identifier: Apache-2.0

// fraud finds stolen cards, which are tried with a small charge, then used for a large one.
#include "wasmill_state.h"

#define CHARGE(F)                                        \
    F(string, card, key, "The card that is charged")     \
    F(int64, amount, required, "Cents")                  \
    F(timestamp, at, required, "When it was charged")
WM_ROW(charge, CHARGE)

#define ALERT(F)                                                               \
    F(string, card, required, "The card that was charged")                     \
    F(timestamp, at, required, "When it was charged with the large amount")    \
    F(int64, small, required, "The small charge before, in cents")             \
    F(int64, large, required, "The large one, in cents")
WM_ROW(alert, ALERT)

#define SETTINGS(F)                                                      \
    F(int64, small, default("100"), "Cents below which a charge is small") \
    F(int64, large, default("50000"), "Cents from which on a charge is large") \
    F(int64, within, default("60"), "Seconds after a small charge in which a large one is an alert")
WM_ROW(settings, SETTINGS)

// A small charge, until it is too long ago.
#define TRIAL(F)                  \
    F(timestamp, at, required, "") \
    F(int64, amount, required, "")
WM_ROW(trial, TRIAL)
WM_VALUE_STATE(trials, "trial", trial, .doc = "The last small charge")

enum { MAIN };   // outputs
enum { ALERTS }; // counters

static settings config;

static void fraud_open(const wm_batch *batch) {
    settings_columns columns = settings_of(batch);
    config = settings_at(&columns, 0);
    if (config.small > config.large || config.within < 1)
        wm_refuse("small must not be more than large, and within be a second or more");
}

// end is when a large charge is no alert any more.
static int64_t end(const trial *t) { return t->at + config.within * WM_SECOND; }

static void fraud_process(const wm_batch *in) {
    charge_columns charges = charge_of(in);
    int64_t alerts = 0;
    for (uint32_t row = 0; row < in->rows; row++) {
        charge c = charge_at(&charges, row);
        uint32_t key = in->group[row];
        const trial *last = trials_get(key);
        if (last != NULL && c.amount >= config.large && c.at < end(last)) {
            alert_emit(MAIN, row, (alert){c.card, c.at, last->amount, c.amount});
            alerts++;
        }
        if (c.amount < config.small) {
            if (last != NULL) wm_delete_timer(WM_EVENT_TIME, key, end(last), WM_STR(""));
            trial now = {c.at, c.amount};
            trials_set(key, now);
            wm_set_timer(WM_EVENT_TIME, key, end(&now), WM_STR(""));
        }
    }
    wm_count(ALERTS, alerts);
}

static void fraud_timer(const wm_batch *due) {
    for (uint32_t row = 0; row < due->rows; row++) trials_clear(due->group[row]);
}

static const wm_operator fraud = {
    .name = "fraud",
    .doc = "Large charges that follow a small one.",
    .inputs = {WM_INPUT("", charge, 0, fraud_process)},
    .outputs = {WM_PORT("", alert, 0)},
    .config = settings_fields,
    .counters = {"alerts"},
    .states = {&trials},
    .open = fraud_open,
    .timer = fraud_timer,
};

WM_MODULE(&fraud)
