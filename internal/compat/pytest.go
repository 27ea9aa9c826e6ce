package compat

import (
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strconv"
	"time"

	"forebay/internal/testkit/daemon"
)

// marks leave out what needs servers that are not there.
const marks = "not onlycluster and not redismod and not ssl and not replica and not cp_integration and not multidb_integration"

// fileLimit bounds one file on one side; the suite's own bound of 30 s a test comes long before.
const fileLimit = 15 * time.Minute

// Exit statuses of pytest after which its report is whole.
var pytestEnds = []int{0, 1}

// run runs what pytest calls a selection (a file or a test's id) against the side and writes its report to path. The report is
// whole when run returns nil; a selection that is still running at its limit is ended, and its report is taken as it is.
func (t tests) run(ctx context.Context, s *side, protocol int, selection, path string) error {
	dir, err := os.MkdirTemp("", "forebay-compat-")
	if err != nil {
		return fmt.Errorf("make folder for pytest: %w", err)
	}
	defer os.RemoveAll(dir)
	log, err := os.Create(filepath.Join(dir, "log"))
	if err != nil {
		return fmt.Errorf("make log of pytest: %w", err)
	}
	defer log.Close()
	partial := filepath.Join(dir, "report")
	if err := os.WriteFile(partial, nil, 0o644); err != nil {
		return fmt.Errorf("make report: %w", err)
	}
	cmd := exec.Command(t.python, "-m", "pytest", "-q", "--color=no", "-p", "no:cacheprovider", "-p", "forebay_report", "-m", marks,
		"--basetemp", filepath.Join(dir, "tmp"),
		"--redis-url", "redis://"+s.addr+"/0", "--protocol", strconv.Itoa(protocol), selection)
	cmd.Dir = t.dir
	cmd.Env = environment("PYTHONPATH="+t.plugin, "COMPAT_REPORT="+partial, "PYTHONHASHSEED=0")
	cmd.Stdout, cmd.Stderr = log, log
	status, err := wait(ctx, cmd, fileLimit)
	if err != nil && !errors.Is(err, daemon.ErrTimeout) {
		return err
	}
	if err == nil && !slices.Contains(pytestEnds, status) {
		out, _ := os.ReadFile(log.Name())
		return fmt.Errorf("run %s %s: pytest ended with status %d:\n%s\n%s", selection, s.name, status, out[max(0, len(out)-4096):], s.log())
	}
	report, err := os.ReadFile(partial)
	if err != nil {
		return fmt.Errorf("read report: %w", err)
	}
	if err := os.WriteFile(path+".partial", report, 0o644); err != nil {
		return fmt.Errorf("keep report: %w", err)
	}
	return os.Rename(path+".partial", path)
}

// wait runs a command, whose streams are files, to its end, at most for the time given (then daemon.ErrTimeout) and until ctx is
// done. Whatever it started is killed with it.
func wait(ctx context.Context, cmd *exec.Cmd, limit time.Duration) (status int, err error) {
	p, err := daemon.StartProcess(cmd, "")
	if err != nil {
		return 0, err
	}
	defer func() { err = errors.Join(err, p.Close()) }()
	for deadline := time.Now().Add(limit); ; {
		ended, err := p.Wait(100 * time.Millisecond)
		switch {
		case err == nil && ended.Exited():
			return ended.ExitStatus(), nil
		case err == nil:
			return 128 + int(ended.Signal()), nil
		case !errors.Is(err, daemon.ErrTimeout) || time.Now().After(deadline):
			return 0, err
		case ctx.Err() != nil:
			return 0, ctx.Err()
		}
	}
}
