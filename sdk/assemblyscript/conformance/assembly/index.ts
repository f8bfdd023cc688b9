// Copyright The wasmill Authors
// SPDX-License-Identifier: Apache-2.0

// The operators of ../../../../abi/conformance/README.md, which every SDK builds.

export * from "wasmill/exports";

import "./everything";
import "./maps";
import "./aggregates";
import "./processes";
