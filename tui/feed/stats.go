package feed

import (
	"encoding/json"
	"fmt"
	"sync"
	"time"

	tea "charm.land/bubbletea/v2"
	"github.com/moby/moby/api/types/container"
	"github.com/moby/moby/client"
)

// Sample is what one look at a container's counters gives. CPU time is in
// nanoseconds, memory in bytes.
type Sample struct {
	CPU     uint64    // of the container, since it started
	System  uint64    // of all CPUs of the host, 0 when unknown
	CPUs    int       // CPUs the host has
	Memory  uint64    // without the page cache that can go at once
	Limit   uint64    // 0: none
	Pids    uint64    //
	PidsMax uint64    // 0: no limit
	RX, TX  uint64    // network, bytes since start
	Read    uint64    // block I/O, bytes since start
	Written uint64    //
	At      time.Time //
}

// Stats answers Poll: one sample for each container that still runs.
type Stats struct{ Samples map[string]Sample }

// Poll is the command that takes one sample of each container. The engine is
// asked for a single look (one-shot), so it does not wait for a second one.
func (f *Feed) Poll(ids []string) tea.Cmd {
	return func() tea.Msg {
		var (
			mu  sync.Mutex
			wg  sync.WaitGroup
			out = make(map[string]Sample, len(ids))
		)
		for _, id := range ids {
			wg.Add(1)
			f.Go(func() {
				defer wg.Done()
				f.lane <- struct{}{}
				defer func() { <-f.lane }()
				if s, err := f.sample(id); err == nil { // gone meanwhile: its event comes
					mu.Lock()
					out[id] = s
					mu.Unlock()
				}
			})
		}
		wg.Wait()
		return Stats{Samples: out}
	}
}

// sample takes one look at a container's counters.
func (f *Feed) sample(id string) (Sample, error) {
	res, err := f.c.ContainerStats(f.ctx, id, client.ContainerStatsOptions{})
	if err != nil {
		return Sample{}, fmt.Errorf("reading stats of container %s: %w", id, err)
	}
	defer res.Body.Close()
	var s container.StatsResponse
	if err := json.NewDecoder(res.Body).Decode(&s); err != nil {
		return Sample{}, fmt.Errorf("decoding stats of container %s: %w", id, err)
	}
	return sampleOf(s), nil
}

// sampleOf reads the counters as docker's own stats command does.
func sampleOf(s container.StatsResponse) Sample {
	out := Sample{
		CPU:    s.CPUStats.CPUUsage.TotalUsage,
		System: s.CPUStats.SystemUsage,
		CPUs:   int(s.CPUStats.OnlineCPUs),
		Memory: s.MemoryStats.Usage,
		Limit:  s.MemoryStats.Limit,
		Pids:   s.PidsStats.Current, PidsMax: s.PidsStats.Limit,
		At: s.Read,
	}
	// What docker's own command subtracts: the inactive file cache, which has
	// one name under cgroup v1 and another under v2.
	for _, key := range []string{"total_inactive_file", "inactive_file"} {
		if v, ok := s.MemoryStats.Stats[key]; ok {
			if v < out.Memory {
				out.Memory -= v
			}
			break
		}
	}
	for _, n := range s.Networks {
		out.RX += n.RxBytes
		out.TX += n.TxBytes
	}
	for _, e := range s.BlkioStats.IoServiceBytesRecursive {
		switch e.Op {
		case "read", "Read":
			out.Read += e.Value
		case "write", "Write":
			out.Written += e.Value
		}
	}
	return out
}

// Percent is the share of one CPU used between two samples, 100 for a whole
// one; 0 when they do not tell.
func Percent(before, now Sample) float64 {
	if now.CPU < before.CPU || before.At.IsZero() {
		return 0
	}
	used := float64(now.CPU - before.CPU)
	if now.System > before.System && before.System > 0 && now.CPUs > 0 {
		return used / float64(now.System-before.System) * float64(now.CPUs) * 100
	}
	if wall := now.At.Sub(before.At); wall > 0 {
		return used / float64(wall) * 100
	}
	return 0
}
