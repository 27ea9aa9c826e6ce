// Package cassandra is the [backend.Source] that reads Cassandra 4 and 5, and the loader that fills it.
//
// The path of a load: the [backend.Select] becomes one statement of quoted names and markers, prepared once and kept by the
// Select's pointer; the caller's values are checked against the types of its markers, so that a value that no row can
// have (99999999999 for an int) is answered as absent without a query; the query runs token-aware at the configured consistency, page by page, with
// the next page on its way while this one is handed out; each cell is decoded once, and a blob copied at most once.
//
// Invariants:
//   - Nothing is written but by [Loader], and a cql text that is no SELECT is refused.
//   - A Load returns within its caller's deadline, whatever the driver is waiting for (see [Source.Load]).
//   - A session that does not answer is replaced by the watchdog, which never drops the old one before the new one
//     answers. One goroutine connects; Close ends it.
//   - What a Loader writes is complete when its row in the table datasets says so, which is written last (see [Loader.Load]).
//   - Every error of a load wraps backend.ErrSourceDown, ErrSourceTimeout or ErrSourceInvalid, and names what was asked, never a value.
package cassandra
