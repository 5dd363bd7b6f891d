package wire

import (
	"bytes"
	"errors"
	"io"
	"os"
	"reflect"
	"strings"
	"testing"
	"time"

	"github.com/containerd/errdefs"
	"golang.org/x/sys/unix"

	"berth/runtime/mount"
	"berth/runtime/seccomp"
)

var (
	at     = time.Unix(1700000000, 123456789).UTC()
	config = Config{
		ID: "c1", Dir: "/d", RuntimeRoot: "/r", Seccomp: seccomp.Filter{Code: []byte("insns"), Flags: 12, ListenerPath: "/l", ListenerMetadata: "m"}, Rootfs: []mount.Mount{{Type: "overlay", Source: "overlay", Options: []string{"a", "b=c"}}, {Type: "bind"}},
		MountPoint: "/m", Trees: []Tree{{Path: "/m@0"}, {Path: "/m@1", Subpath: "a/b", Of: "/m@0"}}, Log: LogConfig{Driver: "json-file", Path: "/l", MaxSize: 1 << 40, MaxFiles: 3, Compress: true, Buffer: 5, Attrs: map[string]string{"k": "v"},
			Remote: LogRemote{Network: "udp", Path: "/p", IP: "abcd", Port: 514, Format: "rfc5424", Facility: 3, Tag: "t", Host: "h", Fields: map[string]string{"A": "b"}}},
		ExitPath: "/e", ExitUnsynced: true, Tty: true, OpenStdin: true, StdinOnce: true, ConsoleSize: [2]uint{24, 80},
	}
	attach = Attach{Stdin: true, Stderr: true, DetachKeys: []byte{16, 17}, Mux: true, Pending: []byte("in")}
	exit   = Exit{ID: "c1", PID: 42, Status: 137, Signal: 9, OOMKilled: true, Error: "e", StartedAt: at, ExitedAt: at.Add(time.Second)}
	info   = Info{
		ID: "c1", ShimPID: 1, PID: 2, Status: StatusPaused, StartedAt: at, Attached: 2, LogDropped: 7, LogError: "full", ExitPath: "/e", HasStdin: true,
		Execs: []ExecInfo{{ID: "x", PID: 3, Running: true}, {ID: "y", PID: 4, Exit: exit}},
	}
	forwards = []Forward{{Name: "tcp 0.0.0.0:80", Proto: 6, Addr: []byte{1, 2, 3, 4}, Port: 80, Socket: true}, {Name: "udp [::]:53", Proto: 17, Addr: make([]byte, 16), Port: 53}}
	process  = Exec{ID: "x", Process: []byte(`{"args":["true"]}`), Tty: true, OpenStdin: true, ConsoleSize: [2]uint{1, 2}, Attach: attach}
)

// decoders are all that read bytes of the other side.
var decoders = map[string]func([]byte) (any, error){
	"config":   func(b []byte) (any, error) { return DecodeConfig(b) },
	"attach":   func(b []byte) (any, error) { return DecodeAttach(b) },
	"exec":     func(b []byte) (any, error) { return DecodeExec(b) },
	"signal":   func(b []byte) (any, error) { return DecodeSignal(b) },
	"size":     func(b []byte) (any, error) { return DecodeSize(b) },
	"id":       func(b []byte) (any, error) { return DecodeID(b) },
	"pid":      func(b []byte) (any, error) { return DecodePID(b) },
	"info":     func(b []byte) (any, error) { return DecodeInfo(b) },
	"exit":     func(b []byte) (any, error) { return DecodeExit(b) },
	"end":      func(b []byte) (any, error) { return DecodeEnd(b) },
	"forwards": func(b []byte) (any, error) { return DecodeForwards(b) },
}

func samples() map[string]struct {
	body  []byte
	value any
} {
	sig, size := Signal{ID: "x", Sig: 9, All: true}, Size{ID: "x", Height: 3, Width: 4}
	return map[string]struct {
		body  []byte
		value any
	}{
		"config": {config.Encode(), config}, "attach": {attach.Encode(), attach}, "exec": {process.Encode(), process},
		"signal": {sig.Encode(), sig}, "size": {size.Encode(), size}, "id": {EncodeID("x"), "x"}, "pid": {EncodePID(77), 77},
		"info": {info.Encode(), info}, "exit": {exit.Encode(), exit}, "end": {EncodeEnd(EndDetached), EndDetached},
		"forwards": {EncodeForwards(forwards), forwards},
	}
}

