// Copyright The wasmill Authors
// SPDX-License-Identifier: Apache-2.0

// The operators of the README do what it says. The Makefile takes them from there.
#include "readme_2.c"
#include "wasmill_test.h"

static void a_quiet_account_is_told_of(void) {
    wm_test_config(&watch);
    WM_CHECK(wm_test_open());
    payment_append_at(wm_test_input(), (payment){WM_STR("a"), 5}, 0);
    payment_append_at(wm_test_input(), (payment){WM_STR("a"), 7}, WM_MINUTE);
    payment_append_at(wm_test_input(), (payment){WM_STR("b"), 1}, 2 * WM_HOUR);
    WM_CHECK(wm_test_process());
    WM_CHECK(wm_test_advance_watermark(WM_HOUR) && wm_test_emitted(0).rows == 0);
    WM_CHECK(wm_test_advance_watermark(2 * WM_HOUR));
    wm_batch out = wm_test_emitted(0);
    quiet_columns columns = quiet_of(&out);
    WM_CHECK(out.rows == 1);
    quiet q = quiet_at(&columns, 0);
    WM_CHECK(q.payments == 2 && q.total == 12);
    WM_CHECK_TEXT(q.account, "a");
}

int main(void) {
    WM_RUN(a_quiet_account_is_told_of);
    wm_test_reset();
    return wm_test_done();
}
