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
	listener, err := unix.PidfdGetfd(int(p.pidfd.Fd()), int(m.Step), 0)
	if err != nil {
		return fmt.Errorf("linux.seccomp: fetch the listener: %w", err)
	}
	defer unix.Close(listener)
	state, err := json.Marshal(specs.ContainerProcessState{
		Version: specs.Version, Fds: []string{specs.SeccompFdName}, Pid: p.pid, Metadata: c.rec.ListenerMetadata,
		State: specs.State{Version: c.rec.Version, ID: c.rec.ID, Status: status, Pid: c.hookPID(status), Bundle: c.rec.Bundle, Annotations: c.rec.Annotations},
	})
	if err != nil {
		return err
	}
	// On another thread: this one is in the container's file system.
	done := make(chan error, 1)
	go func() { done <- sendListener(c.rec.ListenerPath, state, listener) }()
	if err := <-done; err != nil {
		return fmt.Errorf("linux.seccomp.listenerPath: send the listener to %s: %w", c.rec.ListenerPath, err)
	}
	if _, err := unix.Write(conn, []byte{0}); err != nil {
		return fmt.Errorf("init: %w", err)
	}
	return nil
}

func sendListener(path string, state []byte, listener int) error {
	fd, err := unix.Socket(unix.AF_UNIX, unix.SOCK_STREAM|unix.SOCK_CLOEXEC, 0)
	if err != nil {
		return err
	}
	defer unix.Close(fd)
	if err := unix.Connect(fd, &unix.SockaddrUnix{Name: path}); err != nil {
		return err
	}
	n, err := unix.SendmsgN(fd, state, unix.UnixRights(listener), nil, unix.MSG_NOSIGNAL)
	for err == nil && n < len(state) { // a stream may take it in pieces
		state = state[n:]
		n, err = unix.SendmsgN(fd, state, nil, nil, unix.MSG_NOSIGNAL)
	}
	return err
}
