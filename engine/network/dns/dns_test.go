package dns

import (
	"context"
	"log/slog"
	"maps"
	"net"
	"net/netip"
	"slices"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"golang.org/x/net/dns/dnsmessage"
)

// view is a network of two services and a container.
type view struct {
	names      map[string][]netip.Addr
	subnet     netip.Prefix
	forwarders []netip.AddrPort
}

func (v *view) Addresses(name string) ([]netip.Addr, bool) {
	a, ok := v.names[name]
	return a, ok
}

func (v *view) Name(addr netip.Addr) (string, bool) {
	for _, name := range slices.Sorted(maps.Keys(v.names)) {
		if slices.Contains(v.names[name], addr) {
			return name + ".front", true
		}
	}
	return "", v.subnet.Contains(addr)
}

func (v *view) Forwarders() (out []Forwarder) {
	for _, to := range v.forwarders {
		out = append(out, Forwarder{Addr: to, Dial: func(ctx context.Context, network string, to netip.AddrPort) (net.Conn, error) {
			return new(net.Dialer).DialContext(ctx, network, to.String())
		}})
	}
	return out
}

func newView() *view {
	return &view{
		names: map[string][]netip.Addr{
			"db":  {netip.MustParseAddr("10.5.0.2"), netip.MustParseAddr("fd00:5::2")},
			"web": {netip.MustParseAddr("10.5.0.3"), netip.MustParseAddr("10.5.0.4"), netip.MustParseAddr("10.5.0.5")},
		},
		subnet: netip.MustParsePrefix("10.5.0.0/16"),
	}
}

// upstream starts a forwarder that answers every question by answer, and counts them.
func upstream(t testing.TB, answer func(m *dnsmessage.Message, udp bool)) (netip.AddrPort, *atomic.Int64) {
	t.Helper()
	udp, err := net.ListenUDP("udp4", &net.UDPAddr{IP: net.IPv4(127, 0, 0, 1)})
	if err != nil {
		t.Fatal(err)
	}
	addr := udp.LocalAddr().(*net.UDPAddr).AddrPort()
	tcp, err := net.Listen("tcp4", addr.String())
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { udp.Close(); tcp.Close() })
	var asked atomic.Int64
	reply := func(query []byte, over bool) []byte {
		asked.Add(1)
		var m dnsmessage.Message
		if m.Unpack(query) != nil {
			return nil
		}
		m.Response, m.Additionals = true, nil
		answer(&m, over)
		b, err := m.Pack()
		if err != nil {
			t.Error(err)
		}
		return b
	}
	go func() {
		buf := make([]byte, maxUDP)
		for {
			n, from, err := udp.ReadFromUDPAddrPort(buf)
			if err != nil {
				return
			}
			udp.WriteToUDPAddrPort(reply(buf[:n], true), from)
		}
	}()
	go func() {
		for {
			c, err := tcp.Accept()
			if err != nil {
				return
			}
			if q, err := readTCP(c); err == nil {
				writeTCP(c, reply(q, false))
			}
			c.Close()
		}
	}()
	return addr, &asked
}

// ask sends one question over network and returns the answer.
func ask(t testing.TB, network, server, name string, typ dnsmessage.Type, change ...func(*dnsmessage.Message)) dnsmessage.Message {
	t.Helper()
	m := dnsmessage.Message{
		Header:    dnsmessage.Header{ID: 77, RecursionDesired: true},
		Questions: []dnsmessage.Question{{Name: dnsmessage.MustNewName(name), Type: typ, Class: dnsmessage.ClassINET}},
	}
	for _, fn := range change {
		fn(&m)
	}
	q, err := m.Pack()
	if err != nil {
		t.Fatal(err)
	}
	return send(t, network, server, q)
}

