package main

import (
	"bytes"
	"strings"
	"testing"
)

// TestSessionsCommand asks a forebay that serves.
func TestSessionsCommand(t *testing.T) {
	t.Setenv("XDG_STATE_HOME", t.TempDir())
	in := serve(t, "--in-process")
	for name, tt := range map[string]struct {
		args   []string
		status int
		want   string
	}{
		"list":               {[]string{"list"}, done, "no sessions"},
		"info, unknown":      {[]string{"info", "run"}, failed, "No live session has that name."},
		"info, no name":      {[]string{"info", "a b"}, failed, "1 to 256 printable characters"},
		"end, unknown":       {[]string{"end", "a/b%"}, failed, "No live session has that name."},
		"extend, unknown":    {[]string{"extend", "run", "2h"}, failed, "No live session has that name."},
		"extend by too much": {[]string{"extend", "run", "2000h"}, failed, "1 second to 30 days"},
		"extend by nothing":  {[]string{"extend", "run"}, misuse, "expected"},
		"no such file":       {[]string{"list", "--password-file=/nonexistent"}, misuse, "--password-file"},
		"not an address":     {[]string{"list", "--url=nowhere"}, misuse, "--url"},
	} {
		t.Run(name, func(t *testing.T) {
			var out, errs bytes.Buffer
			args := append([]string{"sessions", tt.args[0], "--url=http://" + in.http}, tt.args[1:]...)
			status := run(t.Context(), args, nil, &out, &errs)
			if said := out.String() + errs.String(); status != tt.status || !strings.Contains(said, tt.want) {
				t.Errorf("status %d, said %q; want %d and %q", status, said, tt.status, tt.want)
			}
		})
	}
}
