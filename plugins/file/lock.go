// Copyright The wasmill Authors
// SPDX-License-Identifier: Apache-2.0

package file

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
)

// lockName returns the name of the lock file of a path.
func lockName(path string) string {
	folder, name := filepath.Split(path)
	return filepath.Join(folder, "."+name+".lock")
}

// noLock explains why a lock file can't be made: mostly, nothing can be written there.
func noLock(path string, err error) error {
	if errors.Is(err, os.ErrNotExist) {
		return fmt.Errorf("there is no folder %s to write %s in", filepath.Dir(path), filepath.Base(path))
	}
	return fmt.Errorf("%s can't be written: %w", path, err)
}
