// Copyright The wasmill Authors
// SPDX-License-Identifier: Apache-2.0

// Package fbs is what flatc makes of ../wasmill.fbs: the readers and writers that any language
// with FlatBuffers gets for nothing. The tests of abi hold the host's own code against it. The
// host itself doesn't use it: these readers trust the bytes that they are given.
package fbs

//go:generate ./generate.sh
