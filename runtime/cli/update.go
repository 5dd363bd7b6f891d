package cli

import (
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"strconv"
	"strings"

	"github.com/opencontainers/runtime-spec/specs-go"
)

func (a *app) update(f values) (int, error) {
	c, err := a.load(f)
	if err != nil {
		return 1, err
	}
	r := &specs.LinuxResources{}
	switch name := f.get("resources"); name {
	case "":
		r, err = flagResources(f)
	case "-":
		err = decodeResources(a.stdin, r)
	default:
		var file *os.File
		if file, err = os.Open(name); err == nil {
			err = decodeResources(file, r)
			file.Close()
		}
	}
	if err != nil {
		return 1, err
	}
	for flag, name := range map[string]string{"l3-cache-schema": "L3", "mem-bw-schema": "MB"} {
		if f.given(flag) {
			// What update changes is a group that a container was made with.
			return 1, fmt.Errorf("--%s: Intel RDT: the container has no group of resctrl whose schema %s could be changed", flag, name)
		}
	}
	return 0, c.Update(r)
}

// decodeResources reads JSON. Fields that it names and linux.resources has not
// are left alone, like in config.json.
func decodeResources(from io.Reader, r *specs.LinuxResources) error {
	if err := json.NewDecoder(from).Decode(r); err != nil {
		return fmt.Errorf("read the resources: %w", err)
	}
	return nil
}

// flagResources turns the flags of update into resources. Those not given, or
// zero, stay as they are.
func flagResources(f values) (*specs.LinuxResources, error) {
	r := &specs.LinuxResources{Memory: &specs.LinuxMemory{}, CPU: &specs.LinuxCPU{Cpus: f.get("cpuset-cpus"), Mems: f.get("cpuset-mems")}}
	if w := f.number("blkio-weight"); w != 0 {
		if w < 0 || w > 0xffff {
			return nil, fmt.Errorf("invalid value for blkio-weight: %d", w)
		}
		weight := uint16(w)
		r.BlockIO = &specs.LinuxBlockIO{Weight: &weight}
	}
	if n := int64(f.number("pids-limit")); n != 0 {
		r.Pids = &specs.LinuxPids{Limit: &n}
	}
	if f.given("cpu-idle") {
		n := int64(f.number("cpu-idle"))
		r.CPU.Idle = &n
	}
	var errs []error
	unsigned := func(flag string, to **uint64) {
		if v := f.get(flag); v != "" {
			n, err := strconv.ParseUint(v, 10, 64)
			*to, errs = &n, append(errs, invalidValue(flag, err))
		}
	}
	signed := func(flag string, to **int64, parse func(string) (int64, error)) {
		if v := f.get(flag); v != "" {
			n, err := parse(v)
			*to, errs = &n, append(errs, invalidValue(flag, err))
		}
	}
	decimal := func(s string) (int64, error) { return strconv.ParseInt(s, 10, 64) }
	unsigned("cpu-period", &r.CPU.Period)
	unsigned("cpu-burst", &r.CPU.Burst)
	unsigned("cpu-rt-period", &r.CPU.RealtimePeriod)
	unsigned("cpu-share", &r.CPU.Shares)
	signed("cpu-quota", &r.CPU.Quota, decimal)
	signed("cpu-rt-runtime", &r.CPU.RealtimeRuntime, decimal)
	signed("memory", &r.Memory.Limit, bytesOf)
	signed("memory-reservation", &r.Memory.Reservation, bytesOf)
	signed("memory-swap", &r.Memory.Swap, bytesOf)
	//lint:ignore SA1019 the flag is runc's
	signed("kernel-memory", &r.Memory.Kernel, bytesOf)
	signed("kernel-memory-tcp", &r.Memory.KernelTCP, bytesOf)
	return r, errors.Join(errs...)
}

func invalidValue(flag string, err error) error {
	if err != nil {
		return fmt.Errorf("invalid value for %s: %w", flag, err)
	}
	return nil
}

// bytesOf reads a size as runc does: a number, perhaps with k, m, g, t or p, in
// powers of 1024, and "b" or "ib" after it; or -1, for no limit.
func bytesOf(s string) (int64, error) {
	if s == "-1" {
		return -1, nil
	}
	digits := strings.TrimRight(s, "kmgtpibKMGTPIB ")
	unit := strings.ToLower(strings.TrimPrefix(s[len(digits):], " "))
	factor := 1.0
	if len(unit) > 0 {
		if i := strings.IndexByte("kmgtp", unit[0]); i >= 0 {
			factor, unit = float64(uint64(1)<<(10*(i+1))), unit[1:]
		}
	}
	n, err := strconv.ParseFloat(digits, 64)
	if err != nil || strings.Trim(digits, "0123456789.") != "" || n*factor >= 1<<63 || unit != "" && unit != "b" && unit != "ib" && unit != "i" {
		return 0, fmt.Errorf("invalid size: '%s'", s)
	}
	return int64(n * factor), nil
}
