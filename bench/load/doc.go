// Package load offers load to servers that speak Redis's protocol, and measures how they bear it.
//
// A [Client] holds connections. Its life, and that of the bytes:
//
//  1. [Dial] connects. [Client.Pass] sends each key's command once, which fills a server; [Client.Run] sends for a while.
//  2. A loop, one goroutine of [Options.Threads], owns its share of the connections. A batch of [Options.Depth] commands is
//     made by redcon's codec and written in one system call.
//  3. ppoll(2) tells which sockets have replies. Each is read once, into the loop's one buffer; a reply's end is found by
//     [wire.Scanner], its length is compared with what the command must bring, and its latency goes to a [Histogram].
//  4. When all replies of a batch are there, the connection's next batch begins.
//
// Sockets are polled here, not by Go's runtime: a goroutine a connection costs a futile read and a switch for each batch, and
// reached two thirds of redis-benchmark's rate.
//
// What a figure means:
//   - A latency runs from the moment a batch begins to be written to the moment that the read which brought its reply returns, so a
//     batch's later replies include the earlier ones' time.
//   - With [Options.Rate] a batch has a time when it is due. Its latency runs from then, however late it was sent: a
//     server that stops for 100 ms is charged for all that was due meanwhile (no coordinated omission).
//   - A reply that is not what was asked for (an error, an absent key, another length) ends the run with an error: rates of wrong answers
//     are never reported.
package load
