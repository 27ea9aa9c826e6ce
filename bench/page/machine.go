package page

import (
	"bytes"
	"context"
	"fmt"
	"os"
	"os/exec"
	"runtime"
	"strconv"
	"strings"
	"time"
)

// Machine says when, of which commit and on what a report is.
func Machine(ctx context.Context, now time.Time) string {
	return fmt.Sprintf("%s, commit %s. %s, %d cores, Linux %s, %s.", now.Format("2 January 2006"), Say(ctx, "git", "describe", "--always", "--dirty"),
		fact("/proc/cpuinfo", "model name"), runtime.NumCPU(), Say(ctx, "uname", "-r"), memory())
}

// Say returns the first line that a program prints; "unknown" if it fails.
func Say(ctx context.Context, name string, args ...string) string {
	out, err := exec.CommandContext(ctx, name, args...).CombinedOutput()
	if err != nil {
		return "unknown"
	}
	first, _, _ := strings.Cut(strings.TrimSpace(string(out)), "\n")
	return first
}

func memory() string {
	kb, err := strconv.ParseFloat(strings.TrimSuffix(fact("/proc/meminfo", "MemTotal"), " kB"), 64)
	if err != nil {
		return "unknown memory"
	}
	return fmt.Sprintf("%.0f GB", kb/1e6)
}

// fact finds "name : value" in a file of /proc.
func fact(path, name string) string {
	b, err := os.ReadFile(path)
	if err != nil {
		return "unknown"
	}
	for l := range bytes.Lines(b) {
		key, value, found := strings.Cut(string(l), ":")
		if found && strings.TrimSpace(key) == name {
			return strings.TrimSpace(value)
		}
	}
	return "unknown"
}
