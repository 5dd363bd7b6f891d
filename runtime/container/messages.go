package container

import (
	"fmt"

	"berth/runtime/initproc"
	"berth/runtime/sync"
)

// describe turns a failure of init into an error.
func (b *build) describe(m sync.Message) error { return describe(b.prog, b.spec.Process.Args[0], m) }

func describe(prog *initproc.Program, command string, m sync.Message) error {
	if m.Kind == sync.Refused {
		return execError(command, m.Errno)
	}
	return prog.Describe(m.Step, m.Errno)
}

// receive waits for the message want of init, with descriptors.
func receive(conn int, want int32, fds []int, describe func(sync.Message) error) error {
	_, err := receiveMessage(conn, want, fds, describe)
	return err
}

func receiveMessage(conn int, want int32, fds []int, describe func(sync.Message) error) (sync.Message, error) {
	m, err := sync.Receive(conn, fds)
	if err != nil {
		return m, fmt.Errorf("init: %w", err)
	}
	if m.Kind == sync.Failed || m.Kind == sync.Refused {
		return m, describe(m)
	}
	if m.Kind != want {
		return m, fmt.Errorf("init: message %d instead of %d", m.Kind, want)
	}
	return m, nil
}
