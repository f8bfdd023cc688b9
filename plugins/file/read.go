// Copyright The wasmill Authors
// SPDX-License-Identifier: Apache-2.0

package file

import (
	"bufio"
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"time"

	kgzip "github.com/klauspost/compress/gzip"
	kzstd "github.com/klauspost/compress/zstd"

	"github.com/wasmill/wasmill/plugins/stream"
)

// maxWindow is how far back a zstd frame may refer, which its reader has to remember: what
// zstd --long writes.
const maxWindow = 128 << 20

// input reads one file from its beginning to where its end was.
type input struct {
	reader io.Reader // of the contents, decompressed
	file   *extent
	close  func()
}

var _ stream.Input = (*input)(nil)

func (s *source) open(path string) (*input, error) {
	f, err := os.Open(path)
	if err != nil {
		return nil, missing(path, err)
	}
	info, err := f.Stat()
	if err != nil {
		return nil, errors.Join(err, f.Close())
	}
	compression, _ := compressionOf(path, s.opts.Compression)
	e := &extent{file: f, bounded: info.Mode().IsRegular(), size: info.Size(), text: compression == none}
	in := &input{file: e, close: func() {}}
	switch compression {
	case gzip:
		in.reader, err = kgzip.NewReader(bufio.NewReader(e))
	case zstd:
		var d *kzstd.Decoder
		d, err = kzstd.NewReader(e, kzstd.WithDecoderConcurrency(1), kzstd.WithDecoderLowmem(true), kzstd.WithDecoderMaxWindow(maxWindow))
		if err == nil {
			in.reader, in.close = d, d.Close
		}
	default:
		in.reader = e
	}
	if err != nil {
		return nil, errors.Join(e.corrupt(compression, err), f.Close())
	}
	return in, nil
}

// Read reads into p. Files do not keep anybody waiting.
func (in *input) Read(ctx context.Context, p []byte, _ time.Duration) (int, error) {
	if err := ctx.Err(); err != nil {
		return 0, err
	}
	n, err := in.reader.Read(p)
	if err != nil && !errors.Is(err, io.EOF) && in.reader != io.Reader(in.file) {
		kind := gzip
		if _, ok := in.reader.(*kzstd.Decoder); ok {
			kind = zstd
		}
		err = in.file.corrupt(kind, err)
	}
	return n, err
}

// Close closes the file.
func (in *input) Close() error {
	in.close()
	return in.file.file.Close()
}

// patient is an input as a plain reader.
type patient struct{ *input }

func (p patient) Read(data []byte) (int, error) {
	return p.input.Read(context.Background(), data, -1)
}

// extent reads what a file held when it was opened.
type extent struct {
	file    *os.File
	bounded bool // size is known
	text    bool // lines, the last of which is read to its end
	size    int64
	at      int64
	last    byte
	err     error // why it can't be read, once it can't
}

func (e *extent) Read(p []byte) (int, error) {
	if e.err != nil {
		return 0, e.err
	}
	limit := len(p)
	if e.bounded {
		limit = int(min(int64(limit), e.size-e.at))
		if limit <= 0 {
			return e.readLine(p)
		}
	}
	n, err := e.file.Read(p[:limit])
	e.at += int64(n)
	if n > 0 {
		e.last = p[n-1]
		return n, nil
	}
	if errors.Is(err, io.EOF) && e.bounded {
		err = fmt.Errorf("%s had %d bytes when it was opened and has %d now: it was changed while it was read", e.file.Name(), e.size, e.at)
	}
	e.err = err
	return 0, err
}

// readLine reads the end of a line that was being written when the file was opened.
func (e *extent) readLine(p []byte) (int, error) {
	if !e.text || e.size == 0 || e.last == '\n' {
		e.err = io.EOF
		return 0, io.EOF
	}
	n, err := e.file.Read(p)
	if end := bytes.IndexByte(p[:n], '\n'); end >= 0 {
		n = end + 1
	}
	if n == 0 {
		e.err = err
		return 0, err
	}
	e.last = p[n-1]
	return n, nil
}

// corrupt explains an error of a decompressor.
func (e *extent) corrupt(compression string, err error) error {
	if e.err != nil && !errors.Is(e.err, io.EOF) {
		return e.err
	}
	if e.size == 0 && e.bounded {
		return fmt.Errorf("%s is empty: it has not even the header of a %s file", e.file.Name(), compression)
	}
	what := "is no good " + compression + " data"
	if errors.Is(err, io.EOF) || errors.Is(err, io.ErrUnexpectedEOF) {
		what = "ends in the middle of its " + compression + " data"
	}
	return fmt.Errorf("%s %s, at or a little before byte %d of %d: %w", e.file.Name(), what, e.at, e.size, err)
}
