// Package daemon runs server processes that cannot outlive the process that started them.
//
// A [Process] is one running program in a process group of its own, with a guard: a shell in the same group that waits for the
// end of a pipe whose only writer is this process. However this process ends (return, panic, SIGKILL), the kernel
// closes the pipe and the guard kills the group and removes the server's folder. On Linux the program also asks
// for SIGKILL when its parent dies, in case the guard is gone. A [Server] is a program with a folder and ports that can be stopped
// and started again.
//
// No goroutine runs between calls, so tests that look for leaked goroutines are not disturbed.
package daemon