func TestMessagesComeBack(t *testing.T) {
	for name, s := range samples() {
		got, err := decoders[name](s.body)
		if err != nil || !reflect.DeepEqual(got, s.value) {
			t.Errorf("%s came back as %+v, %v; it was %+v", name, got, err, s.value)
		}
	}
}

func TestEveryCutAndEveryAdditionIsAnError(t *testing.T) {
	for name, s := range samples() {
		for n := range s.body {
			if got, err := decoders[name](s.body[:n]); err == nil {
				t.Errorf("%s cut at %d of %d is %+v", name, n, len(s.body), got)
			}
		}
		if _, err := decoders[name](append(bytes.Clone(s.body), 0)); err == nil {
			t.Errorf("%s with a byte too many is taken", name)
		}
	}
}

func TestImpossibleValuesAreErrors(t *testing.T) {
	bad := map[string][]byte{
		"signal": (&Signal{Sig: 65}).Encode(), "size": (&Size{Width: 1 << 20}).Encode(), "end": {0},
		"config": bytes.Repeat([]byte{0xff}, 40), "info": bytes.Repeat([]byte{0xff}, 40),
		"forwards": EncodeForwards([]Forward{{Addr: []byte{1, 2, 3}}}),
	}
	for name, body := range bad {
		if got, err := decoders[name](body); err == nil {
			t.Errorf("%s is %+v", name, got)
		}
	}
}

func FuzzDecode(f *testing.F) {
	for _, s := range samples() {
		f.Add(s.body)
	}
	f.Fuzz(func(t *testing.T, body []byte) {
		for name, decode := range decoders {
			v, err := decode(bytes.Clone(body))
			if err != nil {
				continue
			}
			p := reflect.New(reflect.TypeOf(v))
			p.Elem().Set(reflect.ValueOf(v))
			if e, ok := p.Interface().(interface{ Encode() []byte }); ok {
				if again, err := decode(e.Encode()); err != nil || !reflect.DeepEqual(again, v) {
					t.Errorf("%s: %x decodes as %+v, and that as %+v, %v", name, body, v, again, err)
				}
			}
		}
		DecodeError(body)
	})
}

func TestErrorsKeepTheirKind(t *testing.T) {
	for _, kind := range kinds[1:] {
		err := DecodeError(EncodeError(errors.Join(errors.New("looked for it"), kind)))
		if !errors.Is(err, kind) || !strings.HasPrefix(err.Error(), "looked for it") {
			t.Errorf("%v came back as %v", kind, err)
		}
	}
	if err := DecodeError(EncodeError(io.ErrNoProgress)); err.Error() != io.ErrNoProgress.Error() || errdefs.IsNotFound(err) {
		t.Errorf("got %v", err)
	}
	for _, body := range [][]byte{{}, {200, 0, 0, 0, 0}, {1, 0xff, 0xff, 0xff, 0xff}} {
		if DecodeError(body) == nil {
			t.Errorf("%x is no error", body)
		}
	}
}

// pair returns two connected Conns, and the raw descriptor of the second.
func pair(t *testing.T) (*Conn, *Conn) {
	t.Helper()
	a, f, err := Pair()
	if err != nil {
		t.Fatal(err)
	}
	fd, err := unix.Dup(int(f.Fd()))
	if err != nil {
		t.Fatal(err)
	}
	f.Close()
	b, err := NewConn(fd)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { a.Close(); b.Close() })
	a.SetDeadline(time.Now().Add(10 * time.Second))
	b.SetDeadline(time.Now().Add(10 * time.Second))
	return a, b
}

