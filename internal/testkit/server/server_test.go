package server_test

import (
	"context"
	"errors"
	"net"
	"path/filepath"
	"testing"

	"forebay/internal/testkit/server"
)

func TestMissingProgramNamesTheCommandThatInstallsIt(t *testing.T) {
	t.Setenv("PATH", t.TempDir())
	if _, err := server.StartRedis(t.Context(), "tcp"); !errors.Is(err, server.ErrMissing) {
		t.Errorf("without redis-server: %v", err)
	}
}

func TestCacheDirIsTheOneGiven(t *testing.T) {
	dir := t.TempDir()
	t.Setenv("TEST_CACHE_DIR", dir)
	if got, err := server.CacheDir(); err != nil || got != dir {
		t.Errorf("CacheDir = %q, %v", got, err)
	}
	t.Setenv("TEST_CACHE_DIR", "")
	t.Setenv("HOME", dir)
	if got, err := server.CacheDir(); err != nil || got != filepath.Join(dir, ".cache", "forebay-test") {
		t.Errorf("CacheDir = %q, %v", got, err)
	}
}

// TestReadyWantsTheRightServer asks a server that speaks neither protocol.
func TestReadyWantsTheRightServer(t *testing.T) {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	done := make(chan struct{})
	go func() {
		defer close(done)
		for {
			c, err := l.Accept()
			if err != nil {
				return
			}
			_, _ = c.Write([]byte("220 mail.example.org ESMTP ready\r\n")) // the asker may be gone
			c.Close()
		}
	}()
	defer func() { l.Close(); <-done }()
	for name, ready := range map[string]func(context.Context, string) error{
		"cassandra": server.CassandraReady, "kafka": server.KafkaReady,
	} {
		if err := ready(t.Context(), l.Addr().String()); err == nil {
			t.Errorf("it is taken for %s", name)
		}
	}
}
