package config

import (
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"os"
)

// ServerTLS is TLS for clients of ours. The zero value is plain TCP.
type ServerTLS struct {
	CertFile string // PEM chain; both files or none
	KeyFile  string // PEM key
}

// Load reads the files and returns what a listener needs, or nil for plain TCP.
func (t ServerTLS) Load() (*tls.Config, error) {
	if t.CertFile == "" && t.KeyFile == "" {
		return nil, nil
	}
	pair, err := tls.LoadX509KeyPair(t.CertFile, t.KeyFile)
	if err != nil {
		return nil, fmt.Errorf("load certificate: %w", err)
	}
	return &tls.Config{MinVersion: tls.VersionTLS12, Certificates: []tls.Certificate{pair}}, nil
}

// ClientTLS is TLS towards a server. The zero value is plain TCP.
type ClientTLS struct {
	Enabled            bool
	CAFile             string // PEM; "" trusts the system's
	CertFile, KeyFile  string // PEM; both or none
	ServerName         string // "" takes the host that is dialled
	InsecureSkipVerify bool   // any certificate is accepted
}

// Load reads the files and returns what a client needs, or nil for plain TCP. The caller owns it; where ServerName is
// empty, whoever dials sets it to the host.
func (t ClientTLS) Load() (*tls.Config, error) {
	if !t.Enabled {
		return nil, nil
	}
	cfg := &tls.Config{
		MinVersion:         tls.VersionTLS12,
		ServerName:         t.ServerName,
		InsecureSkipVerify: t.InsecureSkipVerify, // the operator's own choice, documented as for tests
	}
	if t.CAFile != "" {
		pem, err := os.ReadFile(t.CAFile)
		if err != nil {
			return nil, fmt.Errorf("read certificate authorities: %w", err)
		}
		cfg.RootCAs = x509.NewCertPool()
		if !cfg.RootCAs.AppendCertsFromPEM(pem) {
			return nil, fmt.Errorf("read certificate authorities %s: %w", t.CAFile, errors.New("no PEM certificate in it"))
		}
	}
	if t.CertFile != "" {
		pair, err := tls.LoadX509KeyPair(t.CertFile, t.KeyFile)
		if err != nil {
			return nil, fmt.Errorf("load certificate: %w", err)
		}
		cfg.Certificates = []tls.Certificate{pair}
	}
	return cfg, nil
}
