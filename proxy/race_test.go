//go:build race

package proxy_test

// raceAllocs is what the race detector adds to the allocations of a command: its sync.Pool drops a quarter of what is put.
const raceAllocs = 4

// raceBytes is what it may add to those that a connection holds.
const raceBytes = 16 << 10
