package compat_test

import (
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"go.uber.org/goleak"

	"forebay/internal/compat"
	"forebay/internal/testkit"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// forebay builds the program.
func forebay(t *testing.T) string {
	t.Helper()
	testkit.Redis(t) // asks for real servers: not under -short
	path := filepath.Join(t.TempDir(), "forebay")
	if out, err := exec.CommandContext(t.Context(), "go", "build", "-o", path, "forebay/cmd/forebay").CombinedOutput(); err != nil {
		t.Fatalf("build forebay: %v\n%s", err, out)
	}
	return path
}

func TestClientsCannotTell(t *testing.T) {
	var out strings.Builder
	err := compat.Clients(t.Context(), compat.Options{Forebay: forebay(t), Protocols: []int{2, 3}, Out: &out})
	t.Log("\n" + out.String())
	if err != nil || strings.Count(out.String(), "the same") != 8 {
		t.Error(err)
	}
}

// One of the suite's files goes the whole way, and what an interrupted run has left is taken up.
func TestSuiteGoesOnWhereItStopped(t *testing.T) {
	o := compat.Options{
		Forebay: forebay(t), Protocols: []int{3}, Files: []string{"tests/test_encoding.py"}, State: t.TempDir(),
	}
	var out strings.Builder
	o.Out = &out
	if err := compat.Suite(t.Context(), o); err != nil {
		t.Fatalf("%v\n%s", err, out.String())
	}
	t.Log("\n" + out.String())
	if row := fmt.Sprint(strings.Fields(out.String())); !strings.Contains(row, "tests/test_encoding.py 3 11 0 0 11 0 0 0 0") {
		t.Errorf("its row is not there:\n%s", out.String())
	}
	if left, err := filepath.Glob(filepath.Join(o.State, "*", "*")); err != nil || len(left) > 0 {
		t.Errorf("a judged run leaves %v, %v", left, err)
	}
	// Interrupted as soon as a side has ended: its report is kept.
	ctx, cancel := context.WithCancel(t.Context())
	defer cancel()
	o.Files = []string{"tests/test_max_connections_error.py", "tests/test_connection_pool.py"}
	o.Out = cancelAt{"tests/test_max_connections_error.py", cancel}
	if err := compat.Suite(ctx, o); !errors.Is(err, context.Canceled) {
		t.Fatalf("an interrupted run: %v", err)
	}
	kept, err := filepath.Glob(filepath.Join(o.State, "*", "3-*-tests-test_max_connections_error.py"))
	if err != nil || len(kept) != 2 {
		t.Fatalf("an interrupted run leaves %v, %v", kept, err)
	}
	// That the reports are read, not made anew, shows by what they say.
	const lie = `{"id":"tests/test_encoding.py::TestX::test_of_no_file","outcome":"skipped","why":""}` + "\n"
	for _, path := range kept {
		if err := os.WriteFile(path, []byte(lie), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	out.Reset()
	o.Out, o.Files = &out, o.Files[:1]
	if err := compat.Suite(t.Context(), o); err != nil || !strings.Contains(fmt.Sprint(strings.Fields(out.String())), "error.py 3 0 0 1 0 0 1 0 0") {
		t.Errorf("the reports are not taken up: %v\n%s", err, out.String())
	}
}

// cancelAt is a writer that interrupts the run when a text is written.
type cancelAt struct {
	text   string
	cancel func()
}

func (c cancelAt) Write(b []byte) (int, error) {
	if strings.Contains(string(b), c.text) {
		c.cancel()
	}
	return len(b), nil
}

// A "Forebay" that is a Redis without LRANGE must be found out, by the tests that use it and no others.
func TestDifferencesFailTheSuite(t *testing.T) {
	testkit.Redis(t) // asks for real servers: not under -short
	path := filepath.Join(t.TempDir(), "forebay")
	const script = `#!/bin/sh
port=$(sed -n 's/^listen: .*:\([0-9]*\)"}$/\1/p' "$3")
exec redis-server --port $port --bind 127.0.0.1 --save '' --enable-debug-command yes --rename-command LRANGE ''
`
	if err := os.WriteFile(path, []byte(script), 0o755); err != nil {
		t.Fatal(err)
	}
	var out strings.Builder
	err := compat.Suite(t.Context(), compat.Options{
		Forebay: path, Protocols: []int{2}, Files: []string{"tests/test_encoding.py"}, State: t.TempDir(), Out: &out,
	})
	t.Log("\n" + out.String())
	const name = "DIFFERS (RESP2): tests/test_encoding.py::TestEncoding::test_list_encoding\n  straight  passed, alone passed\n  through   failed, alone failed: "
	if !errors.Is(err, compat.ErrDiffers) || strings.Count(out.String(), "DIFFERS") != 1 || !strings.Contains(out.String(), name) {
		t.Errorf("it ends with %v", err)
	}
}
