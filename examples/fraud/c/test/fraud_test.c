// Copyright The wasmill Authors
// SPDX-License-Identifier: Apache-2.0

#include "../fraud.c"
#include "wasmill_test.h"

static bool start(int64_t small, int64_t large, int64_t within) {
    settings_append(wm_test_config(&fraud), (settings){small, large, within});
    return wm_test_open();
}

static void charged(const char *card, int64_t amount, int64_t seconds) {
    charge_append(wm_test_input(), (charge){wm_string_of(card, 1), amount, seconds * WM_SECOND});
}

static void check_alert(uint32_t row, int64_t seconds, int64_t small, int64_t large) {
    wm_batch out = wm_test_emitted(MAIN);
    WM_CHECK(row < out.rows);
    alert_columns alerts = alert_of(&out);
    alert a = alert_at(&alerts, row);
    WM_CHECK_TEXT(a.card, "a");
    WM_CHECK(a.at == seconds * WM_SECOND && a.small == small && a.large == large);
}

static void a_large_charge_within_a_minute_after_a_small_one_is_an_alert(void) {
    WM_CHECK(start(100, 50000, 60));
    charged("a", 60000, 0); // nothing before it
    charged("a", 99, 1);
    charged("b", 60000, 2); // another card
    charged("a", 50000, 3);
    charged("a", 49999, 4);
    charged("a", 1, 10);
    charged("a", 70000, 69);
    charged("a", 70000, 70);
    WM_CHECK(wm_test_process());
    WM_CHECK(wm_test_emitted(MAIN).rows == 2);
    check_alert(0, 3, 99, 50000);
    check_alert(1, 69, 1, 70000);
    WM_CHECK(wm_test.counters[ALERTS] == 2);
}

static void a_small_charge_is_forgotten_by_the_last_ones_timer(void) {
    WM_CHECK(start(100, 50000, 10));
    charged("a", 5, 0);
    charged("a", 7, 5);
    WM_CHECK(wm_test_process());
    WM_CHECK(wm_test_advance_watermark(10 * WM_SECOND)); // when the first one would have been
    charged("a", 50000, 14);
    WM_CHECK(wm_test_process());
    check_alert(0, 14, 7, 50000);
    WM_CHECK(wm_test_advance_watermark(15 * WM_SECOND));
    charged("a", 50000, 14); // too late
    WM_CHECK(wm_test_process());
    WM_CHECK(wm_test_emitted(MAIN).rows == 0);
}

static void a_configuration_that_makes_no_sense_is_refused(void) {
    WM_CHECK(!start(100, 50000, 0));
    WM_CHECK(!start(2, 1, 60));
    WM_CHECK(strcmp(wm_test.fail_text, "small must not be more than large, and within be a second or more") == 0);
}

int main(void) {
    WM_RUN(a_large_charge_within_a_minute_after_a_small_one_is_an_alert);
    WM_RUN(a_small_charge_is_forgotten_by_the_last_ones_timer);
    WM_RUN(a_configuration_that_makes_no_sense_is_refused);
    wm_test_reset();
    return wm_test_done();
}
