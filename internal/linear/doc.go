// Package linear checks what clients saw of keys that others wrote at the same time: whether some order of all operations, each at one moment
// between its call and its reply, explains every reply (linearizability, decided by porcupine).
//
//	Worker ─► Recorder.Do ─► Client ─► Forebay ─► FaultProxy ─► Redis
//	             │                        └─► rows, which a Worker changes before its DEL
//	             └─► History, a list of operations for each Group ─► Check
//
// # The model
//
// A [Group] is one key, or two that are read and written together; groups are checked one by one, for a history is linearizable if that of each part is.
// The state of a key is what a client has written last, if anything, and the rows that the source may be thought to hold:
//
//   - A read gives what was written; where nothing was, or it was deleted, the row of a routed key, else nil. Whether Redis holds a row's copy makes no
//     difference to a reader, so the model does not know it (but for DEL's 0 or 1, of which either is right then).
//   - A row is changed in two steps, as trainers do it: in the source ([Row]), then by DEL through Forebay. Between the two, readers may be given either row
//     in any order, since nobody could tell them which is right. From the reply of that DEL on ([Refresh]) the old row is wrong.
//     Writers of one row take turns.
//   - A transaction is one operation on each group.
//
// # Outcomes that are not known
//
// A write whose connection ended before its reply may be done at any later moment, or never: its operation has no end and leads to both states. An error reply is a
// promise that nothing was done (Forebay closes a client otherwise), so such an operation is not in the history: if it was done, the value that nobody
// wrote is found by whoever reads it. Reads without an answer say nothing.
//
// # Several processes
//
// They are whole Forebays in one program, each with its own client of Redis, connections, engine and kept invalidations: they share the source, and what they know
// of each other is in Redis. That a process is killed or stopped is internal/e2e's. A test of several goes on until there was what makes leases matter: loads that others
// waited for, refused fills, markers, invalidations and every kind of fault.
//
// # Copies in other processes
//
// A near copy may be as old as the invalidation is slow, which no order explains. [Copies] holds what is promised instead: within a bound of time every
// process sees what was written, what it wrote itself at once, and its readers never go back.
package linear
