package main

import (
	"context"
	"encoding/json"
	"fmt"
	"net"
	"os"
	"os/exec"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"golang.org/x/net/dns/dnsmessage"
)

const (
	// questions is how many are asked in a second.
	questions = 10_000
	// asking is for how many seconds.
	asking = 3
	// askers is how many of the container's programs ask.
	askers = 20

	// namesVerb has this program ask a name server and print what it found.
	namesVerb = "names"
)

// answered is what the asking program found.
type answered struct {
	Asked, Answered int
	P99             float64 // milliseconds
}

// names measures the name server of a container: questions that come at a fixed rate, with the engine on one core.
func (b *bench) names(ctx context.Context, all []*engine) error {
	ours := all[0]
	if _, err := ours.do(ctx, "network", "create", "named"); err != nil {
		return err
	}
	if _, err := ours.do(ctx, append([]string{"run", "-d", "--name", "asked", "--network", "named", ours.image}, sleeper...)...); err != nil {
		return err
	}
	pid, err := ours.do(ctx, "inspect", "-f", "{{.State.Pid}}", "asked")
	if err != nil {
		return err
	}
	if out, err := exec.Command("taskset", "-a", "-p", "-c", "0", fmt.Sprint(ours.pid)).CombinedOutput(); err != nil {
		return fmt.Errorf("keep the engine on one core: %w: %s", err, out)
	}
	self, err := os.Executable()
	if err != nil {
		return err
	}
	out, err := exec.CommandContext(ctx, "nsenter", "-t", pid, "-n", self, namesVerb, "127.0.0.11:53", "asked").Output()
	if err != nil {
		return fmt.Errorf("asking the name server: %w", err)
	}
	var found answered
	if err := json.Unmarshal(out, &found); err != nil {
		return fmt.Errorf("asking the name server: %w", err)
	}
	r := result{what: fmt.Sprintf("names, of %d questions/s answered", questions), berth: float64(found.Answered) / asking, unit: "/s"}
	r.goal, r.met = fmt.Sprintf("≥ %d /s", questions), func(r result) *bool { ok := found.Answered == found.Asked; return &ok }
	b.add(r)
	r = result{what: "names, 99 of 100 answers within", berth: found.P99}
	r.goal, r.met = most(5, "ms")
	b.add(r)
	return ours.clear(ctx)
}

// namesMain asks the server at args[0] for the name args[1] and prints an answered.
func namesMain(args []string) {
	b := dnsmessage.NewBuilder(make([]byte, 2), dnsmessage.Header{RecursionDesired: true})
	err := b.StartQuestions()
	if err == nil {
		err = b.Question(dnsmessage.Question{Name: dnsmessage.MustNewName(args[1] + "."), Type: dnsmessage.TypeA, Class: dnsmessage.ClassINET})
	}
	query, perr := b.Finish()
	if err != nil || perr != nil {
		fmt.Fprintln(os.Stderr, "bench:", err, perr)
		os.Exit(1)
	}
	query = query[2:]
	var asked, good atomic.Int64
	var mu sync.Mutex
	var took []time.Duration
	var work sync.WaitGroup
	for range askers {
		work.Go(func() {
			conn, err := net.Dial("udp", args[0])
			if err != nil {
				return
			}
			defer conn.Close()
			buf := make([]byte, 512)
			var mine []time.Duration
			begin := time.Now()
			for i := range asking * questions / askers {
				// At its time, whatever became of those before.
				at := begin.Add(time.Duration(i) * time.Second * askers / questions)
				time.Sleep(time.Until(at))
				asked.Add(1)
				conn.SetDeadline(time.Now().Add(time.Second))
				sent := time.Now()
				if _, err := conn.Write(query); err != nil {
					continue
				}
				if n, err := conn.Read(buf); err != nil || n < 12 || buf[3]&0xf != 0 || buf[7] == 0 {
					continue
				}
				good.Add(1)
				mine = append(mine, time.Since(sent))
			}
			mu.Lock()
			defer mu.Unlock()
			took = append(took, mine...)
		})
	}
	work.Wait()
	slices.Sort(took)
	found := answered{Asked: int(asked.Load()), Answered: int(good.Load())}
	if len(took) > 0 {
		found.P99 = float64(took[len(took)*99/100].Nanoseconds()) / 1e6
	}
	if err := json.NewEncoder(os.Stdout).Encode(found); err != nil {
		fmt.Fprintln(os.Stderr, strings.TrimSpace(err.Error()))
		os.Exit(1)
	}
}
