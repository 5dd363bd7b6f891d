package main

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/pem"
	"math/big"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"
)

// authority signs certificates for tests.
type authority struct {
	t    *testing.T
	cert *x509.Certificate
	key  *ecdsa.PrivateKey
	next int64
}

func newAuthority(t *testing.T) *authority {
	a := &authority{t: t}
	a.cert, a.key = a.sign(&x509.Certificate{IsCA: true, BasicConstraintsValid: true, KeyUsage: x509.KeyUsageCertSign})
	return a
}

// sign makes a certificate and its key, signed by a, or by itself when a has none.
func (a *authority) sign(c *x509.Certificate) (*x509.Certificate, *ecdsa.PrivateKey) {
	a.t.Helper()
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		a.t.Fatal(err)
	}
	a.next++
	c.SerialNumber, c.Subject = big.NewInt(a.next), pkix.Name{CommonName: "berth test"}
	c.NotBefore, c.NotAfter = time.Now().Add(-time.Hour), time.Now().Add(time.Hour)
	c.ExtKeyUsage = []x509.ExtKeyUsage{x509.ExtKeyUsageServerAuth, x509.ExtKeyUsageClientAuth}
	parent, signer := c, key
	if a.cert != nil {
		parent, signer = a.cert, a.key
	}
	der, err := x509.CreateCertificate(rand.Reader, c, parent, &key.PublicKey, signer)
	if err != nil {
		a.t.Fatal(err)
	}
	if c, err = x509.ParseCertificate(der); err != nil {
		a.t.Fatal(err)
	}
	return c, key
}

// issue fills dir with ca.pem, and cert.pem and key.pem for 127.0.0.1, and
// returns the certificate's serial number.
func (a *authority) issue(dir string) *big.Int {
	a.t.Helper()
	cert, key := a.sign(&x509.Certificate{IPAddresses: []net.IP{net.IPv4(127, 0, 0, 1)}})
	der, err := x509.MarshalECPrivateKey(key)
	if err != nil {
		a.t.Fatal(err)
	}
	if err := os.MkdirAll(dir, 0o700); err != nil {
		a.t.Fatal(err)
	}
	for name, b := range map[string]*pem.Block{
		"ca.pem":   {Type: "CERTIFICATE", Bytes: a.cert.Raw},
		"cert.pem": {Type: "CERTIFICATE", Bytes: cert.Raw},
		"key.pem":  {Type: "EC PRIVATE KEY", Bytes: der},
	} {
		if err := os.WriteFile(filepath.Join(dir, name), pem.EncodeToMemory(b), 0o600); err != nil {
			a.t.Fatal(err)
		}
	}
	return cert.SerialNumber
}

// tlsFlags are those of docker and berth for the files in dir.
func tlsFlags(dir string) []string {
	return []string{"--tlsverify", "--tlscacert", dir + "/ca.pem", "--tlscert", dir + "/cert.pem", "--tlskey", dir + "/key.pem"}
}

