// Package leasemodel is the lease protocol as a machine of states, small enough that all of them can be visited: one key, two processes, readers,
// writers, a source whose row changes, and a Redis. It is for tests.
//
//	Scenario ─► Explore ─► steps.next ─► move ─► observe ─► canonical ─► seen before?
//	 who there is            what can       one step      is all         names and order
//	 and may fail            happen now     later         right?         forgotten
//
// # What is modelled
//
// [Redis] and its methods are the operations of backend.Leaser, each as backend/redis does it in one step; a test plays random sequences of them on both. A load
// is what internal/cache does in its own steps: the flight that readers join, the question for the lease, the answer, the query, the seal, the fill
// and its answer; second looks, waiting for another process, dropped flights, refreshes ahead of the value's end, readings ahead with their areas. A writer is what the proxy does:
// the lease goes, then the process's own flight, then the write. What goes to Redis and what comes back are steps of their own, so anything may happen between.
//
// Leases, markers, values, areas and the generation may go at any step, as often as they like: their time is over, or Redis evicts them. So a process that
// pauses past its lease's end is in every scenario, and so is one that keeps its lease: to keep is to do nothing. Redis may be full, and the source fail, at any step.
// Processes die with what they have sent still on its way, and connections with a question or a fill on them, as often as the scenario says.
//
// # What must hold
//
// In every state and for every read: see spec.go. Besides, two never load the key at once if no lease was lost.
//
// # What is not modelled
//
// Time; more than one key, and so batches; values that do not go through a script (they are renamed by one); objects; near copies; rules for values; Redis's loss of a
// write that it has acknowledged (an asynchronous failover may lose a DEL); writers that do not go through Forebay. Loads without leases, while a process cannot
// reach Redis: they are shared by whoever joins them (internal/cache, lease.go). A value that admission refuses is checked as one that a full Redis
// refuses is.
//
// A refresh may replace what a client has set, if that is what it has seen, or remove it where the source has no row: the client's value ends then, as it would by its
// TTL. Forebay refreshes less than that, only what has its stamp. Not modelled are readers who find a value overdue (internal/cache, stale.go): they load as if nothing were there, and
// settle as a refresh does.
//
// # Speed
//
// States are up to the names of generations and tokens, which of two processes is which, and the order of readers, writers and loads; and without what
// cannot matter any more (reduce.go). The functions that visit them are one goroutine's: they are marked go:norace, as the race detector would make them ten times slower.
package leasemodel
