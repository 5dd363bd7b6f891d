// Package feed is all the console's I/O with the engine: it fetches in commands
// and goroutines, and everything it learns arrives in Update as a message.
//
// The subscription ([Feed.Watch]) works like this, so that nothing falls
// between: subscribe to the events, then fetch the snapshot, then hand over the
// events that came meanwhile. When the engine goes away it says so once and
// tries again until it is back, then begins anew.
//
// No function here keeps state of the console; a goroutine that panics sends
// [Panicked], which Update raises, so that there is one place that restores the
// terminal.
package feed

import (
	"context"
	"fmt"
	"runtime/debug"
	"sync"
	"time"

	tea "charm.land/bubbletea/v2"
	"github.com/moby/moby/api/types/container"
	"github.com/moby/moby/api/types/events"
	"github.com/moby/moby/api/types/image"
	"github.com/moby/moby/api/types/network"
	"github.com/moby/moby/api/types/volume"
	"github.com/moby/moby/client"
	"golang.org/x/sync/errgroup"
)

// The messages.
type (
	// Containers and Images are the two halves of a snapshot, each as soon as
	// it is there.
	Containers struct{ List []container.Summary }
	// Images is the list of images; Answer tells a fetch from the snapshot.
	Images struct {
		List   []image.Summary
		Answer bool
		Err    error
	}
	// Volumes and Networks are as Images.
	Volumes struct {
		List   []volume.Volume
		Answer bool
		Err    error
	}
	// Networks is the list of networks.
	Networks struct {
		List   []network.Summary
		Answer bool
		Err    error
	}
	// Event is one event of the engine.
	Event struct{ events.Message }
	// Gone says that the engine cannot be reached, and why.
	Gone struct{ Err error }
	// Row answers a fetch of one container; nil means that there is none.
	Row struct {
		ID      string
		Summary *container.Summary
		Err     error
	}
	// Panicked carries a panic out of a goroutine.
	Panicked struct {
		Value any
		Stack []byte
	}
)

// Feed talks to one engine.
type Feed struct {
	c    *client.Client
	ctx  context.Context
	send func(tea.Msg)
	lane chan struct{} // bounds verbs and row fetches under way at once

	looked  sync.Once                       // at what had happened before
	restart func(ctx context.Context) error // nil: an engine that is gone is waited for
}

// atOnce bounds how many requests of one kind are under way, so that a verb on
// 500 marked rows does not open 500 connections.
const atOnce = 8

// New is a feed on a client. Everything it began ends with ctx.
func New(ctx context.Context, c *client.Client) *Feed {
	return &Feed{c: c, ctx: ctx, send: func(tea.Msg) {}, lane: make(chan struct{}, atOnce)}
}

// SendTo says where messages of goroutines go; call it before anything else.
func (f *Feed) SendTo(send func(tea.Msg)) { f.send = send }

// StartWith says what starts an engine when none answers; call it before Watch.
func (f *Feed) StartWith(start func(ctx context.Context) error) { f.restart = start }

// Context ends when the console does.
func (f *Feed) Context() context.Context { return f.ctx }

// Go starts a goroutine whose panic restores the terminal.
func (f *Feed) Go(run func()) {
	go func() {
		defer func() {
			if v := recover(); v != nil {
				f.send(Panicked{Value: v, Stack: debug.Stack()})
			}
		}()
		run()
	}()
}

// retry is how long to wait for an engine that is gone.
const (
	retryFirst = 200 * time.Millisecond
	retryMost  = 2 * time.Second
)

// Watch subscribes until the feed's context ends.
func (f *Feed) Watch() {
	wait := retryFirst
	for f.ctx.Err() == nil {
		began := time.Now()
		err := f.session()
		if f.ctx.Err() != nil {
			return
		}
		f.send(Gone{Err: err})
		if f.restart != nil {
			if err := f.restart(f.ctx); err != nil && f.ctx.Err() == nil {
				f.send(Gone{Err: err})
			}
		}
		if time.Since(began) > retryMost {
			wait = retryFirst
		}
		select {
		case <-f.ctx.Done():
		case <-time.After(wait):
		}
		wait = min(wait*2, retryMost)
	}
}