func send(t testing.TB, network, server string, query []byte) (m dnsmessage.Message) {
	t.Helper()
	c, err := net.Dial(network, server)
	if err != nil {
		t.Fatal(err)
	}
	defer c.Close()
	c.SetDeadline(time.Now().Add(20 * time.Second))
	var reply []byte
	if network == "tcp" {
		err = writeTCP(c, query)
		if err == nil {
			reply, err = readTCP(c)
		}
	} else {
		reply = make([]byte, maxUDP)
		var n int
		if _, err = c.Write(query); err == nil {
			n, err = c.Read(reply)
			reply = reply[:n]
		}
	}
	if err != nil {
		t.Fatal(err)
	}
	if err := m.Unpack(reply); err != nil {
		t.Fatal(err)
	}
	return m
}

// records are the answers as text, sorted.
func records(m dnsmessage.Message) []string {
	out := []string{}
	for _, r := range m.Answers {
		switch b := r.Body.(type) {
		case *dnsmessage.AResource:
			out = append(out, netip.AddrFrom4(b.A).String())
		case *dnsmessage.AAAAResource:
			out = append(out, netip.AddrFrom16(b.AAAA).String())
		case *dnsmessage.PTRResource:
			out = append(out, b.PTR.String())
		}
	}
	slices.Sort(out)
	return out
}

func TestNeighbours(t *testing.T) {
	v := newView()
	forwarder, asked := upstream(t, func(m *dnsmessage.Message, _ bool) {})
	v.forwarders = []netip.AddrPort{forwarder}
	server := start(t, quiet(v))
	for _, c := range []struct {
		name string
		typ  dnsmessage.Type
		code dnsmessage.RCode
		want []string
	}{
		{"db.", dnsmessage.TypeA, dnsmessage.RCodeSuccess, []string{"10.5.0.2"}},
		{"DB.", dnsmessage.TypeAAAA, dnsmessage.RCodeSuccess, []string{"fd00:5::2"}},
		{"web.", dnsmessage.TypeA, dnsmessage.RCodeSuccess, []string{"10.5.0.3", "10.5.0.4", "10.5.0.5"}},
		{"web.", dnsmessage.TypeAAAA, dnsmessage.RCodeSuccess, []string{}},
		{"web.", dnsmessage.TypeMX, dnsmessage.RCodeSuccess, []string{}},
		{"2.0.5.10.in-addr.arpa.", dnsmessage.TypePTR, dnsmessage.RCodeSuccess, []string{"db.front."}},
		{"9.0.5.10.in-addr.arpa.", dnsmessage.TypePTR, dnsmessage.RCodeNameError, []string{}},
		{"2.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.5.0.0.0.0.0.d.f.ip6.arpa.", dnsmessage.TypePTR, dnsmessage.RCodeSuccess, []string{"db.front."}},
	} {
		for _, network := range []string{"udp", "tcp"} {
			m := ask(t, network, server, c.name, c.typ)
			if got := records(m); m.RCode != c.code || !slices.Equal(got, c.want) {
				t.Errorf("%s %s over %s: %v %v, want %v %v", c.typ, c.name, network, m.RCode, got, c.code, c.want)
			}
			if m.ID != 77 || !m.Response || !m.RecursionAvailable || !m.RecursionDesired {
				t.Errorf("%s %s over %s: header %+v", c.typ, c.name, network, m.Header)
			}
		}
	}
	if n := asked.Load(); n != 0 {
		t.Errorf("the forwarder was asked %d times about neighbours", n)
	}
}

func TestAddressesAreShuffled(t *testing.T) {
	server := start(t, quiet(newView()))
	first := map[string]bool{}
	for range 200 {
		m := ask(t, "udp", server, "web.", dnsmessage.TypeA)
		first[netip.AddrFrom4(m.Answers[0].Body.(*dnsmessage.AResource).A).String()] = true
	}
	if len(first) != 3 {
		t.Errorf("of three addresses only %v came first in 200 answers", slices.Collect(maps.Keys(first)))
	}
}

