package cache_test

import (
	"context"
	"fmt"
	"hash/crc32"
	"slices"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"forebay/backend"
	"forebay/backend/redis"
	"forebay/internal/cache"
	"forebay/internal/route"
)

// chunkSize is that of the fake's objects: 64 of them are 16 batches.
const chunkSize = 256 << 10

// objectSource is a fake source of objects of the dataset "d".
type objectSource struct {
	*source
	// chunk is called when chunks from first on are asked for, and header when a header is; they may block and fail the query.
	chunk  func(ctx context.Context, version string, first int64) error
	header func(ctx context.Context) error

	mu      sync.Mutex
	objects map[string]backend.Object
	chunks  map[string][]byte // by "name/version/n"
	largest int               // the most chunks that were asked for at once and not yet answered
	under   int
	headers int
}

func chunkKey(name, version string, n int64) string { return fmt.Sprintf("%s/%s/%d", name, version, n) }

// value is n bytes of a version: no two versions have a chunk in common.
func value(version string, n int) []byte {
	b := make([]byte, n)
	for i := range b {
		b[i] = byte(i>>10) ^ version[len(version)-1]
	}
	return b
}

// put stores a version whole and makes it the object; it returns its bytes.
func (s *objectSource) put(name, version string, n int) []byte {
	v := value(version, n)
	s.mu.Lock()
	defer s.mu.Unlock()
	o := backend.Object{Version: version, Bytes: int64(n), CRC32C: int64(crc32.Checksum(v, crc32.MakeTable(crc32.Castagnoli)))}
	for piece := range slices.Chunk(v, chunkSize) {
		s.chunks[chunkKey(name, backend.ChunkPartition(version, o.Chunks), o.Chunks)] = slices.Clone(piece)
		o.Chunks++
	}
	s.objects[name] = o
	return v
}

// change changes the row of an object, or chunks.
func (s *objectSource) change(name string, change func(o *backend.Object, chunks map[string][]byte)) {
	s.mu.Lock()
	defer s.mu.Unlock()
	o := s.objects[name]
	change(&o, s.chunks)
	s.objects[name] = o
}

func (s *objectSource) Table(ctx context.Context, name string) (*backend.Table, error) {
	text := func(n string) backend.Column { return backend.Column{Name: n, Type: backend.Text, Native: "text"} }
	number := func(n string) backend.Column { return backend.Column{Name: n, Type: backend.Int, Native: "bigint"} }
	switch name {
	case "objects":
		return &backend.Table{
			Keyspace: "k", Name: name, Partition: []backend.Column{text("dataset"), text("name")},
			Regular: []backend.Column{text("version"), number("chunks"), number("bytes"), number("crc32c")},
		}, nil
	case "chunks":
		return &backend.Table{
			Keyspace: "k", Name: name, Partition: []backend.Column{text("dataset"), text("name"), text("version")},
			Clustering: []backend.Column{number("chunk")}, Regular: []backend.Column{{Name: "data", Type: backend.Blob, Native: "blob"}},
		}, nil
	}
	return s.source.Table(ctx, name)
}

func (s *objectSource) Prepare(_ context.Context, q *backend.Select) (cols []backend.Column, err error) {
	for _, name := range q.Columns {
		c, _ := q.Table.Column(name)
		cols = append(cols, c)
	}
	return cols, nil
}

func (s *objectSource) Load(ctx context.Context, q *backend.Select, where, in []any, each func(int, backend.Row) error) error {
	switch q.Table.Name {
	case "objects":
		if s.header != nil {
			if err := s.header(ctx); err != nil {
				return err
			}
		}
		s.mu.Lock()
		s.headers++
		o, ok := s.objects[where[1].(string)]
		s.mu.Unlock()
		if !ok {
			return nil
		}
		return each(0, backend.Row{o.Version, o.Chunks, o.Bytes, o.CRC32C})
	case "chunks":
		return s.loadChunks(ctx, where[1].(string), where[2].(string), in, each)
	}
	return s.source.Load(ctx, q, where, in, each)
}

func (s *objectSource) loadChunks(ctx context.Context, name, version string, in []any, each func(int, backend.Row) error) error {
	s.mu.Lock()
	s.under += len(in)
	s.largest = max(s.largest, s.under)
	s.mu.Unlock()
	defer func() {
		s.mu.Lock()
		s.under -= len(in)
		s.mu.Unlock()
	}()
	if s.chunk != nil {
		if err := s.chunk(ctx, version, in[0].(int64)); err != nil {
			return err
		}
	}
	if err := stopped(ctx.Err()); err != nil {
		return err
	}
	for i := range slices.Backward(in) { // rows may come in any order
		s.mu.Lock()
		data, ok := s.chunks[chunkKey(name, version, in[i].(int64))]
		s.mu.Unlock()
		if ok {
			if err := each(i, backend.Row{slices.Clone(data)}); err != nil {
				return err
			}
		}
	}
	return nil
}

