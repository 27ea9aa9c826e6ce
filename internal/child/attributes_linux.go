package child

import "syscall"

// Attributes are those of a child for an exec.Cmd that is started otherwise than by [Start]; orphaned is what the kernel sends it when its parent
// dies. "Parent" is to the kernel the thread that forked: whoever starts such a command keeps it by runtime.LockOSThread until the child has
// ended.
func Attributes(orphaned syscall.Signal) *syscall.SysProcAttr {
	return &syscall.SysProcAttr{Setpgid: true, Pdeathsig: orphaned}
}
