package dns

import (
	"context"
	"io"
	"log/slog"
	"net"
	"net/netip"
	"sync"
	"testing"
	"time"

	"golang.org/x/net/dns/dnsmessage"
	"golang.org/x/sys/unix"
)

// start has a server answer on loopback until the test ends, and returns its address.
func start(t testing.TB, s *Server) string {
	t.Helper()
	// TCP first: of its ports connections take many, of UDP's hardly any is in use.
	tcp, err := net.ListenTCP("tcp4", &net.TCPAddr{IP: net.IPv4(127, 0, 0, 1)})
	if err != nil {
		t.Fatal(err)
	}
	udp, err := net.ListenUDP("udp4", &net.UDPAddr{IP: net.IPv4(127, 0, 0, 1), Port: tcp.Addr().(*net.TCPAddr).Port})
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(t.Context())
	done := make(chan error, 1)
	go func() { done <- s.Serve(ctx, udp, tcp) }()
	t.Cleanup(func() {
		cancel()
		if err := <-done; err != nil {
			t.Errorf("Serve: %v", err)
		}
	})
	return udp.LocalAddr().String()
}

func quiet(v View) *Server { return NewServer(v, slog.New(slog.DiscardHandler)) }

func question(t *testing.T, name string) []byte {
	t.Helper()
	m := dnsmessage.Message{Header: dnsmessage.Header{ID: 77},
		Questions: []dnsmessage.Question{{Name: dnsmessage.MustNewName(name), Type: dnsmessage.TypeA, Class: dnsmessage.ClassINET}}}
	b, err := m.Pack()
	if err != nil {
		t.Fatal(err)
	}
	return b
}

func dial(t *testing.T, network, addr string) net.Conn {
	t.Helper()
	c, err := net.Dial(network, addr)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { c.Close() })
	c.SetDeadline(time.Now().Add(20 * time.Second))
	return c
}

// until waits for a condition.
func until(t *testing.T, what string, is func() bool) {
	t.Helper()
	for end := time.Now().Add(20 * time.Second); !is(); time.Sleep(time.Millisecond) {
		if time.Now().After(end) {
			t.Fatalf("%s: not in 20 s", what)
		}
	}
}

// A container that asks more than forwarders answer is refused at once, is still
// told about its neighbours, and does not keep the server from ending.
func TestFloodOfForwardedQuestions(t *testing.T) {
	silent, err := net.ListenUDP("udp4", &net.UDPAddr{IP: net.IPv4(127, 0, 0, 1)})
	if err != nil {
		t.Fatal(err)
	}
	defer silent.Close()
	v := newView()
	v.forwarders = []netip.AddrPort{silent.LocalAddr().(*net.UDPAddr).AddrPort()}
	s := quiet(v)
	// All slots but one are taken; the last one is by a question that nobody answers.
	for range maxForward - 1 {
		s.forwards <- struct{}{}
	}
	server := start(t, s)
	c := dial(t, "udp", server)
	if _, err := c.Write(question(t, "example.com.")); err != nil {
		t.Fatal(err)
	}
	until(t, "every slot is taken", func() bool { return len(s.forwards) == maxForward })
	if m := ask(t, "udp", server, "example.org.", dnsmessage.TypeA); m.RCode != dnsmessage.RCodeServerFailure || len(m.Questions) != 1 {
		t.Errorf("a question too many: %+v", m)
	}
	if m := ask(t, "udp", server, "db.", dnsmessage.TypeA); len(m.Answers) != 1 {
		t.Errorf("a neighbour while forwarders are busy: %+v", m)
	}
}

// Who opens connections and says nothing, or half of it, keeps only itself waiting.
func TestSlowClients(t *testing.T) {
	s := quiet(newView())
	server := start(t, s)
	var slow []net.Conn
	for range maxConns {
		c := dial(t, "tcp", server)
		if _, err := c.Write([]byte{0}); err != nil { // half of a length
			t.Fatal(err)
		}
		slow = append(slow, c)
	}
	until(t, "every connection is taken", func() bool { return len(s.conns) == maxConns })
	if m := ask(t, "udp", server, "db.", dnsmessage.TypeA); len(m.Answers) != 1 {
		t.Errorf("over UDP meanwhile: %+v", m)
	}
	var work sync.WaitGroup
	work.Go(func() {
		if m := ask(t, "tcp", server, "db.", dnsmessage.TypeA); len(m.Answers) != 1 {
			t.Errorf("the connection that waited: %+v", m)
		}
	})
	slow[0].Close()
	work.Wait()
}

// Messages that end early or are none end the connection, without an answer.
func TestCutMessagesOverTCP(t *testing.T) {
	server := start(t, quiet(newView()))
	q := question(t, "db.")
	for name, sent := range map[string]string{
		"half a length":   "\x00",
		"a cut message":   "\x00\xff" + string(q),
		"an empty one":    "\x00\x00",
		"no question":     "\x00\x04abcd",
		"a whole one and": "\x00" + string(rune(len(q))) + string(q) + "\x00",
	} {
		c := dial(t, "tcp", server).(*net.TCPConn)
		if _, err := io.WriteString(c, sent); err != nil {
			t.Fatal(err)
		}
		if err := c.CloseWrite(); err != nil {
			t.Fatal(err)
		}
		got, err := io.ReadAll(c)
		if want := name == "a whole one and"; err != nil || (len(got) > 0) != want {
			t.Errorf("%s: %d bytes of answer, %v", name, len(got), err)
		}
	}
}

