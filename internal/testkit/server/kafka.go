package server

import (
	"context"
	_ "embed"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"time"

	"github.com/segmentio/kafka-go"

	"forebay/internal/testkit/daemon"
)

//go:embed conf/server.properties
var kafkaProperties string

// Kafka is one Kafka 4.1 broker that is its own controller (KRaft).
type Kafka struct {
	*daemon.Server
	Broker string
}

// StartKafka starts a broker without topics; topics are not created by use. Where the jars are at hand it takes 5 to 10 s.
func StartKafka(ctx context.Context) (*Kafka, error) {
	java, err := FindJava(ctx)
	if err != nil {
		return nil, err
	}
	lib, err := jars(ctx, "kafka")
	if err != nil {
		return nil, err
	}
	s, err := daemon.Launch(ctx, daemon.Program{
		Name:    "kafka",
		Ports:   2,
		Limit:   time.Minute,
		Prepare: func(ctx context.Context, s *daemon.Server) error { return prepareKafka(ctx, s, java, lib) },
		Command: func(s *daemon.Server) *exec.Cmd {
			return exec.Command(java, kafkaArgs(lib, "kafka.Kafka", propertiesPath(s))...)
		},
		Ready: func(ctx context.Context, s *daemon.Server) error { return KafkaReady(ctx, s.Ports[0].Addr()) },
	})
	if err != nil {
		return nil, err
	}
	return &Kafka{Server: s, Broker: s.Ports[0].Addr()}, nil
}

func propertiesPath(s *daemon.Server) string { return filepath.Join(s.Dir, "server.properties") }

func kafkaArgs(lib string, main ...string) []string {
	return append([]string{
		"-Xms256m", "-Xmx512m", "-XX:+UseSerialGC", "-XX:-UsePerfData", "-XX:+ExitOnOutOfMemoryError",
		"-Dorg.slf4j.simpleLogger.defaultLogLevel=warn", "-Dorg.slf4j.simpleLogger.showDateTime=true",
		"-cp", filepath.Join(lib, "*"),
	}, main...)
}

func prepareKafka(ctx context.Context, s *daemon.Server, java, lib string) error {
	properties := strings.NewReplacer(
		"{dir}", s.Dir,
		"{broker}", fmt.Sprint(s.Ports[0].Number),
		"{controller}", fmt.Sprint(s.Ports[1].Number),
	).Replace(kafkaProperties)
	if err := os.WriteFile(propertiesPath(s), []byte(properties), 0o644); err != nil {
		return err
	}
	// The cluster's id is any 16 bytes in base64.
	format := kafkaArgs(lib, "kafka.tools.StorageTool", "format", "-t", "Zm9yZWJheS10ZXN0LWtmaw", "-c", propertiesPath(s))
	if out, err := exec.CommandContext(ctx, java, format...).CombinedOutput(); err != nil {
		return fmt.Errorf("format storage: %w: %s", err, out[max(0, len(out)-2048):])
	}
	return nil
}

// KafkaReady asks for the cluster's metadata: a broker that names itself in it has been admitted by the controller.
func KafkaReady(ctx context.Context, broker string) error {
	ctx, cancel := context.WithTimeout(ctx, time.Second)
	defer cancel()
	conn, err := (&kafka.Dialer{}).DialContext(ctx, "tcp", broker)
	if err != nil {
		return err
	}
	defer conn.Close()
	deadline, _ := ctx.Deadline()
	if err := conn.SetDeadline(deadline); err != nil {
		return err
	}
	brokers, err := conn.Brokers()
	if err != nil {
		return fmt.Errorf("ask kafka for its brokers: %w", err)
	}
	if len(brokers) == 0 {
		return errors.New("ask kafka for its brokers: none yet")
	}
	return nil
}
