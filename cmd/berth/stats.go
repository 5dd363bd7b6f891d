package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"strings"
	"sync"
	"time"

	"github.com/docker/go-units"
	"github.com/moby/moby/api/types/container"
	"github.com/moby/moby/client"
	"github.com/spf13/cobra"

	"berth/cmd/berth/connect"
	"berth/cmd/berth/output"
	"berth/cmd/berth/session"
)

// statsRow is a line of stats; the names are docker's.
type statsRow struct {
	BlockIO, CPUPerc, Container, ID, MemPerc, MemUsage, Name, NetIO, PIDs string
}

var statsHeaders = output.Headers{
	"Container": "CONTAINER", "ID": "CONTAINER ID", "Name": "NAME", "CPUPerc": "CPU %", "MemUsage": "MEM USAGE / LIMIT",
	"MemPerc": "MEM %", "NetIO": "NET I/O", "BlockIO": "BLOCK I/O", "PIDs": "PIDS",
}

// statsPause is between two looks while no container runs.
const statsPause = time.Second

func newStats(a *app) *cobra.Command {
	var all, noStream, noTrunc bool
	var format string
	c := &cobra.Command{
		Use:   "stats [flags] [CONTAINER...]",
		Short: "Show what containers use of CPU, memory, network and disk",
		RunE: func(c *cobra.Command, refs []string) error {
			ctx := c.Context()
			cl, err := a.client(ctx)
			if err != nil {
				return err
			}
			screen := !noStream && format == "" && session.IsTerminal(a.outFile())
			for {
				rows, err := collectStats(ctx, cl, refs, all, noTrunc)
				if err != nil {
					if ctx.Err() != nil {
						return nil
					}
					// An engine that ends gives up the readings under way, and says so.
					ends := strings.Contains(err.Error(), context.Canceled.Error())
					if noStream || answered(err) && !ends {
						return err
					}
					// The next engine is asked, should this one have been replaced.
					if cl, err = a.nextEngine(ctx, false); err != nil {
						return fmt.Errorf("the engine went away: %w", err)
					}
					continue
				}
				if screen {
					fmt.Fprint(a.out, "\x1b[H\x1b[J") // home, clear
				}
				if err := output.Rows(a.out, output.Spec{
					Format: format, Headers: statsHeaders,
					Table: "{{.ID}}\t{{.Name}}\t{{.CPUPerc}}\t{{.MemUsage}}\t{{.MemPerc}}\t{{.NetIO}}\t{{.BlockIO}}\t{{.PIDs}}",
				}, rows); err != nil || noStream {
					return err
				}
				if len(rows) == 0 {
					// Nothing paces the loop: the next container is waited for.
					select {
					case <-ctx.Done():
						return nil
					case <-time.After(statsPause):
					}
				}
			}
		},
	}
	c.Flags().BoolVarP(&all, "all", "a", false, "show stopped containers too")
	c.Flags().BoolVar(&noStream, "no-stream", false, "print once and leave")
	c.Flags().BoolVar(&noTrunc, "no-trunc", false, "do not shorten")
	c.Flags().StringVar(&format, "format", "", "table, json or a Go template")
	return c
}

// collectStats takes one sample of every container, at the same time. The
// engine waits between its two readings, which paces the stream.
func collectStats(ctx context.Context, cl *connect.Client, refs []string, all, noTrunc bool) ([]statsRow, error) {
	if len(refs) == 0 {
		res, err := cl.ContainerList(ctx, client.ContainerListOptions{All: all})
		if err != nil {
			return nil, err
		}
		for _, s := range res.Items {
			refs = append(refs, s.ID)
		}
	}
	rows := make([]statsRow, len(refs))
	errs := make([]error, len(refs))
	var wg sync.WaitGroup
	for i, ref := range refs {
		wg.Go(func() { rows[i], errs[i] = oneStats(ctx, cl, ref, noTrunc) })
	}
	wg.Wait()
	return rows, errors.Join(errs...)
}

func oneStats(ctx context.Context, cl *connect.Client, ref string, noTrunc bool) (statsRow, error) {
	res, err := cl.ContainerStats(ctx, ref, client.ContainerStatsOptions{IncludePreviousSample: true})
	if err != nil {
		return statsRow{}, err
	}
	defer res.Body.Close()
	var s container.StatsResponse
	if err := json.NewDecoder(res.Body).Decode(&s); err != nil && err != io.EOF {
		return statsRow{}, fmt.Errorf("reading the stats of %s: %w", ref, err)
	}
	return statsRowOf(ref, s, noTrunc), nil
}

func statsRowOf(ref string, s container.StatsResponse, noTrunc bool) statsRow {
	r := statsRow{Container: ref, ID: s.ID, Name: s.Name, PIDs: fmt.Sprint(s.PidsStats.Current)}
	if len(r.Name) > 0 && r.Name[0] == '/' {
		r.Name = r.Name[1:]
	}
	if !noTrunc {
		r.ID = output.ShortID(s.ID)
	}
	cpu := 0.0
	if dSys := float64(s.CPUStats.SystemUsage) - float64(s.PreCPUStats.SystemUsage); dSys > 0 {
		cpus := float64(s.CPUStats.OnlineCPUs)
		if cpus == 0 {
			cpus = float64(len(s.CPUStats.CPUUsage.PercpuUsage))
		}
		cpu = (float64(s.CPUStats.CPUUsage.TotalUsage) - float64(s.PreCPUStats.CPUUsage.TotalUsage)) / dSys * cpus * 100
	}
	r.CPUPerc = fmt.Sprintf("%.2f%%", cpu)
	used := s.MemoryStats.Usage
	// The page cache that the kernel can take back at once is no use of
	// memory: cgroup v1 and v2 call it differently.
	for _, k := range []string{"total_inactive_file", "inactive_file"} {
		if v, ok := s.MemoryStats.Stats[k]; ok && v < used {
			used -= v
			break
		}
	}
	r.MemUsage = units.BytesSize(float64(used)) + " / " + units.BytesSize(float64(s.MemoryStats.Limit))
	perc := 0.0
	if s.MemoryStats.Limit > 0 {
		perc = float64(used) / float64(s.MemoryStats.Limit) * 100
	}
	r.MemPerc = fmt.Sprintf("%.2f%%", perc)
	var rx, tx, read, write uint64
	for _, n := range s.Networks {
		rx, tx = rx+n.RxBytes, tx+n.TxBytes
	}
	for _, b := range s.BlkioStats.IoServiceBytesRecursive {
		switch b.Op {
		case "Read", "read":
			read += b.Value
		case "Write", "write":
			write += b.Value
		}
	}
	r.NetIO, r.BlockIO = pair(rx, tx), pair(read, write)
	return r
}

func pair(a, b uint64) string {
	return output.Size(int64(a)) + " / " + output.Size(int64(b))
}
