//go:build !linux

package daemon

import "syscall"

// groupAttr puts a child in the group pgid (0: a new one). Its parent's death is the guard's to see.
func groupAttr(pgid int) *syscall.SysProcAttr {
	return &syscall.SysProcAttr{Setpgid: true, Pgid: pgid}
}