func TestFramesWithDescriptors(t *testing.T) {
	a, b := pair(t)
	big := bytes.Repeat([]byte("0123456789abcdef"), 1<<16) // larger than a socket's buffer
	r, w, err := os.Pipe()
	if err != nil {
		t.Fatal(err)
	}
	defer w.Close()
	go func() {
		a.Send(TypeExec, big, int(r.Fd()))
		a.Send(TypeOK, nil)
		a.Close()
	}()
	m, err := b.Recv()
	if err != nil || m.Type != TypeExec || !bytes.Equal(m.Body, big) || len(m.FDs) != 1 {
		t.Fatalf("got type %d, %d bytes, %d descriptors, %v", m.Type, len(m.Body), len(m.FDs), err)
	}
	f := m.TakeFD("pipe")
	defer f.Close()
	r.Close()
	w.WriteString("through")
	buf := make([]byte, 20)
	if n, err := f.Read(buf); err != nil || string(buf[:n]) != "through" {
		t.Errorf("the descriptor gives %q, %v", buf[:n], err)
	}
	if m, err := b.Recv(); err != nil || m.Type != TypeOK || m.Body != nil {
		t.Errorf("got %+v, %v", m, err)
	}
	if _, err := b.Recv(); err != io.EOF {
		t.Errorf("the end is %v", err)
	}
}

func TestBoundsWhenSending(t *testing.T) {
	a, _ := pair(t)
	if err := a.Send(TypeOK, make([]byte, MaxBody+1)); err == nil {
		t.Error("a body over the bound was sent")
	}
	if err := a.Send(TypeOK, nil, make([]int, MaxFDs+1)...); err == nil {
		t.Error("too many descriptors were sent")
	}
}

func TestHostileFrames(t *testing.T) {
	for name, raw := range map[string][]byte{
		"cut header":    {0, 0, 0},
		"version":       {0, 0, 0, 0, 9, 1, 0, 0},
		"huge body":     {0xff, 0xff, 0xff, 0xff, Version, 1, 0, 0},
		"cut body":      {0, 0, 0, 9, Version, 1, 0, 0, 'x'},
		"no descriptor": {0, 0, 0, 0, Version, 1, 1, 0},
		"reserved":      {0, 0, 0, 0, Version, 1, 0, 1},
	} {
		a, b := pair(t)
		a.f.Write(raw)
		a.Close()
		if m, err := b.Recv(); err == nil || err == io.EOF {
			t.Errorf("%s: got %+v, %v", name, m, err)
		}
	}
}

// Descriptors that nobody announced, or too many, do not stay open.
func TestUnannouncedDescriptorsAreClosed(t *testing.T) {
	before := openFiles(t)
	for _, n := range []int{1, 30} {
		a, b := pair(t)
		fds := make([]int, n)
		raw := []byte{0, 0, 0, 0, Version, 1, 0, 0}
		err := a.raw.Control(func(fd uintptr) {
			if err := unix.Sendmsg(int(fd), raw, unix.UnixRights(fds...), nil, 0); err != nil {
				t.Error(err)
			}
		})
		if err != nil {
			t.Fatal(err)
		}
		if _, err := b.Recv(); err == nil {
			t.Errorf("%d descriptors were taken", n)
		}
		a.Close()
		b.Close()
	}
	if after := openFiles(t); after != before {
		t.Errorf("%d descriptors are open, %d were before", after, before)
	}
}

func openFiles(t *testing.T) int {
	t.Helper()
	entries, err := os.ReadDir("/proc/self/fd")
	if err != nil {
		t.Fatal(err)
	}
	return len(entries)
}

func TestParseDetachKeys(t *testing.T) {
	for in, want := range map[string]string{
		"": "\x10\x11", "ctrl-p,ctrl-q": "\x10\x11", "a": "a", "ctrl-@,ctrl-[,ctrl-\\,ctrl-],ctrl-^,ctrl-_": "\x00\x1b\x1c\x1d\x1e\x1f", "q,DEL": "q\x7f",
	} {
		if got, err := ParseDetachKeys(in); err != nil || string(got) != want {
			t.Errorf("%q is %q, %v", in, got, err)
		}
	}
	for _, in := range []string{"ctrl-", "ctrl-A", "ctrl-pp", "ab", "a,", ",", "alt-x", "ctrl-1"} {
		if got, err := ParseDetachKeys(in); !errdefs.IsInvalidArgument(err) {
			t.Errorf("%q is %q, %v", in, got, err)
		}
	}
}
