package server

import (
	"fmt"
	"time"

	"berth/runtime/plainjson"
	"berth/shim/wire"
	"github.com/containerd/errdefs"
	specs "github.com/opencontainers/runtime-spec/specs-go"
)

// running returns the exec id if its process has not ended. s.mu is held.
func (s *shim) running(id string) (*process, error) {
	x := s.execs[id]
	if x == nil || x.rt == nil {
		return nil, fmt.Errorf("exec %s: %w", id, errdefs.ErrNotFound)
	}
	if x.over {
		return nil, fmt.Errorf("exec %s has ended: %w", id, errdefs.ErrFailedPrecondition)
	}
	return x, nil
}

// exec starts one more process, and attaches the connection that came with m if one
// did.
func (p *peer) exec(s *shim, m *wire.Message) {
	x, c, err := s.exec(p, m)
	if err != nil {
		p.reply(err)
		return
	}
	p.send(wire.TypePID, wire.EncodePID(x.rt.PID()))
	if c != nil {
		c.run()
	}
	go s.superviseExec(x)
}

func (s *shim) exec(p *peer, m *wire.Message) (x *process, c *client, err error) {
	req, err := wire.DecodeExec(m.Body)
	if err != nil {
		return nil, nil, err
	}
	var process specs.Process
	if err := plainjson.Unmarshal(req.Process, &process); err != nil {
		return nil, nil, fmt.Errorf("decode process of exec %s: %w: %w", req.ID, err, errdefs.ErrInvalidArgument)
	}
	process.Terminal = req.Tty
	if process.OOMScoreAdj == nil {
		process.OOMScoreAdj = new(int) // and not the shim's
	}
	if req.ConsoleSize != [2]uint{} {
		// The process must not see another size first.
		process.ConsoleSize = &specs.Box{Height: req.ConsoleSize[0], Width: req.ConsoleSize[1]}
	}
	x = s.newProcess(req.ID, req.Tty, noLog)
	ends, err := x.makeStdio(req.OpenStdin)
	if err != nil {
		return nil, nil, err
	}
	defer ends.close()
	x.closeStdinAtEOF = true

	// The name is taken while the process is being made, and the lock is not held: a
	// slow exec must not hold up a kill.
	if err := s.reserveExec(req.ID, x); err != nil {
		x.abandon()
		return nil, nil, err
	}
	box, err := s.container()
	var rt child
	if err == nil {
		rt, err = box.exec(req.ID, &process, ends)
	}
	if err != nil {
		s.mu.Lock()
		delete(s.execs, req.ID)
		s.mu.Unlock()
		x.abandon()
		close(x.done)
		return nil, nil, err
	}
	s.mu.Lock()
	x.rt, x.started = rt, time.Now().UTC()
	s.mu.Unlock()
	if len(m.FDs) > 0 {
		fd := m.FDs[0]
		m.FDs = m.FDs[1:]
		if c, err = newClient(x, req.Attach, fd, p.ended); err == nil {
			err = x.out.attach(c)
		}
	}
	// The client is in place before the first byte is read. From here on the process
	// exists, whatever fails.
	if serr := x.start([2]uint{}); err == nil {
		err = serr
	}
	x.failure = err
	return x, c, nil
}

// reserveExec enters x under id.
func (s *shim) reserveExec(id string, x *process) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.status != wire.StatusRunning {
		return s.wrong("exec in")
	}
	if s.execs[id] != nil {
		return fmt.Errorf("exec %s: %w", id, errdefs.ErrAlreadyExists)
	}
	s.execs[id] = x
	return nil
}

// superviseExec waits for the end of an exec, delivers what it wrote, and answers who
// waits for it.
func (s *shim) superviseExec(x *process) {
	exit := x.wait()
	defer s.gate.RUnlock()
	s.mu.Lock()
	x.over = true
	s.mu.Unlock()
	x.drain(nil)
	exit.StartedAt = x.started
	exit.Error = describe(x.failure)

	s.mu.Lock()
	x.exit, x.ready = exit, true
	waiters := x.waiters
	x.waiters = nil
	if len(waiters) > 0 {
		delete(s.execs, x.id)
	}
	s.mu.Unlock()
	for w := range waiters {
		w.send(wire.TypeExit, exit.Encode())
	}
	close(x.done)
	x.out.end()
	x.out.waitClients()
	s.idle.touch()
}

// waitExec answers p with the exit of an exec once it is known, and forgets the exec
// then.
func (s *shim) waitExec(p *peer, id string) error {
	s.mu.Lock()
	x := s.execs[id]
	switch {
	case x == nil:
		s.mu.Unlock()
		return fmt.Errorf("wait for exec %s: %w", id, errdefs.ErrNotFound)
	case x.ready:
		delete(s.execs, id)
		s.idle.again()
		s.mu.Unlock()
		p.send(wire.TypeExit, x.exit.Encode())
		return nil
	case x.waiters == nil:
		x.waiters = map[*peer]struct{}{}
	}
	x.waiters[p] = struct{}{}
	s.mu.Unlock()
	return nil
}
