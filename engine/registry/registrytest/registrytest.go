// Package registrytest runs Debian's docker-registry for tests and
// measurements: a registry that is none of ours, on a port of loopback, that
// keeps everything below one directory.
package registrytest

import (
	"errors"
	"fmt"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"time"
)

// ErrNotInstalled says that this machine has no docker-registry.
var ErrNotInstalled = errors.New("docker-registry is not installed (Debian: apt-get install docker-registry)")

// The user of a registry with passwords.
const (
	User     = "ann"
	Password = "secret"
	// bcrypt is the one form of passwords that docker-registry takes.
	htpasswd = User + ":$2b$05$9th7RLWqO.Yej70iKKLdH.bk/SvUqt8u/otIvN0HjC5aDuvFnXT9K\n"
)

// Options tune a registry.
type Options struct {
	Dir       string // where it keeps everything, must exist
	Passwords bool   // let only User in
	CertFile  string // with KeyFile: TLS
	KeyFile   string
}

// Server is a running registry.
type Server struct {
	Addr  string // 127.0.0.1:PORT
	cmd   *exec.Cmd
	ended chan struct{}
}

// Start runs a registry and waits until it listens. It must be stopped.
func Start(o Options) (*Server, error) {
	program, err := exec.LookPath("docker-registry")
	if err != nil {
		return nil, ErrNotInstalled
	}
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return nil, err
	}
	s := &Server{Addr: l.Addr().String(), ended: make(chan struct{})}
	if err := l.Close(); err != nil {
		return nil, err
	}
	config, err := s.config(o)
	if err != nil {
		return nil, err
	}
	s.cmd = exec.Command(program, "serve", config)
	log, err := os.Create(filepath.Join(o.Dir, "log"))
	if err != nil {
		return nil, err
	}
	defer log.Close()
	s.cmd.Stdout, s.cmd.Stderr = log, log
	if err := s.cmd.Start(); err != nil {
		return nil, err
	}
	go func() {
		s.cmd.Wait() // it is killed at the end, which is no news
		close(s.ended)
	}()
	for end := time.Now().Add(30 * time.Second); ; time.Sleep(5 * time.Millisecond) {
		if c, err := net.Dial("tcp", s.Addr); err == nil {
			return s, c.Close()
		}
		select {
		case <-s.ended:
			text, _ := os.ReadFile(log.Name())
			return nil, fmt.Errorf("docker-registry ended: %s", text)
		default:
		}
		if time.Now().After(end) {
			s.Stop()
			return nil, fmt.Errorf("docker-registry does not listen on %s", s.Addr)
		}
	}
}

// config writes the registry's configuration.
func (s *Server) config(o Options) (path string, err error) {
	text := fmt.Sprintf("version: 0.1\nlog: {level: error, accesslog: {disabled: true}}\nstorage: {filesystem: {rootdirectory: %q}, delete: {enabled: true}}\nhttp:\n  addr: %q\n",
		filepath.Join(o.Dir, "data"), s.Addr)
	if o.CertFile != "" {
		text += fmt.Sprintf("  tls: {certificate: %q, key: %q}\n", o.CertFile, o.KeyFile)
	}
	if o.Passwords {
		users := filepath.Join(o.Dir, "htpasswd")
		if err := os.WriteFile(users, []byte(htpasswd), 0o600); err != nil {
			return "", err
		}
		text += fmt.Sprintf("auth: {htpasswd: {realm: test, path: %q}}\n", users)
	}
	path = filepath.Join(o.Dir, "config.yml")
	return path, os.WriteFile(path, []byte(text), 0o600)
}

// Stop ends the registry.
func (s *Server) Stop() {
	s.cmd.Process.Kill()
	<-s.ended
}
