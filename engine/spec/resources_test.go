package spec

import (
	"testing"

	"github.com/containerd/errdefs"
	"github.com/moby/moby/api/types/container"
	specs "github.com/opencontainers/runtime-spec/specs-go"
)

func TestResources(t *testing.T) {
	limit := int64(100)
	hc := &container.HostConfig{Resources: container.Resources{
		Memory: 64 << 20, NanoCPUs: 1500e6, PidsLimit: &limit, CPUShares: 512, CpusetCpus: "0",
		Ulimits: []*container.Ulimit{{Name: "nofile", Soft: 10, Hard: 20}},
	}}
	s := build(t, func(in *Input) { in.HostConfig = hc })
	r := s.Linux.Resources
	if *r.Memory.Limit != 64<<20 || *r.Memory.Swap != 128<<20 {
		t.Errorf("memory %d, swap %d", *r.Memory.Limit, *r.Memory.Swap)
	}
	if *r.CPU.Quota != 150000 || *r.CPU.Period != 100000 || *r.CPU.Shares != 512 || r.CPU.Cpus != "0" || *r.Pids.Limit != 100 {
		t.Errorf("cpu %+v, pids %+v", r.CPU, r.Pids)
	}
	if rl := s.Process.Rlimits; len(rl) != 1 || rl[0] != (specs.POSIXRlimit{Type: "RLIMIT_NOFILE", Soft: 10, Hard: 20}) {
		t.Errorf("rlimits %v", rl)
	}
	none := build(t, nil).Linux.Resources
	if none.Memory != nil || none.CPU != nil || none.Pids != nil || none.BlockIO != nil {
		t.Errorf("nothing asked for, nothing limited: %+v", none)
	}
	for what, res := range map[string]container.Resources{
		"too little memory":    {Memory: 1 << 20},
		"swap below memory":    {Memory: 64 << 20, MemorySwap: 32 << 20},
		"swap without memory":  {MemorySwap: 64 << 20},
		"cpus and quota":       {NanoCPUs: 1e9, CPUQuota: 1000},
		"reservation too high": {Memory: 64 << 20, MemoryReservation: 65 << 20},
		"a device that is not": {BlkioDeviceReadBps: nil, Devices: []container.DeviceMapping{{PathOnHost: "/dev/none"}}},
	} {
		_, err := Build(input(func(in *Input) { in.HostConfig.Resources = res }))
		if !errdefs.IsInvalidArgument(err) {
			t.Errorf("%s: got %v, want an invalid argument", what, err)
		}
	}
}
