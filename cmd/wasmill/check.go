// Copyright The wasmill Authors
// SPDX-License-Identifier: Apache-2.0

package main

import (
	"context"
	"errors"
	"fmt"

	"github.com/spf13/cobra"

	"github.com/wasmill/wasmill/scheduler/graph"
)

func (a *app) checkCommand() *cobra.Command {
	asJSON, infer := false, false
	cmd := &cobra.Command{
		Use:   "check FILE",
		Short: "Prove the job of a pipeline file without running it, and print its plan",
		Args:  exactly(1, "the path of a pipeline file"),
		RunE: func(cmd *cobra.Command, args []string) error {
			ctx, stop := a.interruptible(cmd.Context())
			defer stop()
			engine, err := a.engine()
			if err != nil {
				return err
			}
			defer engine.Close()
			catalog := a.catalog(engine, a.stdout)
			if infer {
				return a.infer(ctx, args[0], catalog)
			}
			g, err := a.load(ctx, args[0], catalog)
			var problems graph.Problems
			switch {
			case asJSON && errors.As(err, &problems):
				if err := a.printJSON(checked{Problems: problems}); err != nil {
					return err
				}
				return userError{errReported}
			case err != nil:
				return err
			case asJSON:
				return a.printJSON(checked{OK: true, Problems: graph.Problems{}, Plan: g.Plan()})
			}
			_, err = fmt.Fprint(a.stdout, g.Plan())
			return err
		},
	}
	cmd.Flags().BoolVar(&asJSON, "json", false, "print JSON")
	cmd.Flags().BoolVar(&infer, "infer", false, "print a schema for each source that declares none, from its first rows")
	return cmd
}

// checked is what `wasmill check --json` prints.
type checked struct {
	OK       bool           `json:"ok"`
	Problems graph.Problems `json:"problems"`
	Plan     *graph.Plan    `json:"plan,omitempty"`
}

// infer prints the schemas of the sources that declare none, as the pipeline file would have them.
func (a *app) infer(ctx context.Context, path string, catalog graph.Catalog) error {
	data, err := read(ctx, path)
	if err != nil {
		return err
	}
	schemas, problems := graph.Schemas(ctx, path, data, catalog)
	if cause := context.Cause(ctx); cause != nil {
		return cause
	}
	if problems != nil {
		return userError{problems}
	}
	for _, s := range schemas {
		if s.Declared {
			continue
		}
		if _, err := fmt.Fprintf(a.stdout, "# source %s\n%s", s.Source, s); err != nil {
			return err
		}
	}
	return nil
}
