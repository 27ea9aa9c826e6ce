package server

import (
	"context"
	"crypto/sha256"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"

	"forebay/internal/testkit/daemon"
)

// Python returns the path of an interpreter that has exactly the given pip packages and what they depend on. Each is a line of a
// requirements file ("numpy==1.24.4"); a hash in one of them makes pip ask for the hashes of all. The virtual environment is
// made once and kept in the cache folder; processes that ask for the same one at once wait for it.
func Python(ctx context.Context, packages ...string) (string, error) {
	base, err := exec.LookPath("python3")
	if err != nil {
		return "", fmt.Errorf("python3 %w", ErrMissing)
	}
	// Another interpreter makes another environment: compiled packages do not move between them.
	version, err := exec.CommandContext(ctx, base, "-c", "import sys; print(sys.base_prefix, sys.version)").Output()
	if err != nil {
		return "", fmt.Errorf("ask python3 for its version: %w", err)
	}
	cache, err := CacheDir()
	if err != nil {
		return "", err
	}
	packages = slices.Sorted(slices.Values(packages))
	id := sha256.Sum256([]byte(string(version) + strings.Join(packages, "\n")))
	dir := filepath.Join(cache, "python", fmt.Sprintf("%.8x", id))
	lock, err := daemon.LockFile(dir + ".lock")
	if err != nil {
		return "", err
	}
	defer lock.Unlock()
	if err := makeVirtualenv(ctx, base, dir, packages); err != nil {
		return "", fmt.Errorf("make python environment with %v: %w", packages, err)
	}
	return filepath.Join(dir, "bin", "python"), nil
}

// makeVirtualenv does nothing if dir holds its mark, which is written last. Scripts in an environment name its folder, so it is
// made in place, not renamed into it.
func makeVirtualenv(ctx context.Context, base, dir string, packages []string) error {
	mark := filepath.Join(dir, "complete")
	if _, err := os.Stat(mark); err == nil {
		return nil
	}
	if err := os.RemoveAll(dir); err != nil {
		return err
	}
	if out, err := exec.CommandContext(ctx, base, "-m", "venv", dir).CombinedOutput(); err != nil {
		return fmt.Errorf("make it (python3-venv may be %w): %w: %s", ErrMissing, err, out)
	}
	if len(packages) > 0 {
		list := filepath.Join(dir, "requirements.txt")
		if err := os.WriteFile(list, []byte(strings.Join(packages, "\n")+"\n"), 0o644); err != nil {
			return err
		}
		cmd := exec.CommandContext(ctx, filepath.Join(dir, "bin", "python"), "-m", "pip", "install", "--quiet", "--disable-pip-version-check", "-r", list)
		if out, err := cmd.CombinedOutput(); err != nil {
			return fmt.Errorf("install packages: %w: %s", err, out)
		}
	}
	return os.WriteFile(mark, []byte(strings.Join(packages, "\n")+"\n"), 0o644)
}
