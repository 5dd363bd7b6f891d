package dns

import (
	"encoding/binary"
	"math/rand/v2"
	"net/netip"
	"strconv"
	"strings"

	"golang.org/x/net/dns/dnsmessage"
)

// ttl of an answer about a neighbour, in seconds: what Docker's server says.
const ttl = 600

// plainUDP is how long an answer over UDP may be unless the question says
// otherwise (RFC 1035, 2.3.4), maxEDNS what we send at most (RFC 9715: no fragments).
const (
	plainUDP = 512
	maxEDNS  = 1232
)

// answer appends the answer to query to out. It is nil if query is no question,
// and not made if others have to be asked, which forward says.
func (s *Server) answer(query, out []byte, udp bool) (reply []byte, forward bool) {
	var p dnsmessage.Parser
	head, err := p.Start(query)
	if err != nil || head.Response {
		return nil, false
	}
	if head.OpCode != 0 {
		return respond(out, head, nil, dnsmessage.RCodeNotImplemented, nil, nil, maxUDP), false
	}
	q, err := p.Question()
	if err != nil {
		return respond(out, head, nil, dnsmessage.RCodeFormatError, nil, nil, maxUDP), false
	}
	// Nobody asks two questions at once (RFC 9619).
	if _, err := p.Question(); err != dnsmessage.ErrSectionDone {
		return respond(out, head, nil, dnsmessage.RCodeFormatError, nil, nil, maxUDP), false
	}
	if q.Class != dnsmessage.ClassINET {
		return nil, true
	}
	name := strings.ToLower(strings.TrimSuffix(q.Name.String(), "."))
	var answers []dnsmessage.ResourceBody
	code := dnsmessage.RCodeSuccess
	if addrs, ok := s.view.Addresses(name); ok {
		answers = addresses(addrs, q.Type)
	} else if addr, ok := reverse(name); ok && q.Type == dnsmessage.TypePTR {
		host, ours := s.view.Name(addr)
		switch target, err := dnsmessage.NewName(host + "."); {
		case !ours:
			return nil, true
		case host == "" || err != nil:
			code = dnsmessage.RCodeNameError
		default:
			answers = []dnsmessage.ResourceBody{&dnsmessage.PTRResource{PTR: target}}
		}
	} else {
		return nil, true
	}
	opt := edns(&p)
	limit := maxUDP
	if udp {
		limit = plainUDP
		if opt != nil {
			limit = min(max(int(opt.Class), plainUDP), maxEDNS)
		}
	}
	return respond(out, head, &q, code, answers, opt, limit), false
}

// addresses are the records of type t, in another order each time so that the
// replicas of a service get a share each.
func addresses(addrs []netip.Addr, t dnsmessage.Type) []dnsmessage.ResourceBody {
	var out []dnsmessage.ResourceBody
	for _, a := range addrs {
		switch {
		case t == dnsmessage.TypeA && a.Is4():
			out = append(out, &dnsmessage.AResource{A: a.As4()})
		case t == dnsmessage.TypeAAAA && a.Is6():
			out = append(out, &dnsmessage.AAAAResource{AAAA: a.As16()})
		}
	}
	rand.Shuffle(len(out), func(i, j int) { out[i], out[j] = out[j], out[i] })
	return out
}

// edns returns the header of the question's OPT record, nil without one. The
// parser stands behind the questions.
func edns(p *dnsmessage.Parser) *dnsmessage.ResourceHeader {
	if p.SkipAllAnswers() != nil || p.SkipAllAuthorities() != nil {
		return nil
	}
	for {
		h, err := p.AdditionalHeader()
		if err != nil {
			return nil
		}
		if h.Type == dnsmessage.TypeOPT {
			return &h
		}
		if p.SkipAdditional() != nil {
			return nil
		}
	}
}

