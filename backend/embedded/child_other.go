//go:build unix && !linux

package embedded

import "syscall"

// childAttributes puts the child in a process group of its own, so that Ctrl-C at a terminal reaches Forebay only, which then
// stops it in order. Only Linux ends a child whose parent is killed.
func childAttributes() *syscall.SysProcAttr { return &syscall.SysProcAttr{Setpgid: true} }
