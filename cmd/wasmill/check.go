// Copyright The wasmill Authors
// SPDX-License-Identifier: Apache-2.0

package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"regexp"
	"slices"

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
	data, problems := graph.Read(path)
	if problems != nil {
		return userError{problems}
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
		fmt.Fprintf(a.stdout, "# source %s\nschema:\n", s.Source)
		for i := range s.Schema.Fields {
			f := &s.Schema.Fields[i]
			fmt.Fprintf(a.stdout, "  %s: %s\n", yamlText(f.Name), yamlText(f.TypeString()))
		}
	}
	return nil
}

// yamlText writes a name or a type so that YAML reads it as the same string.
func yamlText(text string) string {
	if plainYAML.MatchString(text) && !slices.Contains(yamlWords, text) {
		return text
	}
	quoted, err := json.Marshal(text)
	if err != nil {
		return text // a string can always be marshalled
	}
	return string(quoted)
}

// plainYAML is what needs no quotes, but for yamlWords, which some YAML readers take for something
// else than a string.
var plainYAML = regexp.MustCompile(`^[a-z_][a-z0-9_]*(\([0-9]+\)|<[a-z0-9<>]+>)?$`)

var yamlWords = []string{"null", "true", "false", "yes", "no", "on", "off", "y", "n"}
