// Copyright The wasmill Authors
// SPDX-License-Identifier: Apache-2.0

package examples

import (
	"errors"
	"io/fs"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"github.com/wasmill/wasmill/sdk/build/guesttest"
)

// A block is code in Markdown.
type block struct {
	lang string // "" where it is indented, or says none
	text string
	line int
}

// blocks returns the blocks of a page, those between fences and those that are indented.
func blocks(page string) []block {
	var all []block
	var open *block
	fenced := false
	number := 0
	for line := range strings.Lines(page) {
		number++
		fence, isFence := strings.CutPrefix(line, "```")
		code, indented := strings.CutPrefix(line, "    ")
		switch {
		case isFence && fenced:
			open, fenced = nil, false
		case isFence || !fenced && indented && open == nil:
			all = append(all, block{lang: strings.TrimSpace(fence), line: number})
			open, fenced = &all[len(all)-1], isFence
			if !isFence {
				open.lang, open.text = "sh", code
			}
		case fenced:
			open.text += line
		case indented:
			open.text += code
		default:
			open = nil
		}
	}
	return all
}

// headings returns the sections of a page.
func headings(page string) map[string]bool {
	all := map[string]bool{}
	for line := range strings.Lines(page) {
		if name, ok := strings.CutPrefix(line, "## "); ok {
			all[strings.TrimSpace(name)] = true
		}
	}
	return all
}

// A page is a README whose commands are run, block by block, in a copy of the repository. A block
// is run if it
//
//	is fenced as sh, or indented   a script, which has to end well
//	begins with "$ "               a session: each such line is a script of its own, and what
//	                               follows it is what it writes
type page struct {
	t    *testing.T
	root string
	skip string // a command that is not run
}

func (p *page) block(b block) {
	p.t.Helper()
	switch {
	case b.lang == "sh":
		p.script(b, b.text)
	case strings.HasPrefix(b.text, "$ "):
		for _, step := range strings.Split("\n"+b.text, "\n$ ")[1:] {
			command, want, _ := strings.Cut(step, "\n")
			if got := p.script(b, command); strings.TrimSpace(got) != strings.TrimSpace(want) {
				p.t.Errorf("line %d: %s writes\n%s\nand should write\n%s", b.line, command, got, want)
			}
		}
	}
}

func (p *page) script(b block, text string) string {
	p.t.Helper()
	kept := ""
	for line := range strings.Lines(text) {
		if p.skip == "" || !strings.HasPrefix(line, p.skip) {
			kept += line
		}
	}
	cmd := exec.CommandContext(p.t.Context(), "bash", "-e", "-c", kept)
	cmd.Dir = p.root
	// Without paths in what it builds, Go finds in its cache what it built in another copy.
	cmd.Env = append(os.Environ(), "GOFLAGS=-trimpath")
	out, err := cmd.CombinedOutput()
	if err != nil {
		p.t.Fatalf("line %d: %s: %v\n%s", b.line, kept, err, out)
	}
	return string(out)
}

// repository returns a copy of the files that are in the repository, or would be by "git add", with
// the caches of the original.
func repository(t *testing.T) string {
	t.Helper()
	root := t.TempDir()
	for name := range strings.SplitSeq(strings.TrimSuffix(string(run(t, "git", "-C", "..", "ls-files", "-z", "--cached", "--others", "--exclude-standard")), "\x00"), "\x00") {
		info, err := os.Stat(filepath.Join("..", name))
		if errors.Is(err, fs.ErrNotExist) || err == nil && !info.Mode().IsRegular() {
			continue // deleted, which git does not know yet, or a link to a folder
		}
		if err != nil {
			t.Fatal(err)
		}
		to := filepath.Join(root, name)
		write(t, to, read(t, filepath.Join("..", name)))
		if err := os.Chmod(to, info.Mode()); err != nil {
			t.Fatal(err)
		}
	}
	link(t, filepath.Join("..", ".cache"), filepath.Join(root, ".cache"))
	return root
}

func TestReadmes(t *testing.T) {
	t.Parallel()
	for _, m := range Modules() {
		guesttest.Build(t, m.Lang, m.Source)
	}
	root := repository(t)
	for _, test := range []struct{ file, skip string }{
		{"README.md", "make test"}, // which is what runs this test
		{"examples/README.md", ""},
	} {
		t.Run(test.file, func(t *testing.T) {
			p := &page{t: t, root: root, skip: test.skip}
			ran := 0
			for _, b := range blocks(string(read(t, filepath.Join(root, test.file)))) {
				if b.lang == "yaml" {
					excerpt(t, b, string(read(t, "flights/pipeline.yaml")))
					continue
				}
				p.block(b)
				ran++
			}
			if ran < 3 {
				t.Errorf("it has %d blocks that can be run", ran)
			}
		})
	}
}

// excerpt fails the test where a block is no part of a file, comments and blank lines aside.
func excerpt(t *testing.T, b block, file string) {
	t.Helper()
	bare := func(text string) string {
		var kept strings.Builder
		for line := range strings.Lines(text) {
			if code := strings.TrimSpace(line); code != "" && !strings.HasPrefix(code, "#") {
				kept.WriteString(line)
			}
		}
		return kept.String()
	}
	if !strings.Contains(bare(file), bare(b.text)) {
		t.Errorf("line %d: this is not in flights/pipeline.yaml:\n%s", b.line, b.text)
	}
}

func TestBlocksOfAPage(t *testing.T) {
	got := blocks("a\n\n    one\n    two\n\nb\n```yaml\nc: d\n    e: f\n```\n    three\n\n```\n$ ls\nx\n```\n")
	want := []block{{"sh", "one\ntwo\n", 3}, {"yaml", "c: d\n    e: f\n", 7}, {"sh", "three\n", 11}, {"", "$ ls\nx\n", 13}}
	if len(got) != len(want) {
		t.Fatalf("got %+v", got)
	}
	for i := range want {
		if got[i] != want[i] {
			t.Errorf("got %+v, want %+v", got[i], want[i])
		}
	}
}
