// Copyright The wasmill Authors
// SPDX-License-Identifier: Apache-2.0

// Package file reads and writes files.
//
// The source reads the files that a path or a pattern names, a split each, in the order of their
// names. Compressed ones are known by their names. A file is read as far as it was long when it
// was opened, and to the end of the line that this cuts; if it gets shorter meanwhile, that is an
// error. With follow, a file is read on as it grows; when it is replaced (rotated) or truncated,
// the new contents are read from their beginning. Contents that are truncated and written anew,
// past the old length, within a poll of 200 ms, can't be told from growth.
//
// The sink writes one file, or one for each subtask: nobody sees it before it is complete. It is
// written under a temporary name in the same folder, flushed to the disk, and renamed over what is
// there. A lock file beside it keeps a second writer out, of this process or another one. What a
// crash leaves behind, the next writer of the same file removes.
package file

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"

	"github.com/wasmill/wasmill/plugins/format/csv"
	"github.com/wasmill/wasmill/plugins/format/json"
	"github.com/wasmill/wasmill/plugins/format/raw"
	"github.com/wasmill/wasmill/scheduler/nearest"
	"github.com/wasmill/wasmill/scheduler/operator"
)

// Connector returns the connector "file".
func Connector() operator.Connector {
	return operator.Connector{Name: "file", Source: newSource, Sink: newSink}
}

// The compressions.
const (
	auto = "auto" // by the file's name
	none = "none"
	gzip = "gzip" // .gz
	zstd = "zstd" // .zst
)

// compressionOf returns the compression of a file, and its name without the extension that says
// so.
func compressionOf(path, option string) (compression, plain string) {
	for ext, c := range map[string]string{".gz": gzip, ".zst": zstd} {
		if base, ok := strings.CutSuffix(path, ext); ok {
			compression, plain = c, base
		}
	}
	if plain == "" {
		compression, plain = none, path
	}
	if option != auto {
		compression = option
	}
	return compression, plain
}

func checkCompression(option string) error {
	switch option {
	case auto, none, gzip, zstd:
		return nil
	}
	return fmt.Errorf("compression: %q is unknown; %s", option, nearest.Hint(option, []string{auto, none, gzip, zstd}))
}

// formatOf returns the format that a file's name says, where the pipeline names none.
func formatOf(path string, f operator.Format) (operator.Format, error) {
	if f != nil {
		return f, nil
	}
	_, plain := compressionOf(path, auto)
	switch ext := filepath.Ext(plain); strings.ToLower(ext) {
	case ".json", ".ndjson", ".jsonl":
		return json.New(json.Options{})
	case ".csv":
		return csv.New(csv.Defaults())
	case ".txt", ".log":
		return raw.New(), nil
	}
	return nil, fmt.Errorf("the name %q does not say what the file's format is; name one, as in format: json", filepath.Base(path))
}

// missing says more of a file that is not there, and passes other errors on.
func missing(path string, err error) error {
	if !errors.Is(err, os.ErrNotExist) {
		return err
	}
	folder, name := filepath.Split(path)
	entries, dirErr := os.ReadDir(folder)
	if dirErr != nil {
		return fmt.Errorf("there is no folder %s to hold %s", filepath.Clean(folder), name)
	}
	var names []string
	for _, e := range entries {
		if !strings.HasPrefix(e.Name(), ".") {
			names = append(names, e.Name())
		}
	}
	return fmt.Errorf("there is no file %s; %s", path, nearest.Hint(name, names))
}

func environment(err error) error {
	return &operator.Error{Fault: operator.FaultEnvironment, Err: err}
}
