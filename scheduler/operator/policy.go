// Copyright The wasmill Authors
// SPDX-License-Identifier: Apache-2.0

package operator

import "github.com/wasmill/wasmill/abi"

// Policy is what becomes of a row that fails.
type Policy uint8

// The policies, as on_error in a pipeline file.
const (
	PolicyFail       Policy = iota // the job fails
	PolicyDrop                     // the row is counted and dropped
	PolicyDeadLetter               // the row goes to the output "dead_letters" with the reason
)

// PortDeadLetters is the name of the output of rows that failed.
const PortDeadLetters = "dead_letters"

// DeadLetterSchema is the schema of the output PortDeadLetters.
func DeadLetterSchema() *abi.Schema {
	return &abi.Schema{Fields: []abi.Field{
		{Name: "operator", Type: abi.String}, // the node's name
		{Name: "position", Type: abi.String}, // where the row came from, in words; null where nobody knows
		{Name: "reason", Type: abi.String},
		{Name: "row", Type: abi.String}, // the row as JSON, or the record as it was read; invalid UTF-8 replaced
	}}
}
