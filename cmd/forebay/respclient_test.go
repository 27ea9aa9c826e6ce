package main

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/x509"
	"encoding/pem"
	"math/big"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"
)

// certificate writes one that a server has for a name of its own, signed by itself.
func certificate(t *testing.T) (cert, key string) {
	t.Helper()
	made, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	now := time.Now()
	template := &x509.Certificate{SerialNumber: big.NewInt(1), DNSNames: []string{"forebay.test"}, NotBefore: now.Add(-time.Hour), NotAfter: now.Add(time.Hour)}
	der, err := x509.CreateCertificate(rand.Reader, template, template, &made.PublicKey, made)
	if err != nil {
		t.Fatal(err)
	}
	private, err := x509.MarshalPKCS8PrivateKey(made)
	if err != nil {
		t.Fatal(err)
	}
	dir := t.TempDir()
	cert, key = filepath.Join(dir, "cert.pem"), filepath.Join(dir, "key.pem")
	for name, block := range map[string]*pem.Block{cert: {Type: "CERTIFICATE", Bytes: der}, key: {Type: "PRIVATE KEY", Bytes: private}} {
		if err := os.WriteFile(name, pem.EncodeToMemory(block), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	return cert, key
}

// TestWarmByTLS reaches a Forebay that is reached by TLS only, as a Redis user with a password.
func TestWarmByTLS(t *testing.T) {
	cert, key := certificate(t)
	in := serve(t, "--listen.tls.cert_file="+cert, "--listen.tls.key_file="+key)
	for name, tt := range map[string]struct {
		args   []string
		status int
		says   string
	}{
		"by the configuration":   {[]string{"--listen.address=" + in.resp, "--listen.tls.cert_file=" + cert, "--listen.tls.key_file=" + key}, done, "Redis holds 1 of them"},
		"by its certificate":     {[]string{"--addr", in.resp, "--ca-file", cert}, done, "Redis holds 1 of them"},
		"with whom nobody knows": {[]string{"--addr", in.resp, "--tls"}, failed, "certificate"},
		"in clear text":          {[]string{"--addr", in.resp}, failed, "1 of 1 key were not tried"},
	} {
		t.Run(name, func(t *testing.T) {
			status, out, errs := command(t, append([]string{"warm", "--patience=0s", "digits:test:1"}, tt.args...)...)
			if status != tt.status || !strings.Contains(out+errs, tt.says) {
				t.Errorf("status %d:\n%s%s", status, out, errs)
			}
		})
	}
}
