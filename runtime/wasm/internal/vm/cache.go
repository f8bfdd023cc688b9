// Copyright The wasmill Authors
// SPDX-License-Identifier: Apache-2.0

package vm

import (
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"runtime"
	"strings"
	"time"
)

// CacheError says that the cache folder can't be used, which is no fault of a module.
type CacheError struct{ Err error }

func (e *CacheError) Error() string { return "cache of compiled modules: " + e.Err.Error() }

func (e *CacheError) Unwrap() error { return e.Err }

// folder is the cache on disk, which processes share without locks:
//
//	<root>/<key>/code/...   what wazero's own file cache writes: one file
//	<root>/<key>/sum        sha256 of each file in code, with its name
//	<root>/new-*            an entry in the making
//
// key is the sha256 of the metered module (which depends on the module, on the meter's version and
// on its limits) and of wazero's version and the architecture. An entry is made under another name
// and renamed when it is whole.
type folder struct{ root string }

const (
	codeFolder = "code"
	sumFile    = "sum"
	building   = "new-"
)

// Entries that nobody has used for so long are removed when one is added.
const (
	keepEntry    = 30 * 24 * time.Hour
	keepBuilding = time.Hour
)

func (f folder) prepare() error {
	if err := os.MkdirAll(f.root, 0o700); err != nil {
		return &CacheError{err}
	}
	info, err := os.Stat(f.root)
	if err != nil {
		return &CacheError{err}
	}
	if runtime.GOOS != "windows" && info.Mode().Perm()&0o022 != 0 {
		return &CacheError{fmt.Errorf("others may write to %s (mode %04o), and so run code as you; "+
			"give it mode 0700 or choose another folder", f.root, info.Mode().Perm())}
	}
	return nil
}

// entry returns the folder of a metered module.
func (f folder) entry(metered []byte) string {
	h := sha256.New()
	_, _ = fmt.Fprintf(h, "wazero %s %s %s\n", engineVersion, runtime.GOARCH, runtime.GOOS) // a hash takes all
	_, _ = h.Write(metered)
	return filepath.Join(f.root, hex.EncodeToString(h.Sum(nil)[:20]))
}

// engineVersion is that of wazero: native code of one version is of no use to another. It is
// written down, because a test's binary does not know it; a test holds it against go.mod.
const engineVersion = "v1.12.0"

// verify says whether an entry is there and as it was made.
func (f folder) verify(entry string) bool {
	want, err := os.ReadFile(filepath.Join(entry, sumFile))
	if err != nil {
		return false
	}
	have, err := sums(filepath.Join(entry, codeFolder))
	return err == nil && have != "" && have == string(want)
}

// sums returns a line for each file in dir.
func sums(dir string) (string, error) {
	var lines strings.Builder
	err := filepath.WalkDir(dir, func(path string, d fs.DirEntry, err error) error {
		if err != nil || d.IsDir() {
			return err
		}
		file, err := os.Open(path)
		if err != nil {
			return err
		}
		h := sha256.New()
		_, err = io.Copy(h, file)
		if err = errors.Join(err, file.Close()); err != nil {
			return err
		}
		_, err = fmt.Fprintf(&lines, "%x  %s\n", h.Sum(nil), filepath.Base(path))
		return err
	})
	return lines.String(), err
}

// fill makes an entry by compile, which writes into the folder that it is given. Where another
// process has made the same one meanwhile, that one stays.
func (f folder) fill(entry string, compile func(dir string) error) error {
	dir, err := os.MkdirTemp(f.root, building)
	if err != nil {
		return &CacheError{err}
	}
	defer func() { _ = os.RemoveAll(dir) }() // gone where it was renamed
	if err := compile(filepath.Join(dir, codeFolder)); err != nil {
		return err
	}
	lines, err := sums(filepath.Join(dir, codeFolder))
	if err == nil {
		err = os.WriteFile(filepath.Join(dir, sumFile), []byte(lines), 0o600)
	}
	if err != nil {
		return &CacheError{err}
	}
	if os.Rename(dir, entry) != nil && !f.verify(entry) {
		// What lies there is broken.
		if err := f.remove(entry); err != nil {
			return err
		}
		if err := os.Rename(dir, entry); err != nil && !f.verify(entry) {
			return &CacheError{err}
		}
	}
	f.prune()
	return nil
}

func (f folder) remove(entry string) error {
	if err := os.RemoveAll(entry); err != nil {
		return &CacheError{err}
	}
	return nil
}

// touch notes that an entry was used. A folder that can't be noted in is only removed too early.
func (f folder) touch(entry string) {
	now := time.Now()
	_ = os.Chtimes(entry, now, now)
}

// prune removes what nobody uses. It is a courtesy: errors are of no consequence.
func (f folder) prune() {
	entries, err := os.ReadDir(f.root)
	if err != nil {
		return
	}
	for _, e := range entries {
		info, err := e.Info()
		if err != nil || !e.IsDir() {
			continue
		}
		keep := keepEntry
		if strings.HasPrefix(e.Name(), building) {
			keep = keepBuilding
		}
		if time.Since(info.ModTime()) > keep {
			_ = os.RemoveAll(filepath.Join(f.root, e.Name()))
		}
	}
}
