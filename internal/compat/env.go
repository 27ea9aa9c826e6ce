package compat

import (
	"context"
	"crypto/sha256"
	"embed"
	"fmt"
	"io/fs"
	"os"
	"os/exec"
	"path/filepath"
	"strings"

	"forebay/internal/testkit/daemon"
	"forebay/internal/testkit/server"
)

//go:embed pytest clients
var files embed.FS

// tests is redis-py's suite and what runs it.
type tests struct {
	python string // an interpreter with pytest
	dir    string // the unpacked sdist
	plugin string // the folder of forebay_report.py
}

// text is an embedded file. That it exists is the compiler's and the tests' matter.
func text(name string) (string, error) {
	b, err := fs.ReadFile(files, name)
	if err != nil {
		return "", fmt.Errorf("read embedded file: %w", err)
	}
	return string(b), nil
}

// lines are those of an embedded file that are neither empty nor comments.
func lines(name string) ([]string, error) {
	all, err := text(name)
	if err != nil {
		return nil, err
	}
	var list []string
	for line := range strings.Lines(all) {
		if line = strings.TrimSpace(line); line != "" && line[0] != '#' {
			list = append(list, line)
		}
	}
	return list, nil
}

// digest names a version of what is fetched or kept: it changes with any of the embedded files.
func digest(more ...string) (string, error) {
	h := sha256.New()
	err := fs.WalkDir(files, ".", func(name string, d fs.DirEntry, err error) error {
		if err != nil || d.IsDir() {
			return err
		}
		content, err := text(name)
		fmt.Fprintf(h, "%s\n%d\n%s", name, len(content), content)
		return err
	})
	for _, m := range more {
		fmt.Fprintf(h, "%d\n%s", len(m), m)
	}
	return fmt.Sprintf("%.8x", h.Sum(nil)), err
}

// prepared returns the folder cache/compat/name-digest, filled by fill if no process has done so before. It is filled under
// another name and renamed, so that under its own it is whole.
func prepared(name, digest string, fill func(dir string) error) (string, error) {
	cache, err := server.CacheDir()
	if err != nil {
		return "", err
	}
	dir := filepath.Join(cache, "compat", name+"-"+digest)
	lock, err := daemon.LockFile(dir + ".lock")
	if err != nil {
		return "", err
	}
	defer lock.Unlock()
	if _, err := os.Stat(dir); err == nil {
		return dir, nil
	}
	partial := dir + ".partial"
	if err := os.RemoveAll(partial); err != nil {
		return "", err
	}
	if err := os.MkdirAll(partial, 0o755); err != nil {
		return "", err
	}
	if err := fill(partial); err != nil {
		return "", fmt.Errorf("prepare %s: %w", name, err)
	}
	return dir, os.Rename(partial, dir)
}

// prepareTests makes the environment and unpacks the sdist, whichever are not there yet.
func prepareTests(ctx context.Context) (tests, error) {
	var t tests
	requirements, err := lines("pytest/requirements.txt")
	if err != nil {
		return t, err
	}
	if t.python, err = server.Python(ctx, requirements...); err != nil {
		return t, err
	}
	sdist, err := text("pytest/sdist.txt")
	if err != nil {
		return t, err
	}
	plugin, err := text("pytest/forebay_report.py")
	if err != nil {
		return t, err
	}
	id := sha256.Sum256([]byte(sdist + plugin))
	dir, err := prepared("redis-py", fmt.Sprintf("%.8x", id), func(dir string) error {
		return unpackTests(ctx, t.python, dir, sdist, plugin)
	})
	if err != nil {
		return t, err
	}
	t.plugin = filepath.Join(dir, "plugin")
	found, err := filepath.Glob(filepath.Join(dir, "redis-*", "tests"))
	if err != nil || len(found) != 1 {
		return t, fmt.Errorf("find redis-py's tests in %s: %d folders, %w", dir, len(found), err)
	}
	t.dir = filepath.Dir(found[0])
	return t, nil
}

// unpackTests fetches the sdist by pip, which checks its hash, and unpacks it into dir, the plugin beside it.
func unpackTests(ctx context.Context, python, dir, sdist, plugin string) error {
	if err := os.Mkdir(filepath.Join(dir, "plugin"), 0o755); err != nil {
		return err
	}
	for name, content := range map[string]string{"sdist.txt": sdist, "plugin/forebay_report.py": plugin} {
		if err := os.WriteFile(filepath.Join(dir, name), []byte(content), 0o644); err != nil {
			return err
		}
	}
	err := command(ctx, dir, python, "-m", "pip", "download", "--quiet", "--disable-pip-version-check", "--no-deps", "--no-binary", ":all:",
		"--no-build-isolation", "--require-hashes", "-r", "sdist.txt", "-d", dir)
	if err != nil {
		return err
	}
	archives, err := filepath.Glob(filepath.Join(dir, "*.tar.gz"))
	if err != nil || len(archives) != 1 {
		return fmt.Errorf("find the sdist: %d files, %w", len(archives), err)
	}
	return command(ctx, dir, python, "-m", "tarfile", "-e", archives[0], dir)
}

// command runs a program to its end; the error has the end of its output.
func command(ctx context.Context, dir, name string, args ...string) error {
	cmd := exec.CommandContext(ctx, name, args...)
	cmd.Dir = dir
	if out, err := cmd.CombinedOutput(); err != nil {
		return fmt.Errorf("run %s %s: %w: %s", filepath.Base(name), strings.Join(args[:min(3, len(args))], " "), err, out[max(0, len(out)-2048):])
	}
	return nil
}
