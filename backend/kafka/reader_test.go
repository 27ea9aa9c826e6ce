package kafka

import (
	"errors"
	"testing"

	"github.com/segmentio/kafka-go"
)

// What /healthz and the log say of a topic of changed keys.
func TestWhatIsSaidOfATopicThatIsNotRead(t *testing.T) {
	refused := errors.New("connection refused")
	for want, err := range map[string]error{
		"read topic t: there is none of this name; create it, Forebay does not": readError("t", whole, kafka.UnknownTopicOrPartition),
		"read topic t: connection refused":                                      readError("t", whole, refused),
		"read topic t, partition 3: connection refused":                         readError("t", 3, refused),
	} {
		if err.Error() != want {
			t.Errorf("%q, want %q", err, want)
		}
	}
}
