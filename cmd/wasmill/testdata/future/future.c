// Copyright The wasmill Authors
// SPDX-License-Identifier: Apache-2.0

// A module that speaks a version of the contract that is yet to come.
#include <stdint.h>

#define EXPORT(name) __attribute__((export_name(name)))

EXPORT("wasmill_version") uint32_t version(void) { return 7; }
EXPORT("wasmill_describe") uint64_t describe(void) { return 0; }
EXPORT("wasmill_buffer") uint32_t buffer(uint32_t size) { return 8 + 0 * size; }
EXPORT("wasmill_open") uint32_t open(uint32_t number, uint32_t config, uint32_t size) { return 0 * (number + config + size); }
EXPORT("wasmill_process") uint32_t process(uint32_t batch, uint32_t size) { return 0 * (batch + size); }
