package embedded

import "syscall"

// childAttributes puts the child in a process group of its own, so that Ctrl-C at a terminal reaches Forebay only, which then
// stops it in order; and lets the kernel end it if Forebay is killed. The thread that starts it must stay (see supervise).
func childAttributes() *syscall.SysProcAttr {
	return &syscall.SysProcAttr{Setpgid: true, Pdeathsig: syscall.SIGKILL}
}
