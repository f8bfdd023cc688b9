// Copyright The wasmill Authors
// SPDX-License-Identifier: Apache-2.0

package main

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"path/filepath"
	"strconv"
	"strings"
	"time"
	"unicode/utf8"

	"github.com/spf13/cobra"

	"github.com/wasmill/wasmill/abi"
	"github.com/wasmill/wasmill/abi/conformance"
	"github.com/wasmill/wasmill/abi/describe"
	"github.com/wasmill/wasmill/runtime/wasm"
	"github.com/wasmill/wasmill/scheduler/operator"
)

func (a *app) inspectCommand() *cobra.Command {
	asJSON, conform := false, false
	cmd := &cobra.Command{
		Use:   "inspect MODULE",
		Short: "Print what a module holds: operators, schemas, state, imports, memory, cost",
		Args:  exactly(1, "the path of a module"),
		RunE: func(cmd *cobra.Command, args []string) error {
			ctx, stop := a.interruptible(cmd.Context())
			defer stop()
			engine, err := a.engine()
			if err != nil {
				return err
			}
			defer engine.Close()
			m, err := loadModule(ctx, engine, args[0])
			if err != nil {
				return err
			}
			if conform {
				return a.conform(ctx, m, asJSON)
			}
			r, err := m.Inspect(ctx)
			if err != nil {
				return err
			}
			if asJSON {
				return a.printJSON(inspection(r))
			}
			return printReport(a.stdout, args[0], r)
		},
	}
	cmd.Flags().BoolVar(&asJSON, "json", false, "print JSON")
	cmd.Flags().BoolVar(&conform, "conformance", false, "run the module against the contract; exit code 1 where it breaks it")
	return cmd
}

// loadModule loads a module. That it can't be is its author's to mend, unless it is this machine's.
func loadModule(ctx context.Context, engine *wasm.Engine, path string) (*wasm.Module, error) {
	m, err := engine.LoadFile(ctx, path)
	if cause := context.Cause(ctx); cause != nil {
		return nil, cause
	}
	var of *operator.Error
	switch {
	case err == nil:
		return m, nil
	case errors.As(err, &of) && of.Fault == operator.FaultEnvironment:
		return nil, err
	}
	switch ext := strings.ToLower(filepath.Ext(path)); ext {
	case ".yaml", ".yml":
		err = fmt.Errorf("%w; for a pipeline file there is: wasmill check %s", err, path)
	}
	return nil, userError{err}
}

// checkResult is one check of `wasmill inspect --conformance --json`.
type checkResult struct {
	Name  string `json:"name"`
	OK    bool   `json:"ok"`
	Error string `json:"error,omitempty"`
}

func (a *app) conform(ctx context.Context, m *wasm.Module, asJSON bool) error {
	report := conformance.Run(ctx, m.Guests())
	if err := context.Cause(ctx); err != nil {
		return err
	}
	results := make([]checkResult, len(report.Checks))
	for i, c := range report.Checks {
		if results[i] = (checkResult{Name: c.Name, OK: c.Err == nil}); c.Err != nil {
			results[i].Error = c.Err.Error()
		}
	}
	failed := len(report.Failed())
	if asJSON {
		if err := a.printJSON(results); err != nil {
			return err
		}
	} else if err := printChecks(a.stdout, results, failed); err != nil {
		return err
	}
	if failed > 0 {
		return errReported
	}
	return nil
}

func printChecks(to io.Writer, results []checkResult, failed int) error {
	w := &bytes.Buffer{}
	for _, r := range results {
		if r.OK {
			fmt.Fprintf(w, "ok      %s\n", r.Name)
		} else {
			fmt.Fprintf(w, "FAILED  %s: %s\n", r.Name, r.Error)
		}
	}
	fmt.Fprintf(w, "%d of %d checks passed\n", len(results)-failed, len(results))
	_, err := to.Write(w.Bytes())
	return err
}

