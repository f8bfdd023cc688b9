// Copyright The wasmill Authors
// SPDX-License-Identifier: Apache-2.0

// Command testsum runs "go test -json" with the arguments given, several times if these are parted
// by "--", and prints what a person wants to see: a line for each package, the output of what
// failed, why tests were skipped, and at the end "N passed, N failed, N skipped". Leaves count: a
// test with subtests does not, nor does a test twice that ran twice. It stops after a run that
// failed and exits with 1 if anything did, builds included.
package main

import (
	"bufio"
	"encoding/json"
	"fmt"
	"io"
	"maps"
	"os"
	"os/exec"
	"slices"
	"strings"
)

// An event is a line of "go test -json"; see "go doc test2json".
type event struct {
	Action, Package, Test, Output, ImportPath, FailedBuild string
	Elapsed                                                float64
}

type testID struct{ pkg, test string }

// A summary gathers what the runs did.
type summary struct {
	result map[testID]string   // pass, fail or skip, of the last run
	output map[testID][]string // of what has not ended yet; test "" is the package itself
	reason map[testID]string   // of tests that were skipped at least once
}

func main() {
	s := &summary{map[testID]string{}, map[testID][]string{}, map[testID]string{}}
	ok := true
	for _, args := range split(os.Args[1:], "--") {
		if ok = s.run(args); !ok {
			break
		}
	}
	failed := s.finish()
	if !ok || failed > 0 {
		os.Exit(1)
	}
}

// run runs go test once and reports whether it succeeded.
func (s *summary) run(args []string) bool {
	cmd := exec.Command("go", append([]string{"test", "-json"}, args...)...)
	cmd.Stderr = os.Stderr
	fmt.Println("go test", strings.Join(args, " "))
	pipe, err := cmd.StdoutPipe()
	if err == nil {
		err = cmd.Start()
	}
	if err != nil {
		fmt.Println("testsum:", err)
		return false
	}
	readErr := s.read(pipe)
	if err := cmd.Wait(); err != nil || readErr != nil {
		fmt.Println("go test:", err, readErr)
		return false
	}
	return true
}

// read takes in events until their end. A line that is none is printed as it is.
func (s *summary) read(r io.Reader) error {
	for lines := bufio.NewReader(r); ; {
		line, err := lines.ReadBytes('\n')
		if len(line) > 0 {
			var e event
			if json.Unmarshal(line, &e) != nil {
				fmt.Printf("%s", line)
			} else {
				s.add(e)
			}
		}
		if err == io.EOF {
			return nil
		}
		if err != nil {
			return err
		}
	}
}

func (s *summary) add(e event) {
	id := testID{e.Package, e.Test}
	switch e.Action {
	case "build-output":
		fmt.Print(e.Output)
	case "output":
		s.output[id] = append(s.output[id], e.Output)
	case "pass", "fail", "skip":
		if e.Test == "" {
			s.endPackage(e)
		} else {
			s.endTest(id, e.Action)
		}
		delete(s.output, id)
	}
}

func (s *summary) endTest(id testID, result string) {
	s.result[id] = result
	switch result {
	case "fail":
		for _, line := range s.output[id] {
			fmt.Print(line)
		}
	case "skip":
		s.reason[id] = skipReason(s.output[id])
	}
}

// endPackage prints a package's line. One that failed without a test to blame (a build, a panic in
// TestMain, a timeout) shows all that it and its unfinished tests said, and counts as a failure.
func (s *summary) endPackage(e event) {
	name := strings.TrimPrefix(e.Package, "github.com/wasmill/wasmill/")
	if e.Action != "fail" {
		if e.Action == "pass" {
			fmt.Printf("ok    %7.1fs  %s\n", e.Elapsed, name)
		}
		return
	}
	blamed := false
	for id, result := range s.result {
		blamed = blamed || id.pkg == e.Package && result == "fail"
	}
	for id, lines := range s.output {
		if id.pkg == e.Package && (!blamed || id.test != "") {
			fmt.Print(strings.Join(lines, ""))
			delete(s.output, id)
		}
	}
	if !blamed {
		s.result[testID{e.Package, "(package)"}] = "fail"
	}
	fmt.Printf("FAIL  %7.1fs  %s\n", e.Elapsed, name)
}

// finish prints the summary and returns how many tests failed.
func (s *summary) finish() int {
	parents := map[testID]bool{}
	for id := range s.result {
		for at := strings.LastIndexByte(id.test, '/'); at > 0; at = strings.LastIndexByte(id.test[:at], '/') {
			parents[testID{id.pkg, id.test[:at]}] = true
		}
	}
	counts, skipped := map[string]int{}, map[string]int{}
	for id, result := range s.result {
		if !parents[id] {
			counts[result]++
		}
		if result == "skip" {
			skipped[s.reason[id]]++
		}
	}
	for _, reason := range slices.Sorted(maps.Keys(skipped)) {
		fmt.Printf("skipped %d: %s\n", skipped[reason], reason)
	}
	fmt.Printf("%d passed, %d failed, %d skipped\n", counts["pass"], counts["fail"], counts["skip"])
	return counts["fail"]
}

// skipReason returns what a test said before it was skipped, without "file:line: ".
func skipReason(output []string) string {
	for _, line := range output {
		line = strings.TrimSpace(line)
		if _, reason, ok := strings.Cut(line, ".go:"); ok {
			if _, reason, ok = strings.Cut(reason, ": "); ok {
				return reason
			}
		}
	}
	return "no reason given"
}

// split parts args at each separator.
func split(args []string, separator string) [][]string {
	groups := [][]string{nil}
	for _, arg := range args {
		if arg == separator {
			groups = append(groups, nil)
			continue
		}
		groups[len(groups)-1] = append(groups[len(groups)-1], arg)
	}
	return groups
}
