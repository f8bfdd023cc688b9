// Copyright The wasmill Authors
// SPDX-License-Identifier: Apache-2.0

#include "../movements.c"
#include "wasmill_test.h"

static void start(int64_t late_after) {
    settings_append(wm_test_config(&movements), (settings){.late_after = late_after});
    WM_CHECK(wm_test_open());
}

static flight from_to(const char *origin, const char *destination) {
    return (flight){wm_string_of(origin, 3), wm_string_of(destination, 3), {true, 0}, {true, 100}};
}

static void a_flight_is_two_movements(void) {
    start(15);
    flight late = from_to("JFK", "LAX");
    late.delay.value = 15;
    flight_append(wm_test_input(), late);
    WM_CHECK(wm_test_process());
    wm_batch out = wm_test_emitted(MAIN);
    movement_columns movements = movement_of(&out);
    WM_CHECK(out.rows == 2);
    movement first = movement_at(&movements, 0), second = movement_at(&movements, 1);
    WM_CHECK_TEXT(first.airport, "JFK");
    WM_CHECK_TEXT(first.movement, "departure");
    WM_CHECK_TEXT(second.airport, "LAX");
    WM_CHECK_TEXT(second.movement, "arrival");
    WM_CHECK(first.late.has && first.late.value && second.late.value);
    WM_CHECK(wm_test_origin(&out, 1) == 0);
}

static void late_is_null_without_a_delay(void) {
    start(15);
    flight f = from_to("JFK", "LAX");
    f.delay.has = false;
    flight_append(wm_test_input(), f);
    flight_append(wm_test_input(), from_to("BOS", "DCA"));
    WM_CHECK(wm_test_process());
    wm_batch out = wm_test_emitted(MAIN);
    movement_columns movements = movement_of(&out);
    WM_CHECK(out.rows == 4);
    WM_CHECK(!movement_at(&movements, 1).late.has);
    WM_CHECK(movement_at(&movements, 2).late.has && !movement_at(&movements, 2).late.value);
}

static void long_flights_have_a_band(void) {
    start(15);
    int64_t distances[] = {1499, 1500, 2499, 2500};
    for (int i = 0; i < 4; i++) {
        flight f = from_to("JFK", "LAX");
        f.distance.value = distances[i];
        flight_append(wm_test_input(), f);
    }
    WM_CHECK(wm_test_process());
    wm_batch out = wm_test_emitted(LONG_HAUL);
    band_columns bands = band_of(&out);
    WM_CHECK(out.rows == 3 && wm_test_origin(&out, 0) == 1);
    WM_CHECK_TEXT(band_at(&bands, 1).band, "long");
    WM_CHECK_TEXT(band_at(&bands, 2).band, "very long");
}

static void a_flight_to_itself_fails_alone(void) {
    start(15);
    flight_append(wm_test_input(), from_to("JFK", "JFK"));
    flight_append(wm_test_input(), from_to("JFK", "LAX"));
    WM_CHECK(wm_test_process());
    WM_CHECK_TEXT(wm_test_failure(0), "flight from JFK to itself");
    WM_CHECK(wm_test_emitted(MAIN).rows == 2);
    WM_CHECK(wm_test.counters[FLIGHTS] == 1);
}

static void late_after_must_not_be_negative(void) {
    settings_append(wm_test_config(&movements), (settings){.late_after = -1});
    WM_CHECK(!wm_test_open());
    WM_CHECK(strcmp(wm_test.fail_text, "late_after must not be negative, got -1") == 0);
}

int main(void) {
    WM_RUN(a_flight_is_two_movements);
    WM_RUN(late_is_null_without_a_delay);
    WM_RUN(long_flights_have_a_band);
    WM_RUN(a_flight_to_itself_fails_alone);
    WM_RUN(late_after_must_not_be_negative);
    wm_test_reset();
    return wm_test_done();
}
