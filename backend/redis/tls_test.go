package redis_test

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"encoding/pem"
	"errors"
	"math/big"
	"net"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"testing"
	"time"

	"forebay/backend/redis"
	"forebay/internal/event"
	"forebay/internal/testkit"
)

func TestTLS(t *testing.T) {
	cert, roots := certificate(t)
	port := freePort(t)
	s := testkit.Redis(t, "--tls-port", strconv.Itoa(port), "--tls-cert-file", cert, "--tls-key-file", cert,
		"--tls-ca-cert-file", cert, "--tls-auth-clients", "no")
	addr := "127.0.0.1:" + strconv.Itoa(port)
	c := redis.Open(redis.Options{Addr: addr, TLS: &tls.Config{RootCAs: roots}, Log: testkit.Log(t)})
	t.Cleanup(c.Close)
	testkit.Soon(t, "redis is up", c.Up)
	if err := errors.Join(fill(c), get(t.Context(), c)); err != nil {
		t.Error(err)
	}
	w, r := watch(t, c, redis.Manage)
	testkit.Soon(t, "healthy", healthy(w))
	s.Do(t, "set", "k2", "v")
	s.Do(t, "del", "k2")
	testkit.Soon(t, "heard over tls", func() bool { return len(r.all(event.Evict, event.Deleted)) == 1 })
	unknown := redis.Open(redis.Options{Addr: addr, TLS: &tls.Config{}})
	t.Cleanup(unknown.Close)
	testkit.Soon(t, "an unknown certificate is refused", func() bool { return strings.Contains(unknown.Err().Error(), "certificate") })
}

// certificate makes a self-signed certificate for 127.0.0.1 and returns a file with it and its key.
func certificate(t *testing.T) (file string, roots *x509.CertPool) {
	t.Helper()
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	template := &x509.Certificate{
		SerialNumber: big.NewInt(1), IPAddresses: []net.IP{net.IPv4(127, 0, 0, 1)},
		NotBefore: time.Now().Add(-time.Hour), NotAfter: time.Now().Add(time.Hour), IsCA: true, BasicConstraintsValid: true,
	}
	der, err := x509.CreateCertificate(rand.Reader, template, template, &key.PublicKey, key)
	if err != nil {
		t.Fatal(err)
	}
	secret, err := x509.MarshalPKCS8PrivateKey(key)
	if err != nil {
		t.Fatal(err)
	}
	cert := pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: der})
	file = filepath.Join(t.TempDir(), "cert.pem")
	both := append(cert, pem.EncodeToMemory(&pem.Block{Type: "PRIVATE KEY", Bytes: secret})...)
	if err := os.WriteFile(file, both, 0o600); err != nil {
		t.Fatal(err)
	}
	roots = x509.NewCertPool()
	roots.AppendCertsFromPEM(cert)
	return file, roots
}

func freePort(t *testing.T) int {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	return l.Addr().(*net.TCPAddr).Port
}
