package container

import (
	"encoding/json"
	"fmt"

	"berth/runtime/sync"
	"github.com/opencontainers/runtime-spec/specs-go"
	"golang.org/x/sys/unix"
)

// passListener waits for the seccomp listener of a process and sends it to the
// agent (runtime-spec config-linux.md, "The Container Process State"). The process
// goes on when the agent has it.
func (c *Container) passListener(conn int, p *Process, status specs.ContainerState, describe func(sync.Message) error) error {
	m, err := receiveMessage(conn, sync.Listening, nil, describe)
	if err != nil {
		return err
	}
	state, err := json.Marshal(specs.ContainerProcessState{
		Version: specs.Version, Fds: []string{specs.SeccompFdName}, Pid: p.pid, Metadata: c.rec.ListenerMetadata,
		State: specs.State{Version: c.rec.Version, ID: c.rec.ID, Status: status, Pid: c.hookPID(status), Bundle: c.rec.Bundle, Annotations: c.rec.Annotations},
	})
	if err != nil {
		return err
	}
	// On another thread: this one is in the container's file system, and in its user
	// namespace, from where init cannot be looked at.
	done := make(chan error, 1)
	go func() { done <- p.sendListener(int(m.Step), c.rec.ListenerPath, state) }()
	if err := <-done; err != nil {
		return err
	}
	if _, err := unix.Write(conn, []byte{0}); err != nil {
		return fmt.Errorf("init: %w", err)
	}
	return nil
}

// sendListener sends the process's descriptor number listener, and its state, to the
// agent at path.
func (p *Process) sendListener(listener int, path string, state []byte) error {
	listener, err := unix.PidfdGetfd(int(p.pidfd.Fd()), listener, 0)
	if err != nil {
		return fmt.Errorf("linux.seccomp: fetch the listener: %w", err)
	}
	defer unix.Close(listener)
	if err := send(path, state, listener); err != nil {
		return fmt.Errorf("linux.seccomp.listenerPath: failed to connect with seccomp agent at %s: %w", path, err)
	}
	return nil
}

// send sends data, and a descriptor with it, to a unix socket of its own.
func send(path string, data []byte, descriptor int) error {
	fd, err := unix.Socket(unix.AF_UNIX, unix.SOCK_STREAM|unix.SOCK_CLOEXEC, 0)
	if err != nil {
		return err
	}
	defer unix.Close(fd)
	if err := unix.Connect(fd, &unix.SockaddrUnix{Name: path}); err != nil {
		return err
	}
	n, err := unix.SendmsgN(fd, data, unix.UnixRights(descriptor), nil, unix.MSG_NOSIGNAL)
	for err == nil && n < len(data) { // a stream may take it in pieces
		data = data[n:]
		n, err = unix.SendmsgN(fd, data, nil, nil, unix.MSG_NOSIGNAL)
	}
	return err
}
