package systemd

import (
	"bufio"
	"bytes"
	"encoding/binary"
	"strings"
	"testing"

	"github.com/containerd/errdefs"
)

func TestPlaces(t *testing.T) {
	for path, want := range map[string]string{
		"":                          "/system.slice/berth-ID.scope",
		"system.slice:runc:434234":  "/system.slice/runc-434234.scope",
		":docker:abc":               "/system.slice/docker-abc.scope",
		"a-b-c.slice::x":            "/a.slice/a-b.slice/a-b-c.slice/x.scope",
		"-.slice:p:x":               "/p-x.scope",
		"machine.slice:p:pod.slice": "/machine.slice/pod.slice",
	} {
		p, err := Parse(path, "ID", true)
		if err != nil {
			t.Errorf("%s: %v", path, err)
			continue
		}
		if got, err := p.Path(); got != want || err != nil {
			t.Errorf("%s is %s, %v; want %s", path, got, err, want)
		}
	}
	for path, text := range map[string]string{
		"/berth/x": `expected cgroupsPath to be of format "slice:prefix:name" for systemd cgroups, got "/berth/x" instead`,
		"a:b":      "expected cgroupsPath", "a:b:c:d": "expected cgroupsPath", "system:p:x": "invalid slice name: system",
		"a--b.slice:p:x": "invalid slice name", "../a.slice:p:x": "invalid slice name", ".slice:p:x": "invalid slice name",
		"a.slice:p:": "no name", "a.slice:../p:x": "no name",
	} {
		if p, err := Parse(path, "ID", true); err == nil || !strings.Contains(err.Error(), text) || !errdefs.IsInvalidArgument(err) {
			t.Errorf("%s is %v, %v; want %q", path, p, err, text)
		}
	}
}

// FuzzRead reads what a hostile or broken bus may send.
func FuzzRead(f *testing.F) {
	m := message{kind: methodCall, serial: 7, path: "/a", face: "b.c", member: "d", to: "e", signature: "s"}
	m.body, _ = encode("s", "text")
	f.Add(m.marshal())
	f.Add([]byte("l\x04\x00\x01\xff\xff\xff\x7f\x01\x00\x00\x00\x00\x00\x00\x00"))
	f.Add([]byte("B\x02\x00\x01\x00\x00\x00\x00\x00\x00\x00\x01\x00\x00\x00\x08\x05\x01u\x00\x00\x00\x00\x07"))
	f.Fuzz(func(t *testing.T, data []byte) {
		if len(data) >= 16 {
			// Not to ask for more than the test has.
			order := binary.ByteOrder(binary.LittleEndian)
			if data[0] == 'B' {
				order = binary.BigEndian
			}
			if order.Uint32(data[4:]) > 1<<16 || order.Uint32(data[12:]) > 1<<16 {
				return
			}
		}
		m, err := read(bufio.NewReader(bytes.NewReader(data)))
		if err == nil {
			_, _ = m.texts()
		}
	})
}

func TestMessagesAreReadAsWritten(t *testing.T) {
	m := message{kind: signal, serial: 7, path: "/a", face: "b.c", member: "d", to: "e", signature: "ss"}
	var err error
	if m.body, err = encode("ss", "one", "two"); err != nil {
		t.Fatal(err)
	}
	got, err := read(bufio.NewReader(bytes.NewReader(m.marshal())))
	if err != nil || got.kind != signal || got.member != "d" || got.face != "b.c" || got.path != "/a" || got.signature != "ss" {
		t.Fatalf("%+v, %v", got, err)
	}
	if texts, err := got.texts(); err != nil || strings.Join(texts, " ") != "one two" {
		t.Errorf("%q, %v", texts, err)
	}
	if _, err := read(bufio.NewReader(bytes.NewReader(m.marshal()[:30]))); err == nil {
		t.Error("half a message is one")
	}
}
