package server

import (
	"context"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
)

var java17 = regexp.MustCompile(`version "17[."]`)

// FindJava returns a java of version 17, the newest that Cassandra 5.0 runs on: JAVA_HOME's, the one on PATH, or one of those in
// /usr/lib/jvm.
func FindJava(ctx context.Context) (string, error) {
	var candidates []string
	if home := os.Getenv("JAVA_HOME"); home != "" {
		candidates = append(candidates, filepath.Join(home, "bin", "java"))
	}
	if path, err := exec.LookPath("java"); err == nil {
		candidates = append(candidates, path)
	}
	installed, err := filepath.Glob("/usr/lib/jvm/*/bin/java")
	if err != nil {
		return "", fmt.Errorf("list /usr/lib/jvm: %w", err)
	}
	for _, path := range append(candidates, installed...) {
		if out, err := exec.CommandContext(ctx, path, "-version").CombinedOutput(); err == nil && java17.Match(out) {
			return path, nil
		}
	}
	return "", fmt.Errorf("java 17 %w", ErrMissing)
}
