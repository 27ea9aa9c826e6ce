package cache

import "sync"

// flightKey names what is loaded: a key of one database.
type flightKey struct {
	db  int
	key string
}

// outcome is how a flight ended.
type outcome struct {
	value  []byte // nil: absent, or err
	err    error
	cached bool // it was in Redis after all
	again  bool // not to be used: look again
	moved  bool // …in another flight that goes on with the load: no writer's doing
	stored bool // it is in Redis and not here
	bytes  int64
	stale  bool  // it is too old, and served for the time being
	cause  error // …since this came of loading it anew; nil: nobody has tried
}

// flight is one load of one key, and those who wait for it.
type flight struct {
	done  chan struct{} // closed when out is set
	blind bool          // begun by one for whom Redis is not asked

	// Guarded by flights.mu.
	sealed  bool // its fill, or its second look, is on its way: no one may join any more
	dropped bool // a client is about to write the key: the value must not be stored
	looking bool // its look in Redis is on its way
	shared  bool // someone has joined since

	out outcome // valid once done is closed
}

// flights holds the flights of a process. The zero value is ready.
//
// Why a value loaded before a client's write is not stored after it (W: the writing client's goroutine, F: the flight's):
//
//  1. F loads v1. W calls fence, F is not sealed: it is dropped, and forgotten, so that later readers begin another.
//     F seals: dropped, so it stores nothing and tells its waiters to look again. W's write goes to Redis.
//  2. F seals, then W calls fence: it waits until F is done, and so until Redis has acknowledged F's fill. Then W's write goes to Redis, after it.
//  3. W has passed fence, its write is on its way. A reader begins F2, which loads what the source holds now. What the writer changed in
//     the source before its write is in that; what it only wrote to Redis is found present by F2's look, or by its fill (NX),
//     or, if it comes after the fill, overwrites it.
//
// Why what a look finds is not for everybody who has joined by its end:
//
//  1. W has passed fence, its DEL is on its way. A reader begins F2, whose look finds v1; the answer is under way.
//  2. The DEL is done. R begins, finds the key absent, and joins F2.
//  3. The look's answer arrives: v1 is older than R. If someone has joined since the look was sent, F2 is sealed and looks once more, for
//     all of them. (One look each would be a queue: of a thousand readers that look again, all but one join the first one's flight.)
//
// Why a reader for whom Redis is asked joins none that was begun without:
//
//  1. One connection to Redis stalls. R1's GET k is loaded without Redis (Mode.NoLook): F has no lease, and reads v1.
//  2. A client of another process changes the row to v2, and deletes k: no lease is there to be dropped.
//  3. R2's GET k comes by another connection, and is answered with nil. F's v1 is older than R2, who waits for F's end and looks again.
type flights struct {
	mu sync.Mutex
	m  map[flightKey]*flight
}

// join returns the flight of k, and whether the caller has begun it and must end it. late tells that its value is, or may be, older
// than this reader: it is sealed, or blind. Such a reader must wait for its end and look again.
//
// blind tells that Redis is not asked for this reader.
func (fs *flights) join(k flightKey, blind bool) (f *flight, begun, late bool) {
	fs.mu.Lock()
	defer fs.mu.Unlock()
	if f := fs.m[k]; f != nil {
		f.shared = f.shared || f.looking
		return f, false, f.sealed || f.blind && !blind
	}
	f = &flight{done: make(chan struct{}), blind: blind}
	if fs.m == nil {
		fs.m = map[flightKey]*flight{}
	}
	fs.m[k] = f
	return f, true, false
}

// look notes that Redis is being asked for the value: who has joined so far may have the answer.
func (fs *flights) look(f *flight) {
	fs.mu.Lock()
	defer fs.mu.Unlock()
	f.looking, f.shared = true, false
}

// found ends the time in which others may join, and tells whether what the look has found is for all who have.
func (fs *flights) found(f *flight) bool {
	fs.mu.Lock()
	defer fs.mu.Unlock()
	f.sealed = true
	return !f.shared
}

// unshared seals the flight if what the look has found is for all who have joined, and tells so. Else it stays open.
func (fs *flights) unshared(f *flight) bool {
	fs.mu.Lock()
	defer fs.mu.Unlock()
	f.sealed = f.sealed || !f.shared
	return !f.shared
}

// seal ends the time in which others may join, and tells whether the value may be stored.
func (fs *flights) seal(f *flight) bool {
	fs.mu.Lock()
	defer fs.mu.Unlock()
	f.sealed = true
	return !f.dropped
}

// alone tells whether all who have joined had done so when Redis was last asked.
func (fs *flights) alone(f *flight) bool {
	fs.mu.Lock()
	defer fs.mu.Unlock()
	return !f.shared
}

// stale tells that the value must not be stored, so that nothing is gained by loading on.
func (fs *flights) stale(f *flight) bool {
	fs.mu.Lock()
	defer fs.mu.Unlock()
	return f.dropped
}

// anew ends f, whose value is not to be used, and returns the flight of k that its owner goes on with, which is not sealed. W: a client that writes
// k, F: the flight.
//
//  1. F is sealed, its value is refused. W has called fence and waits for F's end, its readers and those who came late wait too.
//  2. F ends and F2 is its key's flight, in one step, so that no reader begins another between. W goes on: its write goes to Redis, and F2, which W's fence
//     did not see, loads. What W changed in the source before is in what F2 loads, as with a reader who begins after W's fence (3 of flights).
//  3. The readers look again and join F2. A write from now on drops it.
func (fs *flights) anew(k flightKey, f *flight) *flight {
	next := &flight{done: make(chan struct{})}
	fs.mu.Lock()
	fs.m[k] = next // f is sealed and so its flight still
	fs.mu.Unlock()
	f.out = outcome{again: true, moved: true}
	close(f.done)
	return next
}

// end publishes the outcome.
func (fs *flights) end(k flightKey, f *flight, out outcome) {
	fs.mu.Lock()
	f.sealed = true
	if fs.m[k] == f {
		delete(fs.m, k)
	}
	fs.mu.Unlock()
	f.out = out
	close(f.done)
}

// fence drops the flight of k if it has not stored its value yet, and returns the flight to wait for otherwise.
func (fs *flights) fence(k flightKey) *flight {
	fs.mu.Lock()
	defer fs.mu.Unlock()
	f := fs.m[k]
	if f == nil {
		return nil
	}
	if f.sealed {
		return f
	}
	f.dropped = true
	delete(fs.m, k)
	return nil
}

// fenceAll does what fence does for every flight of the database, or of all databases if db is negative.
func (fs *flights) fenceAll(db int) (wait []*flight) {
	fs.mu.Lock()
	defer fs.mu.Unlock()
	for k, f := range fs.m {
		if db >= 0 && k.db != db {
			continue
		}
		if f.sealed {
			wait = append(wait, f)
			continue
		}
		f.dropped = true
		delete(fs.m, k)
	}
	return wait
}

func (fs *flights) len() int {
	fs.mu.Lock()
	defer fs.mu.Unlock()
	return len(fs.m)
}
