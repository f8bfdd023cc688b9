// Copyright The wasmill Authors
// SPDX-License-Identifier: Apache-2.0

package graph

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"regexp"
	"strconv"
	"strings"
	"unicode/utf8"

	"go.yaml.in/yaml/v3"
)

// Read reads a pipeline file, as far as one may be long.
func Read(path string) ([]byte, Problems) {
	fail := func(hint, format string, args ...any) ([]byte, Problems) {
		return nil, Problems{{File: path, Message: fmt.Sprintf(format, args...), Hint: hint}}
	}
	info, err := os.Stat(path)
	switch {
	case errors.Is(err, fs.ErrNotExist):
		return fail("", "there is no such file")
	case err != nil:
		return fail("", "%v", err)
	case info.IsDir():
		return fail("name the pipeline file in it", "this is a directory")
	}
	f, err := os.Open(path)
	if err != nil {
		return fail("", "%v", err)
	}
	defer func() { _ = f.Close() }() // it was only read
	data, err := io.ReadAll(io.LimitReader(f, maxBytes+1))
	if err != nil {
		return fail("", "%v", err)
	}
	return data, nil
}

// document reads the one YAML document of a pipeline file. It returns nil where there is none.
func document(data []byte, out *reporter) *value {
	const example = "a pipeline has name, sources, operators and sinks"
	if len(data) > maxBytes {
		out.add(Problem{Message: fmt.Sprintf("the file has more than %d bytes", maxBytes), Hint: "is it a pipeline file?"})
		return nil
	}
	if !utf8.Valid(data) {
		line, column := invalidText(data)
		out.add(Problem{Line: line, Column: column, Message: "this is not UTF-8", Hint: "save the file in UTF-8"})
		return nil
	}
	d := yaml.NewDecoder(bytes.NewReader(data))
	var doc, next yaml.Node
	err := d.Decode(&doc)
	if errors.Is(err, io.EOF) {
		out.add(Problem{Line: 1, Column: 1, Message: "the file is empty", Hint: example})
		return nil
	}
	if err == nil {
		if err = d.Decode(&next); err == nil {
			out.add(Problem{Line: next.Line, Column: next.Column, Message: "a second document begins", Hint: "a file holds one pipeline"})
			return nil
		}
	}
	if !errors.Is(err, io.EOF) {
		out.add(syntaxProblem(data, err))
		return nil
	}
	root := (&converter{out: out}).value(doc.Content[0], 1, false)
	switch root.kind {
	case mapping:
		return root
	case null:
		out.add(Problem{Line: 1, Column: 1, Message: "the file is empty", Hint: example})
	default:
		out.add(Problem{Line: root.line, Column: root.column, Message: "this is " + root.describe(), Hint: example})
	}
	return nil
}

// invalidText returns where the first byte is that is not UTF-8.
func invalidText(data []byte) (line, column int) {
	line, column = 1, 1
	for len(data) > 0 {
		r, size := utf8.DecodeRune(data)
		if r == utf8.RuneError && size == 1 {
			break
		}
		column++
		if r == '\n' {
			line, column = line+1, 1
		}
		data = data[size:]
	}
	return line, column
}

var (
	syntaxLine    = regexp.MustCompile(`^yaml: line (\d+): `)
	unknownAnchor = regexp.MustCompile(`unknown anchor '(.*)' referenced`)
	indentedByTab = regexp.MustCompile(`^ *\t`)
)

// syntaxProblem finds the place of an error of the YAML parser, which says the line at best.
func syntaxProblem(data []byte, err error) Problem {
	message := err.Error()
	p := Problem{Line: 1, Column: 1}
	if m := syntaxLine.FindStringSubmatch(message); m != nil {
		p.Line, _ = strconv.Atoi(m[1])
		message = message[len(m[0]):]
	}
	message = strings.TrimPrefix(message, "yaml: ")
	lines := strings.Split(string(data), "\n")
	if m := unknownAnchor.FindStringSubmatch(message); m != nil {
		for i, text := range lines {
			if column := strings.Index(text, "*"+m[1]); column >= 0 {
				p.Line, p.Column = i+1, 1+utf8.RuneCountInString(text[:column])
				break
			}
		}
		p.Message, p.Hint = fmt.Sprintf("*%s stands for nothing", clip(m[1])), fmt.Sprintf("mark a value before it with &%s, or put quotes around the *", clip(m[1]))
		return p
	}
	p.Line = min(max(p.Line, 1), len(lines))
	text := lines[p.Line-1]
	if tab := indentedByTab.FindString(text); tab != "" {
		p.Column, p.Message, p.Hint = len(tab), "the line is indented by a tab", "YAML is indented by spaces"
		return p
	}
	p.Column = 1 + len(text) - len(strings.TrimLeft(text, " "))
	p.Message = "this is not YAML: " + clip(message)
	return p
}
