package e2e_test

import (
	"bufio"
	"encoding/json"
	"fmt"
	"maps"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strconv"
	"strings"
	"testing"
	"time"

	"forebay/internal/testkit"
)

// batchSize is what train.py asks for by one MGET.
const batchSize = 64

// training is what train.py printed and logged.
type training struct {
	epochs   []epoch
	accuracy float64
	keys     []string // in the order read
	took     time.Duration
}

type epoch struct {
	samples      float64 // a second
	hits, misses int
}

var epochLine = regexp.MustCompile(`epoch \d+: accuracy .*, ([\d,]+) samples/s, hit ratio [\d.]+ % \((\d+) hits, (\d+) misses\)`)

// trainer is the interpreter that train.py runs on.
func trainer(t *testing.T) string { return testkit.Python(t, "numpy", "redis==8.1.0") }

// train runs examples/train.py for two epochs.
func train(t *testing.T, url string) training {
	t.Helper()
	log := filepath.Join(t.TempDir(), "reads.jsonl")
	began := time.Now()
	out, err := exec.CommandContext(t.Context(), trainer(t),
		"../../examples/train.py", "--url", url, "--epochs", "2", "--log", log).CombinedOutput()
	if err != nil {
		t.Fatalf("train.py: %v\n%s", err, out)
	}
	tr := training{took: time.Since(began)}
	for _, m := range epochLine.FindAllStringSubmatch(string(out), -1) {
		var e epoch
		e.samples, _ = strconv.ParseFloat(strings.ReplaceAll(m[1], ",", ""), 64)
		e.hits, _ = strconv.Atoi(m[2])
		e.misses, _ = strconv.Atoi(m[3])
		tr.epochs = append(tr.epochs, e)
	}
	_, last, _ := strings.Cut(string(out), "held-out accuracy ")
	if _, err := fmt.Sscan(last, &tr.accuracy); err != nil || len(tr.epochs) != 2 {
		t.Fatalf("train.py printed:\n%s", out)
	}
	tr.keys = loggedKeys(t, log)
	t.Logf("train.py:\n%s", out)
	return tr
}

func loggedKeys(t *testing.T, name string) (keys []string) {
	t.Helper()
	file, err := os.Open(name)
	must(t, err)
	defer file.Close()
	lines := bufio.NewScanner(file)
	for lines.Scan() {
		var read struct{ Key string }
		must(t, json.Unmarshal(lines.Bytes(), &read))
		keys = append(keys, read.Key)
	}
	must(t, lines.Err())
	return keys
}

// wantLearnt wants a trained model, an epoch of misses and one of hits.
func (tr *training) wantLearnt(t *testing.T) {
	t.Helper()
	if tr.accuracy <= 90 {
		t.Errorf("held-out accuracy is %v %%, want over 90", tr.accuracy)
	}
	for i, want := range []epoch{{misses: trainSize}, {hits: trainSize}} {
		if got := tr.epochs[i]; got.hits != want.hits || got.misses != want.misses {
			t.Errorf("epoch %d: %d hits and %d misses, want %d and %d", i+1, got.hits, got.misses, want.hits, want.misses)
		}
	}
	if len(tr.keys) != 2*trainSize+testSize {
		t.Errorf("train.py logged %d reads, want %d", len(tr.keys), 2*trainSize+testSize)
	}
}

// wantReads wants exactly one event for each read that the script logged, in the epochs' order: its first of a key a miss that was loaded, any other a hit.
func (tr *training) wantReads(t *testing.T, s *stream) {
	t.Helper()
	logged, firsts := map[string]int{}, 0
	for _, key := range tr.keys {
		if logged[key]++; logged[key] == 1 {
			firsts++
		}
	}
	if events := s.reads(); !maps.Equal(events, logged) {
		t.Errorf("%d keys in events, %d in the script's log, and their reads differ", len(events), len(logged))
	}
	missed := map[string]bool{}
	for _, e := range s.of("miss") {
		if e.Result != "loaded" || e.Origin != "source" || e.Route != "digits" || missed[e.Key] {
			t.Errorf("an unexpected miss, or one of a key missed before: %+v", e)
		}
		missed[e.Key] = true
	}
	hits := s.of("hit")
	for _, e := range hits {
		if e.Origin != "redis" || e.Route != "digits" || e.Bytes == 0 {
			t.Errorf("an unexpected hit: %+v", e)
		}
	}
	if len(missed) != firsts || len(hits) != len(tr.keys)-firsts {
		t.Errorf("%d misses and %d hits, want %d and %d", len(missed), len(hits), firsts, len(tr.keys)-firsts)
	}
	if fills := s.of("fill"); len(fills) != firsts {
		t.Errorf("%d fills, want %d", len(fills), firsts)
	}
}

