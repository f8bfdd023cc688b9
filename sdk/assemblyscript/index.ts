// Copyright The wasmill Authors
// SPDX-License-Identifier: Apache-2.0

// What import { ... } from "wasmill" finds.
export * from "./assembly/index";
