package load

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"sync"
	"time"
)

// Options say what load is offered.
type Options struct {
	Conns   int     // connections, at least 1
	Threads int     // goroutines that serve them, each with its share; 0 is 1
	Depth   int     // commands sent at once by a connection (P); 0 is 1
	Width   int     // keys of a read: 1 is GET, more is MGET; 0 is 1
	Sets    float64 // share of commands that are SET, 0 to 1; the others read
	Bytes   int     // of a value, those written and those expected
	Keys    Keys
	Rate    float64 // commands a second, over all connections; 0 is as many as are answered
	Seed    uint64  // the same seed, the same choices
}

// check reports what is wrong and fills in what was left out.
func (o *Options) check() error {
	o.Threads, o.Depth, o.Width = max(o.Threads, 1), max(o.Depth, 1), max(o.Width, 1)
	switch {
	case o.Conns < o.Threads:
		return fmt.Errorf("%d connections for %d threads", o.Conns, o.Threads)
	case o.Keys.Count < 1:
		return errors.New("no keys")
	case o.Sets < 0 || o.Sets > 1:
		return fmt.Errorf("a share of %v SETs", o.Sets)
	case o.Bytes < 0 || o.Rate < 0:
		return errors.New("a size or a rate below zero")
	}
	return nil
}

// Result is what a run measured.
type Result struct {
	Commands uint64        // answered
	Elapsed  time.Duration // from the first command to the last reply
	Latency  Histogram     // one for each command
}

// PerSecond is the rate of commands.
func (r *Result) PerSecond() float64 { return float64(r.Commands) / r.Elapsed.Seconds() }

// Client is a set of connections. It is for one goroutine.
type Client struct {
	loops []*loop
	share int // keys of the largest share
}

// Dial makes a client with all its connections to addr, which is host:port. The caller closes it.
func Dial(ctx context.Context, addr string, o Options) (*Client, error) {
	if err := o.check(); err != nil {
		return nil, fmt.Errorf("offer load: %w", err)
	}
	value := make([]byte, o.Bytes)
	for r, i := rand.New(rand.NewPCG(o.Seed, 1)), 0; i < len(value); i++ {
		value[i] = byte(r.Uint32())
	}
	c := &Client{share: len(o.Keys.share(0, o.Threads))}
	for part := range o.Threads {
		l, err := newLoop(o, part, value)
		if err != nil {
			return nil, errors.Join(fmt.Errorf("offer load: %w", err), c.Close())
		}
		c.loops = append(c.loops, l)
		for i := part; i < o.Conns; i += o.Threads {
			if err := l.connect(ctx, addr); err != nil {
				return nil, errors.Join(fmt.Errorf("offer load: %w", err), c.Close())
			}
		}
	}
	return c, nil
}

// Run offers load for d, waits for the replies still outstanding, and returns what it measured. After an error the client is of no more use.
func (c *Client) Run(ctx context.Context, d time.Duration) (*Result, error) {
	return c.run(ctx, d, 0)
}

// Pass sends one command for each key, or as many more as make the last batches whole, and waits for the replies. Only with [Epoch]
// does each key come. After an error the client is of no more use.
func (c *Client) Pass(ctx context.Context) (*Result, error) {
	return c.run(ctx, 0, c.share)
}

// run offers load for d, or until each loop has sent as many commands as given.
func (c *Client) run(ctx context.Context, d time.Duration, commands int) (*Result, error) {
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	errs := make([]error, len(c.loops))
	begun := time.Now()
	var wg sync.WaitGroup
	for i, l := range c.loops {
		wg.Go(func() {
			if errs[i] = l.run(ctx, begun, d, commands); errs[i] != nil {
				cancel()
			}
		})
	}
	wg.Wait()
	r := &Result{Elapsed: time.Since(begun)}
	if err := errors.Join(errs...); err != nil {
		return nil, fmt.Errorf("offer load: %w", err)
	}
	for _, l := range c.loops {
		r.Latency.Add(&l.latency)
	}
	r.Commands = r.Latency.Count()
	return r, nil
}

// Close closes the connections.
func (c *Client) Close() error {
	var errs []error
	for _, l := range c.loops {
		errs = append(errs, l.close())
	}
	return errors.Join(errs...)
}

// Fill sets every key to a value of that many bytes.
func Fill(ctx context.Context, addr string, keys Keys, bytes int) error {
	keys.Order = Epoch
	c, err := Dial(ctx, addr, Options{Conns: 1, Depth: max(1, min(16, keys.Count, (1<<20)/max(bytes, 1))), Sets: 1, Bytes: bytes, Keys: keys})
	if err != nil {
		return err
	}
	_, err = c.Pass(ctx)
	return errors.Join(err, c.Close())
}
