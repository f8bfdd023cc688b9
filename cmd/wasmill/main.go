// Copyright The wasmill Authors
// SPDX-License-Identifier: Apache-2.0

// Command wasmill runs stream processing jobs whose operators are WebAssembly modules. This
// package is where the program is put together: flags, catalogs and wiring, nothing else.
package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"os/signal"
	"syscall"

	"github.com/spf13/cobra"
	"golang.org/x/term"

	"github.com/wasmill/wasmill/runtime/wasm"
)

// The exit codes, as the README documents them.
const (
	exitDone   = 0
	exitFailed = 1 // the job failed, or was interrupted
	exitUser   = 2 // the user's file or flags are wrong
)

func main() {
	app := &app{
		compiler: wasm.MaybeCompileChild(),
		stdin:    os.Stdin, stdout: os.Stdout, stderr: os.Stderr,
		stdoutTerminal: term.IsTerminal(int(os.Stdout.Fd())),
		stderrTerminal: term.IsTerminal(int(os.Stderr.Fd())),
		signals:        make(chan os.Signal, 2),
	}
	signal.Notify(app.signals, os.Interrupt, syscall.SIGTERM)
	os.Exit(app.main(context.Background(), os.Args[1:]))
}

// app is the program and what it touches of the world.
type app struct {
	compiler       wasm.Compiler
	stdin          io.Reader
	stdout         io.Writer
	stderr         io.Writer
	stdoutTerminal bool
	stderrTerminal bool
	signals        chan os.Signal
}

// userError is an error that ends the program with exitUser.
type userError struct{ error }

func (e userError) Unwrap() error { return e.error }

// reported is an error whose text has been printed already.
var errReported = errors.New("reported")

// main runs the command line and returns the exit code.
func (a *app) main(ctx context.Context, args []string) int {
	root := a.command()
	root.SetArgs(args)
	root.SetIn(a.stdin)
	root.SetOut(a.stdout)
	root.SetErr(a.stderr)
	err := root.ExecuteContext(ctx)
	if err == nil {
		return exitDone
	}
	if !errors.Is(err, errReported) {
		fmt.Fprintln(a.stderr, "wasmill:", err)
	}
	if errors.As(err, new(userError)) {
		return exitUser
	}
	return exitFailed
}

func (a *app) command() *cobra.Command {
	root := &cobra.Command{
		Use:           "wasmill",
		Short:         "A stream processor whose operators are WebAssembly modules",
		SilenceUsage:  true,
		SilenceErrors: true,
		Args:          cobra.NoArgs,
		RunE:          func(cmd *cobra.Command, _ []string) error { return cmd.Help() },
	}
	root.CompletionOptions.HiddenDefaultCmd = true
	root.SetFlagErrorFunc(func(cmd *cobra.Command, err error) error {
		return userError{fmt.Errorf("%w; see: %s --help", err, cmd.CommandPath())}
	})
	root.AddCommand(a.runCommand(), a.checkCommand(), a.inspectCommand(), a.newCommand(), a.versionCommand())
	return root
}

// exactly is cobra's check of the number of arguments, as a user's error that says what they are.
func exactly(n int, what string) cobra.PositionalArgs {
	return func(cmd *cobra.Command, args []string) error {
		if len(args) == n {
			return nil
		}
		return userError{fmt.Errorf("%s takes %s, not %d arguments; see: %s --help", cmd.CommandPath(), what, len(args), cmd.CommandPath())}
	}
}
