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
	"github.com/spf13/pflag"
	"golang.org/x/term"

	"github.com/wasmill/wasmill/runtime/wasm"
	"github.com/wasmill/wasmill/scheduler/nearest"
	"github.com/wasmill/wasmill/scheduler/operator"
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
		exit:           os.Exit,
	}
	signal.Notify(app.signals, os.Interrupt, syscall.SIGTERM)
	// A reader of the output that has had enough, as head does, is an error of the write, not the
	// end of the process: other sinks are still to be committed or aborted.
	signal.Ignore(syscall.SIGPIPE)
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
	exit           func(code int) // ends the process at once
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
	if err == nil || errors.Is(err, syscall.EPIPE) {
		return exitDone // whoever reads standard output has enough
	}
	if !errors.Is(err, errReported) {
		say(a.stderr, "wasmill: %v\n", err)
	}
	var of *operator.Error
	if errors.As(err, new(userError)) || errors.As(err, &of) && of.Fault == operator.FaultConfig {
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
		Version:       currentVersions().String(),
		Args:          subcommand,
		RunE:          func(cmd *cobra.Command, _ []string) error { return cmd.Help() },
		Long: `A stream processor whose operators are WebAssembly modules.

Exit codes: 0 done; 1 the job failed, or was interrupted before its input ended; 2 the file, the
module or the flags are wrong.

Compiled modules are kept in the folder WASMILL_CACHE, or else wasmill in the user's cache folder. A module may take 10 seconds
to compile, or as long as WASMILL_COMPILE_TIME says.`,
	}
	root.SetVersionTemplate("{{.Version}}\n")
	root.CompletionOptions.HiddenDefaultCmd = true
	root.SetFlagErrorFunc(func(cmd *cobra.Command, err error) error {
		return userError{fmt.Errorf("%w%s; see: %s --help", err, flagHint(cmd, err), cmd.CommandPath())}
	})
	root.AddCommand(a.runCommand(), a.checkCommand(), a.testCommand(), a.inspectCommand(), a.newCommand(), a.versionCommand())
	return root
}

// subcommand refuses the arguments of a command that has only subcommands.
func subcommand(cmd *cobra.Command, args []string) error {
	if len(args) == 0 {
		return nil
	}
	if info, err := os.Stat(args[0]); err == nil && info.Mode().IsRegular() {
		return userError{fmt.Errorf("%q is a file, not a command of %s; to run a pipeline: wasmill run %[1]s", args[0], cmd.CommandPath())}
	}
	var names []string
	for _, c := range cmd.Commands() {
		if c.IsAvailableCommand() {
			names = append(names, c.Name())
		}
	}
	return userError{fmt.Errorf("%s has no command %q; %s", cmd.CommandPath(), args[0], nearest.Hint(args[0], names))}
}

// flagHint is the end of a message about an unknown flag.
func flagHint(cmd *cobra.Command, err error) string {
	var unknown *pflag.NotExistError
	if !errors.As(err, &unknown) || len(unknown.GetSpecifiedName()) < 2 {
		return ""
	}
	var names []string
	cmd.Flags().VisitAll(func(f *pflag.Flag) { names = append(names, "--"+f.Name) })
	return "; " + nearest.Hint("--"+unknown.GetSpecifiedName(), names)
}

// exactly is cobra's check of the number of arguments, as a user's error that says what they are.
func exactly(n int, what string) cobra.PositionalArgs {
	return arguments(func(given int) bool { return given == n }, what)
}

// arguments takes as many arguments as it may be.
func arguments(may func(given int) bool, what string) cobra.PositionalArgs {
	return func(cmd *cobra.Command, args []string) error {
		if may(len(args)) {
			return nil
		}
		return userError{fmt.Errorf("%s takes %s, not %d arguments; see: %s --help", cmd.CommandPath(), what, len(args), cmd.CommandPath())}
	}
}

// say writes to a person. Where that fails, nobody is left to be told.
func say(w io.Writer, format string, args ...any) { _, _ = fmt.Fprintf(w, format, args...) }
