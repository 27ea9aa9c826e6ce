// Package testkit gives tests real servers: a Redis for each call, and a Cassandra and a Kafka that all test binaries
// of one run share, or private ones for tests that stop, pause and kill them. It also breaks networks
// ([FaultProxy]) and provides Python interpreters with chosen packages ([Python]).
//
// Every server listens on free ports of 127.0.0.1, lives in its own temporary folder and dies with the process that
// started it, however that ends (see package daemon). While a server runs, no goroutine of this package does, so
// goleak in a test binary sees only what it is meant to see; a [FaultProxy] runs goroutines until the
// test's cleanup.
//
// Shared servers come from the environment: TEST_CASSANDRA_ADDR (host:port) and TEST_KAFKA_BROKER (host:port). The
// command withservers sets them for a whole run. Where one is unset, the test binary starts that server at its first use.
//
// With -short, a test that asks for a real server is skipped, here and nowhere else. Without it, a server that cannot be
// had fails the test with the command that installs it.
package testkit
