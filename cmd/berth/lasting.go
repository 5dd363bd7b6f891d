package main

import (
	"context"
	"fmt"
	"time"

	"github.com/moby/moby/api/types/container"
	"github.com/moby/moby/client"

	"berth/cmd/berth/connect"
)

// An engine may be replaced while a verb waits for something: containers do not notice,
// and no more should who waits. What here breaks off goes on with the next engine.

const (
	// startPatience is how long the next engine may take to listen before who needs it
	// starts one; a service manager does it at once. nextPatience is for who does not.
	startPatience = time.Second
	nextPatience  = 10 * time.Second
	nextPause     = 20 * time.Millisecond // between two looks for it
)

// nextEngine returns a client of the engine that follows one that went away. With start
// it starts one in the background if none comes.
func (a *app) nextEngine(ctx context.Context, start bool) (*connect.Client, error) {
	patience := nextPatience
	if start {
		patience = startPatience
	}
	for end := time.Now().Add(patience); ; {
		cl, err := connect.Connect(ctx, a.conf, connect.Options{Version: berthVersion(), NoStart: true})
		if err == nil {
			if _, err = cl.Ping(ctx, client.PingOptions{}); err == nil {
				return cl, nil
			}
			cl.Close()
		}
		if time.Now().After(end) {
			if start {
				return a.client(ctx)
			}
			return nil, err
		}
		select {
		case <-ctx.Done():
			return nil, ctx.Err()
		case <-time.After(nextPause):
		}
	}
}

// exited is how a container ended, or why that is not known.
type exited struct {
	code int64
	err  error
}

// wait is ContainerWait, whichever engine answers in the end. The waiting has begun when
// it returns.
func (a *app) wait(ctx context.Context, cl *connect.Client, id string, condition container.WaitCondition) <-chan exited {
	first := cl.ContainerWait(ctx, id, client.ContainerWaitOptions{Condition: condition})
	out := make(chan exited, 1)
	go func() { out <- a.waited(ctx, first, id, condition) }()
	return out
}

// waited is the answer to a wait.
func (a *app) waited(ctx context.Context, wait client.ContainerWaitResult, id string, condition container.WaitCondition) exited {
	for {
		select {
		case res := <-wait.Result:
			if res.Error != nil && res.Error.Message != "" {
				return exited{err: fmt.Errorf("waiting for container %s: %s", id, res.Error.Message)}
			}
			return exited{code: res.StatusCode}
		case err := <-wait.Error:
			if ctx.Err() != nil {
				return exited{err: ctx.Err()}
			}
			if answered(err) {
				return exited{err: err}
			}
		}
		next, err := a.nextEngine(ctx, true)
		if err != nil {
			return exited{err: fmt.Errorf("the engine went away while container %s ran: %w", id, err)}
		}
		// It may have ended in between.
		if condition == container.WaitConditionNextExit {
			condition = container.WaitConditionNotRunning
		}
		wait = next.ContainerWait(ctx, id, client.ContainerWaitOptions{Condition: condition})
	}
}
