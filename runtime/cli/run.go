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
		if o.ConsoleSocket, err = dial(unix.SOCK_STREAM, path); err != nil {
			return 1, fmt.Errorf("connect to the console socket: %w", err)
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
	return 0, a.announce(f, c, c.Init())
}

func (a *app) start(f values) (int, error) {
	c, err := a.load(f)
	if err != nil {
		return 1, err
	}
	n, err := a.listenNotify(f.args[0])
	if err != nil {
		return 1, err
	}
	defer n.close()
	if err := c.Start(); err != nil {
		return 1, err
	}
	return 0, n.ready(c)
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
	o.ConsoleSocket, o.PlainNewlines = socket, fg.plain()
	c, err := container.Create(context.Background(), o)
	if err != nil {
		return 1, err
	}
	if err := a.announce(f, c, c.Init()); err != nil {
		return 1, err
	}
	n, err := a.listenNotify(o.ID)
	if err == nil {
		defer n.close()
		err = fg.attach(c.Init())
	}
	if err == nil {
		err = c.Start()
	}
	if err != nil {
		return 1, errors.Join(err, c.Delete(true))
	}
	if f.has("detach") {
		return 0, n.ready(c)
	}
	go func() {
		if err := n.ready(c); err != nil {
			a.warn(err.Error())
		}
	}()
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
		NoPivot: f.has("no-pivot"), NoNewKeyring: f.has("no-new-keyring"), SystemdCgroup: a.systemd, Warn: a.warn,
	}
	var err error
	if o.Bundle, err = bundleDir(f); err != nil {
		return o, err
	}
	if o.Spec, err = container.LoadSpec(o.Bundle); err != nil || o.Spec.Process == nil {
		return o, err
	}
	sockets := activated()
	if sockets > 0 {
		o.Spec.Process.Env = append(o.Spec.Process.Env, "LISTEN_FDS="+strconv.Itoa(sockets), "LISTEN_PID=1")
	}
	if notifyHost() != "" {
		a.addNotify(&o)
	}
	o.ExtraFiles, err = preserved(sockets + f.number("preserve-fds"))
	return o, err
}

// bundleDir is the directory of --bundle, which must be there.
func bundleDir(f values) (string, error) {
	dir, err := absolute(f.get("bundle"))
	if err == nil {
		_, err = os.Stat(dir)
	}
	return dir, err
}

// activated counts the sockets that systemd's socket activation hands to this
// process (sd_listen_fds(3)). They are passed on.
func activated() int {
	pid, err := strconv.Atoi(os.Getenv("LISTEN_PID"))
	if err != nil || pid != os.Getpid() {
		return 0
	}
	n, err := strconv.Atoi(os.Getenv("LISTEN_FDS"))
	if err != nil {
		return 0
	}
	return max(n, 0)
}

// preserved gives the n descriptors after stdio.
func preserved(n int) ([]*os.File, error) {
	var files []*os.File
	for i := range n {
		fd := 3 + i
		if _, err := unix.FcntlInt(uintptr(fd), unix.F_GETFD, 0); err != nil {
			return nil, fmt.Errorf("--preserve-fds: of %d descriptors %d is not open", n, fd)
		}
		files = append(files, os.NewFile(uintptr(fd), "preserved"))
	}
	return files, nil
}

// announce tells the caller the process: --pid-file and --pidfd-socket. If it
// cannot, the container is not left behind.
func (a *app) announce(f values, c *container.Container, p *container.Process) error {
	a.log.debug(fmt.Sprintf("process %d is made", p.PID()))
	err := sendPidfd(f.get("pidfd-socket"), p)
	if name := f.get("pid-file"); err == nil && name != "" {
		err = writePID(name, p.PID())
	}
	if err != nil && c != nil {
		return errors.Join(err, c.Delete(true))
	}
	return err
}

// writePID makes the pid file appear whole. What is there under the name that it has
// meanwhile, a link in a directory of others perhaps, is not written through.
func writePID(name string, pid int) error {
	tmp := path.Join(path.Dir(name), "."+path.Base(name))
	if err := os.Remove(tmp); err != nil && !errors.Is(err, os.ErrNotExist) {
		return err
	}
	f, err := os.OpenFile(tmp, os.O_WRONLY|os.O_CREATE|os.O_EXCL, 0o666)
	if err != nil {
		return err
	}
	_, err = f.WriteString(strconv.Itoa(pid))
	if err = errors.Join(err, f.Close()); err == nil {
		err = os.Rename(tmp, name)
	}
	return err
}

// sendPidfd sends the descriptor, with its name as the message as runc does.
func sendPidfd(path string, p *container.Process) error {
	if path == "" {
		return nil
	}
	socket, err := dial(unix.SOCK_STREAM, path)
	if err != nil {
		return fmt.Errorf("connect to the pidfd socket: %w", err)
	}
	defer socket.Close()
	if err := unix.Sendmsg(int(socket.Fd()), []byte("pidfd"), unix.UnixRights(int(p.PidFD().Fd())), nil, unix.MSG_NOSIGNAL); err != nil {
		return fmt.Errorf("send the pidfd: %w", err)
	}
	return nil
}

// dial connects to a unix socket. (Package net would have the runtime start
// late; see package early.)
func dial(kind int, path string) (*os.File, error) {
	fd, err := unix.Socket(unix.AF_UNIX, kind|unix.SOCK_CLOEXEC, 0)
	if err != nil {
		return nil, err
	}
	if err := unix.Connect(fd, &unix.SockaddrUnix{Name: path}); err != nil {
		unix.Close(fd)
		return nil, fmt.Errorf("%s: %w", path, err)
	}
	return os.NewFile(uintptr(fd), path), nil
}
