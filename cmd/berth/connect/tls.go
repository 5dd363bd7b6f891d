package connect

import (
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
)

// TLS says how tcp:// hosts are secured, on both ends. The flags, variables and
// names of files are docker's.
type TLS struct {
	On     bool   // encrypt, whoever is at the other end (--tls)
	Verify bool   // encrypt, and both ends prove who they are (--tlsverify)
	Dir    string // where ca.pem, cert.pem and key.pem are (DOCKER_CERT_PATH, or else docker's directory)

	CA, Cert, Key string // files; empty: those of Dir
	Name          string // of the server, when it is not that of the host
}

// Used says whether TLS is spoken at all.
func (t TLS) Used() bool { return t.On || t.Verify }

// file is path, or the file called name of t.Dir.
func (t TLS) file(path, name string) string {
	if path == "" {
		return filepath.Join(t.Dir, name)
	}
	return path
}

// Server is what an engine answers with. With Verify only clients with a
// certificate of the CA are answered.
func (t TLS) Server() (*tls.Config, error) {
	pair, err := t.pair()
	if err != nil {
		return nil, fmt.Errorf("%w (--tlscert, --tlskey)", err)
	}
	c := &tls.Config{MinVersion: tls.VersionTLS12, Certificates: []tls.Certificate{*pair}}
	if t.Verify {
		c.ClientAuth = tls.RequireAndVerifyClientCert
		if c.ClientCAs, err = t.authority(); err != nil {
			return nil, fmt.Errorf("%w (--tlscacert)", err)
		}
	}
	return c, nil
}

// Client is what a client of the engine at host (no port) asks with. A
// certificate of its own is shown when there is one.
func (t TLS) Client(host string) (*tls.Config, error) {
	c := &tls.Config{MinVersion: tls.VersionTLS12, ServerName: t.Name, InsecureSkipVerify: !t.Verify}
	if c.ServerName == "" {
		c.ServerName = host
	}
	pair, err := t.pair()
	switch {
	case err == nil:
		c.Certificates = []tls.Certificate{*pair}
	case t.Cert != "" || t.Key != "" || !errors.Is(err, fs.ErrNotExist):
		return nil, err
	}
	if t.Verify {
		if c.RootCAs, err = t.authority(); err != nil {
			return nil, err
		}
	}
	return c, nil
}

func (t TLS) pair() (*tls.Certificate, error) {
	cert, key := t.file(t.Cert, "cert.pem"), t.file(t.Key, "key.pem")
	pair, err := tls.LoadX509KeyPair(cert, key)
	if err != nil {
		return nil, fmt.Errorf("reading the TLS certificate %s and its key %s: %w", cert, key, err)
	}
	return &pair, nil
}

func (t TLS) authority() (*x509.CertPool, error) {
	path := t.file(t.CA, "ca.pem")
	data, err := os.ReadFile(path)
	if err != nil {
		return nil, fmt.Errorf("reading the certificate authority: %w", err)
	}
	pool := x509.NewCertPool()
	if !pool.AppendCertsFromPEM(data) {
		return nil, fmt.Errorf("reading the certificate authority: %s holds no certificate in PEM", path)
	}
	return pool, nil
}
