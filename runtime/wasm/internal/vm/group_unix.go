// Copyright The wasmill Authors
// SPDX-License-Identifier: Apache-2.0

//go:build unix

package vm

import (
	"os/exec"
	"syscall"
)

// apart keeps a child process out of reach of a terminal's Ctrl-C, which goes to all processes of a
// group: it is the parent's to end the child, and to say why.
func apart(cmd *exec.Cmd) { cmd.SysProcAttr = &syscall.SysProcAttr{Setpgid: true} }
