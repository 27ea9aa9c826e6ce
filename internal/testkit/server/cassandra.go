package server

import (
	"bufio"
	"context"
	_ "embed"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"time"

	"forebay/internal/testkit/daemon"
)

//go:embed conf/cassandra.yaml
var cassandraYAML string

//go:embed conf/logback.xml
var logbackXML string

// Cassandra is one node of Cassandra 5.0.
type Cassandra struct {
	*daemon.Server
	Addr string // of the CQL protocol
}

// commitLogSync is a little more than conf/cassandra.yaml's commitlog_sync_period.
const commitLogSync = 150 * time.Millisecond

// Kill ends the node by SIGKILL, just long enough after the call that all writes acknowledged before it are found again at
// the next start.
func (c *Cassandra) Kill() error {
	time.Sleep(commitLogSync)
	return c.Server.Kill()
}

// StartCassandra starts a node with an empty keyspace list. Where the jars are at hand it takes 5 to 20 s.
func StartCassandra(ctx context.Context) (*Cassandra, error) {
	java, err := FindJava(ctx)
	if err != nil {
		return nil, err
	}
	lib, err := jars(ctx, "cassandra")
	if err != nil {
		return nil, err
	}
	s, err := daemon.Launch(ctx, daemon.Program{
		Name:    "cassandra",
		Ports:   2,
		Limit:   2 * time.Minute,
		Prepare: prepareCassandra,
		Command: func(s *daemon.Server) *exec.Cmd { return exec.Command(java, cassandraArgs(s, lib)...) },
		Ready:   func(ctx context.Context, s *daemon.Server) error { return CassandraReady(ctx, s.Ports[0].Addr()) },
	})
	if err != nil {
		return nil, err
	}
	return &Cassandra{Server: s, Addr: s.Ports[0].Addr()}, nil
}

func prepareCassandra(_ context.Context, s *daemon.Server) error {
	yaml := strings.NewReplacer(
		"{dir}", s.Dir,
		"{cql}", fmt.Sprint(s.Ports[0].Number),
		"{storage}", fmt.Sprint(s.Ports[1].Number),
	).Replace(cassandraYAML)
	if err := os.WriteFile(filepath.Join(s.Dir, "cassandra.yaml"), []byte(yaml), 0o644); err != nil {
		return err
	}
	return os.WriteFile(filepath.Join(s.Dir, "logback.xml"), []byte(logbackXML), 0o644)
}

// cassandraOpens are the parts of the JDK that Cassandra needs opened, from its own jvm17-server.options.
var cassandraOpens = []string{
	"--add-exports=java.base/java.lang.ref", "--add-exports=java.base/jdk.internal.misc",
	"--add-exports=java.management.rmi/com.sun.jmx.remote.internal.rmi",
	"--add-exports=java.rmi/sun.rmi.registry", "--add-exports=java.rmi/sun.rmi.server",
	"--add-exports=java.sql/java.sql", "--add-exports=jdk.unsupported/sun.misc",
	"--add-opens=java.base/java.io", "--add-opens=java.base/java.lang",
	"--add-opens=java.base/java.lang.module", "--add-opens=java.base/java.lang.reflect",
	"--add-opens=java.base/java.nio", "--add-opens=java.base/java.util",
	"--add-opens=java.base/jdk.internal.loader", "--add-opens=java.base/jdk.internal.math",
	"--add-opens=java.base/jdk.internal.module", "--add-opens=java.base/jdk.internal.ref",
	"--add-opens=java.base/jdk.internal.reflect", "--add-opens=java.base/jdk.internal.util.jar",
	"--add-opens=java.base/sun.nio.ch", "--add-opens=jdk.management/com.sun.management.internal",
}

func cassandraArgs(s *daemon.Server, lib string) []string {
	args := []string{
		"-Xms512m", "-Xmx1g", "-XX:MaxDirectMemorySize=512m", "-XX:+UseSerialGC", "-XX:-UsePerfData",
		"-XX:+ExitOnOutOfMemoryError", "-Djdk.attach.allowAttachSelf=true", "-Dio.netty.tryReflectionSetAccessible=true",
	}
	for _, open := range cassandraOpens {
		args = append(args, open+"=ALL-UNNAMED")
	}
	return append(args,
		"-Djava.io.tmpdir="+s.Dir,
		"-Dcassandra.config=file://"+filepath.Join(s.Dir, "cassandra.yaml"),
		"-Dlogback.configurationFile=file://"+filepath.Join(s.Dir, "logback.xml"),
		"-Dcassandra.storagedir="+s.Dir,
		"-Dcassandra-foreground=yes",
		// There is no one to gossip with.
		"-Dcassandra.skip_wait_for_gossip_to_settle=0",
		"-Dcassandra.ring_delay_ms=1",
		"-cp", filepath.Join(lib, "*"),
		"org.apache.cassandra.service.CassandraDaemon")
}

// CassandraReady asks for the server's options, which CQL's protocol allows before anything else.
func CassandraReady(ctx context.Context, addr string) error {
	const version, options, supported = 0x04, 0x05, 0x06
	request := []byte{version, 0, 0, 0, options, 0, 0, 0, 0}
	header, err := ask(ctx, "tcp", addr, request, func(r *bufio.Reader) ([9]byte, error) {
		var header [9]byte
		_, err := io.ReadFull(r, header[:])
		return header, err
	})
	if err != nil {
		return err
	}
	if header[4] != supported {
		return fmt.Errorf("ask cassandra for its options: answer of kind %d", header[4])
	}
	return nil
}
