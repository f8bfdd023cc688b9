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
	"strconv"

	kgzip "github.com/klauspost/compress/gzip"
	kzstd "github.com/klauspost/compress/zstd"

	"github.com/wasmill/wasmill/abi"
	"github.com/wasmill/wasmill/abi/batch"
	"github.com/wasmill/wasmill/scheduler/operator"
)

// SinkOptions are the options of the sink. A pipeline may give the path alone.
type SinkOptions struct {
	// Path is the file. Where the sink has several subtasks, each writes its own, whose number,
	// from 0, stands before the extension: out-0.json.
	Path string `yaml:"path"`
	// Compression is auto, none, gzip or zstd. Default auto: gzip for .gz, zstd for .zst.
	Compression string `yaml:"compression"`
}

// SetScalar takes the short form.
func (o *SinkOptions) SetScalar(path string) error {
	o.Path = path
	return nil
}

// flushBytes is how much a writer gathers before it writes.
const flushBytes = 256 << 10

// target is a file that is being written.
type target interface {
	io.Writer
	Sync() error
	Close() error
}

type sink struct {
	opts   SinkOptions
	path   string // absolute
	format operator.Format
	schema *abi.Schema
	create func(path string) (target, error)
}

var _ operator.Sink = (*sink)(nil)

func newSink(c operator.Config, spec operator.SinkSpec) (operator.Sink, error) {
	opts := SinkOptions{Compression: auto}
	if err := c.Decode(&opts); err != nil {
		return nil, err
	}
	if opts.Path == "" {
		return nil, errors.New("path: which file? Write path: out.json")
	}
	if err := checkCompression(opts.Compression); err != nil {
		return nil, err
	}
	f, err := formatOf(opts.Path, spec.Format)
	if err != nil {
		return nil, err
	}
	if _, err := f.NewEncoder(spec.Schema); err != nil {
		return nil, err
	}
	return &sink{opts: opts, path: c.Path(opts.Path), format: f, schema: spec.Schema, create: create}, nil
}

func create(path string) (target, error) {
	return os.OpenFile(path, os.O_WRONLY|os.O_CREATE|os.O_EXCL, 0o666)
}

// Open makes the writer of a subtask.
func (s *sink) Open(_ context.Context, subtask, parallelism int) (operator.Writer, error) {
	path := s.path
	compression, plain := compressionOf(path, s.opts.Compression)
	if parallelism > 1 {
		ext := filepath.Ext(plain)
		path = plain[:len(plain)-len(ext)] + "-" + strconv.Itoa(subtask) + ext + path[len(plain):]
	}
	w, err := s.open(path, compression)
	if err != nil {
		return nil, environment(err)
	}
	return w, nil
}

func (s *sink) open(path, compression string) (*writer, error) {
	switch info, err := os.Stat(path); {
	case err == nil && info.IsDir():
		return nil, fmt.Errorf("%s is a directory; the sink writes one file", path)
	case err == nil && !info.Mode().IsRegular():
		return nil, fmt.Errorf("%s is no regular file, which the sink could replace", path)
	}
	if target, err := filepath.EvalSymlinks(path); err == nil {
		path = target // what a link points to is replaced, not the link
	}
	encoder, err := s.format.NewEncoder(s.schema)
	if err != nil {
		return nil, err
	}
	lock, err := acquire(path)
	if err != nil {
		return nil, err
	}
	w := &writer{path: path, lock: lock, encoder: encoder}
	if err := w.create(s.create, compression); err != nil {
		return nil, errors.Join(err, lock.release())
	}
	return w, nil
}

// writer writes one file, under a temporary name until Commit.
type writer struct {
	path       string
	temporary  string
	lock       *lock
	file       target
	compressor io.WriteCloser // nil for none
	encoder    operator.Encoder
	data       []byte // encoded, not yet written
}

var _ operator.Writer = (*writer)(nil)

func (w *writer) create(create func(string) (target, error), compression string) error {
	folder, name := filepath.Split(w.path)
	prefix := filepath.Join(folder, "."+name+".tmp-")
	// With the lock held, all of these are of runs that have crashed.
	left, err := filepath.Glob(escape(prefix) + "*")
	if err != nil {
		return err
	}
	for _, path := range left {
		if err := os.Remove(path); err != nil {
			return fmt.Errorf("removing what a crashed run left behind: %w", err)
		}
	}
	w.temporary = prefix + strconv.Itoa(os.Getpid())
	if w.file, err = create(w.temporary); err != nil {
		return err
	}
	switch compression {
	case gzip:
		w.compressor = kgzip.NewWriter(w.file)
	case zstd:
		w.compressor, err = kzstd.NewWriter(w.file, kzstd.WithEncoderConcurrency(1))
	}
	w.data = w.encoder.Begin(nil)
	if err != nil {
		return errors.Join(err, w.remove())
	}
	return nil
}

// escape makes a path a pattern that matches only itself.
func escape(path string) string {
	out := make([]byte, 0, len(path))
	for i := range len(path) {
		switch c := path[i]; {
		case c == '*' || c == '?' || c == '[':
			out = append(out, '[', c, ']')
		default:
			out = append(out, c)
		}
	}
	return string(out)
}

// Write appends rows to the file.
func (w *writer) Write(_ context.Context, b *batch.Batch) error {
	var err error
	if w.data, err = w.encoder.Append(w.data, b); err != nil {
		return fmt.Errorf("writing %s: %w", w.path, err)
	}
	if len(w.data) < flushBytes {
		return nil
	}
	return w.flush()
}

// Flush does nothing: there is nothing to see before Commit.
func (w *writer) Flush(context.Context) error { return nil }

func (w *writer) flush() error {
	var out io.Writer = w.file
	if w.compressor != nil {
		out = w.compressor
	}
	_, err := out.Write(w.data)
	w.data = w.data[:0]
	return w.failed(err)
}

// failed explains an error of writing.
func (w *writer) failed(err error) error {
	if err == nil {
		return nil
	}
	return environment(fmt.Errorf("writing %s: %w; what was there before is untouched", w.path, err))
}

// Commit completes the file and gives it its name.
func (w *writer) Commit(context.Context) error {
	w.data = w.encoder.End(w.data)
	err := w.flush()
	if err == nil && w.compressor != nil {
		err = w.failed(w.compressor.Close())
	}
	if err == nil {
		err = w.failed(w.file.Sync())
	}
	if err != nil {
		return errors.Join(err, w.Abort())
	}
	err = w.file.Close()
	if err == nil {
		err = os.Rename(w.temporary, w.path)
	}
	if err != nil {
		return errors.Join(w.failed(err), os.Remove(w.temporary), w.lock.release())
	}
	return errors.Join(w.failed(syncFolder(filepath.Dir(w.path))), w.lock.release())
}

// Abort removes what was written.
func (w *writer) Abort() error { return errors.Join(w.remove(), w.lock.release()) }

func (w *writer) remove() error { return errors.Join(w.file.Close(), os.Remove(w.temporary)) }
