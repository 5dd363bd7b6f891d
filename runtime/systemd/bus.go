package systemd

import (
	"bufio"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"os"
	"strconv"
	"strings"
	"time"

	"github.com/containerd/errdefs"
	"golang.org/x/sys/unix"
)

// The service, object and interface of systemd's manager (org.freedesktop.systemd1(5)).
const (
	service   = "org.freedesktop.systemd1"
	object    = "/org/freedesktop/systemd1"
	manager   = "org.freedesktop.systemd1.Manager"
	busName   = "org.freedesktop.DBus"
	busObject = "/org/freedesktop/DBus"
)

// patience bounds the wait for an answer: systemd may have a lot to do, but a
// bus that nobody serves must not hang a container's caller.
const patience = 30 * time.Second

// Bus is a connection to a message bus, made for one operation.
type Bus struct {
	socket *os.File
	r      *bufio.Reader
	serial uint32
	// signals came while an answer was waited for.
	signals []message
}

// address is the bus of the system, or of the user who is not root.
func address() (string, error) {
	variable, path := "DBUS_SYSTEM_BUS_ADDRESS", "/run/dbus/system_bus_socket"
	if os.Geteuid() != 0 {
		variable, path = "DBUS_SESSION_BUS_ADDRESS", os.Getenv("XDG_RUNTIME_DIR")+"/bus"
	}
	given := os.Getenv(variable)
	for one := range strings.SplitSeq(given, ";") {
		for pair := range strings.SplitSeq(strings.TrimPrefix(one, "unix:"), ",") {
			if at, ok := strings.CutPrefix(pair, "path="); ok && strings.HasPrefix(one, "unix:") {
				return at, nil
			}
		}
	}
	if given != "" {
		return "", fmt.Errorf("$%s is %q, and only unix:path= addresses are known: %w", variable, given, errdefs.ErrInvalidArgument)
	}
	return path, nil
}

// Connect connects to the bus that systemd serves.
func Connect() (b *Bus, err error) {
	at, err := address()
	if err != nil {
		return nil, fmt.Errorf("systemd cgroup driver: %w", err)
	}
	fd, err := unix.Socket(unix.AF_UNIX, unix.SOCK_STREAM|unix.SOCK_CLOEXEC, 0)
	if err != nil {
		return nil, fmt.Errorf("systemd cgroup driver: %w", err)
	}
	defer func() {
		if err != nil {
			if b == nil {
				unix.Close(fd)
			} else {
				b.Close()
			}
			err = fmt.Errorf("systemd cgroup driver: no systemd on the bus at %s (leave --systemd-cgroup out where systemd does not run): %w", at, err)
		}
	}()
	if err := unix.Connect(fd, &unix.SockaddrUnix{Name: at}); err != nil {
		return nil, fmt.Errorf("%w: %w", err, errdefs.ErrFailedPrecondition)
	}
	if err := unix.SetNonblock(fd, true); err != nil {
		return nil, err
	}
	socket := os.NewFile(uintptr(fd), at)
	b = &Bus{socket: socket, r: bufio.NewReader(socket)}
	if err := socket.SetDeadline(time.Now().Add(patience)); err != nil {
		return b, err
	}
	if err := b.authenticate(); err != nil {
		return b, err
	}
	_, err = b.call(busName, busObject, busName, "Hello", "")
	return b, err
}

// authenticate says who we are, which the bus checks with the kernel.
func (b *Bus) authenticate() error {
	uid := hex.EncodeToString([]byte(strconv.Itoa(os.Geteuid())))
	if _, err := io.WriteString(b.socket, "\x00AUTH EXTERNAL "+uid+"\r\n"); err != nil {
		return err
	}
	answer, err := b.r.ReadString('\n')
	if err != nil {
		return err
	}
	if !strings.HasPrefix(answer, "OK ") {
		return fmt.Errorf("the bus refuses us: %s: %w", strings.TrimSpace(answer), errdefs.ErrPermissionDenied)
	}
	_, err = io.WriteString(b.socket, "BEGIN\r\n")
	return err
}

// Close ends the connection.
func (b *Bus) Close() error { return b.socket.Close() }

// Error is an answer that the call failed.
type Error struct{ Name, Text string }

func (e *Error) Error() string { return e.Name + ": " + e.Text }

// call calls a method with arguments of the signature and waits for its answer.
func (b *Bus) call(to, path, face, method, signature string, args ...any) (message, error) {
	b.serial++
	m := message{kind: methodCall, serial: b.serial, path: path, face: face, member: method, to: to, signature: signature}
	var err error
	if m.body, err = encode(signature, args...); err != nil {
		return m, err
	}
	if err := b.socket.SetDeadline(time.Now().Add(patience)); err != nil {
		return m, err
	}
	if _, err := b.socket.Write(m.marshal()); err != nil {
		return m, err
	}
	for {
		got, err := read(b.r)
		if err != nil {
			return got, fmt.Errorf("%s: %w", method, err)
		}
		switch {
		case got.kind == signal:
			b.signals = append(b.signals, got)
		case got.answers != m.serial:
		case got.kind == failure:
			text, _ := got.texts()
			return got, fmt.Errorf("%s: %w", method, &Error{got.failure, strings.Join(text, " ")})
		default:
			return got, nil
		}
	}
}

// next gives the next signal.
func (b *Bus) next() (message, error) {
	for {
		if len(b.signals) > 0 {
			m := b.signals[0]
			b.signals = b.signals[1:]
			return m, nil
		}
		m, err := read(b.r)
		if err != nil {
			return m, err
		}
		if m.kind == signal {
			return m, nil
		}
	}
}

// is tells whether err is an answer of that name.
func is(err error, name string) bool {
	var e *Error
	return errors.As(err, &e) && e.Name == name
}
