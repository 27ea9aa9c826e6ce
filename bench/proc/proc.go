// Package proc tells what a process has used, as Linux counts it in /proc.
package proc

import (
	"bytes"
	"fmt"
	"os"
	"strconv"
	"time"
)

// tick is the unit of CPU time in /proc/PID/stat: USER_HZ, which is 100 on every architecture that Go knows.
const tick = 10 * time.Millisecond

// Usage is what a process uses.
type Usage struct {
	CPU  time.Duration // user and system, since its start, of all its threads, in steps of 10 ms
	RSS  int64         // bytes of memory now
	Peak int64         // the most bytes of memory since its start, or since ResetPeak
}

// Of reads the usage of a process.
func Of(pid int) (Usage, error) {
	var u Usage
	stat, err := os.ReadFile(fmt.Sprintf("/proc/%d/stat", pid))
	if err != nil {
		return u, fmt.Errorf("read usage: %w", err)
	}
	status, err := os.ReadFile(fmt.Sprintf("/proc/%d/status", pid))
	if err != nil {
		return u, fmt.Errorf("read usage: %w", err)
	}
	if u.CPU, err = cpu(stat); err != nil {
		return u, fmt.Errorf("read usage: %w", err)
	}
	if u.RSS, err = kilobytes(status, "VmRSS"); err != nil {
		return u, fmt.Errorf("read usage: %w", err)
	}
	if u.Peak, err = kilobytes(status, "VmHWM"); err != nil {
		return u, fmt.Errorf("read usage: %w", err)
	}
	return u, nil
}

// cpu reads utime and stime, fields 14 and 15. The second field is a name in brackets, which may hold anything.
func cpu(stat []byte) (time.Duration, error) {
	fields := bytes.Fields(stat[bytes.LastIndexByte(stat, ')')+1:])
	if len(fields) < 13 {
		return 0, fmt.Errorf("%d fields", len(fields))
	}
	var ticks int64
	for _, f := range fields[11:13] {
		n, err := strconv.ParseInt(string(f), 10, 64)
		if err != nil {
			return 0, err
		}
		ticks += n
	}
	return time.Duration(ticks) * tick, nil
}

// kilobytes finds "name: n kB" and returns bytes.
func kilobytes(status []byte, name string) (int64, error) {
	for l := range bytes.Lines(status) {
		fields := bytes.Fields(l)
		if len(fields) == 3 && string(fields[0]) == name+":" {
			n, err := strconv.ParseInt(string(fields[1]), 10, 64)
			return n << 10, err
		}
	}
	return 0, fmt.Errorf("no %s", name)
}

// ResetPeak makes the memory that a process has now its peak.
func ResetPeak(pid int) error {
	if err := os.WriteFile(fmt.Sprintf("/proc/%d/clear_refs", pid), []byte("5"), 0); err != nil {
		return fmt.Errorf("reset peak: %w", err)
	}
	return nil
}
