package server

import (
	"context"
	"crypto/sha256"
	"embed"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"time"

	"forebay/internal/testkit/daemon"
)

//go:embed jars/*.xml
var poms embed.FS

const copyDependencies = "org.apache.maven.plugins:maven-dependency-plugin:3.8.1:copy-dependencies"

// jars returns the folder with the jars that jars/<name>.xml names.
func jars(ctx context.Context, name string) (string, error) {
	pom, err := poms.ReadFile("jars/" + name + ".xml")
	if err != nil {
		return "", fmt.Errorf("read pom: %w", err)
	}
	return Jars(ctx, name, pom)
}

// Jars returns the folder with the jars that a pom's runtime dependencies are, fetching them if no process has done so before. A
// folder under its final name is complete: it is filled under another and renamed.
func Jars(ctx context.Context, name string, pom []byte) (string, error) {
	cache, err := CacheDir()
	if err != nil {
		return "", err
	}
	dir := filepath.Join(cache, "jars", fmt.Sprintf("%s-%.4x", name, sha256.Sum256(pom)))
	if _, err := os.Stat(dir); err == nil {
		return dir, nil
	}
	// One lock for all: two mavens at once may spoil their common repository.
	lock, err := daemon.LockFile(filepath.Join(cache, "jars", "lock"))
	if err != nil {
		return "", err
	}
	defer lock.Unlock()
	if _, err := os.Stat(dir); err == nil { // another process was first
		return dir, nil
	}
	if err := fetchJars(ctx, pom, dir); err != nil {
		return "", fmt.Errorf("fetch jars of %s: %w", name, err)
	}
	return dir, nil
}

func fetchJars(ctx context.Context, pom []byte, dir string) error {
	mvn, err := exec.LookPath("mvn")
	if err != nil {
		return fmt.Errorf("maven %w", ErrMissing)
	}
	partial := dir + ".partial"
	if err := os.RemoveAll(partial); err != nil {
		return err
	}
	if err := os.MkdirAll(partial, 0o755); err != nil {
		return err
	}
	file := filepath.Join(partial, "pom.xml")
	if err := os.WriteFile(file, pom, 0o644); err != nil {
		return err
	}
	ctx, cancel := context.WithTimeout(ctx, 5*time.Minute)
	defer cancel()
	cmd := exec.CommandContext(ctx, mvn, "-q", "-B", "-f", file, copyDependencies,
		"-DincludeScope=runtime", "-DoutputDirectory="+partial)
	if out, err := cmd.CombinedOutput(); err != nil {
		return fmt.Errorf("run maven: %w: %s", err, out[max(0, len(out)-2048):])
	}
	return os.Rename(partial, dir)
}
