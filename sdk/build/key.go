// Copyright The wasmill Authors
// SPDX-License-Identifier: Apache-2.0

package build

import (
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
)

// contentKey names the module that a toolchain makes of a project: two projects have the same key
// only if they are built the same way from the same files.
func contentKey(tc *toolchain, dir string) (string, error) {
	h := sha256.New()
	h.Write(fmt.Appendf(nil, "%s\n%q\n", tc.lang, tc.version))
	if err := hashFolder(h, dir); err != nil {
		return "", err
	}
	if err := hashFolder(h, tc.sdk); err != nil && !errors.Is(err, fs.ErrNotExist) {
		return "", err
	}
	return hex.EncodeToString(h.Sum(nil)[:8]), nil
}

// hashFolder writes the names and contents of a folder's files, except what builds leave behind
// and Go's tests, which are no part of a guest.
func hashFolder(h io.Writer, root string) error {
	return filepath.WalkDir(root, func(path string, entry fs.DirEntry, err error) error {
		if err != nil {
			return err
		}
		name := entry.Name()
		if entry.IsDir() {
			if path != root && (name == "target" || name == "node_modules" || name == ".git") {
				return filepath.SkipDir
			}
			return nil
		}
		if !entry.Type().IsRegular() || strings.HasSuffix(name, ".wasm") || strings.HasSuffix(name, "_test.go") {
			return nil
		}
		content, err := os.ReadFile(path)
		if err != nil {
			return err
		}
		rel, err := filepath.Rel(root, path)
		if err != nil {
			return err
		}
		_, err = fmt.Fprintf(h, "%q %d\n%s", filepath.ToSlash(rel), len(content), content)
		return err
	})
}
