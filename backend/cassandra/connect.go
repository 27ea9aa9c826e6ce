package cassandra

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"sync"

	gocql "github.com/apache/cassandra-gocql-driver/v2"

	"forebay/backend"
)

// connect makes one session. It returns soon after ctx ends: the driver takes no context, so the connections
// it is waiting for are closed below it. The error wraps backend.ErrSourceDown, or backend.ErrNoTable if the keyspace is missing.
func connect(ctx context.Context, o Options, c gocql.Consistency) (*session, error) {
	made, err := newSession(ctx, o, c, o.Keyspace)
	if err == nil {
		return made, nil
	}
	// The driver says only "no connections were made" when the keyspace is missing, which an operator has to be told.
	if o.Keyspace != "" && errors.Is(err, gocql.ErrNoConnectionsStarted) && keyspaceMissing(ctx, o, c) {
		return nil, fmt.Errorf("connect to cassandra at %s: %w: keyspace %q does not exist",
			strings.Join(o.Hosts, ", "), backend.ErrNoTable, o.Keyspace)
	}
	return nil, fmt.Errorf("connect to cassandra at %s: %w: %w", strings.Join(o.Hosts, ", "), backend.ErrSourceDown, err)
}

func newSession(ctx context.Context, o Options, c gocql.Consistency, keyspace string) (made *session, err error) {
	dials := &dialer{open: map[*trackedConn]struct{}{}}
	stop := context.AfterFunc(ctx, dials.shut)
	dcs := &dataCentres{want: o.LocalDC}
	defer func() {
		if p := recover(); p != nil { // the driver dereferences nil when its filter leaves no host
			err = fmt.Errorf("driver panic: %v", p)
		}
		if !stop() && err == nil {
			made.Close()
			err = ctx.Err()
		}
		if seen := dcs.others(); err != nil && len(seen) > 0 {
			err = fmt.Errorf("local_dc %q has no hosts, the cluster has %s", o.LocalDC, strings.Join(seen, ", "))
		}
		if err != nil {
			made = nil
			dials.shut()
		}
	}()
	cluster := o.cluster(c, keyspace, dials, dcs)
	driver, err := cluster.CreateSession()
	if err != nil {
		return nil, err
	}
	second, _ := cluster.PoolConfig.HostSelectionPolicy.(*secondChoice)
	return &session{Session: driver, dials: dials, second: second}, nil
}

func keyspaceMissing(ctx context.Context, o Options, c gocql.Consistency) bool {
	s, err := newSession(ctx, o, c, "")
	if err != nil {
		return false
	}
	defer s.Close()
	var name string
	err = s.Query(`SELECT keyspace_name FROM system_schema.keyspaces WHERE keyspace_name = ?`, o.Keyspace).ScanContext(ctx, &name)
	return errors.Is(err, gocql.ErrNotFound)
}

// dataCentres is a host filter for one data centre that remembers the others it saw, for the error message. A contact
// point's data centre is unknown until it was asked, so unknown passes.
type dataCentres struct {
	want  string
	mu    sync.Mutex
	found bool
	other []string
}

// Accept tells whether the driver may use the host.
func (d *dataCentres) Accept(h *gocql.HostInfo) bool {
	dc := h.DataCenter()
	d.mu.Lock()
	defer d.mu.Unlock()
	switch {
	case dc == "":
		return true
	case dc == d.want:
		d.found = true
		return true
	case !slices.Contains(d.other, dc):
		d.other = append(d.other, dc)
	}
	return false
}

// others returns the data centres seen instead of the one wanted, or nothing if that one was seen.
func (d *dataCentres) others() []string {
	d.mu.Lock()
	defer d.mu.Unlock()
	if d.found {
		return nil
	}
	return d.other
}
