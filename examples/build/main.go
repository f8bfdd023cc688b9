// Copyright The wasmill Authors
// SPDX-License-Identifier: Apache-2.0

// Command build builds the modules of the examples and puts them where their pipelines look for
// them: all of them, or those of the folders that are named. It is run in the repository's root.
package main

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"github.com/wasmill/wasmill/examples"
	"github.com/wasmill/wasmill/sdk/build"
)

func main() {
	if err := run(context.Background(), os.Args[1:]); err != nil {
		fmt.Fprintln(os.Stderr, "build:", err)
		os.Exit(1)
	}
}

// run builds what the compilers at hand can build.
func run(ctx context.Context, folders []string) error {
	known := []string{}
	var errs []error
	for _, m := range examples.Modules() {
		folder, _, _ := strings.Cut(m.Path, "/")
		known = append(known, folder)
		if len(folders) > 0 && !slices.Contains(folders, folder) {
			continue
		}
		if err := place(ctx, m); err != nil {
			errs = append(errs, err)
			continue
		}
		fmt.Println(filepath.Join("examples", m.Path))
	}
	for _, folder := range folders {
		if !slices.Contains(known, folder) {
			errs = append(errs, fmt.Errorf("there are no modules in %q; there are in %s", folder, strings.Join(slices.Compact(known), ", ")))
		}
	}
	return errors.Join(errs...)
}

func place(ctx context.Context, m examples.Module) error {
	built, err := build.Guest(ctx, m.Lang, filepath.Join("examples", m.Source))
	if err != nil {
		return err
	}
	module, err := os.ReadFile(built)
	if err != nil {
		return err
	}
	return os.WriteFile(filepath.Join("examples", m.Path), module, 0o666)
}
