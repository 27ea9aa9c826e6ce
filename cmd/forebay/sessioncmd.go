package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"os"
	"strings"
	"text/tabwriter"
	"time"

	"forebay/internal/session"
)

// sessionsCmd asks a running forebay, over HTTP, for its sessions: those of all Forebays on the same Redis.
type sessionsCmd struct {
	List   sessionsListCmd   `cmd:"" help:"List the live sessions."`
	Info   sessionsInfoCmd   `cmd:"" help:"Tell all about one session, as JSON."`
	End    sessionsEndCmd    `cmd:"" help:"End a session and give its keys back."`
	Extend sessionsExtendCmd `cmd:"" help:"Keep a session for some time, whether or not anyone is connected."`
}

// remote is where to ask, and as whom.
type remote struct {
	URL          string        `name:"url" placeholder:"URL" help:"Base address of its HTTP port; else http.address of the configuration."`
	User         string        `help:"Redis user, where http.auth is redis; else redis.username of the configuration." placeholder:"NAME"`
	PasswordFile string        `help:"File with its password; else redis.password of the configuration." placeholder:"FILE"`
	Timeout      time.Duration `help:"How long to wait for an answer." default:"30s"`
}

type sessionsListCmd struct{ remote }

// Run prints a table.
func (cmd sessionsListCmd) Run(c *console) error {
	var list struct{ Sessions []session.Info }
	if err := cmd.ask(c, http.MethodGet, "", nil, &list); err != nil {
		return err
	}
	if len(list.Sessions) == 0 {
		fmt.Fprintln(c.out, "no sessions")
		return nil
	}
	w := tabwriter.NewWriter(c.out, 0, 0, 2, ' ', 0)
	fmt.Fprintln(w, "SESSION\tCLIENTS\tHITS\tMISSES\tLOADS\tSAVED\tKEYS\tAGE\tENDS")
	for _, s := range list.Sessions {
		ends := "in " + time.Until(s.Ends).Round(time.Second).String()
		if s.Connections > 0 {
			ends = "when clients go"
		}
		fmt.Fprintf(w, "%s\t%d\t%d\t%d\t%d\t%d\t%d\t%s\t%s\n", s.Name, s.Connections, s.Hits, s.Misses, s.Loads, s.Saved, s.Held,
			time.Since(s.First).Round(time.Second), ends)
	}
	if err := w.Flush(); err != nil {
		return fmt.Errorf("print sessions: %w", err)
	}
	return nil
}

type sessionsInfoCmd struct {
	remote
	Name string `arg:"" help:"Name of the session: the clients' name."`
}

// Run prints one session.
func (cmd sessionsInfoCmd) Run(c *console) error {
	var info session.Info
	if err := cmd.ask(c, http.MethodGet, path(cmd.Name, ""), nil, &info); err != nil {
		return err
	}
	out := json.NewEncoder(c.out)
	out.SetIndent("", "  ")
	return out.Encode(info)
}

type sessionsEndCmd struct {
	remote
	Name string `arg:"" help:"Name of the session."`
}

// Run ends one session.
func (cmd sessionsEndCmd) Run(c *console) error {
	var answer struct {
		session.Released
		Finished bool
	}
	if err := cmd.ask(c, http.MethodPost, path(cmd.Name, "end"), struct{}{}, &answer); err != nil {
		return err
	}
	more := ""
	if !answer.Finished {
		more = " so far; the rest is given back in the background"
	}
	fmt.Fprintf(c.out, "session %s ended: %d keys of %d bytes given back%s\n", cmd.Name, answer.Keys, answer.Bytes, more)
	return nil
}

type sessionsExtendCmd struct {
	remote
	Name string        `arg:"" help:"Name of the session."`
	For  time.Duration `arg:"" help:"How long from now, as 2h."`
}

// Run extends one session.
func (cmd sessionsExtendCmd) Run(c *console) error {
	var info session.Info
	body := map[string]float64{"seconds": cmd.For.Seconds()}
	if err := cmd.ask(c, http.MethodPost, path(cmd.Name, "extend"), body, &info); err != nil {
		return err
	}
	fmt.Fprintf(c.out, "session %s ends at %s, or later\n", info.Name, info.Ends.Format(time.RFC3339))
	return nil
}

// path is a session's, with its name escaped whole.
func path(name, action string) string {
	p := "/" + url.PathEscape(name)
	if action != "" {
		p += "/" + action
	}
	return p
}

// ask sends one request and reads the answer into it.
func (r remote) ask(c *console, method, path string, body, into any) error {
	req, err := r.request(c, method, path, body)
	if err != nil {
		return err
	}
	ctx, cancel := context.WithTimeout(c.ctx, r.Timeout)
	defer cancel()
	client := &http.Client{}
	defer client.CloseIdleConnections()
	res, err := client.Do(req.WithContext(ctx))
	if err != nil {
		return fmt.Errorf("ask %s: %w; is forebay running there?", req.URL.Host, err)
	}
	defer res.Body.Close()
	answer, err := io.ReadAll(io.LimitReader(res.Body, maxSessions))
	if err != nil {
		return fmt.Errorf("read the answer of %s: %w", req.URL.Host, err)
	}
	if res.StatusCode != http.StatusOK {
		var p struct{ Title, Detail string }
		if json.Unmarshal(answer, &p) != nil || p.Title == "" {
			return fmt.Errorf("%s answers %s", req.URL.Host, res.Status)
		}
		return errors.New(strings.TrimSpace(p.Title + " " + p.Detail))
	}
	if err := json.Unmarshal(answer, into); err != nil {
		return fmt.Errorf("read the answer of %s: %w", req.URL.Host, err)
	}
	return nil
}

// maxSessions is far above what a list of as many sessions as there may be takes.
const maxSessions = 16 << 20

func (r remote) request(c *console, method, path string, body any) (*http.Request, error) {
	base, err := healthCmd{URL: r.URL}.base(c)
	if err != nil {
		return nil, err
	}
	var in io.Reader
	if body != nil {
		text, err := json.Marshal(body)
		if err != nil {
			return nil, fmt.Errorf("write the request: %w", err)
		}
		in = strings.NewReader(string(text))
	}
	req, err := http.NewRequestWithContext(c.ctx, method, base+"/api/v1/sessions"+path, in)
	if err != nil {
		return nil, fmt.Errorf("write the request: %w", err)
	}
	if body != nil {
		req.Header.Set("Content-Type", "application/json")
	}
	return req, r.authorize(c, req)
}

// authorize adds who asks. The configuration's own user is only sent to the configuration's own address.
func (r remote) authorize(c *console, req *http.Request) error {
	user, pass := r.User, ""
	switch {
	case r.PasswordFile != "":
		b, err := os.ReadFile(r.PasswordFile)
		if err != nil {
			return misused("--password-file: %w", err)
		}
		pass = strings.TrimRight(string(b), "\r\n")
	case r.URL == "":
		cfg, err := c.config()
		if err != nil {
			return err
		}
		if user == "" || user == cfg.Redis.Username {
			user, pass = cfg.Redis.Username, string(cfg.Redis.Password)
		}
	}
	if user != "" || pass != "" {
		req.SetBasicAuth(user, pass)
	}
	return nil
}
