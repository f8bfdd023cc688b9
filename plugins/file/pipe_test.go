// Copyright The wasmill Authors
// SPDX-License-Identifier: Apache-2.0

//go:build unix

package file

import (
	"context"
	"errors"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/wasmill/wasmill/plugins/format/formattest"
	"github.com/wasmill/wasmill/plugins/plugintest"
	"github.com/wasmill/wasmill/scheduler/operator"
)

func TestANamedPipeIsReadAndItsWaitingEndsWithTheContext(t *testing.T) {
	folder := t.TempDir()
	path := filepath.Join(folder, "a.json")
	if err := syscall.Mkfifo(path, 0o600); err != nil {
		t.Fatal(err)
	}
	r, _ := start(t, folder, "a.json")
	for range 2 { // nobody has opened the other end yet
		ctx, cancel := context.WithTimeout(t.Context(), 20*time.Millisecond)
		if _, err := r.Next(ctx); !errors.Is(err, context.DeadlineExceeded) {
			t.Errorf("error %v", err)
		}
		cancel()
	}
	w, err := os.OpenFile(path, os.O_WRONLY, 0)
	if err != nil {
		t.Fatal(err)
	}
	defer func() {
		if err := w.Close(); err != nil {
			t.Error(err)
		}
	}()
	if _, err := w.WriteString("{\"a\":1}\n"); err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff([][]any{{int64(1)}}, next(t, r)); diff != "" {
		t.Error(diff)
	}
}

func TestANamedPipeCantBeFollowed(t *testing.T) {
	folder := t.TempDir()
	if err := syscall.Mkfifo(filepath.Join(folder, "a.json"), 0o600); err != nil {
		t.Fatal(err)
	}
	s := plugintest.Source(t, Connector(), plugintest.Config{YAML: "{path: a.json, follow: true}", Folder: folder}, operator.SourceSpec{Schema: formattest.Schema(t, "a", "int64")})
	splits, err := s.Splits(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	if _, err := s.Read(t.Context(), splits[0], plugintest.Options()); err == nil || !strings.Contains(err.Error(), "is no regular file, and only those can be followed") {
		t.Errorf("error %v", err)
	}
}
