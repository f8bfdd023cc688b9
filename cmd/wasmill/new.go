// Copyright The wasmill Authors
// SPDX-License-Identifier: Apache-2.0

package main

import (
	"fmt"

	"github.com/spf13/cobra"

	"github.com/wasmill/wasmill/sdk"
)

func (a *app) newCommand() *cobra.Command {
	parent := &cobra.Command{
		Use:   "new",
		Short: "Begin a project",
		Args:  subcommand,
		RunE:  func(cmd *cobra.Command, _ []string) error { return cmd.Help() },
	}
	lang, dir := "", ""
	cmd := &cobra.Command{
		Use:   "operator NAME --lang go|rust|c|assemblyscript",
		Short: "Write a project of an operator, with the SDK, that builds and passes its test",
		Args:  exactly(1, "the operator's name"),
		RunE: func(_ *cobra.Command, args []string) error {
			if lang == "" {
				return userError{fmt.Errorf("say in which language: --lang go, rust, c or assemblyscript")}
			}
			to := dir
			if to == "" {
				to = args[0]
			}
			files, err := sdk.NewOperator(to, args[0], lang)
			if err != nil {
				return userError{err}
			}
			_, err = fmt.Fprintf(a.stdout, "wrote %d files to %s; %s/README.md says how to build, test and run it\n", len(files), to, to)
			return err
		},
	}
	cmd.Flags().StringVar(&lang, "lang", "", "the language: go, rust, c or assemblyscript")
	cmd.Flags().StringVar(&dir, "dir", "", "the folder to write to (default: ./NAME)")
	parent.AddCommand(cmd)
	return parent
}
