package e2e_test

import (
	"slices"
	"strings"
	"syscall"
	"testing"
	"time"

	"forebay/internal/testkit"
)

// One private broker goes through it all, for its start is what takes long: it stops under load, a Forebay is started without it, it comes back, and it
// is gone when that Forebay ends.
func TestKafkaFails(t *testing.T) {
	begun := testkit.BeginKafka(t)
	t.Parallel()
	broker := begun()
	s := newStack(t, func(s *setup) { s.broker = broker.Broker })
	cached(t, s.forebay)

	reads := s.read(t, 4, hitting)
	reads.more(t, 200)
	stopping := time.Now()
	broker.Stop()
	stopped := time.Now()
	eventually(t, "health names Kafka", func() bool {
		return strings.Contains(s.get(t, "/healthz").body, `{"name":"kafka","ok":false`)
	})
	t.Logf("%-34s after %s", "/healthz names Kafka", since(stopping))
	s.awaitMetrics(t, `forebay_backend_up{backend="kafka"} 0`)
	if a := s.get(t, "/readyz"); a.status != 200 {
		t.Errorf("/readyz answers %d without Kafka: %s", a.status, a.body)
	}
	reads.more(t, 400)
	late := newStack(t, func(s *setup) { s.broker, s.more = broker.Broker, "shutdown: {grace: 1s}\n" })
	cached(t, late.forebay)
	started := time.Now()
	broker.Start()
	t.Logf("%-34s %s", "Kafka started again in", since(started))
	eventually(t, "health is whole again", func() bool {
		return strings.Contains(s.get(t, "/healthz").body, `{"name":"kafka","ok":true`)
	})
	t.Logf("%-34s after %s", "events are taken again", since(started))
	list := reads.stop()
	before, rest := split(list, stopping)
	without, after := split(rest, started)
	_, without = split(without, stopped)
	wantWords(t, "reads with Kafka", before, inTime, "value")
	wantWords(t, "reads without", without, inTime, "value")
	wantWords(t, "reads with it again", after, inTime, "value")
	// A busy machine doubles it; a wait for Kafka would be its timeout, of seconds.
	if m := median(without); m > max(10*median(before), 20*time.Millisecond) {
		t.Errorf("the median read takes %v without Kafka, %v with it", m, median(before))
	}
	t.Logf("%-34s %s with Kafka, %s without", "median", millis(median(before)), millis(median(without)))

	events := s.end(t)
	r := events.verify(t)
	if !r.Complete() || r.Lost != 0 || r.Open != 0 {
		t.Errorf("the topic is not whole: complete %v, %d lost, %d open: %+v", r.Complete(), r.Lost, r.Open, r.Streams)
	}
	if got, want := len(events.of("hit", "miss")), len(list)+cachedKeys; got != want {
		t.Errorf("%d reads in events, %d were answered", got, want)
	}
	t.Logf("events: %s; %d duplicates, %d lost", events.kinds(), r.Duplicates, r.Lost)
	late.endsWithout(t, broker)
}

// endsWithout wants what was read before the broker came delivered, and a clear end without it.
func (s *stack) endsWithout(t *testing.T, broker *testkit.KafkaServer) {
	t.Helper()
	readTopic(t, s.setup.broker, s.setup.topic, func(s *stream) bool { return len(s.of("miss")) == cachedKeys })
	broker.Stop()
	cached(t, s.forebay)
	began := time.Now()
	s.process.Signal(syscall.SIGTERM)
	s.wantStatus(t, 1)
	if took := time.Since(began); took > 5*time.Second {
		t.Errorf("the way down took %v, though the grace is 1 s", took)
	}
	if log := s.log(); !strings.Contains(log, "events not delivered") {
		t.Errorf("it does not say what was not delivered:\n%s", log)
	}
}

// median is the time that half of the reads took at most.
func median(list []reading) time.Duration {
	took := make([]time.Duration, 0, len(list))
	for _, r := range list {
		took = append(took, r.took)
	}
	slices.Sort(took)
	if len(took) == 0 {
		return 0
	}
	return took[len(took)/2]
}
