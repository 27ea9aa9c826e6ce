package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"strings"
	"time"
)

// healthCmd asks a running forebay.
type healthCmd struct {
	URL     string        `name:"url" placeholder:"URL" help:"Base address of its HTTP port; else http.address of the configuration."`
	Timeout time.Duration `help:"How long to wait for an answer." default:"5s"`
}

// Run prints what /healthz says, and fails if /readyz does.
func (cmd healthCmd) Run(c *console) error {
	base, err := cmd.base(c)
	if err != nil {
		return err
	}
	ctx, cancel := context.WithTimeout(c.ctx, cmd.Timeout)
	defer cancel()
	client := &http.Client{}
	defer client.CloseIdleConnections()
	status, _, err := ask(ctx, client, base+"/readyz")
	if err != nil {
		return fmt.Errorf("ask %s: %w; is forebay running there?", base, err)
	}
	if _, text, err := ask(ctx, client, base+"/healthz"); err == nil {
		fmt.Fprint(c.out, text)
	}
	if status != http.StatusOK {
		return errors.New("forebay is not ready")
	}
	return nil
}

func (cmd healthCmd) base(c *console) (string, error) {
	if cmd.URL != "" {
		u, err := url.Parse(cmd.URL)
		if err != nil || u.Scheme != "http" && u.Scheme != "https" || u.Host == "" {
			return "", misused("--url: %q is not an address like http://127.0.0.1:8380", cmd.URL)
		}
		return strings.TrimRight(cmd.URL, "/"), nil
	}
	cfg, err := c.config()
	if err != nil {
		return "", err
	}
	return "http://" + dialable(cfg.HTTP.Address), nil
}

// maxAnswer is far above what health has to say.
const maxAnswer = 64 << 10

func ask(ctx context.Context, client *http.Client, address string) (status int, text string, err error) {
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, address, nil)
	if err != nil {
		return 0, "", err
	}
	res, err := client.Do(req)
	if err != nil {
		return 0, "", err
	}
	defer res.Body.Close()
	body, err := io.ReadAll(io.LimitReader(res.Body, maxAnswer))
	return res.StatusCode, string(body), err
}
