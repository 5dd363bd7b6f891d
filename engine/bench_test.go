package engine

import (
	"testing"
	"time"

	"github.com/moby/moby/api/types/container"
)

// BenchmarkRunRemoved is what `run --rm true` costs the engine: create, start,
// the container's end and its removal, with and without a network.
func BenchmarkRunRemoved(b *testing.B) {
	for _, network := range []container.NetworkMode{"none", "bridge"} {
		b.Run(string(network), func(b *testing.B) {
			r := newRig(b)
			o := shell("")
			o.Config.Cmd = []string{"true"}
			o.HostConfig.AutoRemove, o.HostConfig.NetworkMode = true, network
			var create, start, end time.Duration
			for b.Loop() {
				t0 := time.Now()
				id := r.create(o)
				t1 := time.Now()
				removed := r.wait(id, container.WaitConditionRemoved)
				r.start(id)
				t2 := time.Now()
				removed()
				create, start, end = create+t1.Sub(t0), start+t2.Sub(t1), end+time.Since(t2)
			}
			for unit, d := range map[string]time.Duration{"create-ms": create, "start-ms": start, "end-ms": end} {
				b.ReportMetric(d.Seconds()*1000/float64(b.N), unit)
			}
		})
	}
}
