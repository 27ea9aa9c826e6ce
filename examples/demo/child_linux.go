package main

import "syscall"

// childAttributes give the child a process group of its own, so that Ctrl-C reaches this process only, which then stops it in
// order; and let the kernel stop it if this process is killed.
func childAttributes() *syscall.SysProcAttr {
	return &syscall.SysProcAttr{Setpgid: true, Pdeathsig: syscall.SIGTERM}
}
