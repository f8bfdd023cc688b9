// Copyright The wasmill Authors
// SPDX-License-Identifier: Apache-2.0

// movements turns each flight into a departure and an arrival.
#include "wasmill.h"

#define FLIGHT(F)                                                \
    F(string, origin, required, "Code of the airport it left")   \
    F(string, destination, required, "Code of the airport it reached") \
    F(int64, delay, nullable, "Minutes late at arrival")         \
    F(int64, distance, nullable, "Miles flown")
WM_ROW(flight, FLIGHT)

#define MOVEMENT(F)                                              \
    F(string, airport, required, "Code of the airport")          \
    F(string, movement, required, "departure or arrival")        \
    F(bool, late, nullable, "Whether the flight was late; null where that is not known")
WM_ROW(movement, MOVEMENT)

#define BAND(F) F(string, band, required, "long or very long")
WM_ROW(band, BAND)

#define SETTINGS(F) F(int64, late_after, default("15"), "Minutes of delay from which a flight is late")
WM_ROW(settings, SETTINGS)

enum { MAIN, LONG_HAUL }; // outputs
enum { FLIGHTS };         // counters

static settings config;

static void movements_open(const wm_batch *batch) {
    settings_columns columns = settings_of(batch);
    config = settings_at(&columns, 0);
    if (config.late_after < 0) wm_refuse("late_after must not be negative, got %lld", (long long)config.late_after);
}

static void movements_process(const wm_batch *in) {
    flight_columns flights = flight_of(in);
    int64_t flown = 0;
    for (uint32_t row = 0; row < in->rows; row++) {
        flight f = flight_at(&flights, row);
        if (wm_equal(f.origin, f.destination)) {
            wm_fail_row(row, "flight from %.*s to itself", WM_ARG(f.origin));
            continue;
        }
        wm_bool_opt late = {f.delay.has, f.delay.value >= config.late_after};
        movement_emit(MAIN, row, (movement){f.origin, WM_STR("departure"), late});
        movement_emit(MAIN, row, (movement){f.destination, WM_STR("arrival"), late});
        if (f.distance.has && f.distance.value >= 1500) {
            band_emit(LONG_HAUL, row, (band){f.distance.value < 2500 ? WM_STR("long") : WM_STR("very long")});
        }
        flown++;
    }
    wm_count(FLIGHTS, flown);
}

static const wm_operator movements = {
    .name = "movements",
    .doc = "Turns each flight into a departure and an arrival.",
    .input = WM_PORT("", flight, 0),
    .outputs = {WM_PORT("", movement, 0), WM_PORT("long_haul", band, WM_FORWARD)},
    .config = settings_fields,
    .counters = {"flights"},
    .open = movements_open,
    .process = movements_process,
};

WM_MODULE(&movements)