// Several questions on one connection are answered in their order.
func TestSeveralQuestionsOnAConnection(t *testing.T) {
	c := dial(t, "tcp", start(t, quiet(newView())))
	for _, name := range []string{"db.", "web.", "db."} {
		if err := writeTCP(c, question(t, name)); err != nil {
			t.Fatal(err)
		}
	}
	for _, want := range []int{1, 3, 1} {
		reply, err := readTCP(c)
		var m dnsmessage.Message
		if err == nil {
			err = m.Unpack(reply)
		}
		if err != nil || len(m.Answers) != want {
			t.Errorf("%d answers, %v, want %d", len(m.Answers), err, want)
		}
	}
}

// tells is a log handler that says that something was logged.
type tells struct {
	slog.Handler
	said chan struct{}
}

func (h tells) Enabled(context.Context, slog.Level) bool { return true }
func (h tells) Handle(context.Context, slog.Record) error {
	select {
	case h.said <- struct{}{}:
	default:
	}
	return nil
}

// A moment without descriptors does not end the server.
func TestOutOfDescriptors(t *testing.T) {
	h := tells{slog.DiscardHandler, make(chan struct{}, 1)}
	server := start(t, NewServer(newView(), slog.New(h)))
	fd, err := unix.Socket(unix.AF_INET, unix.SOCK_STREAM|unix.SOCK_CLOEXEC, 0)
	if err != nil {
		t.Fatal(err)
	}
	defer unix.Close(fd)
	var was unix.Rlimit
	if err := unix.Getrlimit(unix.RLIMIT_NOFILE, &was); err != nil {
		t.Fatal(err)
	}
	none := unix.Rlimit{Cur: 0, Max: was.Max}
	if err := unix.Setrlimit(unix.RLIMIT_NOFILE, &none); err != nil {
		t.Fatal(err)
	}
	to := netip.MustParseAddrPort(server)
	err = unix.Connect(fd, &unix.SockaddrInet4{Addr: to.Addr().As4(), Port: int(to.Port())})
	if err == nil {
		<-h.said
	}
	if rerr := unix.Setrlimit(unix.RLIMIT_NOFILE, &was); err != nil || rerr != nil {
		t.Fatal(err, rerr)
	}
	if m := ask(t, "tcp", server, "db.", dnsmessage.TypeA); len(m.Answers) != 1 {
		t.Errorf("afterwards: %+v", m)
	}
}

// An answer to another question over TCP is as none; the next forwarder is asked.
func TestForwarderThatAnswersSomethingElse(t *testing.T) {
	wrong, _ := upstream(t, func(m *dnsmessage.Message, _ bool) { m.Questions[0].Name = dnsmessage.MustNewName("evil.example.") })
	good, _ := upstream(t, func(m *dnsmessage.Message, _ bool) { m.Authoritative = true })
	v := newView()
	v.forwarders = []netip.AddrPort{wrong, good}
	if m := ask(t, "tcp", start(t, quiet(v)), "example.com.", dnsmessage.TypeA); !m.Authoritative || m.RCode != dnsmessage.RCodeSuccess {
		t.Errorf("the answer is not the second forwarder's: %+v", m)
	}
}

func TestSameQuestion(t *testing.T) {
	pack := func(change func(*dnsmessage.Message)) []byte {
		m := dnsmessage.Message{Header: dnsmessage.Header{ID: 77, Response: true},
			Questions: []dnsmessage.Question{{Name: dnsmessage.MustNewName("Db."), Type: dnsmessage.TypeA, Class: dnsmessage.ClassINET}}}
		change(&m)
		b, err := m.Pack()
		if err != nil {
			t.Fatal(err)
		}
		return b
	}
	for name, c := range map[string]struct {
		change func(*dnsmessage.Message)
		want   bool
	}{
		"the answer":         {func(m *dnsmessage.Message) {}, true},
		"an error without":   {func(m *dnsmessage.Message) { m.Questions = nil }, true},
		"another number":     {func(m *dnsmessage.Message) { m.ID = 78 }, false},
		"a question":         {func(m *dnsmessage.Message) { m.Response = false }, false},
		"of another type":    {func(m *dnsmessage.Message) { m.Questions[0].Type = dnsmessage.TypeAAAA }, false},
		"of another name":    {func(m *dnsmessage.Message) { m.Questions[0].Name = dnsmessage.MustNewName("dc.") }, false},
		"a cut question":     {nil, false},
		"less than a header": {nil, false},
	} {
		reply := pack(func(*dnsmessage.Message) {})
		switch {
		case c.change != nil:
			reply = pack(c.change)
		case name == "a cut question":
			reply = reply[:14]
		default:
			reply = reply[:11]
		}
		if got := sameQuestion(question(t, "db."), reply); got != c.want {
			t.Errorf("%s: %v", name, got)
		}
	}
}
