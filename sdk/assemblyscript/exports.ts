// Copyright The wasmill Authors
// SPDX-License-Identifier: Apache-2.0

// The functions that the host calls. A module's entry file has the line
//
//     export * from "wasmill/exports";
export * from "./assembly/exports";