// TestServeOverTLS covers tcp://: whoever has a certificate is served, streams
// too, nobody else is; SIGHUP takes new certificates.
func TestServeOverTLS(t *testing.T) {
	r := newRig(t)
	r.images()
	syscall.Kill(r.engine(), syscall.SIGTERM)
	r.until("the engine has ended", func() bool { return len(r.processes("serve")) == 0 })

	ca := newAuthority(t)
	server, mine, stranger := filepath.Join(r.dir, "server"), filepath.Join(r.dir, "mine"), filepath.Join(r.dir, "stranger")
	first := ca.issue(server)
	ca.issue(mine)
	newAuthority(t).issue(stranger)
	addr := freePort(t)
	serve := r.command(append([]string{"serve", "-H", "tcp://" + addr}, tlsFlags(server)...)...)
	var log syncBuffer
	serve.Stderr = &log
	if err := serve.Start(); err != nil {
		t.Fatal(err)
	}
	r.until("the engine listens", func() bool { return strings.Contains(log.String(), "the engine listens") })

	me := append([]string{"-H", "tcp://" + addr}, tlsFlags(mine)...)
	if out := r.berth(append(me, "run", "--rm", "--network", "none", "busybox", "echo", "secured")...); out != "secured" {
		t.Errorf("run over TLS: %q", out)
	}
	byVariable := r.command("-H", "tcp://"+addr, "version")
	byVariable.Env = append(byVariable.Env, "DOCKER_TLS_VERIFY=1", "DOCKER_CERT_PATH="+mine)
	if out, err := byVariable.CombinedOutput(); err != nil || !strings.Contains(string(out), "Server") {
		t.Errorf("DOCKER_CERT_PATH: %v: %s", err, out)
	}
	if docker, err := exec.LookPath("docker"); err == nil {
		out, err := exec.Command(docker, append(me, "run", "--rm", "--network", "none", "busybox", "echo", "dockered")...).CombinedOutput()
		if err != nil || string(out) != "dockered\n" {
			t.Errorf("docker over TLS: %v: %s", err, out)
		}
	}
	for name, args := range map[string][]string{
		"in the clear":             {"-H", "tcp://" + addr, "ps"},
		"without a certificate":    {"-H", "tcp://" + addr, "--tls", "ps"},
		"with a foreign one":       append(append([]string{"-H", "tcp://" + addr}, tlsFlags(stranger)...), "ps"),
		"trusting another CA":      {"-H", "tcp://" + addr, "--tlsverify", "--tlscacert", stranger + "/ca.pem", "--tlscert", mine + "/cert.pem", "--tlskey", mine + "/key.pem", "ps"},
		"with a file that is gone": {"-H", "tcp://" + addr, "--tlsverify", "--tlscacert", r.dir + "/none.pem", "ps"},
	} {
		if out, code, msg := r.try(args...); code == 0 || msg == "" {
			t.Errorf("%s: exit code %d: %s%s", name, code, out, msg)
		}
	}

	serial := func() *big.Int {
		t.Helper()
		pair, err := tls.LoadX509KeyPair(mine+"/cert.pem", mine+"/key.pem")
		if err != nil {
			t.Fatal(err)
		}
		conn, err := tls.Dial("tcp", addr, &tls.Config{InsecureSkipVerify: true, Certificates: []tls.Certificate{pair}})
		if err != nil {
			t.Fatal(err)
		}
		defer conn.Close()
		return conn.ConnectionState().PeerCertificates[0].SerialNumber
	}
	if got := serial(); got.Cmp(first) != 0 {
		t.Errorf("the server shows certificate %v, want %v", got, first)
	}
	second := ca.issue(server)
	serve.Process.Signal(syscall.SIGHUP)
	r.until("the new certificate is shown", func() bool { return serial().Cmp(second) == 0 })
	if err := os.WriteFile(server+"/cert.pem", []byte("no certificate"), 0o600); err != nil {
		t.Fatal(err)
	}
	serve.Process.Signal(syscall.SIGHUP)
	r.until("the engine says what is wrong", func() bool { return strings.Contains(log.String(), "they stay as they were") })
	if got := serial(); got.Cmp(second) != 0 {
		t.Errorf("a certificate that cannot be read replaced the one in use by %v", got)
	}
	serve.Process.Signal(syscall.SIGTERM)
	if err := serve.Wait(); err != nil {
		t.Errorf("SIGTERM: %v: %s", err, log.String())
	}
}

// TestServeUnderAServiceManager plays systemd: it passes a socket on, hears
// that the engine is ready, reloads and stops, and keeps the socket's file.
func TestServeUnderAServiceManager(t *testing.T) {
	r := newRig(t)
	if err := os.MkdirAll(r.conf.State, 0o711); err != nil {
		t.Fatal(err)
	}
	l, err := net.ListenUnix("unix", &net.UnixAddr{Name: r.conf.SocketPath(), Net: "unix"})
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	socket, err := l.File()
	if err != nil {
		t.Fatal(err)
	}
	defer socket.Close()
	notify := filepath.Join(r.dir, "notify")
	manager, err := net.ListenUnixgram("unixgram", &net.UnixAddr{Name: notify, Net: "unixgram"})
	if err != nil {
		t.Fatal(err)
	}
	defer manager.Close()
	hears := func(want string) {
		t.Helper()
		if err := manager.SetReadDeadline(time.Now().Add(20 * time.Second)); err != nil {
			t.Fatal(err)
		}
		b := make([]byte, 4096)
		n, err := manager.Read(b)
		if err != nil || !strings.HasPrefix(string(b[:n]), want) {
			t.Fatalf("the service manager hears %q, want %q: %v", b[:n], want, err)
		}
	}
	// LISTEN_PID is the process that the sockets are for: a shell knows it before berth runs.
	serve := r.command()
	serve.Path = "/bin/sh"
	serve.Args = []string{"sh", "-c", `LISTEN_PID=$$ exec "$@"`, "sh", "berth", "serve", "-H", "fd://"}
	serve.Env = append(serve.Env, "LISTEN_FDS=1", "LISTEN_FDNAMES=berth.socket", "NOTIFY_SOCKET="+notify)
	serve.ExtraFiles = []*os.File{socket}
	var log syncBuffer
	serve.Stderr = &log
	if err := serve.Start(); err != nil {
		t.Fatal(err)
	}
	hears("READY=1")
	if out := r.berth("version"); !strings.Contains(out, "Server") {
		t.Errorf("nobody answers on the socket that was passed on: %s", out)
	}
	serve.Process.Signal(syscall.SIGHUP)
	hears("RELOADING=1\nMONOTONIC_USEC=")
	hears("READY=1")
	serve.Process.Signal(syscall.SIGTERM)
	hears("STOPPING=1")
	if err := serve.Wait(); err != nil {
		t.Errorf("SIGTERM: %v: %s", err, log.String())
	}
	if _, err := os.Stat(r.conf.SocketPath()); err != nil {
		t.Errorf("the engine took the service manager's socket along: %v", err)
	}
	// Without a socket passed on, fd:// cannot be meant.
	if _, code, msg := r.try("serve", "-H", "fd://"); code == 0 || !strings.Contains(msg, "start berth.socket") {
		t.Errorf("fd:// with nothing passed on: %d: %s", code, msg)
	}
}
