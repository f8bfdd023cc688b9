// Copyright The wasmill Authors
// SPDX-License-Identifier: Apache-2.0

package file

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"github.com/wasmill/wasmill/abi"
	"github.com/wasmill/wasmill/plugins/stream"
	"github.com/wasmill/wasmill/scheduler/operator"
)

// SourceOptions are the options of the source. A pipeline may give the path alone.
type SourceOptions struct {
	// Path is a file, or a pattern of several with *, ? and [a-z] in the last part or others.
	Path string `yaml:"path"`
	// Compression is auto, none, gzip or zstd. Default auto: gzip for .gz, zstd for .zst.
	Compression string `yaml:"compression"`
	// Follow reads on as files grow, until the job is stopped. Default false.
	Follow bool `yaml:"follow"`
	// MaxRecord is how long a record may be; longer ones are rejected. Default 16 MiB.
	MaxRecord operator.Size `yaml:"max_record"`
}

// SetScalar takes the short form.
func (o *SourceOptions) SetScalar(path string) error {
	o.Path = path
	return nil
}

// inferBytes is how much of the first file is looked at where no schema is declared.
const inferBytes = 1 << 20

type source struct {
	opts   SourceOptions
	root   string // the folder that names of splits count from
	path   string // absolute
	format operator.Format
	schema *abi.Schema
}

var _ operator.Source = (*source)(nil)

func newSource(c operator.Config, spec operator.SourceSpec) (operator.Source, error) {
	opts := SourceOptions{Compression: auto, MaxRecord: stream.DefaultMaxRecord}
	if err := c.Decode(&opts); err != nil {
		return nil, err
	}
	if opts.Path == "" {
		return nil, errors.New("path: which file? Write path: flights.json")
	}
	if err := checkCompression(opts.Compression); err != nil {
		return nil, err
	}
	if compression, _ := compressionOf(opts.Path, opts.Compression); opts.Follow && compression != none {
		return nil, fmt.Errorf("follow: %s is compressed; only plain files can be followed", opts.Path)
	}
	s := &source{opts: opts, root: c.Path("."), path: c.Path(opts.Path), schema: spec.Schema}
	var err error
	if s.format, err = formatOf(opts.Path, spec.Format); err != nil {
		return nil, err
	}
	if s.schema == nil {
		if s.schema, err = s.infer(); err != nil {
			return nil, err
		}
	}
	_, err = s.format.NewDecoder(s.schema) // says whether the format can hold the schema
	return s, err
}

// Schema returns the schema of the rows.
func (s *source) Schema() *abi.Schema { return s.schema }

// Bounded says that files end, unless they are followed.
func (s *source) Bounded() bool { return !s.opts.Follow }

// Splits lists the files.
func (s *source) Splits(context.Context) ([]operator.Split, error) {
	paths, err := s.files()
	if err != nil {
		return nil, environment(err)
	}
	splits := make([]operator.Split, len(paths))
	for i, path := range paths {
		unit, err := s.unit(path)
		if err != nil {
			return nil, environment(err)
		}
		splits[i] = operator.Split{Name: s.name(path), Unit: unit}
	}
	return splits, nil
}

// name is how people see a file: as it lies from the pipeline's folder, if below.
func (s *source) name(path string) string {
	if name, err := filepath.Rel(s.root, path); err == nil && filepath.IsLocal(name) {
		return name
	}
	return path
}

// files returns the paths of the files, sorted.
func (s *source) files() ([]string, error) {
	info, err := os.Stat(s.path)
	switch {
	case err == nil && info.IsDir():
		return nil, fmt.Errorf("%s is a directory; to read the files in it, write %s", s.path, filepath.Join(s.opts.Path, "*"+s.format.Extension()))
	case err == nil:
		return []string{s.path}, nil
	case !strings.ContainsAny(s.opts.Path, "*?["):
		return nil, missing(s.path, err)
	}
	matches, err := filepath.Glob(s.path)
	if err != nil {
		return nil, fmt.Errorf("path: %q is no pattern: %w", s.opts.Path, err)
	}
	directories := 0
	files := slices.DeleteFunc(matches, func(path string) bool {
		info, err := os.Stat(path)
		if err == nil && info.IsDir() {
			directories++
			return true
		}
		return false
	})
	if len(files) == 0 {
		return nil, nothing(s.path, directories)
	}
	slices.Sort(files)
	return files, nil
}

// nothing is the error of a pattern that matches no file.
func nothing(pattern string, directories int) error {
	folder := filepath.Dir(pattern)
	for strings.ContainsAny(folder, "*?[") {
		folder = filepath.Dir(folder)
	}
	if directories > 0 {
		return fmt.Errorf("no file matches %s, only %d directories do", pattern, directories)
	}
	entries, err := os.ReadDir(folder)
	if err != nil {
		return fmt.Errorf("no file matches %s: %w", pattern, err)
	}
	return fmt.Errorf("no file matches %s; there are %d entries in %s", pattern, len(entries), folder)
}

// unit asks the format what its positions count in a file.
func (s *source) unit(path string) (string, error) {
	f, ok := s.format.(interface{ Unit(sample []byte) string })
	if !ok {
		return "line", nil
	}
	sample, _, err := s.sample(path, 4096)
	return f.Unit(sample), err
}

// sample returns the beginning of a file, and whether that is all of it. A pipe is not touched.
func (s *source) sample(path string, size int) (data []byte, whole bool, err error) {
	if info, err := os.Stat(path); err == nil && !info.Mode().IsRegular() {
		return nil, false, nil
	}
	in, err := s.open(path)
	if err != nil {
		return nil, false, err
	}
	defer func() { err = errors.Join(err, in.Close()) }()
	data = make([]byte, size)
	n, err := io.ReadFull(in.reader, data)
	if errors.Is(err, io.EOF) || errors.Is(err, io.ErrUnexpectedEOF) {
		return data[:n], true, nil
	}
	return data[:n], false, err
}

// infer reads the schema off the first file.
func (s *source) infer() (*abi.Schema, error) {
	paths, err := s.files()
	if err != nil {
		return nil, environment(err)
	}
	sample, whole, err := s.sample(paths[0], inferBytes)
	if err != nil {
		return nil, environment(err)
	}
	schema, err := s.format.Infer(sample, whole)
	if err != nil {
		return nil, fmt.Errorf("%s: %w", s.name(paths[0]), err)
	}
	return schema, nil
}

// Read begins to read a file.
func (s *source) Read(_ context.Context, split operator.Split, opts operator.ReadOptions) (operator.Reader, error) {
	path := split.Name
	if !filepath.IsAbs(path) {
		path = filepath.Join(s.root, path)
	}
	in, err := s.input(path)
	if err != nil {
		return nil, environment(err)
	}
	return stream.NewReader(in, stream.Options{
		ReadOptions: opts, Name: split.Name, Format: s.format, Schema: s.schema, MaxRecord: s.opts.MaxRecord,
	})
}

func (s *source) input(path string) (stream.Input, error) {
	info, err := os.Stat(path)
	waits := err == nil && !info.Mode().IsRegular() // a pipe, until somebody writes
	switch {
	case s.opts.Follow && waits:
		return nil, fmt.Errorf("%s is no regular file, and only those can be followed; without follow it is read to its end", path)
	case s.opts.Follow:
		return follow(path)
	case waits:
		return stream.NewPump(func() (io.ReadCloser, error) {
			in, err := s.open(path)
			return patient{in}, err
		}), nil
	}
	return s.open(path)
}
