package engine

import (
	"context"

	"github.com/containerd/errdefs"
	"github.com/moby/moby/api/types/container"
)

// waiter is a client that waits for a container.
type waiter struct {
	cond container.WaitCondition
	ch   chan container.WaitResponse // has room for the one answer
}

// Wait answers on the channel when the condition is met: not-running (the
// default), next-exit or removed. The waiter is registered when Wait returns;
// when ctx ends it is forgotten and the channel stays empty.
func (cs *Containers) Wait(ctx context.Context, ref string, cond container.WaitCondition) (<-chan container.WaitResponse, error) {
	switch cond {
	case "":
		cond = container.WaitConditionNotRunning
	case container.WaitConditionNotRunning, container.WaitConditionNextExit, container.WaitConditionRemoved:
	default:
		return nil, kind(errdefs.ErrInvalidArgument, "invalid condition: %q", cond)
	}
	c, err := cs.get(ref)
	if err != nil {
		if resp, ok := cs.missed[ref]; ok {
			ch := make(chan container.WaitResponse, 1)
			ch <- resp
			return ch, nil
		}
		return nil, err
	}
	w := &waiter{cond: cond, ch: make(chan container.WaitResponse, 1)}
	c.mu.Lock()
	defer c.mu.Unlock()
	s := c.rec.State
	if c.gone || cond == container.WaitConditionNotRunning && !s.Running {
		w.ch <- container.WaitResponse{StatusCode: int64(s.ExitCode)}
		return w.ch, nil
	}
	c.waiters[w] = struct{}{}
	context.AfterFunc(ctx, func() {
		c.mu.Lock()
		defer c.mu.Unlock()
		delete(c.waiters, w)
	})
	return w.ch, nil
}

// answer serves the waiters of the given conditions.
func (c *ctr) answer(resp container.WaitResponse, conds ...container.WaitCondition) {
	c.mu.Lock()
	defer c.mu.Unlock()
	for w := range c.waiters {
		for _, cond := range conds {
			if w.cond == cond {
				w.ch <- resp
				delete(c.waiters, w)
			}
		}
	}
}
