package api

import (
	"bufio"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"sync"
	"time"

	"github.com/moby/moby/api/pkg/stdcopy"
	"github.com/moby/moby/api/types"
	"golang.org/x/sys/unix"
)

// stream is a connection taken from the HTTP server: its descriptor and the bytes that were read from it already.
//
// The engine passes the descriptor on to the shim, so that the stream outlives the engine. What has no descriptor
// (TLS) is copied to and from one end of a socket pair by this process, and lives as long as the engine does.
type stream struct {
	file    *os.File
	pending []byte
	conn    net.Conn
	mux     bool // output has docker's frames
}

// Close gives up this process's hold on the stream. Whoever received the descriptor keeps the stream open.
func (s *stream) Close() error { return errors.Join(s.file.Close(), s.conn.Close()) }

// end closes a stream, with err said on it if it was served badly, and passes err on. A nil
// stream is one that was never had: err has to be told as an answer.
func (s *stream) end(err error) error {
	if s == nil {
		return err
	}
	defer s.Close()
	if err != nil {
		s.fail(err)
	}
	return err
}

// fail says err in place of the stream that could not be had, on standard output as docker does; the status line is
// gone by then. What the client still sends is read for a while: a socket closed over unread bytes is reset, and the
// client would show that instead of err. A client that has left hears nothing, which changes nothing.
func (s *stream) fail(err error) {
	text := []byte(messageOf(err) + "\r\n")
	if s.mux {
		text = append(frameHeader(stdcopy.Stdout, len(text)), text...)
	}
	_, _ = s.file.Write(text)
	raw, err := s.file.SyscallConn()
	if err != nil || raw.Control(func(fd uintptr) { unix.Shutdown(int(fd), unix.SHUT_WR) }) != nil {
		return
	}
	if s.file.SetReadDeadline(time.Now().Add(lingerTime)) == nil {
		_, _ = io.Copy(io.Discard, s.file)
	}
}

// lingerTime bounds how long a failed stream is read on.
const lingerTime = 2 * time.Second

// hijack takes the connection of r and answers that a raw stream follows: 101 to a client that asked to upgrade, else
// 200. With tty, or before API 1.42, the type is raw-stream, else multiplexed-stream.
func hijack(w http.ResponseWriter, r *http.Request, tty bool) (*stream, error) {
	conn, buffered, err := http.NewResponseController(w).Hijack()
	if err != nil {
		return nil, fmt.Errorf("taking the connection for a stream: %w", err)
	}
	s, err := takeover(conn, buffered.Reader)
	if err != nil {
		conn.Close()
		return nil, err
	}
	s.mux = !tty
	if err := writeStreamHeader(conn, w.Header(), r, tty); err != nil {
		s.Close()
		return nil, fmt.Errorf("answering the upgrade to a stream: %w", err)
	}
	return s, nil
}

// settleTime bounds how long a client may take to read the answer before its stream begins.
const settleTime = 100 * time.Millisecond

// settle waits until the client has read the answer, where the kernel tells: on a unix socket. Clients that read the
// answer through a buffer and the stream beside it, as python's do, lose what of the stream was in one read with the
// answer; what is there to be sent at once, which is the past of a container, therefore waits for that.
func (s *stream) settle() {
	if _, local := s.conn.(*net.UnixConn); !local {
		return
	}
	raw, err := s.file.SyscallConn()
	if err != nil {
		return
	}
	for end := time.Now().Add(settleTime); time.Now().Before(end); time.Sleep(50 * time.Microsecond) {
		unread := 0
		if cerr := raw.Control(func(fd uintptr) { unread, err = unix.IoctlGetInt(int(fd), unix.SIOCOUTQ) }); cerr != nil || err != nil || unread == 0 {
			return
		}
	}
}

// writeStreamHeader writes the status line and headers that precede a stream.
func writeStreamHeader(conn io.Writer, header http.Header, r *http.Request, tty bool) error {
	media := types.MediaTypeRawStream
	if !tty && !versionOf(r).before(42) {
		media = types.MediaTypeMultiplexedStream
	}
	status := "HTTP/1.1 200 OK\r\nContent-Type: " + types.MediaTypeRawStream + "\r\n"
	if r.Header.Get("Upgrade") != "" {
		// The media type is told from the upgrade on; clients that do not ask for it expect the old one.
		status = "HTTP/1.1 101 UPGRADED\r\nContent-Type: " + media + "\r\nConnection: Upgrade\r\nUpgrade: tcp\r\n"
	}
	out := bufio.NewWriter(conn)
	io.WriteString(out, status)
	if err := header.WriteSubset(out, map[string]bool{"Content-Type": true, "Connection": true, "Upgrade": true}); err != nil {
		return err
	}
	io.WriteString(out, "\r\n")
	return out.Flush()
}

// takeover turns conn, of which in has read ahead, into a stream.
func takeover(conn net.Conn, in *bufio.Reader) (*stream, error) {
	// The server's deadlines must not follow the connection out of HTTP.
	if err := conn.SetDeadline(time.Time{}); err != nil {
		return nil, fmt.Errorf("clearing the deadline of a stream: %w", err)
	}
	pending := make([]byte, in.Buffered())
	if _, err := io.ReadFull(in, pending); err != nil {
		return nil, fmt.Errorf("reading what the client sent ahead: %w", err)
	}
	filer, ok := conn.(interface{ File() (*os.File, error) })
	if !ok {
		s, _, err := relay(conn, pending)
		return s, err
	}
	file, err := filer.File()
	if err != nil {
		return nil, fmt.Errorf("taking the descriptor of a connection: %w", err)
	}
	return &stream{file: file, pending: pending, conn: conn}, nil
}

// relay gives a connection without a descriptor one, by copying. It ends, and closes ended, when both directions have
// ended.
func relay(conn net.Conn, pending []byte) (_ *stream, ended <-chan struct{}, _ error) {
	fds, err := unix.Socketpair(unix.AF_UNIX, unix.SOCK_STREAM|unix.SOCK_CLOEXEC|unix.SOCK_NONBLOCK, 0)
	if err != nil {
		return nil, nil, fmt.Errorf("making a socket pair for a stream: %w", err)
	}
	theirs := os.NewFile(uintptr(fds[0]), "stream")
	end := os.NewFile(uintptr(fds[1]), "relay")
	ours, err := net.FileConn(end)
	end.Close()
	if err != nil {
		theirs.Close()
		return nil, nil, fmt.Errorf("making a socket pair for a stream: %w", err)
	}
	var both sync.WaitGroup
	both.Add(2)
	go func() { defer both.Done(); forward(ours, conn) }()
	go func() { defer both.Done(); forward(conn, ours) }()
	over := make(chan struct{})
	go func() { defer close(over); both.Wait(); conn.Close(); ours.Close() }()
	return &stream{file: theirs, pending: pending, conn: nopCloser{conn}}, over, nil
}

// nopCloser leaves closing to relay.
type nopCloser struct{ net.Conn }

func (nopCloser) Close() error { return nil }

// forward copies from to to until the end, and passes the end on as a half-close where both know one. A websocket does
// not: who has ended it reads nothing more.
func forward(to, from net.Conn) {
	type halfCloser interface{ CloseWrite() error }
	_, err := io.Copy(to, from)
	_, halves := from.(halfCloser)
	if half, ok := to.(halfCloser); ok && halves && err == nil && half.CloseWrite() == nil {
		return
	}
	// No half-close, or a broken peer: nothing more can come or go.
	to.Close()
	from.Close()
}
