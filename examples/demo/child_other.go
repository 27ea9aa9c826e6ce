//go:build unix && !linux

package main

import "syscall"

// childAttributes give the child a process group of its own, so that Ctrl-C reaches this process only, which then stops it in
// order. Only Linux stops the child of a killed process.
func childAttributes() *syscall.SysProcAttr { return &syscall.SysProcAttr{Setpgid: true} }
