package main

import (
	"context"
	"fmt"
	"time"

	gocql "github.com/apache/cassandra-gocql-driver/v2"
)

// So many partitions are read; the first ones, with which connections are made and sizes learnt, are not measured.
const (
	mostPartitions = 44
	warmPartitions = 4
)

// partitions measures whole partitions one after the other: read by the driver and nothing else, and asked for by one MGET each. Who begins takes turns.
func (s *stack) partitions(ctx context.Context, round int) error {
	count := min(s.samples/partitionRows, mostPartitions)
	warm := min(warmPartitions, count-1)
	measures := []func() error{
		func() error { return s.driverAlone(ctx, warm, count) },
		func() error {
			_, err := s.cold(ctx, "forebay", "partition", func(port int) ([]byte, error) { return nil, s.wholeMGETs(ctx, port, warm, count) })
			return err
		},
	}
	for i := range measures {
		if err := measures[(i+round)%len(measures)](); err != nil {
			return err
		}
	}
	return nil
}

// timed reads partitions and adds the rate of those behind the warm ones.
func (s *stack) timed(name string, warm, count int, read func(shard int) error) error {
	var begun time.Time
	for shard := range count {
		if shard == warm {
			begun = time.Now()
		}
		if err := read(shard); err != nil {
			return fmt.Errorf("read partition %d: %w", shard, err)
		}
	}
	s.add(name, float64((count-warm)*partitionRows)/time.Since(begun).Seconds())
	return nil
}

// driverAlone reads partitions with the driver as it comes, in its own pages of 5,000 rows, into one buffer.
func (s *stack) driverAlone(ctx context.Context, warm, count int) error {
	cluster := gocql.NewCluster(s.cassandra)
	cluster.ProtoVersion, cluster.Keyspace, cluster.Consistency = 4, s.keyspace, gocql.LocalOne
	session, err := cluster.CreateSession()
	if err != nil {
		return fmt.Errorf("open cassandra: %w", err)
	}
	defer session.Close()
	return s.timed(driverPartition, warm, count, func(shard int) error {
		var data []byte
		var idx, rows int
		iter := session.Query(`SELECT data, idx FROM samples WHERE dataset = 'epoch' AND split = 'train' AND shard = ?`, shard).IterContext(ctx)
		for iter.Scan(&data, &idx) {
			rows++
		}
		if err := iter.Close(); err != nil {
			return err
		}
		if rows != partitionRows {
			return fmt.Errorf("it has %d rows", rows)
		}
		return nil
	})
}

// wholeMGETs reads partitions through Forebay, each by one MGET.
func (s *stack) wholeMGETs(ctx context.Context, port, warm, count int) error {
	return s.timed(forebayPartition, warm, count, func(shard int) error {
		keys := make([]string, 1, 1+partitionRows)
		keys[0] = "MGET"
		for i := range partitionRows {
			keys = append(keys, fmt.Sprint("epoch:train:", shard*partitionRows+i))
		}
		return ask(ctx, port, keys...)
	})
}