func TestForwarding(t *testing.T) {
	v := newView()
	var overUDP, overTCP atomic.Int64
	good, _ := upstream(t, func(m *dnsmessage.Message, udp bool) {
		if udp {
			overUDP.Add(1)
			m.Truncated = m.Questions[0].Name.String() == "long.example."
		} else {
			overTCP.Add(1)
		}
		if !m.Truncated {
			m.Answers = []dnsmessage.Resource{{Header: dnsmessage.ResourceHeader{Name: m.Questions[0].Name, Class: dnsmessage.ClassINET},
				Body: &dnsmessage.AResource{A: [4]byte{192, 0, 2, 1}}}}
		}
	})
	failing, failed := upstream(t, func(m *dnsmessage.Message, _ bool) { m.RCode = dnsmessage.RCodeServerFailure })
	v.forwarders = []netip.AddrPort{failing, good}
	server := start(t, quiet(v))
	if got := records(ask(t, "udp", server, "example.com.", dnsmessage.TypeA)); !slices.Equal(got, []string{"192.0.2.1"}) || overUDP.Load() != 1 || failed.Load() != 1 {
		t.Errorf("forwarded over UDP: %v, %d questions to the good forwarder, %d to the failing one", got, overUDP.Load(), failed.Load())
	}
	if m := ask(t, "udp", server, "long.example.", dnsmessage.TypeA); !m.Truncated {
		t.Error("an answer that was cut short does not say so any more")
	}
	if got := records(ask(t, "tcp", server, "long.example.", dnsmessage.TypeA)); !slices.Equal(got, []string{"192.0.2.1"}) || overTCP.Load() != 1 {
		t.Errorf("forwarded over TCP: %v, %d questions", got, overTCP.Load())
	}
	only := newView()
	only.forwarders = []netip.AddrPort{failing}
	server = start(t, quiet(only))
	if m := ask(t, "udp", server, "example.com.", dnsmessage.TypeA); m.RCode != dnsmessage.RCodeServerFailure {
		t.Errorf("a forwarder failed: %v", m.RCode)
	}
	server = start(t, quiet(newView()))
	if m := ask(t, "udp", server, "example.com.", dnsmessage.TypeA); m.RCode != dnsmessage.RCodeServerFailure {
		t.Errorf("without forwarders: %v", m.RCode)
	}
}

func TestForgedAnswersAreIgnored(t *testing.T) {
	udp, err := net.ListenUDP("udp4", &net.UDPAddr{IP: net.IPv4(127, 0, 0, 1)})
	if err != nil {
		t.Fatal(err)
	}
	defer udp.Close()
	go func() {
		buf := make([]byte, maxUDP)
		n, from, err := udp.ReadFromUDPAddrPort(buf)
		if err != nil {
			return
		}
		var m dnsmessage.Message
		if m.Unpack(buf[:n]) != nil {
			return
		}
		m.Response, m.Additionals = true, nil
		for _, change := range []func(){
			func() { m.ID++ },
			func() { m.ID--; m.Questions[0].Name = dnsmessage.MustNewName("evil.example.") },
			func() { m.Questions[0].Name = dnsmessage.MustNewName("example.com."); m.Authoritative = true },
		} {
			change()
			if b, err := m.Pack(); err == nil {
				udp.WriteToUDPAddrPort(b, from)
			}
		}
	}()
	v := newView()
	v.forwarders = []netip.AddrPort{udp.LocalAddr().(*net.UDPAddr).AddrPort()}
	if m := ask(t, "udp", start(t, quiet(v)), "example.com.", dnsmessage.TypeA); !m.Authoritative || m.RCode != dnsmessage.RCodeSuccess {
		t.Errorf("the answer is not the third, which is the true one: %+v", m)
	}
}

