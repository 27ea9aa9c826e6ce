package main

import "syscall"

// childAttributes has the kernel end the child when this process is gone, and keeps an interrupt at the terminal from the child: it is stopped
// in order.
func childAttributes() *syscall.SysProcAttr {
	return &syscall.SysProcAttr{Setpgid: true, Pdeathsig: syscall.SIGKILL}
}
