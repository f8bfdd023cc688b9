// Copyright The wasmill Authors
// SPDX-License-Identifier: Apache-2.0

package meter

import "github.com/wasmill/wasmill/runtime/module"

// CostOf shows the cost table to tests.
func CostOf(op module.Opcode) int64 { return int64(costs[op]) }

// BulkCostOf is what a bulk instruction charges for n bytes, entries or pages.
func BulkCostOf(op module.Opcode, n int64) int64 { return n * bulkWeight(op) / 64 }
