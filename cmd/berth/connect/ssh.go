package connect

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"net/url"
	"os"
	"os/exec"
	"strings"
	"sync"
	"syscall"

	"golang.org/x/sys/unix"
)

// maxSaid bounds what is kept of ssh's own messages, in bytes.
const maxSaid = 4 << 10

// sshDialer is the way to the engine of another machine: ssh runs
// `berth system dial-stdio` there, or docker's, for every connection. A path
// (ssh://host/run/x.sock) names the socket there.
func sshDialer(host string) (dialFunc, string, error) {
	u, err := url.Parse(host)
	if err != nil || u.Hostname() == "" || u.RawQuery != "" || u.Fragment != "" {
		return nil, "", fmt.Errorf("using engine %s: must be ssh://[USER@]HOST[:PORT][/SOCKET]", host)
	}
	if _, ok := u.User.Password(); ok {
		return nil, "", fmt.Errorf("using engine ssh://%s: ssh takes no password from here: use a key, or ssh's own configuration", u.Host)
	}
	args := []string{"-T", "-o", "ConnectTimeout=30"}
	if name := u.User.Username(); name != "" {
		args = append(args, "-l", name)
	}
	if u.Port() != "" {
		args = append(args, "-p", u.Port())
	}
	// What follows -- is no option, whatever a host's name begins with.
	args = append(args, "--", u.Hostname(), farSide(u.Path))
	dial := func(context.Context) (net.Conn, error) { return startSSH(exec.Command("ssh", args...), host) }
	return dial, "http://" + u.Hostname(), nil
}

// farSide is the command for the other machine's shell, whichever that is.
func farSide(socket string) string {
	verb := "system dial-stdio"
	if strings.Trim(socket, "/") != "" {
		verb = "-H 'unix://" + strings.ReplaceAll(socket, "'", `'\''`) + "' " + verb
	}
	script := "if command -v berth >/dev/null; then exec berth " + verb + "; else exec docker " + verb + "; fi"
	return "sh -c '" + strings.ReplaceAll(script, "'", `'\''`) + "'"
}

// sshConn is a connection whose other end is the standard input and output of
// an ssh process. Reading after that process failed tells what it said.
type sshConn struct {
	*net.UnixConn
	cmd  *exec.Cmd
	host string

	said  *limited
	once  sync.Once
	ended error
}

// startSSH runs cmd at the other end of a socket pair: unlike pipes, that is a
// connection, with deadlines and an end for each direction.
func startSSH(cmd *exec.Cmd, host string) (net.Conn, error) {
	fds, err := unix.Socketpair(unix.AF_UNIX, unix.SOCK_STREAM|unix.SOCK_CLOEXEC, 0)
	if err != nil {
		return nil, fmt.Errorf("making a socket pair for ssh: %w", err)
	}
	theirs, ours := os.NewFile(uintptr(fds[0]), "ssh"), os.NewFile(uintptr(fds[1]), "berth")
	defer theirs.Close()
	defer ours.Close()
	conn, err := net.FileConn(ours)
	if err != nil {
		return nil, fmt.Errorf("making a socket pair for ssh: %w", err)
	}
	c := &sshConn{UnixConn: conn.(*net.UnixConn), cmd: cmd, host: host, said: &limited{}}
	cmd.Stdin, cmd.Stdout, cmd.Stderr = theirs, theirs, c.said
	// Ctrl-C at the terminal is for the verb, which ends ssh when it has ended.
	cmd.SysProcAttr = &syscall.SysProcAttr{Setpgid: true}
	if err := cmd.Start(); err != nil {
		conn.Close()
		return nil, fmt.Errorf("connecting to %s: %w", host, err)
	}
	return c, nil
}

// Read is that of the connection; its end is an error if ssh ended with one. An
// ssh that left a request unread ends the connection with a reset.
func (c *sshConn) Read(b []byte) (int, error) {
	n, err := c.UnixConn.Read(b)
	if n == 0 && (errors.Is(err, io.EOF) || errors.Is(err, syscall.ECONNRESET)) {
		if e := c.wait(); e != nil {
			return 0, e
		}
	}
	return n, err
}

// Close ends ssh.
func (c *sshConn) Close() error {
	err := c.UnixConn.Close()
	c.cmd.Process.Kill() // it may have ended already
	c.wait()
	return err
}

// wait reaps ssh and returns why it failed, if it did.
func (c *sshConn) wait() error {
	c.once.Do(func() {
		if err := c.cmd.Wait(); err != nil {
			c.ended = fmt.Errorf("connecting to %s: ssh: %w: %s", c.host, err, c.said.text())
		}
	})
	return c.ended
}

// limited keeps the beginning of what is written to it.
type limited struct {
	mu sync.Mutex
	b  bytes.Buffer
}

func (l *limited) Write(b []byte) (int, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.b.Write(b[:min(len(b), maxSaid-l.b.Len())])
	return len(b), nil
}

func (l *limited) text() string {
	l.mu.Lock()
	defer l.mu.Unlock()
	return string(bytes.TrimSpace(l.b.Bytes()))
}
