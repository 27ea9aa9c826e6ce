//go:build unix && !linux

package child

import "syscall"

// Attributes are those of a child for an exec.Cmd that is started otherwise than by [Start]. Only Linux ends the child of a killed process.
func Attributes(syscall.Signal) *syscall.SysProcAttr { return &syscall.SysProcAttr{Setpgid: true} }
