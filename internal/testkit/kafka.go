package testkit

import "testing"

// KafkaServer is one Kafka 4.1 broker, shared or private. Stop, Start, Kill, Pause and Resume are for private ones and fail
// the test on a shared one.
type KafkaServer struct {
	// Broker is host:port.
	Broker string
}

// Kafka returns the broker shared by the run: TEST_KAFKA_BROKER, else one started once for this test binary. Use [Topic]
// to be alone on it. Topics are not created by use.
func Kafka(t testing.TB) *KafkaServer { panic("unfinished") }

// NewKafka starts a private broker, which takes about 8 s, and removes it after the test.
func NewKafka(t testing.TB) *KafkaServer { panic("unfinished") }

// Topic is a topic name not used before. The topic does not exist yet.
func Topic(t testing.TB) string { panic("unfinished") }

// ReadTopic reads every partition of topic from its first record, splits the records' values into NDJSON lines, and returns
// all lines so far once until says so; order holds within a partition. It waits for a topic that does not exist
// yet, and fails t after 60 s.
func ReadTopic(t testing.TB, broker, topic string, until func(lines [][]byte) bool) [][]byte {
	panic("unfinished")
}

// Stop ends a private broker by SIGTERM and waits for it. Its data stays.
func (s *KafkaServer) Stop() { panic("unfinished") }

// Start starts a stopped or killed broker again on the same port with its data and waits until it answers.
func (s *KafkaServer) Start() { panic("unfinished") }

// Kill ends a private broker by SIGKILL.
func (s *KafkaServer) Kill() { panic("unfinished") }

// Pause stops a private broker by SIGSTOP.
func (s *KafkaServer) Pause() { panic("unfinished") }

// Resume ends a Pause.
func (s *KafkaServer) Resume() { panic("unfinished") }
