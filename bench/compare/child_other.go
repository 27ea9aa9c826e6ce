//go:build !linux

package main

import "syscall"

// childAttributes keeps an interrupt at the terminal from the child: it is stopped in order.
func childAttributes() *syscall.SysProcAttr { return &syscall.SysProcAttr{Setpgid: true} }