// The JSON of `wasmill inspect --json`.
type (
	inspectionJSON struct {
		Digest    string         `json:"digest"`
		Name      string         `json:"name,omitempty"`
		ABI       uint32         `json:"abi"`
		SDK       string         `json:"sdk,omitempty"`
		Bytes     int            `json:"bytes"`
		Functions int            `json:"functions"`
		Memory    memoryJSON     `json:"memory"`
		Sections  []wasm.Section `json:"sections"`
		Imports   []wasm.Extern  `json:"imports"`
		Exports   []wasm.Extern  `json:"exports"`
		Compile   time.Duration  `json:"compile_ns"` // 0 where the compiled module lay in the cache
		Operators []operatorJSON `json:"operators"`
	}
	memoryJSON struct {
		LeastBytes int64 `json:"least_bytes"`
		MostBytes  int64 `json:"most_bytes"`
	}
	operatorJSON struct {
		Name        string      `json:"name"`
		Kind        string      `json:"kind"`
		Doc         string      `json:"doc,omitempty"`
		Inputs      []portJSON  `json:"inputs"`
		Outputs     []portJSON  `json:"outputs"`
		Config      []fieldJSON `json:"config,omitempty"`
		Key         []fieldJSON `json:"key,omitempty"` // of a process; empty where the pipeline says it
		States      []stateJSON `json:"states,omitempty"`
		Accumulator string      `json:"accumulator,omitempty"`
		Counters    []string    `json:"counters,omitempty"`
		EmptyCall   int64       `json:"empty_call_fuel"` // -1 where it can't be told
	}
	portJSON struct {
		Name    string      `json:"name"`
		Columns []fieldJSON `json:"columns"`
		Forward bool        `json:"forward,omitempty"`
		Time    bool        `json:"time,omitempty"`

		Broadcast bool `json:"broadcast,omitempty"`
	}
	fieldJSON struct {
		Name     string `json:"name"`
		Type     string `json:"type"`
		Required bool   `json:"required,omitempty"`
		Default  string `json:"default,omitempty"`
		Doc      string `json:"doc,omitempty"`
	}
)

const pageBytes = 64 << 10

func inspection(r *wasm.Report) inspectionJSON {
	out := inspectionJSON{
		Digest: r.Digest, Name: r.Name, ABI: r.Description.ABI, SDK: r.Description.SDK, Bytes: r.Stats.Size,
		Functions: r.Stats.Functions, Sections: r.Sections, Imports: r.Imports, Exports: r.Exports, Compile: r.CompileTime,
		Memory: memoryJSON{int64(r.LeastPages) * pageBytes, int64(r.MostPages) * pageBytes},
	}
	for i, op := range r.Description.Operators {
		o := operatorJSON{
			Name: op.Name, Kind: op.Kind.String(), Doc: op.Doc, Inputs: ports(op.Inputs), Outputs: ports(op.Outputs),
			Config: fields(op.Config), Counters: op.Counters, EmptyCall: r.EmptyCalls[i], States: states(op.States),
		}
		if len(op.Key) > 0 {
			o.Key = fields(op.Key)
		}
		if op.Accumulator != nil {
			o.Accumulator = op.Accumulator.TypeString()
		}
		out.Operators = append(out.Operators, o)
	}
	return out
}

func ports(in []describe.Port) []portJSON {
	out := make([]portJSON, len(in))
	for i, p := range in {
		out[i] = portJSON{Name: p.Name, Columns: fields(p.Fields), Forward: p.Forward, Time: p.Time, Broadcast: p.Broadcast}
	}
	return out
}

func fields(in []abi.Field) []fieldJSON {
	out := make([]fieldJSON, len(in))
	for i := range in {
		f := &in[i]
		out[i] = fieldJSON{Name: f.Name, Type: f.TypeString(), Required: f.Required, Default: f.Default, Doc: f.Doc}
	}
	return out
}

