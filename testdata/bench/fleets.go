package main

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"strings"
	"time"

	"golang.org/x/sync/errgroup"
)

const (
	// fleet is a number of containers that people have.
	fleet = 50
	// together is how many of them are started at a time.
	together = 8
	// crowd is a number of containers that a server has.
	crowd = 1000
	// flood is how many lines a container writes whose output is measured.
	flood = 500_000
)

// sleeper is what a container of a fleet runs.
var sleeper = []string{"sleep", "100000"}

// fleets measures many containers at once, and much output.
func (b *bench) fleets(ctx context.Context) (err error) {
	all, _, err := b.startEngines(ctx)
	defer func() { err = errors.Join(err, stopAll(all)) }()
	if err != nil {
		return err
	}
	for _, part := range []func(context.Context, []*engine) error{b.fifty, b.output, b.thousand} {
		if err := part(ctx, all); err != nil {
			return err
		}
	}
	return nil
}

// compared makes the result of a measurement of berth, which is the first of the engines, and of the others.
func compared(what string, goal float64, all []*engine, took map[*engine]float64) result {
	r := result{what: what, berth: took[all[0]], peers: map[string]float64{}}
	r.goal, r.met = ratio("docker", goal)
	for _, e := range all[1:] {
		r.peers[e.name] = took[e]
	}
	return r
}

// start runs a container in the background and returns its ID.
func (e *engine) start(ctx context.Context) (string, error) {
	return e.do(ctx, append([]string{"run", "-d", e.image}, sleeper...)...)
}

// fifty starts a fleet, one container after another and several at a time, weighs it, and removes it.
func (b *bench) fifty(ctx context.Context, all []*engine) error {
	single, several, weight, removal := map[*engine]float64{}, map[*engine]float64{}, map[*engine]float64{}, map[*engine]float64{}
	ids := map[*engine][]string{}
	for range fleet { // in turn, so that what else the machine does hits all of them
		for _, e := range all {
			took, err := timed(func() error {
				id, err := e.start(ctx)
				ids[e] = append(ids[e], id)
				return err
			})
			if err != nil {
				return err
			}
			single[e] += ms(took)
		}
	}
	for _, e := range all {
		var err error
		if weight[e], err = e.weigh(ctx, ids[e]); err != nil {
			return err
		}
		for _, part := range []struct {
			took map[*engine]float64
			do   func() error
		}{
			{removal, func() error { return e.clear(ctx) }},
			{several, func() error { return e.startMany(ctx, fleet) }},
			{removal, func() error { return e.clear(ctx) }},
		} {
			took, err := timed(part.do)
			if err != nil {
				return err
			}
			part.took[e] += ms(took)
		}
		removal[e] /= 2
	}
	b.add(compared(fmt.Sprintf("%d × run -d, one after another", fleet), 0.10, all, single))
	b.add(compared(fmt.Sprintf("%d × run -d, %d at a time", fleet, together), 0.15, all, several))
	b.add(compared(fmt.Sprintf("rm -f of %d running", fleet), 0.15, all, removal))
	r := compared(fmt.Sprintf("memory of all processes, %d idle containers", fleet), 0.33, all, weight)
	r.unit = "MB"
	b.add(r)
	return nil
}

// startMany starts n containers, several at a time.
func (e *engine) startMany(ctx context.Context, n int) error {
	g, ctx := errgroup.WithContext(ctx)
	g.SetLimit(together)
	for range n {
		g.Go(func() error { _, err := e.start(ctx); return err })
	}
	return g.Wait()
}

// output measures how fast many lines reach a client, while they are written and from the log.
func (b *bench) output(ctx context.Context, all []*engine) error {
	line := strings.Repeat("0123456789", 10)[:99]
	attached, logged := map[*engine][]time.Duration{}, map[*engine][]time.Duration{}
	for range 3 {
		for _, e := range all {
			run := []string{"run", "--name", "flood", "--network", "none", e.image, "sh", "-c", fmt.Sprintf("yes %s | head -n %d", line, flood)}
			for _, part := range []struct {
				took map[*engine][]time.Duration
				verb []string
			}{{attached, run}, {logged, []string{"logs", "flood"}}} {
				took, err := timed(func() error { return e.lines(ctx, flood, part.verb) })
				if err != nil {
					return err
				}
				part.took[e] = append(part.took[e], took)
			}
			if _, err := e.do(ctx, "rm", "flood"); err != nil {
				return err
			}
		}
	}
	for _, m := range []struct {
		what string
		took map[*engine][]time.Duration
	}{{"%d lines through attach", attached}, {"%d lines through logs", logged}} {
		medians := map[*engine]float64{}
		for _, e := range all {
			medians[e] = median(m.took[e])
		}
		b.add(compared(fmt.Sprintf(m.what, flood), 1, all, medians))
	}
	return nil
}

// lines runs a verb that has to print so many lines.
func (e *engine) lines(ctx context.Context, want int, verb []string) error {
	r, w, err := os.Pipe()
	if err != nil {
		return err
	}
	defer r.Close()
	cmd := exec.CommandContext(ctx, e.cmd[0], append(e.cmd[1:len(e.cmd):len(e.cmd)], verb...)...)
	cmd.Stdout = w
	err = cmd.Start()
	w.Close()
	if err != nil {
		return err
	}
	got := 0
	for in := bufio.NewReaderSize(r, 256<<10); err == nil; got++ {
		_, err = in.ReadSlice('\n')
	}
	if got--; err != io.EOF {
		return err
	}
	if err := cmd.Wait(); err != nil {
		return fmt.Errorf("running %s %s: %w", e.name, verb[0], err)
	}
	if got != want {
		return fmt.Errorf("%s %s printed %d lines, not %d", e.name, verb[0], got, want)
	}
	return nil
}

// thousand measures what a crowd of containers costs: listing it, and starting one more. Only berth's containers run:
// docker takes minutes to start so many.
func (b *bench) thousand(ctx context.Context, all []*engine) error {
	ours := all[0]
	early, err := ours.startEach(ctx, 15)
	if err != nil {
		return err
	}
	if err := ours.startMany(ctx, crowd-15-10); err != nil {
		return err
	}
	late, err := ours.startEach(ctx, 10)
	if err != nil {
		return err
	}
	for _, e := range all[1:] {
		g, ctx := errgroup.WithContext(ctx)
		g.SetLimit(together)
		for range crowd {
			g.Go(func() error {
				_, err := e.do(ctx, append([]string{"create", e.image}, sleeper...)...)
				return err
			})
		}
		if err := g.Wait(); err != nil {
			return err
		}
	}
	took, err := b.measure(ctx, all, nil, []string{"ps", "-a"})
	if err != nil {
		return err
	}
	medians := map[*engine]float64{}
	for e, d := range took {
		medians[e] = median(d)
	}
	b.add(compared(fmt.Sprintf("ps -a, %d containers, only berth's running", crowd), 0.5, all, medians))
	r := result{what: fmt.Sprintf("start of the last of %d beside the tenth", crowd), berth: median(late), peers: map[string]float64{"tenth": median(early[5:])}}
	r.goal, r.met = ratio("tenth", 1.3)
	b.add(r)
	return nil
}

// startEach starts n containers and returns what each took.
func (e *engine) startEach(ctx context.Context, n int) ([]time.Duration, error) {
	var each []time.Duration
	for range n {
		took, err := timed(func() error { _, err := e.start(ctx); return err })
		if err != nil {
			return nil, err
		}
		each = append(each, took)
	}
	return each, nil
}