func TestLongAnswers(t *testing.T) {
	v := newView()
	for i := range 60 {
		v.names["many"] = append(v.names["many"], netip.AddrFrom4([4]byte{10, 5, 1, byte(i)}))
	}
	server := start(t, quiet(v))
	if m := ask(t, "udp", server, "many.", dnsmessage.TypeA); !m.Truncated || len(m.Answers) != 0 {
		t.Errorf("sixty addresses in 512 bytes: truncated %v, %d answers", m.Truncated, len(m.Answers))
	}
	if m := ask(t, "tcp", server, "many.", dnsmessage.TypeA); m.Truncated || len(m.Answers) != 60 {
		t.Errorf("sixty addresses over TCP: truncated %v, %d answers", m.Truncated, len(m.Answers))
	}
	m := ask(t, "udp", server, "many.", dnsmessage.TypeA, func(m *dnsmessage.Message) {
		var h dnsmessage.ResourceHeader
		if err := h.SetEDNS0(4096, 0, false); err != nil {
			t.Fatal(err)
		}
		m.Additionals = []dnsmessage.Resource{{Header: h, Body: &dnsmessage.OPTResource{}}}
	})
	if m.Truncated || len(m.Answers) != 60 || len(m.Additionals) != 1 {
		t.Errorf("sixty addresses with EDNS: truncated %v, %d answers, %d additional", m.Truncated, len(m.Answers), len(m.Additionals))
	}
}

func TestMalformed(t *testing.T) {
	server := start(t, quiet(newView()))
	update := dnsmessage.Message{Header: dnsmessage.Header{ID: 9, OpCode: 5}}
	b, err := update.Pack()
	if err != nil {
		t.Fatal(err)
	}
	if m := send(t, "udp", server, b); m.RCode != dnsmessage.RCodeNotImplemented {
		t.Errorf("an update: %v", m.RCode)
	}
	two := dnsmessage.Message{Header: dnsmessage.Header{ID: 9}}
	for range 2 {
		two.Questions = append(two.Questions, dnsmessage.Question{Name: dnsmessage.MustNewName("db."), Type: dnsmessage.TypeA, Class: dnsmessage.ClassINET})
	}
	if b, err = two.Pack(); err != nil {
		t.Fatal(err)
	}
	if m := send(t, "udp", server, b); m.RCode != dnsmessage.RCodeFormatError {
		t.Errorf("two questions: %v", m.RCode)
	}
	s := NewServer(newView(), slog.New(slog.DiscardHandler))
	for _, q := range []string{"", "x", strings.Repeat("\xff", 600), "\x00\x01\x80\x00" + strings.Repeat("\x00", 8)} {
		if reply, forward := s.answer([]byte(q), nil, true); reply != nil || forward {
			t.Errorf("%q was answered", q)
		}
	}
}

func FuzzAnswer(f *testing.F) {
	q := dnsmessage.Message{Questions: []dnsmessage.Question{{Name: dnsmessage.MustNewName("db."), Type: dnsmessage.TypeA, Class: dnsmessage.ClassINET}}}
	b, err := q.Pack()
	if err != nil {
		f.Fatal(err)
	}
	f.Add(b)
	s := NewServer(newView(), slog.New(slog.DiscardHandler))
	f.Fuzz(func(t *testing.T, query []byte) {
		reply, forward := s.answer(query, nil, true)
		if forward {
			reply = failure(query, nil)
		}
		if reply == nil {
			return
		}
		var m dnsmessage.Message
		if err := m.Unpack(reply); err != nil {
			t.Fatalf("the answer to %x cannot be read: %v", query, err)
		}
		if len(m.Questions) > 0 && !sameQuestion(query, reply) {
			t.Fatalf("the answer to %x is to another question: %x", query, reply)
		}
	})
}

func BenchmarkNeighbour(b *testing.B) {
	server := start(b, quiet(newView()))
	b.ResetTimer()
	for b.Loop() {
		ask(b, "udp", server, "db.", dnsmessage.TypeA)
	}
}
