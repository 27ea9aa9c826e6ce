// Package guard stands between those who load and the source, so that a source in trouble is asked less and not more. [Source] wraps a
// [backend.Source]; all that it does is in its Load:
//
//  1. The breaker (breaker.go). While the source has failed most queries of the last seconds, it is not asked at all: the query is refused at once, and the
//     error says when it will be tried again. One query at a time tries whether it is over.
//  2. A turn (turns.go). So many queries are under way at once; the number follows how fast the source answers. Further ones wait, first come, first
//     served, within their budgets. One that would not be answered within its budget any more is refused at once, instead of being told so at its end; so is one
//     whose turn comes too late, because the source has become slower meanwhile. How long queries take is known by a few of them, and forgotten when the source
//     comes back.
//  3. The breaker again: it may have opened meanwhile.
//  4. The query, and what came of it: for the breaker, for the turns, and for those who ask how the source does (stats.go).
//
// A query that fails on one node may be asked once more, on another, by the driver; [Retries] bounds how many are.
//
// Invariants:
//   - A query that is refused has not been sent; its error wraps [backend.ErrNotAsked].
//   - What fails for the query's own reason says nothing of the source: a row that makes no value, a query that the source refuses, a caller that gave up, or
//     one that had little time left for a source as slow as this one. It opens no breaker.
//   - Without an error of the source nothing is refused, but for a queue that is longer than its queries' budgets.
//   - There are no goroutines, and no state beside a few counters: whoever waits does so in his own goroutine.
package guard
