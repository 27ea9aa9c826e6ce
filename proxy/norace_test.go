//go:build !race

package proxy_test

// raceAllocs is what the race detector adds to the allocations of a command.
const raceAllocs = 0

// raceBytes is what it may add to those that a connection holds.
const raceBytes = 0
