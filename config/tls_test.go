package config_test

import (
	"crypto/tls"
	"crypto/x509"
	"encoding/pem"
	"net"
	"net/http/httptest"
	"os"
	"path/filepath"
	"testing"

	"forebay/config"
)

// pair writes a self-signed certificate for 127.0.0.1 and its key.
func pair(t *testing.T) (cert, key string) {
	t.Helper()
	server := httptest.NewTLSServer(nil)
	defer server.Close()
	made := server.TLS.Certificates[0]
	der, err := x509.MarshalPKCS8PrivateKey(made.PrivateKey)
	if err != nil {
		t.Fatal(err)
	}
	dir := t.TempDir()
	cert, key = filepath.Join(dir, "cert.pem"), filepath.Join(dir, "key.pem")
	for name, block := range map[string]*pem.Block{
		cert: {Type: "CERTIFICATE", Bytes: made.Certificate[0]}, key: {Type: "PRIVATE KEY", Bytes: der},
	} {
		if err := os.WriteFile(name, pem.EncodeToMemory(block), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	return cert, key
}

func TestTLSFilesMakeAHandshake(t *testing.T) {
	cert, key := pair(t)
	server, err := config.ServerTLS{CertFile: cert, KeyFile: key}.Load()
	if err != nil {
		t.Fatal(err)
	}
	for name, tt := range map[string]struct {
		client config.ClientTLS
		ok     bool
	}{
		"trusted":       {config.ClientTLS{Enabled: true, CAFile: cert, CertFile: cert, KeyFile: key, ServerName: "127.0.0.1"}, true},
		"another name":  {config.ClientTLS{Enabled: true, CAFile: cert, ServerName: "other.test"}, false},
		"untrusted":     {config.ClientTLS{Enabled: true, ServerName: "127.0.0.1"}, false},
		"not verifying": {config.ClientTLS{Enabled: true, InsecureSkipVerify: true}, true},
	} {
		t.Run(name, func(t *testing.T) {
			client, err := tt.client.Load()
			if err != nil {
				t.Fatal(err)
			}
			here, there := net.Pipe()
			done := make(chan error, 1)
			go func() {
				defer there.Close()
				done <- tls.Server(there, server).Handshake()
			}()
			err = tls.Client(here, client).Handshake()
			here.Close()
			<-done
			if (err == nil) != tt.ok {
				t.Errorf("handshake: %v", err)
			}
		})
	}
}

func TestTLSFilesThatAreWrong(t *testing.T) {
	cert, key := pair(t)
	if c, err := (config.ServerTLS{}).Load(); c != nil || err != nil {
		t.Errorf("no files: %v, %v", c, err)
	}
	if c, err := (config.ClientTLS{CAFile: "/nonexistent"}).Load(); c != nil || err != nil {
		t.Errorf("not enabled: %v, %v", c, err)
	}
	if _, err := (config.ServerTLS{CertFile: key, KeyFile: cert}).Load(); err == nil {
		t.Error("swapped files load")
	}
	for _, c := range []config.ClientTLS{
		{Enabled: true, CAFile: "/nonexistent"}, {Enabled: true, CAFile: key}, {Enabled: true, CertFile: cert, KeyFile: "/nonexistent"},
	} {
		if _, err := c.Load(); err == nil {
			t.Errorf("%+v loads", c)
		}
	}
}
