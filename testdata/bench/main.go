// Command bench measures berth beside the engines and runtimes that this
// machine has, in one run, and prints ratios: only those mean something on
// another machine.
//
//	go run ./testdata/bench bin/berth
//
// Every engine is started on directories and a socket of its own and stopped at
// the end. Peers that are not installed are left out.
package main

import (
	"cmp"
	"context"
	"flag"
	"fmt"
	"os"
	"os/signal"
	"path/filepath"
	"slices"
	"strings"
	"syscall"
	"text/tabwriter"
	"time"
)

// result is one line of the table. A number is in milliseconds unless unit says
// otherwise; NaN-free: a peer that was not measured is missing.
type result struct {
	what  string
	berth float64
	peers map[string]float64
	unit  string
	goal  string               // in words
	met   func(r result) *bool // nil: nothing to hold it against
}

// bench holds what all measurements use.
type bench struct {
	berth   string // the binary
	dir     string // everything of this run, removed at the end
	runs    int
	lives   int
	image   string // archive of a large one, "" for none
	results []result

	lazydocker string // the program, "" for none
}

func main() {
	if len(os.Args) > 1 && os.Args[1] == loopVerb {
		loopMain(os.Args[2:])
		return
	}
	if len(os.Args) == 4 && os.Args[1] == namesVerb {
		namesMain(os.Args[2:])
		return
	}
	runs := flag.Int("runs", 20, "times that each thing is done")
	only := flag.String("only", "", "a part to measure alone: runtimes, engines, fleets, soak, layers, registries, networks or console")
	lives := flag.Int("lives", 300, "containers that the soak runs, one after another")
	image := flag.String("image", "", "archive of the image to pull and push (testdata/scripts/bench-image makes it)")
	lazydocker := flag.String("lazydocker", "", "a lazydocker to open beside the console")
	flag.Parse()
	if flag.NArg() != 1 {
		fmt.Fprintln(os.Stderr, "usage: bench [-runs N] [-only PART] BERTH")
		os.Exit(2)
	}
	ctx, stop := signal.NotifyContext(context.Background(), syscall.SIGINT, syscall.SIGTERM)
	defer stop()
	if err := run(ctx, &bench{berth: flag.Arg(0), runs: *runs, lives: *lives, image: *image, lazydocker: *lazydocker}, *only); err != nil {
		fmt.Fprintln(os.Stderr, "bench:", err)
		os.Exit(1)
	}
}

func run(ctx context.Context, b *bench, only string) (err error) {
	if os.Geteuid() != 0 {
		return fmt.Errorf("containers need root: type  sudo make bench")
	}
	if b.berth, err = filepath.Abs(b.berth); err != nil {
		return err
	}
	// A short path: sockets live below it.
	if b.dir, err = os.MkdirTemp("/tmp", "bb"); err != nil {
		return err
	}
	defer func() {
		unmountBelow(b.dir) // podman leaves one
		os.RemoveAll(b.dir)
	}()
	for _, part := range []struct {
		name string
		do   func(context.Context) error
	}{{"runtimes", b.runtimes}, {"engines", b.engines}, {"fleets", b.fleets}, {"soak", b.soak}, {"layers", b.layers}, {"registries", b.registries}, {"networks", b.networks}, {"console", b.consoles}} {
		if only != "" && only != part.name {
			continue
		}
		fmt.Fprintln(os.Stderr, "measuring the", part.name)
		if err := part.do(ctx); err != nil {
			b.print() // what there is
			return fmt.Errorf("measuring the %s: %w", part.name, err)
		}
	}
	b.print()
	return nil
}

// unmountBelow takes away what is mounted below dir, the newest first.
func unmountBelow(dir string) {
	b, err := os.ReadFile("/proc/self/mountinfo")
	if err != nil {
		return
	}
	for _, line := range slices.Backward(strings.Split(string(b), "\n")) {
		if f := strings.Fields(line); len(f) > 4 && strings.HasPrefix(f[4], dir+"/") {
			syscall.Unmount(f[4], syscall.MNT_DETACH)
		}
	}
}

// add keeps a result.
func (b *bench) add(r result) { b.results = append(b.results, r) }

// print writes the table.
func (b *bench) print() {
	w := tabwriter.NewWriter(os.Stdout, 0, 1, 2, ' ', 0)
	fmt.Fprintln(w, "WORK\tBERTH\tPEER\tRATIO\tGOAL\t")
	for _, r := range b.results {
		unit := cmp.Or(r.unit, "ms")
		verdict := ""
		if r.met != nil {
			if ok := r.met(r); ok != nil && *ok {
				verdict = "met"
			} else if ok != nil {
				verdict = "MISSED"
			}
		}
		names := make([]string, 0, len(r.peers))
		for n := range r.peers {
			names = append(names, n)
		}
		slices.Sort(names)
		if len(names) == 0 {
			fmt.Fprintf(w, "%s\t%.2f %s\t-\t-\t%s\t%s\n", r.what, r.berth, unit, r.goal, verdict)
		}
		for i, n := range names {
			what, goal, v := r.what, r.goal, verdict
			if i > 0 {
				what, goal, v = "", "", ""
			}
			fmt.Fprintf(w, "%s\t%.2f %s\t%s %.2f\t%.2f\t%s\t%s\n", what, r.berth, unit, n, r.peers[n], r.berth/r.peers[n], goal, v)
		}
	}
	w.Flush()
}

// ratio is the goal "at most x times that peer".
func ratio(peer string, x float64) (goal string, met func(result) *bool) {
	return fmt.Sprintf("≤ %.2f × %s", x, peer), func(r result) *bool {
		p, ok := r.peers[peer]
		if !ok {
			return nil
		}
		ok = r.berth <= x*p
		return &ok
	}
}

// most is the goal "at most x".
func most(x float64, unit string) (goal string, met func(result) *bool) {
	return fmt.Sprintf("≤ %g %s", x, unit), func(r result) *bool {
		ok := r.berth <= x
		return &ok
	}
}

// median of durations, in milliseconds.
func median(d []time.Duration) float64 {
	d = slices.Clone(d)
	slices.Sort(d)
	return float64(d[len(d)/2].Nanoseconds()) / 1e6
}
