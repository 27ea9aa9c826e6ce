package cassandra

import (
	"crypto/tls"
	"errors"
	"fmt"
	"log/slog"
	"time"

	gocql "github.com/apache/cassandra-gocql-driver/v2"
)

// DefaultTimeout is the time within which a request is answered or fails, if Options.Timeout is zero. It is
// below the 3 s that a read has altogether.
const DefaultTimeout = 2 * time.Second

// Options say which cluster to read and how. Hosts is required; every other zero value is usable.
type Options struct {
	// Hosts are contact points, "host" or "host:port" (port 9042 if not said). The rest of the cluster is discovered.
	Hosts []string
	// Keyspace is where unqualified table names are looked up. Empty: every table must be named "keyspace.table".
	Keyspace string
	// Consistency of reads by its CQL name, "" for LOCAL_ONE.
	Consistency string
	// LocalDC restricts the driver to the hosts of one data centre. Empty: all hosts.
	LocalDC string
	// Username and Password log in, where Username is not empty.
	Username, Password string
	// TLS encrypts connections where it is not nil. It is cloned.
	TLS *tls.Config
	// Timeout bounds each request, and each step of connecting. Zero: DefaultTimeout.
	Timeout time.Duration
	// Retry is asked before a query of a Source is sent a second time; nil: it always is. It must not block. Concurrent.
	Retry func() bool
	// SpeculateAfter has a query of a Source asked of a second replica too, if the first has not answered by then; the first answer counts. Zero: never.
	SpeculateAfter time.Duration
	// Lazy lets Open succeed while no host can be reached: reads fail with backend.ErrSourceDown until one can.
	Lazy bool
	// Logger takes what the watchdog and the driver have to say. Nil: nothing is logged.
	Logger *slog.Logger
}

// Validate reports every problem of the options at once.
func (o Options) Validate() error {
	var errs []error
	if len(o.Hosts) == 0 {
		errs = append(errs, errors.New("hosts: at least one host is needed"))
	}
	if _, err := o.consistency(gocql.LocalOne); err != nil {
		errs = append(errs, err)
	}
	if o.Timeout < 0 {
		errs = append(errs, fmt.Errorf("timeout: %v is below zero", o.Timeout))
	}
	if o.SpeculateAfter < 0 {
		errs = append(errs, fmt.Errorf("speculate after: %v is below zero", o.SpeculateAfter))
	}
	if o.Username == "" && o.Password != "" {
		errs = append(errs, errors.New("password: given without a username"))
	}
	return errors.Join(errs...)
}

func (o Options) consistency(otherwise gocql.Consistency) (gocql.Consistency, error) {
	if o.Consistency == "" {
		return otherwise, nil
	}
	c, err := gocql.ParseConsistencyWrapper(o.Consistency)
	if err != nil {
		return 0, fmt.Errorf("consistency: %q is not one of ANY, ONE, TWO, THREE, QUORUM, ALL, LOCAL_QUORUM, EACH_QUORUM, LOCAL_ONE",
			o.Consistency)
	}
	return c, nil
}

func (o Options) timeout() time.Duration {
	if o.Timeout == 0 {
		return DefaultTimeout
	}
	return o.Timeout
}

func (o Options) logger() *slog.Logger {
	if o.Logger == nil {
		return slog.New(slog.DiscardHandler)
	}
	return o.Logger
}

// cluster is the driver's form of the options. A policy belongs to one session, so each session has its own.
func (o Options) cluster(c gocql.Consistency, keyspace string, d *dialer, dcs *dataCentres) *gocql.ClusterConfig {
	cfg := gocql.NewCluster(o.Hosts...)
	cfg.ProtoVersion = 4
	cfg.Keyspace = keyspace
	cfg.Consistency = c
	cfg.Timeout = o.timeout()
	cfg.ConnectTimeout = o.timeout()
	cfg.Compressor = nil // images are compressed or random: it would only cost time
	// The driver would hold each query back for 200 µs, in truth for about 1.2 ms, to write several at once. The engine has gathered what can be gathered.
	cfg.WriteCoalesceWaitTime = 0
	cfg.Dialer = d
	cfg.DefaultIdempotence = true
	cfg.RetryPolicy = retryOnce{}
	cfg.ReconnectInterval = time.Second
	cfg.ReconnectionPolicy = &gocql.ConstantReconnectionPolicy{MaxRetries: 1, Interval: 100 * time.Millisecond}
	cfg.MaxWaitSchemaAgreement = 10 * time.Second
	// Replicas are known by keyspace; the tables of a large cluster need not be read for that.
	cfg.Metadata.CacheMode = gocql.KeyspaceOnly
	cfg.Logger = driverLog{o.logger(), d}
	fallback := gocql.RoundRobinHostPolicy()
	if o.LocalDC != "" {
		fallback = gocql.DCAwareRoundRobinPolicy(o.LocalDC)
		cfg.HostFilter = dcs
	}
	cfg.PoolConfig.HostSelectionPolicy = gocql.TokenAwareHostPolicy(fallback)
	if o.SpeculateAfter > 0 {
		cfg.PoolConfig.HostSelectionPolicy = &secondChoice{HostSelectionPolicy: cfg.PoolConfig.HostSelectionPolicy}
	}
	if o.Username != "" {
		cfg.Authenticator = gocql.PasswordAuthenticator{Username: o.Username, Password: o.Password}
	}
	if o.TLS != nil {
		cfg.SslOpts = &gocql.SslOptions{Config: o.TLS.Clone(), EnableHostVerification: !o.TLS.InsecureSkipVerify}
	}
	return cfg
}
