package dns

import (
	"context"
	"errors"
	"fmt"
	"time"

	"golang.org/x/net/dns/dnsmessage"
)

// patience is how long one forwarder may take; a resolver gives up after five
// seconds (resolv.conf(5)), so that there is time for a second one.
const patience = 2 * time.Second

// forward returns what the first forwarder says that answers, or SERVFAIL. A
// forwarder that fails itself (SERVFAIL, REFUSED) has not answered while there
// is another one.
func (s *Server) forward(ctx context.Context, query []byte, network string) []byte {
	var last []byte
	for _, to := range s.view.Forwarders() {
		reply, err := exchange(ctx, query, network, to)
		if err != nil {
			s.log.Debug("a forwarder did not answer", "forwarder", to.Addr, "error", err)
			continue
		}
		if code := dnsmessage.RCode(reply[3] & 0xf); code != dnsmessage.RCodeServerFailure && code != dnsmessage.RCodeRefused {
			return reply
		}
		last = reply
	}
	if last != nil {
		return last
	}
	return failure(query, nil)
}

// exchange sends query to one forwarder from a port of its own, which nobody
// can guess, and waits for the answer.
func exchange(ctx context.Context, query []byte, network string, to Forwarder) ([]byte, error) {
	ctx, cancel := context.WithTimeout(ctx, patience)
	defer cancel()
	conn, err := to.Dial(ctx, network, to.Addr)
	if err != nil {
		return nil, err
	}
	defer conn.Close()
	defer context.AfterFunc(ctx, func() { conn.SetDeadline(time.Now()) })()
	if network == "tcp" {
		if err := writeTCP(conn, query); err != nil {
			return nil, err
		}
		reply, err := readTCP(conn)
		if err == nil && !sameQuestion(query, reply) {
			err = errors.New("the answer is to another question")
		}
		return reply, err
	}
	if _, err := conn.Write(query); err != nil {
		return nil, err
	}
	buf := make([]byte, maxUDP)
	for {
		n, err := conn.Read(buf)
		if err != nil {
			return nil, fmt.Errorf("wait for an answer: %w", err)
		}
		if sameQuestion(query, buf[:n]) { // else a forgery, or late
			return buf[:n:n], nil
		}
	}
}
