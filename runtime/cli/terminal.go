package cli

import (
	"errors"
	"fmt"
	"io"
	"os"

	"berth/runtime/container"
	"golang.org/x/sys/unix"
)

// foreground is what the runtime does while it waits for a process: it passes
// signals on, and if the process has a terminal, what is typed and printed.
type foreground struct {
	a       *app
	detach  bool
	socket  *os.File // our end of the connection that brings the master
	master  *os.File
	restore *unix.Termios
	printed chan struct{}               // closed when all output is printed
	next    func() (unix.Signal, error) // gives the signals that come
}

// foreground prepares for a process with the flags of run and exec. The socket
// is the one to give to the container, nil without a terminal.
func (a *app) foreground(terminal bool, f values) (*foreground, *os.File, error) {
	fg := &foreground{a: a, detach: f.has("detach")}
	if !fg.detach {
		var err error
		if fg.next, err = catch(); err != nil {
			return nil, nil, err
		}
	}
	path := f.get("console-socket")
	switch {
	case !terminal && path != "", path != "" && !fg.detach:
		return nil, nil, errors.New("cannot use console socket if runc will not detach or allocate tty")
	case terminal && fg.detach && path == "":
		return nil, nil, errors.New("cannot allocate tty if runc will detach without setting console socket")
	case path != "":
		socket, err := dial(unix.SOCK_STREAM, path)
		if err != nil {
			err = fmt.Errorf("connect to the console socket: %w", err)
		}
		return fg, socket, err
	case !terminal:
		return fg, nil, nil
	}
	pair, err := unix.Socketpair(unix.AF_UNIX, unix.SOCK_STREAM|unix.SOCK_CLOEXEC, 0)
	if err != nil {
		return nil, nil, fmt.Errorf("make the console socket: %w", err)
	}
	fg.socket = os.NewFile(uintptr(pair[0]), "console")
	return fg, os.NewFile(uintptr(pair[1]), "console"), nil
}

// attach takes over the terminal of a created process and begins to pass on
// signals, those that came since it was begun with first.
func (fg *foreground) attach(p *container.Process) error {
	if fg.detach {
		return nil
	}
	if fg.socket != nil {
		if err := fg.connect(); err != nil {
			return err
		}
	}
	go func() {
		for {
			s, err := fg.next()
			if err != nil {
				return
			}
			fg.forward(p, s)
		}
	}()
	return nil
}

// forwarded are the signals to pass on: those that are sent to programs, and
// SIGRTMIN+3, which stops systemd.
var forwarded = []unix.Signal{unix.SIGHUP, unix.SIGINT, unix.SIGQUIT, unix.SIGTERM, unix.SIGUSR1, unix.SIGUSR2, unix.SIGALRM,
	unix.SIGCONT, unix.SIGTSTP, unix.SIGTTIN, unix.SIGTTOU, unix.SIGWINCH, unix.Signal(34 + 3)}

func (fg *foreground) forward(p *container.Process, s unix.Signal) {
	if s == unix.SIGWINCH {
		fg.resize()
		return
	}
	_ = p.Signal(s) // it may have ended
}

// connect receives the master and connects it to our own standard streams.
func (fg *foreground) connect() error {
	oob := make([]byte, unix.CmsgSpace(4))
	_, n, _, _, err := unix.Recvmsg(int(fg.socket.Fd()), make([]byte, 4096), oob, unix.MSG_CMSG_CLOEXEC)
	if err != nil {
		return fmt.Errorf("receive the terminal: %w", err)
	}
	msgs, err := unix.ParseSocketControlMessage(oob[:n])
	if err != nil || len(msgs) == 0 {
		return errors.New("receive the terminal: no descriptor came")
	}
	fds, err := unix.ParseUnixRights(&msgs[0])
	if err != nil || len(fds) == 0 {
		return errors.New("receive the terminal: no descriptor came")
	}
	if err := unix.SetNonblock(fds[0], true); err != nil {
		return err
	}
	fg.master = os.NewFile(uintptr(fds[0]), "terminal")
	fg.resize()
	if err := fg.raw(); err != nil {
		return err
	}
	fg.printed = make(chan struct{})
	go func() {
		// Reading a terminal whose last user is gone fails with EIO.
		_, _ = io.Copy(fg.a.stdout, fg.master)
		close(fg.printed)
	}()
	go func() { _, _ = io.Copy(fg.master, fg.a.stdin) }()
	return nil
}

// plain tells whether the container's terminal prints a newline as it is, as runc has
// it for one that it shows itself: our own terminal, if there is one, adds the carriage
// return.
func (fg *foreground) plain() bool { return fg.socket != nil }

// raw hands every key to the container, if our standard input is a terminal.
func (fg *foreground) raw() error {
	fd := int(fg.a.stdin.Fd())
	old, err := unix.IoctlGetTermios(fd, unix.TCGETS)
	if err != nil {
		return nil // not a terminal
	}
	t := *old
	t.Iflag &^= unix.IGNBRK | unix.BRKINT | unix.PARMRK | unix.ISTRIP | unix.INLCR | unix.IGNCR | unix.ICRNL | unix.IXON
	t.Oflag &^= unix.OPOST
	t.Lflag &^= unix.ECHO | unix.ECHONL | unix.ICANON | unix.ISIG | unix.IEXTEN
	t.Cflag &^= unix.CSIZE | unix.PARENB
	t.Cflag |= unix.CS8
	t.Cc[unix.VMIN], t.Cc[unix.VTIME] = 1, 0
	if err := unix.IoctlSetTermios(fd, unix.TCSETS, &t); err != nil {
		return fmt.Errorf("set the terminal to raw mode: %w", err)
	}
	fg.restore = old
	return nil
}

// resize gives the container's terminal the size of ours.
func (fg *foreground) resize() {
	if fg.master == nil {
		return
	}
	if size, err := unix.IoctlGetWinsize(int(fg.a.stdin.Fd()), unix.TIOCGWINSZ); err == nil && size.Col > 0 {
		conn, err := fg.master.SyscallConn()
		if err == nil {
			_ = conn.Control(func(fd uintptr) { _ = unix.IoctlSetWinsize(int(fd), unix.TIOCSWINSZ, size) })
		}
	}
}

// wait waits for the end of the process and of its output, and gives the status
// a shell would.
func (fg *foreground) wait(p *container.Process) (int, error) {
	status, err := p.Wait()
	if err != nil {
		return 1, err
	}
	if fg.printed != nil {
		<-fg.printed
	}
	if status.Signaled() {
		return 128 + int(status.Signal()), nil
	}
	return status.ExitStatus(), nil
}

// close gives our terminal back as it was.
func (fg *foreground) close() {
	if fg.restore != nil {
		_ = unix.IoctlSetTermios(int(fg.a.stdin.Fd()), unix.TCSETS, fg.restore)
	}
	for _, f := range []*os.File{fg.socket, fg.master} {
		if f != nil {
			f.Close()
		}
	}
}
