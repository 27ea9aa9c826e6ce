package main

import (
	"bufio"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"strings"
	"time"
)

// eventsAfter is the longest wait for events after the last read: they come within milliseconds.
const eventsAfter = 5 * time.Second

// stream follows Forebay's live events and keeps the first miss, load and hit.
type stream struct {
	body     io.Closer
	cancel   context.CancelFunc
	complete chan struct{} // closed when all three are there or the stream has ended
	done     chan struct{} // closed when nobody writes to kept any more
	kept     map[string]string
}

// follow connects to the live stream.
func follow(ctx context.Context, url string) (*stream, error) {
	ctx, cancel := context.WithCancel(ctx)
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, url, nil)
	if err != nil {
		cancel()
		return nil, err
	}
	resp, err := (&http.Client{Transport: &http.Transport{DisableKeepAlives: true}}).Do(req)
	if err != nil {
		cancel()
		return nil, fmt.Errorf("follow the events: %w", err)
	}
	if resp.StatusCode != http.StatusOK {
		cancel()
		_ = resp.Body.Close()
		return nil, fmt.Errorf("follow the events: %s", resp.Status)
	}
	s := &stream{
		body: resp.Body, cancel: cancel, kept: make(map[string]string),
		complete: make(chan struct{}), done: make(chan struct{}),
	}
	go s.read(resp.Body)
	return s, nil
}

// kinds are the events worth showing, in the order in which they happen.
func kinds() []string { return []string{"miss", "load", "hit"} }

// read keeps what is wanted of the stream, and goes on to its end so that Forebay does not find this client slow.
func (s *stream) read(body io.Reader) {
	defer close(s.done)
	lines := bufio.NewScanner(body)
	lines.Buffer(nil, 1<<20)
	open := true
	for lines.Scan() {
		data, ok := strings.CutPrefix(lines.Text(), "data:")
		if !ok || !open {
			continue
		}
		var event struct {
			Kind string `json:"kind"`
		}
		if json.Unmarshal([]byte(data), &event) != nil {
			continue // a comment or a later format is no reason to end
		}
		for _, kind := range kinds() {
			if kind == event.Kind && s.kept[kind] == "" {
				s.kept[kind] = strings.TrimSpace(data)
			}
		}
		if len(s.kept) == len(kinds()) {
			open = false
			close(s.complete)
		}
	}
	if open {
		close(s.complete)
	}
}

// three waits for the events, ends the stream and returns what there is.
func (s *stream) three(ctx context.Context) []string {
	timer := time.NewTimer(eventsAfter)
	defer timer.Stop()
	select {
	case <-s.complete:
	case <-timer.C:
	case <-ctx.Done():
	}
	s.close()
	var events []string
	for _, kind := range kinds() {
		if event := s.kept[kind]; event != "" {
			events = append(events, event)
		}
	}
	return events
}

// close ends the stream and waits for its reader. It may be called more than once.
func (s *stream) close() {
	s.cancel()
	_ = s.body.Close()
	<-s.done
}
