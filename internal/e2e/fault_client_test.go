package e2e_test

import (
	"context"
	"fmt"
	"io"
	"net"
	"strings"
	"testing"
	"time"

	"forebay/internal/testkit"
)

// clientFaults are those of what clients do.
func clientFaults() []fault {
	return []fault{
		{"DEL and SET while the row is loaded, through two Forebays", writesWhileLoaded},
		{"200 clients gone while their rows are loaded", clientsGone},
	}
}

// writer writes rows of its own at the source and tells the cache, by DEL or by SET of the new value, until it is stopped. What it could not tell has
// an outcome that nobody knows: readers may see it.
func (f *fleet) writer(t testing.TB, at *forebay, rows ...int) *readers {
	w := begin(t)
	w.act(at.client(t), func(i int, put func(question) reading) reading {
		row := rows[i%len(rows)]
		version, err := f.rows.write(row)
		if err != nil {
			t.Errorf("write a row: %v", err)
			return reading{began: time.Now(), word: "WRONG", wrong: err}
		}
		q := question{args: []any{"DEL", taggedKey(row)}}
		if i/len(rows)%3 == 1 {
			q.args = []any{"SET", taggedKey(row), tag(row, version)}
		}
		r := put(q)
		if r.word == "value" {
			f.rows.told(row, version)
		}
		return r
	})
	return w
}

// contested has two writers at each Forebay write a few rows that all read. No copies are kept near: those of another process may be old for a moment.
const contested = 8

func contest(s *setup) { s.more = "near: {max_bytes: 0}\n" }

func (f *fleet) contestants(t testing.TB, at *forebay, n int) (writers []*readers, reader *readers) {
	for w := range 2 {
		row := n*contested/2 + w*2
		writers = append(writers, f.writer(t, at, row, row+1))
	}
	return writers, at.ask(t, 2, func(reader, i int) question {
		if reader == 0 {
			return f.rows.get(i % contested)
		}
		return f.rows.get(i%contested, (i+3)%contested, perPartition+i%4)
	})
}

func writesWhileLoaded(t *testing.T, o *outcome) {
	f := newFleet(t, taggedRows(t, "ASC", 2*perPartition), 0, contest)
	var writers, others []*readers
	for n := range 2 {
		at, network := f.behind(t)
		network.Delay(5 * time.Millisecond)
		f.all = append(f.all, at)
		w, r := f.contestants(t, at, n)
		writers, others = append(writers, w...), append(others, r)
	}
	_, until := testkit.Soak()
	for more := true; more; more = time.Now().Before(until) {
		for _, w := range writers {
			w.more(t, 40)
		}
	}
	for _, w := range writers {
		o.add(t, "writers", w.stop(), "value")
	}
	ended := time.Now()
	for _, r := range others {
		o.add(t, "readers", r.stop(), "value", "SOURCETIMEOUT") // written each time it was loaded
	}
	c := f.all[0].client(t)
	o.recovers(t, ended, "the last versions are read", func() bool { return f.rows.get(0, 1, 2, 3, 4, 5, 6, 7).put(c).word == "value" })
	f.rows.wantCacheRight(t, f.redis, 2*perPartition)
}

// Clients that go while their rows are loaded leave nothing behind, and take nothing from others who wait for the same.
func clientsGone(t *testing.T, o *outcome) {
	const clients = 200
	f := newFleet(t, taggedRows(t, "ASC", 4*perPartition), 0, nil)
	at, network := f.behind(t)
	f.all = append(f.all, at)
	f.warm(t)
	network.Delay(300 * time.Millisecond)
	var conns []net.Conn
	for i := range clients {
		nc, err := net.Dial("tcp", at.resp)
		must(t, err)
		defer nc.Close()
		_, err = io.WriteString(nc, "GET "+taggedKey(perPartition/4+i)+"\r\nGET "+taggedKey(i)+"\r\n")
		must(t, err)
		conns = append(conns, nc)
	}
	f.awaitLease(t, perPartition/4+clients-1)
	stays := make(chan []heard, 1)
	go func() {
		stays <- herd(t, f.all, clients, func(i int) string { return "GET " + taggedKey(perPartition/4+i) })
	}()
	for i, nc := range conns {
		if i%2 == 0 {
			must(t, nc.(*net.TCPConn).SetLinger(0)) // as one that was killed
		}
		nc.Close()
	}
	gone := time.Now()
	list := <-stays
	o.served(t, "those who stay", readings(list))
	for i, h := range list {
		if h.word != "value" {
			continue
		}
		must(t, f.rows.right(perPartition/4+i, 1, h.reply))
	}
	c := at.client(t)
	o.recovers(t, gone, "those who left are forgotten", func() bool {
		text, err := c.Info(context.Background(), "forebay").Result()
		n := connectedClients(text)
		return err == nil && n > 0 && n <= 2 // this one, and warm's
	})
	f.rows.wantCacheRight(t, f.redis, 4*perPartition)
}

// connectedClients is the figure in INFO forebay.
func connectedClients(info string) (n int) {
	_, rest, _ := strings.Cut(info, "forebay_connected_clients:")
	if _, err := fmt.Sscan(rest, &n); err != nil {
		return -1
	}
	return n
}