// respond appends an answer of at most limit bytes to out. One that would be
// longer says so and has no records (RFC 2181, section 9).
func respond(out []byte, head dnsmessage.Header, q *dnsmessage.Question, code dnsmessage.RCode, answers []dnsmessage.ResourceBody, opt *dnsmessage.ResourceHeader, limit int) []byte {
	msg := dnsmessage.Message{Header: dnsmessage.Header{
		ID: head.ID, Response: true, OpCode: head.OpCode, RCode: code,
		RecursionDesired: head.RecursionDesired, RecursionAvailable: true,
	}}
	if q != nil {
		msg.Questions = []dnsmessage.Question{*q}
		for _, body := range answers {
			msg.Answers = append(msg.Answers, dnsmessage.Resource{
				Header: dnsmessage.ResourceHeader{Name: q.Name, Class: dnsmessage.ClassINET, TTL: ttl}, Body: body})
		}
	}
	if opt != nil {
		var h dnsmessage.ResourceHeader
		if h.SetEDNS0(maxEDNS, code, opt.DNSSECAllowed()) == nil {
			msg.Additionals = []dnsmessage.Resource{{Header: h, Body: &dnsmessage.OPTResource{}}}
		}
	}
	packed, err := msg.AppendPack(out)
	if err == nil && len(packed)-len(out) > limit {
		msg.Truncated, msg.Answers = true, nil
		packed, err = msg.AppendPack(out)
	}
	if err != nil { // a name that was parsed can be packed
		return nil
	}
	return packed
}

// failure appends the answer SERVFAIL to query, of which only the header is looked at.
func failure(query, out []byte) []byte {
	var p dnsmessage.Parser
	head, err := p.Start(query)
	if err != nil {
		return nil
	}
	q, err := p.Question()
	if err != nil {
		return respond(out, head, nil, dnsmessage.RCodeServerFailure, nil, nil, maxUDP)
	}
	return respond(out, head, &q, dnsmessage.RCodeServerFailure, nil, nil, maxUDP)
}

// reverse reads the address out of a name below in-addr.arpa (RFC 1035, 3.5) or
// ip6.arpa (RFC 3596, 2.5).
func reverse(name string) (netip.Addr, bool) {
	if rest, ok := strings.CutSuffix(name, ".in-addr.arpa"); ok {
		labels := strings.Split(rest, ".")
		if len(labels) != 4 {
			return netip.Addr{}, false
		}
		var b [4]byte
		for i, l := range labels {
			n, err := strconv.ParseUint(l, 10, 8)
			if err != nil {
				return netip.Addr{}, false
			}
			b[3-i] = byte(n)
		}
		return netip.AddrFrom4(b), true
	}
	rest, ok := strings.CutSuffix(name, ".ip6.arpa")
	if !ok || len(rest) != 63 {
		return netip.Addr{}, false
	}
	var b [16]byte
	for i := range 32 { // the lowest half byte comes first
		if i > 0 && rest[2*i-1] != '.' {
			return netip.Addr{}, false
		}
		n, err := strconv.ParseUint(rest[2*i:2*i+1], 16, 4)
		if err != nil {
			return netip.Addr{}, false
		}
		b[15-i/2] |= byte(n) << (4 * (i % 2))
	}
	return netip.AddrFrom16(b), true
}

// sameQuestion tells whether reply answers query: the same number and, as far as
// there is one, the same question (RFC 5452, 9.1).
func sameQuestion(query, reply []byte) bool {
	if len(query) < 12 || len(reply) < 12 || binary.BigEndian.Uint16(query) != binary.BigEndian.Uint16(reply) || reply[2]&0x80 == 0 {
		return false
	}
	var asked, answered dnsmessage.Parser
	if _, err := asked.Start(query); err != nil {
		return false
	}
	if _, err := answered.Start(reply); err != nil {
		return false
	}
	a, err := asked.Question()
	if err != nil {
		return false
	}
	b, err := answered.Question()
	if err == dnsmessage.ErrSectionDone {
		return true // an error of a server that did not read the question
	}
	return err == nil && a.Type == b.Type && a.Class == b.Class && strings.EqualFold(a.Name.String(), b.Name.String())
}
