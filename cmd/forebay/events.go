package main

import (
	"context"
	"fmt"
	"net"
	"os"
	"path/filepath"
	"strings"

	"forebay/backend/kafka"
	"forebay/config"
	"forebay/internal/event"
)

// ringBytes is room for a recent event: most are below 120 bytes.
const ringBytes = 256

// startEvents starts the pipeline and its sinks.
func (n *node) startEvents(context.Context) error {
	e, partitions := &n.cfg.Events, 1
	if len(e.Kafka.Brokers) > 0 {
		partitions = e.Kafka.Partitions
	}
	if err := n.openSinks(); err != nil {
		n.dropSinks()
		return err
	}
	n.events = event.New(event.Options{
		Proxy: n.name(), Partitions: partitions,
		HubEvents: max(1, e.Recent), HubBytes: max(4<<20, e.Recent*ringBytes),
		SummarizeHits: e.Hits == config.HitsSummary,
		Observe:       n.observe, Sinks: n.sinks, Log: n.log,
	})
	n.events.Start()
	n.up.push("events", n.events.Close)
	return nil
}

// name is this process's in its events. The port tells those of one host apart.
func (n *node) name() string {
	host, err := os.Hostname()
	if err != nil {
		host = "forebay"
	}
	_, port, _ := net.SplitHostPort(n.resp.Addr().String())
	return host + ":" + port
}

func (n *node) openSinks() error {
	if len(n.cfg.Events.Kafka.Brokers) > 0 {
		if err := n.openKafka(); err != nil {
			return err
		}
	}
	path, err := n.eventPath()
	if err != nil || path == "" {
		return err
	}
	f, err := event.NewFile(event.FileOptions{Path: path, Log: n.log})
	if err != nil {
		return fmt.Errorf("events.file: %w", err)
	}
	n.sinks, n.eventFile = append(n.sinks, f), path
	return nil
}

func (n *node) openKafka() error {
	k := &n.cfg.Events.Kafka
	tls, err := k.TLS.Load()
	if err != nil {
		return &usageError{fmt.Errorf("events.kafka.tls: %w", err)}
	}
	n.kafka, err = kafka.New(kafka.Options{
		Brokers: k.Brokers, Topic: k.Topic, Partitions: k.Partitions, Replication: k.Replication, Retention: k.Retention,
		TLS: tls, Username: k.Username, Password: string(k.Password), BufferBytes: n.cfg.Events.BufferBytes, Log: n.log,
	})
	if err != nil {
		return &usageError{fmt.Errorf("events.kafka: %w", err)}
	}
	n.sinks = append(n.sinks, n.kafka)
	return nil
}

// dropSinks closes sinks that no pipeline has taken over.
func (n *node) dropSinks() {
	ctx, cancel := context.WithTimeout(context.Background(), leastGrace)
	defer cancel()
	for _, s := range n.sinks {
		_ = s.Close(ctx) // nothing was written to them
	}
}

// eventPath is the file that events go to, "" for none. The embedded default has one of its own, one for each port: two processes cannot
// write to it at once.
func (n *node) eventPath() (string, error) {
	if path := n.cfg.Events.File; path != "" {
		return path, nil
	}
	if n.cfg.Given("events.file") || n.private == nil || n.kafka != nil {
		return "", nil
	}
	dir, err := stateDir()
	if err != nil {
		n.log.Warn("events go to the live stream only", "error", err)
		return "", nil
	}
	_, port, _ := net.SplitHostPort(n.resp.Addr().String())
	return filepath.Join(dir, "events-"+port+".ndjson"), nil
}

// stateDir is a folder of this user's for what outlives a process, as the XDG base directory specification says.
func stateDir() (string, error) {
	base := os.Getenv("XDG_STATE_HOME")
	if !filepath.IsAbs(base) {
		home, err := os.UserHomeDir()
		if err != nil {
			home = filepath.Join(os.TempDir(), fmt.Sprintf("forebay-%d", os.Getuid()))
		}
		base = filepath.Join(home, ".local", "state")
	}
	dir := filepath.Join(base, "forebay")
	if err := os.MkdirAll(dir, 0o700); err != nil {
		return "", fmt.Errorf("make the folder for events: %w", err)
	}
	return dir, nil
}

// eventsText is where events go, for the banner.
func (n *node) eventsText() string {
	to := []string{"the live stream"}
	if n.kafka != nil {
		to = append(to, "kafka "+strings.Join(n.cfg.Events.Kafka.Brokers, ", ")+" topic "+n.cfg.Events.Kafka.Topic)
	}
	if n.eventFile != "" {
		to = append(to, n.eventFile)
	}
	return strings.Join(to, " · ")
}