// stagingStore is a fake Redis that takes values piece by piece.
type stagingStore struct {
	*store
	// append and commit are called before; they may block and fail it.
	append, commit func(ctx context.Context, size int) error

	mu    sync.Mutex
	open  int // stages
	begun int
}

type fakeStage struct {
	store *stagingStore
	db    int
	key   string
	value []byte
}

func (s *stagingStore) Stage(_ context.Context, db int, key []byte, _ int64) (backend.Stage, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.open++
	s.begun++
	return &fakeStage{store: s, db: db, key: at(db, string(key))}, nil
}

// stages is how many are open, and how many were begun.
func (s *stagingStore) stages() (open, begun int) {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.open, s.begun
}

func (s *stagingStore) close() {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.open--
}

func (s *fakeStage) Append(ctx context.Context, chunk []byte) error {
	if s.store.append != nil {
		if err := s.store.append(ctx, len(s.value)); err != nil {
			return err
		}
	}
	s.value = append(s.value, chunk...)
	return nil
}

func (s *fakeStage) Commit(ctx context.Context, lease backend.Lease, ttl time.Duration, _ bool) (bool, error) {
	defer s.store.close()
	if s.store.commit != nil {
		if err := s.store.commit(ctx, len(s.value)); err != nil {
			s.store.store.mu.Lock()
			delete(s.store.leases, s.key)
			s.store.store.mu.Unlock()
			return false, err
		}
	}
	s.store.store.mu.Lock()
	defer s.store.store.mu.Unlock()
	_, key, _ := strings.Cut(s.key, "/")
	return s.store.settle(op{"commit", s.db, []string{key}}, s.db, &backend.Entry{Key: []byte(key), Lease: lease, Value: s.value, TTL: ttl})
}

func (s *fakeStage) Abort(context.Context) { s.store.close() }

// objectFixture is an engine between them, with the route "o:{name}".
type objectFixture struct {
	*fixture
	objects *objectSource
	staging *stagingStore
}

func onObjects(t testing.TB, change ...func(*cache.Options)) *objectFixture {
	t.Helper()
	f := &objectFixture{
		objects: &objectSource{source: newSource(), objects: map[string]backend.Object{}, chunks: map[string][]byte{}},
		staging: &stagingStore{store: newStore()},
	}
	routes := objectRoutes(t, f.objects)
	f.fixture = newFixture(t, append([]func(*cache.Options){func(o *cache.Options) {
		o.Store, o.Source, o.Routes = f.staging, f.objects, routes
	}}, change...)...)
	f.store, f.routes = f.staging.store, routes
	return f
}

func objectRoutes(t testing.TB, s backend.Source) *route.Table {
	t.Helper()
	table, err := route.Compile([]route.Spec{{Name: "o", Key: "o:{name}", Object: &route.ObjectSpec{Dataset: "d", Name: "{name}"}, TTL: ttl}})
	if err == nil {
		err = table.Bind(context.Background(), s)
	}
	if err != nil {
		t.Fatal(err)
	}
	return table
}

func objectBubble(t *testing.T, test func(t *testing.T, f *objectFixture), change ...func(*cache.Options)) {
	t.Helper()
	synctest.Test(t, func(t *testing.T) {
		f := onObjects(t, change...)
		test(t, f)
		synctest.Wait()
		if open, _ := f.staging.stages(); open != 0 {
			t.Errorf("%d stages are left open", open)
		}
		if n := f.engine.Flights(); n != 0 {
			t.Errorf("%d flights are left", n)
		}
	})
}

// outcome writes a result for comparison.
func outcome(r cache.Result) string {
	switch {
	case r.Err != nil:
		return cause(r.Err)
	case r.Stored && r.Cached:
		return "there"
	case r.Stored:
		return fmt.Sprintf("stored %d", r.Bytes)
	case r.Value == nil:
		return "nil"
	default:
		return fmt.Sprintf("value of %d", len(r.Value))
	}
}

// holds fails the test if Redis does not hold want under the key, or anything if want is nil.
func (f *objectFixture) holds(key string, want []byte) {
	f.t.Helper()
	got, ok := f.store.get(key)
	if ok != (want != nil) || got != string(want) {
		f.t.Errorf("redis holds %d bytes (%t), want %d (%.3q, not %.3q)", len(got), ok, len(want), want, strings.Clone(got))
	}
}

// dyingStore is a Redis that dies when so many bytes have been staged.
type dyingStore struct {
	*redis.Client
	at  int64
	die func()
}

type dyingStage struct {
	backend.Stage
	store *dyingStore
	size  int64
}

func (s *dyingStore) Stage(ctx context.Context, db int, key []byte, size int64) (backend.Stage, error) {
	stage, err := s.Client.Stage(ctx, db, key, size)
	return &dyingStage{Stage: stage, store: s}, err
}

func (s *dyingStage) Append(ctx context.Context, chunk []byte) error {
	if s.size += int64(len(chunk)); s.size == s.store.at {
		s.store.die()
	}
	return s.Stage.Append(ctx, chunk)
}
