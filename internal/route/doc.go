// Package route says which keys are answered from the source, with which query, and how a row becomes a value.
//
// The path of the data:
//
//  1. [Compile] turns the configuration's [Spec]s into a [Table]: key patterns, where-expressions, encodings. What can be
//     checked without a server is checked here, all of it at once.
//  2. [Table.Bind] checks each route against the source's schema and makes its query.
//  3. [Table.Match] finds a key's route, for every command, without allocating.
//  4. [Route.Lookup] gives a missing key's query and the values it is bound with. Lookups of one Group differ only in the last
//     clustering column and can be one query.
//  5. [Route.Value] makes the value of the row that came back.
//
// Invariants:
//
//   - A key belongs to at most one route: the first in file order whose pattern matches it.
//   - A key has at most one reading. A part that another follows ends where the literal after it first occurs (text), or where
//     its alphabet ends (int, hex), or after its fixed length (uuid); the last part reaches to the end of the key.
//     Nothing backtracks, and patterns for which this would leave a choice are refused.
//   - Only the canonical spelling of a part matches (7, not 007 or +7; lower-case UUIDs), so a row has one key.
//   - Values are bound, never pasted into the query's text.
//   - Everything that [Route.Lookup] returns is a copy: neither it nor a [Match] holds on to the key.
package route
