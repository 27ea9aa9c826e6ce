// Package server starts the real servers that tests run against: redis-server from PATH, and Cassandra and Kafka from their jars
// of Maven Central, on Java 17. It knows how to prepare, start and ask them; package daemon keeps them from outliving
// the test.
//
// Jars are fetched once into the cache folder: TEST_CACHE_DIR, else ~/.cache/forebay-test.
package server

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
)

// ErrMissing means a program that tests need is not installed. Its message names the command that installs it.
var ErrMissing = errors.New("not installed; run: apt-get install -y --no-install-recommends " +
	"openjdk-17-jre-headless maven redis-server python3 python3-venv")

// CacheDir is the folder that keeps what is fetched between runs.
func CacheDir() (string, error) {
	if dir := os.Getenv("TEST_CACHE_DIR"); dir != "" {
		return filepath.Abs(dir)
	}
	home, err := os.UserHomeDir()
	if err != nil {
		return "", fmt.Errorf("find cache folder (set TEST_CACHE_DIR): %w", err)
	}
	return filepath.Join(home, ".cache", "forebay-test"), nil
}
