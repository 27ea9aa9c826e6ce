package kafka

import (
	"crypto/tls"
	"errors"
	"log/slog"
	"time"
)

// Options say which topic is written and how much may wait. Zero fields take the values named.
type Options struct {
	// Brokers are host:port of one or more brokers to begin with. Required.
	Brokers []string
	// Topic is the topic written. Required.
	Topic string
	// Partitions is how many a created topic gets, and what is assumed until Kafka was first reached. 0: 6.
	Partitions int
	// Replication is the replication factor of a created topic. 0: the broker's default.
	Replication int
	// Retention is how long a created topic keeps events; millisecond precision. 0: the broker's default.
	Retention time.Duration
	// NoCreate leaves an absent topic to an operator: it is an error in Healthy until it exists.
	NoCreate bool

	// TLS, if not nil, is used for every connection.
	TLS *tls.Config
	// Username and Password are for SASL PLAIN. "": no SASL.
	Username, Password string

	// BufferBytes bounds what waits for Kafka, over all partitions, the packs in requests included. 0: 64 MiB. At least 256 KiB.
	BufferBytes int64
	// Linger is how long a pack that is not full waits for more. 0: 25 ms. Below 0: not at all.
	Linger time.Duration
	// RequestTimeout bounds one request, after which it is sent again. 0: 10 s.
	RequestTimeout time.Duration
	// MinBackoff and MaxBackoff bound the pause after a failed request; it doubles between them. 0: 100 ms and 5 s.
	MinBackoff, MaxBackoff time.Duration
	// TopicEvery is the time between looks at the topic once it is known. 0: 30 s.
	TopicEvery time.Duration
	// Log takes what an operator should know. Nil: nothing is logged.
	Log *slog.Logger
}

func (o Options) withDefaults() (Options, error) {
	var errs []error
	if len(o.Brokers) == 0 {
		errs = append(errs, errors.New("no brokers given"))
	}
	if o.Topic == "" {
		errs = append(errs, errors.New("no topic given"))
	}
	if o.BufferBytes != 0 && o.BufferBytes < 256<<10 {
		errs = append(errs, errors.New("buffer below 256 KiB"))
	}
	if o.Partitions < 0 || o.Replication < 0 || o.Retention < 0 {
		errs = append(errs, errors.New("partitions, replication or retention below 0"))
	}
	if o.Partitions == 0 {
		o.Partitions = 6
	}
	if o.BufferBytes == 0 {
		o.BufferBytes = 64 << 20
	}
	set := func(d *time.Duration, to time.Duration) {
		if *d == 0 {
			*d = to
		}
	}
	set(&o.Linger, 25*time.Millisecond)
	set(&o.RequestTimeout, 10*time.Second)
	set(&o.MinBackoff, 100*time.Millisecond)
	set(&o.MaxBackoff, 5*time.Second)
	set(&o.TopicEvery, 30*time.Second)
	if o.Log == nil {
		o.Log = slog.New(slog.DiscardHandler)
	}
	return o, errors.Join(errs...)
}