// session is one subscription from beginning to end.
func (f *Feed) session() error {
	ctx, cancel := context.WithCancel(f.ctx)
	defer cancel()
	f.Go(func() { f.version(ctx) })
	began := time.Now()
	sub := f.c.Events(ctx, client.EventsListOptions{})
	select {
	case err := <-sub.Err: // refused at once
		return fmt.Errorf("subscribing to events: %w", err)
	default:
	}
	g, gctx := errgroup.WithContext(ctx)
	g.Go(func() error {
		res, err := f.c.ContainerList(gctx, client.ContainerListOptions{All: true})
		if err != nil {
			return fmt.Errorf("listing containers: %w", err)
		}
		f.send(Containers{List: res.Items})
		return nil
	})
	g.Go(func() error {
		res, err := f.c.ImageList(gctx, client.ImageListOptions{})
		if err != nil {
			return fmt.Errorf("listing images: %w", err)
		}
		f.send(Images{List: res.Items})
		return nil
	})
	g.Go(func() error {
		res, err := f.c.VolumeList(gctx, client.VolumeListOptions{})
		if err != nil {
			return fmt.Errorf("listing volumes: %w", err)
		}
		f.send(Volumes{List: res.Items})
		return nil
	})
	g.Go(func() error {
		res, err := f.c.NetworkList(gctx, client.NetworkListOptions{})
		if err != nil {
			return fmt.Errorf("listing networks: %w", err)
		}
		f.send(Networks{List: res.Items})
		return nil
	})
	if err := g.Wait(); err != nil {
		return err
	}
	f.looked.Do(func() { f.Go(func() { f.past(f.ctx, began) }) })
	for {
		select {
		case e := <-sub.Messages:
			f.send(Event{e})
		case err := <-sub.Err:
			return fmt.Errorf("following events: %w", err)
		}
	}
}

// FetchRow is the command that fetches one container, after a while.
func (f *Feed) FetchRow(id string, after time.Duration) tea.Cmd {
	return func() tea.Msg {
		if after > 0 {
			select {
			case <-time.After(after):
			case <-f.ctx.Done():
			}
		}
		f.lane <- struct{}{}
		defer func() { <-f.lane }()
		res, err := f.c.ContainerList(f.ctx, client.ContainerListOptions{All: true, Filters: client.Filters{}.Add("id", id)})
		if err != nil {
			return Row{ID: id, Err: fmt.Errorf("fetching container %s: %w", id, err)}
		}
		for i := range res.Items {
			if res.Items[i].ID == id {
				return Row{ID: id, Summary: &res.Items[i]}
			}
		}
		return Row{ID: id}
	}
}

// FetchImages is the command that fetches the list of images.
func (f *Feed) FetchImages() tea.Cmd {
	return func() tea.Msg {
		res, err := f.c.ImageList(f.ctx, client.ImageListOptions{})
		if err != nil {
			err = fmt.Errorf("listing images: %w", err)
		}
		return Images{List: res.Items, Answer: true, Err: err}
	}
}

// FetchVolumes is the command that fetches the list of volumes.
func (f *Feed) FetchVolumes() tea.Cmd {
	return func() tea.Msg {
		res, err := f.c.VolumeList(f.ctx, client.VolumeListOptions{})
		if err != nil {
			err = fmt.Errorf("listing volumes: %w", err)
		}
		return Volumes{List: res.Items, Answer: true, Err: err}
	}
}

// FetchNetworks is the command that fetches the list of networks.
func (f *Feed) FetchNetworks() tea.Cmd {
	return func() tea.Msg {
		res, err := f.c.NetworkList(f.ctx, client.NetworkListOptions{})
		if err != nil {
			err = fmt.Errorf("listing networks: %w", err)
		}
		return Networks{List: res.Items, Answer: true, Err: err}
	}
}
