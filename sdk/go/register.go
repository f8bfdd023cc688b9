// Copyright The wasmill Authors
// SPDX-License-Identifier: Apache-2.0

package wasmill

// registered are the operators of this module, in the order of their description.
var registered []Operator

// Register says which operators the module holds. Call it once, in an init function: nobody calls
// the main function of a module.
func Register(operators ...Operator) { registered = append(registered, operators...) }