// queries is how many the source needs: one for each partition of each batch in which a key is new.
func (tr *training) queries() (n int) {
	seen := map[string]bool{}
	for at := 0; at < len(tr.keys); {
		split := strings.Split(tr.keys[at], ":")[1]
		partitions := map[int]bool{}
		end := at
		for ; end < len(tr.keys) && end-at < batchSize; end++ {
			part := strings.Split(tr.keys[end], ":")
			if part[1] != split || seen[tr.keys[end]] {
				break // the last batch of a split or an epoch is a smaller one
			}
			seen[tr.keys[end]] = true
			idx, _ := strconv.Atoi(part[2])
			partitions[idx/1024] = true
		}
		n += len(partitions)
		at = max(end, at+1)
	}
	return n
}

func TestTrainerOnTheRealStack(t *testing.T) {
	db, broker := testkit.Cassandra(t), testkit.Kafka(t)
	server := testkit.Redis(t)
	keyspace, topic := freshKeyspace(t, db.Addr), testkit.Topic(t)
	load(t, db.Addr, keyspace, "digits", "train", "--pickle")
	load(t, db.Addr, keyspace, "digits", "test", "--pickle")
	f := serve(t, setup{
		redis: server.Addr, cassandra: db.Addr, keyspace: keyspace, broker: broker.Broker, topic: topic, partitions: 4,
		routes: digitsRoutes,
	})
	before := db.ReadCount(t, keyspace, "samples")

	tr := train(t, f.url())

	tr.wantLearnt(t)
	distinct := trainSize + testSize
	if hits, misses := f.info(t, "hits"), f.info(t, "misses"); hits != trainSize || misses != int64(distinct) {
		t.Errorf("INFO says %d hits and %d misses, want %d and %d", hits, misses, trainSize, distinct)
	}
	if n := server.Do(t, "DBSIZE"); n != int64(distinct)+1 { // and the generation of leases
		t.Errorf("Redis holds %v keys, want %d", n, distinct+1)
	}
	if ttl, _ := server.Do(t, "PTTL", "digits:train:7").(int64); ttl < 50*60_000 || ttl > 60*60_000 {
		t.Errorf("the TTL is %d ms, want an hour less at most a tenth", ttl)
	}
	f.terminate(t)
	s := readTopic(t, broker.Broker, topic, ended(4))
	s.wantWhole(t)
	tr.wantReads(t, s)
	reads := db.ReadCount(t, keyspace, "samples") - before
	loads := s.of("load")
	if int64(len(loads)) != reads {
		t.Errorf("%d load events, but Cassandra counts %d reads", len(loads), reads)
	}
	if want := tr.queries(); len(loads) != want {
		t.Errorf("%d queries, want %d: one for each partition of each batch", len(loads), want)
	}
	rows := int64(0)
	for _, e := range loads {
		rows += e.Rows
	}
	if rows != int64(distinct) {
		t.Errorf("the queries gave %d rows, want each sample once: %d", rows, distinct)
	}
	t.Logf("accuracy %.1f %% · epoch 1 %.0f samples/s · epoch 2 %.0f samples/s · %d queries for %d rows · %d events in %d Kafka records: %s",
		tr.accuracy, tr.epochs[0].samples, tr.epochs[1].samples, reads, rows, len(s.events), s.records, s.kinds())
}

func TestTrainerOnTheEmbeddedDefault(t *testing.T) {
	t.Parallel()
	trainer(t) // asked first: where nothing real is wanted, nothing is started
	f := serveFile(t, "", "--listen.address=127.0.0.1:0", "--http.address=127.0.0.1:0")
	tr := train(t, f.url())
	tr.wantLearnt(t)
	t.Logf("accuracy %.1f %% · epoch 1 %.0f samples/s · epoch 2 %.0f samples/s", tr.accuracy, tr.epochs[0].samples, tr.epochs[1].samples)
	f.terminate(t)
}
