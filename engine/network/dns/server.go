package dns

import (
	"context"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net"
	"net/netip"
	"sync"
	"time"

	"golang.org/x/sys/unix"
)

// View is what one container may know. Its methods are called for each
// question, from several goroutines.
type View interface {
	// Addresses returns the addresses of a neighbour by one of its names, in
	// lower case and without a final dot; false if nobody is called so.
	Addresses(name string) ([]netip.Addr, bool)
	// Name returns the name of the neighbour with this address, "" if it has
	// none; false if the address is in none of the container's subnets.
	Name(addr netip.Addr) (string, bool)
	// Forwarders are asked for what is not a neighbour's, in this order. Without
	// any, such questions are answered SERVFAIL.
	Forwarders() []Forwarder
}

// Forwarder is a server that knows more.
type Forwarder struct {
	Addr netip.AddrPort
	// Dial opens a connection from where the server is reached; network is "udp" or "tcp".
	Dial func(ctx context.Context, network string, to netip.AddrPort) (net.Conn, error)
}

// Limits of one container's server.
const (
	maxUDP     = 65535            // bytes of a message (RFC 1035, 4.2.2 for TCP)
	maxForward = 128              // questions on their way to forwarders; more are answered SERVFAIL
	maxConns   = 64               // TCP connections; more wait
	idleTCP    = 10 * time.Second // RFC 7766, 6.2.3: a few seconds

	acceptPause = 50 * time.Millisecond // while the engine has no descriptors left
)

// Server answers one container.
type Server struct {
	view View
	log  *slog.Logger

	forwards chan struct{} // a slot for each question on its way
	conns    chan struct{} // a slot for each TCP connection
}

// NewServer returns a server that answers from view.
func NewServer(view View, log *slog.Logger) *Server {
	return &Server{view: view, log: log, forwards: make(chan struct{}, maxForward), conns: make(chan struct{}, maxConns)}
}

// Serve answers on both sockets until ctx ends, closes them and returns nil; or
// returns why it cannot go on.
func (s *Server) Serve(ctx context.Context, udp *net.UDPConn, tcp *net.TCPListener) error {
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	stop := context.AfterFunc(ctx, func() { udp.Close(); tcp.Close() })
	defer stop()
	var work sync.WaitGroup
	defer work.Wait()
	failed := make(chan error, 2)
	work.Go(func() { failed <- s.serveUDP(ctx, udp, &work) })
	work.Go(func() { failed <- s.serveTCP(ctx, tcp, &work) })
	err := <-failed
	if ctx.Err() != nil {
		err = nil
	}
	cancel()
	udp.Close()
	tcp.Close()
	return err
}

// serveUDP answers what is known here in its own loop, since that takes a few
// microseconds, and lets goroutines wait for forwarders.
func (s *Server) serveUDP(ctx context.Context, conn *net.UDPConn, work *sync.WaitGroup) error {
	in, out := make([]byte, maxUDP), make([]byte, 0, maxUDP)
	for {
		n, from, err := conn.ReadFromUDPAddrPort(in)
		if err != nil {
			if transient(err) {
				continue
			}
			return fmt.Errorf("read a question: %w", err)
		}
		reply, forward := s.answer(in[:n], out[:0], true)
		if !forward {
			s.sendUDP(conn, reply, from)
			continue
		}
		query := append([]byte(nil), in[:n]...)
		select {
		case s.forwards <- struct{}{}:
			work.Go(func() {
				defer func() { <-s.forwards }()
				s.sendUDP(conn, s.forward(ctx, query, "udp"), from)
			})
		default: // a container that floods gets an error, and the host no load
			s.sendUDP(conn, failure(query, out[:0]), from)
		}
	}
}

func (s *Server) sendUDP(conn *net.UDPConn, reply []byte, to netip.AddrPort) {
	if len(reply) == 0 {
		return
	}
	if _, err := conn.WriteToUDPAddrPort(reply, to); err != nil && !errors.Is(err, net.ErrClosed) {
		s.log.Debug("an answer could not be sent", "to", to, "error", err)
	}
}

// transient tells an error that concerns one datagram, as the ICMP answer to one
// that was sent before does, from one of the socket.
func transient(err error) bool {
	for _, one := range []error{unix.ECONNREFUSED, unix.EHOSTUNREACH, unix.ENETUNREACH, unix.EMSGSIZE, unix.ENOBUFS, unix.ENOMEM} {
		if errors.Is(err, one) {
			return true
		}
	}
	return false
}

// exhausted tells that something is used up that may be free again in a moment.
func exhausted(err error) bool {
	for _, one := range []error{unix.EMFILE, unix.ENFILE, unix.ENOBUFS, unix.ENOMEM} {
		if errors.Is(err, one) {
			return true
		}
	}
	return false
}

func (s *Server) serveTCP(ctx context.Context, l *net.TCPListener, work *sync.WaitGroup) error {
	for {
		select {
		case s.conns <- struct{}{}:
		case <-ctx.Done():
			return ctx.Err()
		}
		conn, err := l.Accept()
		if exhausted(err) {
			// Of the engine's descriptors, not of this container's: it waits, and goes on.
			s.log.Debug("a connection to the name server waits", "error", err)
			<-s.conns
			select {
			case <-time.After(acceptPause):
			case <-ctx.Done():
			}
			continue
		}
		if err != nil {
			return fmt.Errorf("accept a connection: %w", err)
		}
		work.Go(func() {
			defer func() { <-s.conns }()
			defer conn.Close()
			defer context.AfterFunc(ctx, func() { conn.Close() })()
			if err := s.serveConn(ctx, conn); err != nil && ctx.Err() == nil {
				s.log.Debug("a connection to the name server ended", "error", err)
			}
		})
	}
}

// serveConn answers one question after the other.
func (s *Server) serveConn(ctx context.Context, conn net.Conn) error {
	var out []byte
	for {
		if err := conn.SetDeadline(time.Now().Add(idleTCP)); err != nil {
			return err
		}
		query, err := readTCP(conn)
		if err != nil {
			if errors.Is(err, io.EOF) {
				return nil
			}
			return err
		}
		reply, forward := s.answer(query, out[:0], false)
		if forward {
			reply = s.forward(ctx, query, "tcp")
		}
		if len(reply) == 0 { // not a question
			return nil
		}
		if err := conn.SetDeadline(time.Now().Add(idleTCP)); err != nil {
			return err
		}
		if err := writeTCP(conn, reply); err != nil {
			return err
		}
		out = reply
	}
}

// readTCP reads one message with its length before it (RFC 1035, 4.2.2).
func readTCP(r io.Reader) ([]byte, error) {
	var size [2]byte
	if _, err := io.ReadFull(r, size[:]); err != nil {
		return nil, err
	}
	msg := make([]byte, binary.BigEndian.Uint16(size[:]))
	if _, err := io.ReadFull(r, msg); err != nil {
		return nil, err
	}
	return msg, nil
}

func writeTCP(w io.Writer, msg []byte) error {
	if len(msg) > maxUDP {
		return fmt.Errorf("message of %d bytes is longer than %d", len(msg), maxUDP)
	}
	framed := binary.BigEndian.AppendUint16(make([]byte, 0, 2+len(msg)), uint16(len(msg)))
	_, err := w.Write(append(framed, msg...))
	return err
}
