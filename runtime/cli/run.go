package cli

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path"
	"strconv"

	"berth/runtime/container"
	"golang.org/x/sys/unix"
)

func (a *app) create(f values) (int, error) {
	o, err := a.options(f)
	if err != nil {
		return 1, err
	}
	if path := f.get("console-socket"); path != "" {
		if o.ConsoleSocket, err = dialConsole(path); err != nil {
			return 1, err
		}
		defer o.ConsoleSocket.Close()
	}
	if o.Spec.Process != nil && o.Spec.Process.Terminal != (o.ConsoleSocket != nil) {
		if o.ConsoleSocket == nil {
			return 1, errors.New("cannot allocate tty if runc will detach without setting console socket")
		}
		return 1, errors.New("cannot use console socket if runc will not detach or allocate tty")
	}
	c, err := container.Create(context.Background(), o)
	if err != nil {
		return 1, err
	}
	return 0, a.pidFile(f, c, c.Init())
}

func (a *app) start(f values) (int, error) {
	c, err := a.load(f)
	if err != nil {
		return 1, err
	}
	return 0, c.Start()
}

func (a *app) run(f values) (int, error) {
	o, err := a.options(f)
	if err != nil {
		return 1, err
	}
	terminal := o.Spec.Process != nil && o.Spec.Process.Terminal
	fg, socket, err := a.foreground(terminal, f)
	if err != nil {
		return 1, err
	}
	defer fg.close()
	o.ConsoleSocket = socket
	c, err := container.Create(context.Background(), o)
	if err != nil {
		return 1, err
	}
	if err := a.pidFile(f, c, c.Init()); err != nil {
		return 1, err
	}
	if err = fg.attach(c.Init()); err == nil {
		err = c.Start()
	}
	if err != nil {
		return 1, errors.Join(err, c.Delete(true))
	}
	if f.has("detach") {
		return 0, nil
	}
	code, err := fg.wait(c.Init())
	if !f.has("keep") {
		err = errors.Join(err, c.Delete(true))
	}
	return code, err
}

// options turns the flags of create and run into options of the container.
func (a *app) options(f values) (container.Options, error) {
	o := container.Options{
		ID: f.args[0], StateRoot: a.root, Stdin: a.stdin, Stdout: a.stdout, Stderr: a.stderr,
		NoPivot: f.has("no-pivot"), NoNewKeyring: f.has("no-new-keyring"), Warn: a.warn,
	}
	var err error
	if o.Bundle, err = absolute(f.get("bundle")); err != nil {
		return o, err
	}
	if o.ExtraFiles, err = preserved(f); err != nil {
		return o, err
	}
	o.Spec, err = container.LoadSpec(o.Bundle)
	return o, err
}

// preserved gives the descriptors that --preserve-fds passes on.
func preserved(f values) ([]*os.File, error) {
	n, err := f.number("preserve-fds")
	if err != nil {
		return nil, err
	}
	var files []*os.File
	for i := range n {
		fd := 3 + i
		if _, err := unix.FcntlInt(uintptr(fd), unix.F_GETFD, 0); err != nil {
			return nil, fmt.Errorf("--preserve-fds %d: descriptor %d is not open", n, fd)
		}
		files = append(files, os.NewFile(uintptr(fd), "preserved"))
	}
	return files, nil
}

// pidFile writes the process ID for --pid-file; if it cannot, the container is
// not left behind.
func (a *app) pidFile(f values, c *container.Container, p *container.Process) error {
	name := f.get("pid-file")
	if name == "" {
		return nil
	}
	tmp := path.Join(path.Dir(name), "."+path.Base(name))
	err := os.WriteFile(tmp, []byte(strconv.Itoa(p.PID())), 0o666)
	if err == nil {
		err = os.Rename(tmp, name)
	}
	if err != nil && c != nil {
		return errors.Join(err, c.Delete(true))
	}
	return err
}

// dialConsole connects to the socket that a caller listens on for the terminal.
// (Package net would have the runtime start late; see package early.)
func dialConsole(path string) (*os.File, error) {
	fd, err := unix.Socket(unix.AF_UNIX, unix.SOCK_STREAM|unix.SOCK_CLOEXEC, 0)
	if err != nil {
		return nil, fmt.Errorf("connect to the console socket: %w", err)
	}
	if err := unix.Connect(fd, &unix.SockaddrUnix{Name: path}); err != nil {
		unix.Close(fd)
		return nil, fmt.Errorf("connect to the console socket %s: %w", path, err)
	}
	return os.NewFile(uintptr(fd), path), nil
}
