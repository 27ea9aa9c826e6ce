package testkit

import (
	"os"
	"strconv"
	"time"
)

// SoakEnv is the variable that gives long tests their time, as "2m"; `make soak` sets it. Without it they are short.
const SoakEnv = "TEST_SOAK"

// SeedEnv is the variable that gives random tests their first seed, to repeat a run.
const SeedEnv = "TEST_SEED"

// Soak returns the first seed of a random test, and until when it should go on after it has done what it always does: without [SoakEnv] that is
// seed 1 and the past, with it a new seed each time.
func Soak() (seed uint64, until time.Time) {
	seed, until = 1, time.Now()
	if d, err := time.ParseDuration(os.Getenv(SoakEnv)); err == nil {
		seed = uint64(time.Now().Unix()) * 1000
		until = until.Add(d)
	}
	if n, err := strconv.ParseUint(os.Getenv(SeedEnv), 10, 64); err == nil {
		seed = n
	}
	return seed, until
}
