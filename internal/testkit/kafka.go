package testkit

import (
	"crypto/rand"
	"os"
	"strings"
	"testing"

	"forebay/internal/testkit/server"
)

// KafkaEnv names the environment variable that gives a running Kafka broker, as host:port.
const KafkaEnv = "TEST_KAFKA_BROKER"

// KafkaServer is one Kafka 4.1 broker, shared or private. Stop, Start, Kill, Pause and Resume are for private ones and fail
// the test on a shared one.
type KafkaServer struct {
	control
	// Broker is host:port.
	Broker string
}

// sharedKafka is this binary's, if none was given.
var sharedKafka once[*server.Kafka]

// Kafka returns the broker shared by the run: TEST_KAFKA_BROKER, else one started once for this test binary. Use [Topic]
// to be alone on it. Topics are not created by use.
func Kafka(t testing.TB) *KafkaServer {
	t.Helper()
	need(t, "Kafka")
	s, err := sharedKafka.get(func() (*server.Kafka, error) {
		ctx := startContext(t)
		if broker := os.Getenv(KafkaEnv); broker != "" {
			return &server.Kafka{Broker: broker}, wrap(KafkaEnv, server.KafkaReady(ctx, broker))
		}
		return server.StartKafka(ctx)
	})
	must(t, err)
	return &KafkaServer{control: control{t: t}, Broker: s.Broker}
}

// NewKafka starts a private broker, which takes 5 to 10 s, and removes it after the test.
func NewKafka(t testing.TB) *KafkaServer {
	t.Helper()
	return BeginKafka(t)()
}

// BeginKafka is [NewKafka] in the background, as [BeginCassandra].
func BeginKafka(t testing.TB) (ready func() *KafkaServer) {
	t.Helper()
	need(t, "Kafka")
	started := inBackground(t, server.StartKafka, (*server.Kafka).Remove)
	return func() *KafkaServer {
		t.Helper()
		s, err := started()
		must(t, err)
		return &KafkaServer{control: control{t, s}, Broker: s.Broker}
	}
}

// Topic is a topic name not used before. The topic does not exist yet.
func Topic(testing.TB) string {
	return "test." + strings.ToLower(rand.Text()[:16])
}
