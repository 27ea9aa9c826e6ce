// Package child runs servers beside a program that needs them only while it runs: a benchmark's, a demonstration's, the embedded default's.
//
// A child never outlives its parent. It ends by Stop, in order: SIGTERM, then SIGKILL if it does not hear. If the parent is killed, the kernel ends it
// (on Linux; elsewhere it stays). It is in a process group of its own, so that Ctrl-C at a terminal reaches the parent only.
//
// A [Process] is one child, a [Group] several with a folder. [WithParent] is for programs that "go run" starts.
package child
