package daemon

import "syscall"

// groupAttr puts a child in the group pgid (0: a new one) and has the kernel kill it when its parent dies.
//
// "Parent" is the thread that forked. Go ends a thread only when a goroutine that locked it returns without
// unlocking; no code in the tests' binaries does.
func groupAttr(pgid int) *syscall.SysProcAttr {
	return &syscall.SysProcAttr{Setpgid: true, Pgid: pgid, Pdeathsig: syscall.SIGKILL}
}
