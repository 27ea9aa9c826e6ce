package embedded_test

import (
	"bufio"
	"context"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"testing"

	"github.com/redis/go-redis/v9"
	"go.uber.org/goleak"

	"forebay/backend/embedded"
)

// holdEnv makes this test binary a program that starts a Redis, prints its address and waits to be killed.
const holdEnv = "FOREBAY_TEST_HOLD_REDIS"

func TestMain(m *testing.M) {
	if os.Getenv(holdEnv) != "" {
		r, err := embedded.StartRedis(context.Background(), embedded.Options{})
		if err != nil {
			fmt.Println(err)
			os.Exit(1)
		}
		fmt.Println(r.Addr())
		select {}
	}
	goleak.VerifyTestMain(m)
}

func TestRedisServerDiesWithAKilledForebay(t *testing.T) {
	if runtime.GOOS != "linux" {
		t.Log("only Linux ends the child of a killed process")
		return
	}
	needRedisServer(t)
	self, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	holder := exec.CommandContext(t.Context(), self)
	holder.Env = append(os.Environ(), holdEnv+"=1")
	out, err := holder.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := holder.Start(); err != nil {
		t.Fatal(err)
	}
	lines := bufio.NewScanner(out)
	lines.Scan()
	addr := lines.Text()
	t.Cleanup(func() {
		// A killed Forebay cannot remove the folder of its socket.
		if err := os.RemoveAll(filepath.Dir(addr)); err != nil {
			t.Error(err)
		}
	})
	c := redis.NewClient(&redis.Options{Network: "unix", Addr: addr, MaxRetries: -1})
	defer func() { _ = c.Close() }()
	if err := c.Ping(t.Context()).Err(); err != nil {
		t.Fatal(err)
	}
	if err := holder.Process.Kill(); err != nil {
		t.Fatal(err)
	}
	_ = holder.Wait() // always "signal: killed"
	await(t, "the orphan to end", func() bool { return c.Ping(t.Context()).Err() != nil })
}
