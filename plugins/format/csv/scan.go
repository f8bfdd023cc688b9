// Copyright The wasmill Authors
// SPDX-License-Identifier: Apache-2.0

package csv

import (
	"bytes"
	"errors"
	"fmt"
	"unicode/utf8"
)

// scanner splits records into fields.
type scanner struct {
	delimiter byte
	fields    []field // of the last record
	scratch   []byte  // of fields in which quotes are written twice
}

// field is a field of a record, valid until the next one is scanned.
type field struct {
	text   []byte
	quoted bool
}

// record is what scan found at the beginning of the data.
type record struct {
	size  int   // bytes, with the newline; 0 where the data ends first
	lines int   // newlines in it
	err   error // why it is no record; size is then that of its first line
}

// scan splits the record that data begins with. With atEnd, data is the rest of the stream.
func (s *scanner) scan(data []byte, atEnd bool) record {
	end := bytes.IndexByte(data, '\n')
	size := end + 1
	if end < 0 {
		if !atEnd {
			return record{}
		}
		end, size = len(data), len(data)
	}
	line := data[:end]
	if bytes.IndexByte(line, '"') >= 0 {
		r := s.scanQuoted(data, atEnd)
		if r.err != nil {
			r.size, r.lines = size, 1
		}
		return r
	}
	line = bytes.TrimSuffix(line, []byte{'\r'})
	s.fields = s.fields[:0]
	for {
		i := bytes.IndexByte(line, s.delimiter)
		if i < 0 {
			break
		}
		s.fields = append(s.fields, field{text: line[:i]})
		line = line[i+1:]
	}
	s.fields = append(s.fields, field{text: line})
	return record{size: size, lines: 1}
}

// scanQuoted is scan for a record that has quotes.
func (s *scanner) scanQuoted(data []byte, atEnd bool) record {
	s.fields, s.scratch = s.fields[:0], s.scratch[:0]
	lines := 0
	for at := 0; ; {
		start := at
		quoted := at < len(data) && data[at] == '"'
		if quoted {
			var text []byte
			var newlines int
			if text, at, newlines = s.quoted(data, at+1, atEnd); at < 0 {
				if atEnd {
					return record{err: fmt.Errorf("field %d: the quote that opens it is never closed", len(s.fields)+1)}
				}
				return record{}
			}
			lines += newlines
			s.fields = append(s.fields, field{text, true})
		}
		for at < len(data) && data[at] != s.delimiter && data[at] != '\n' && !quoted {
			if data[at] == '"' {
				return record{err: fmt.Errorf("field %d: a quote in the middle; a field with quotes in it is in quotes, and its own are written twice", len(s.fields)+1)}
			}
			at++
		}
		end := at
		if quoted && at < len(data) && data[at] == '\r' {
			at++
		} else if !quoted && end > start && data[end-1] == '\r' && (at == len(data) || data[at] == '\n') {
			end--
		}
		if at == len(data) && !atEnd {
			return record{}
		}
		if !quoted {
			s.fields = append(s.fields, field{text: data[start:end]})
		}
		switch {
		case at == len(data):
			return record{size: at, lines: lines + 1}
		case data[at] == '\n':
			return record{size: at + 1, lines: lines + 1}
		case data[at] != s.delimiter || quoted && data[at-1] == '\r':
			return record{err: fmt.Errorf("field %d: text behind the closing quote", len(s.fields))}
		}
		at++
	}
}

// quoted reads a field from behind its opening quote, and returns its text and where its closing
// quote ends: -1 where there is none yet.
func (s *scanner) quoted(data []byte, at int, atEnd bool) (text []byte, end, lines int) {
	start, doubled := at, false
	from := len(s.scratch)
	for {
		i := bytes.IndexByte(data[at:], '"')
		if i < 0 || at+i+1 == len(data) && !atEnd {
			return nil, -1, 0
		}
		lines += bytes.Count(data[at:at+i], []byte{'\n'})
		at += i + 1
		if at == len(data) || data[at] != '"' {
			break
		}
		doubled = true
		s.scratch = append(s.scratch, data[start:at]...)
		at++
		start = at
	}
	if !doubled {
		return data[start : at-1], at, lines
	}
	s.scratch = append(s.scratch, data[start:at-1]...)
	return s.scratch[from:], at, lines
}

var errUTF8 = errors.New("it is no UTF-8, which strings are in")

// clip returns the beginning of a value for a message.
func clip(value []byte) string {
	const most = 40
	if len(value) <= most {
		return string(value)
	}
	end := most
	for end > 0 && !utf8.RuneStart(value[end]) {
		end--
	}
	return string(value[:end]) + "…"
}
