package cassandra

import (
	"context"
	"log/slog"

	gocql "github.com/apache/cassandra-gocql-driver/v2"
)

// Keys of the log lines of this package.
const (
	logError = "error"
	logHosts = "hosts"
	logAfter = "after"
)

// driverLog hands the driver's lines on at debug level: it reports each connection of each attempt, and what matters of that is
// said once by the watchdog. Of a session that is closed it says nothing more: goroutines of the driver may outlive it (see session).
type driverLog struct {
	to *slog.Logger
	of *dialer // the session's
}

func (l driverLog) Error(msg string, f ...gocql.LogField)   { l.line(msg, f) }
func (l driverLog) Warning(msg string, f ...gocql.LogField) { l.line(msg, f) }
func (l driverLog) Info(msg string, f ...gocql.LogField)    { l.line(msg, f) }
func (l driverLog) Debug(string, ...gocql.LogField)         {}

func (l driverLog) line(msg string, fields []gocql.LogField) {
	if !l.to.Enabled(context.Background(), slog.LevelDebug) {
		return
	}
	attrs := make([]slog.Attr, 0, len(fields))
	for _, f := range fields {
		attrs = append(attrs, slog.String(f.Name, f.Value.String()))
	}
	l.of.mu.Lock()
	defer l.of.mu.Unlock()
	if l.of.closed {
		return
	}
	l.to.LogAttrs(context.Background(), slog.LevelDebug, "cassandra driver: "+msg, attrs...)
}