// printReport writes a report for people.
func printReport(to io.Writer, path string, r *wasm.Report) error {
	d := inspection(r)
	w := &bytes.Buffer{}
	compile := "in the cache"
	if r.Compiled {
		compile = r.CompileTime.Round(time.Millisecond).String()
	}
	for _, line := range [][2]string{
		{"module", path},
		{"digest", d.Digest},
		{"contract", fmt.Sprintf("version %d, %s", d.ABI, orNone(d.SDK, "unknown SDK"))},
		{"size", fmt.Sprintf("%s bytes, %s functions", count(int64(d.Bytes)), count(int64(d.Functions)))},
		{"memory", fmt.Sprintf("from %s to %s bytes", count(d.Memory.LeastBytes), count(d.Memory.MostBytes))},
		{"compiled", compile},
	} {
		fmt.Fprintf(w, "%-10s%s\n", line[0], line[1])
	}
	fmt.Fprintf(w, "\nimports\n")
	for _, i := range d.Imports {
		fmt.Fprintf(w, "  %s.%s %s\n", i.Module, i.Name, i.Type)
	}
	for _, op := range d.Operators {
		printOperator(w, op)
	}
	_, err := to.Write(w.Bytes())
	return err
}

func printOperator(w *bytes.Buffer, op operatorJSON) {
	fmt.Fprintf(w, "\n%s %s", op.Kind, op.Name)
	if op.Doc != "" {
		fmt.Fprintf(w, ": %s", op.Doc)
	}
	fmt.Fprintln(w)
	for _, p := range op.Inputs {
		printPort(w, "input", p)
	}
	for _, p := range op.Outputs {
		printPort(w, "output", p)
	}
	printFields(w, "key", op.Key)
	for _, s := range op.States {
		printState(w, s)
	}
	if op.Accumulator != "" {
		fmt.Fprintf(w, "  accumulator  %s\n", op.Accumulator)
	}
	printFields(w, "config", op.Config)
	if len(op.Counters) > 0 {
		fmt.Fprintf(w, "  counters  %s\n", strings.Join(op.Counters, ", "))
	}
	if op.EmptyCall >= 0 {
		fmt.Fprintf(w, "  an empty batch costs %s fuel\n", count(op.EmptyCall))
	}
}

func printPort(w *bytes.Buffer, side string, p portJSON) {
	head := side
	if p.Name != "" {
		head += " " + p.Name
	}
	var notes []string
	if p.Forward {
		notes = append(notes, "forwards the input's other columns")
	}
	if p.Time {
		notes = append(notes, "with event time")
	}
	if p.Broadcast {
		notes = append(notes, "broadcast")
	}
	if len(notes) > 0 {
		head += " (" + strings.Join(notes, ", ") + ")"
	}
	if len(p.Columns) == 0 {
		fmt.Fprintf(w, "  %s  no columns\n", head)
		return
	}
	printFields(w, head, p.Columns)
}

func printFields(w *bytes.Buffer, head string, fields []fieldJSON) {
	if len(fields) == 0 {
		return
	}
	fmt.Fprintf(w, "  %s\n", head)
	lines := make([][3]string, len(fields))
	var widths [3]int
	for i, f := range fields {
		notes := []string{}
		if f.Required {
			notes = append(notes, "required")
		}
		switch {
		case f.Default != "" && f.Type == abi.String.String():
			notes = append(notes, "default "+strconv.Quote(f.Default))
		case f.Default != "":
			notes = append(notes, "default "+f.Default)
		}
		lines[i] = [3]string{f.Name, f.Type, strings.Join(notes, ", ")}
		for j, text := range lines[i] {
			widths[j] = max(widths[j], utf8.RuneCountInString(text))
		}
	}
	for i, l := range lines {
		line := fmt.Sprintf("    %-*s  %-*s  %-*s  %s", widths[0], l[0], widths[1], l[1], widths[2], l[2], fields[i].Doc)
		fmt.Fprintln(w, strings.TrimRight(line, " "))
	}
}

func orNone(text, none string) string {
	if text == "" {
		return none
	}
	return text
}
