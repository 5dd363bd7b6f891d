package runflags

import (
	"errors"
	"fmt"
	"math/big"
	"net"
	"net/netip"
	"strconv"
	"strings"
	"time"

	"github.com/docker/go-units"
	"github.com/moby/moby/api/types/container"
	"github.com/moby/moby/api/types/network"
	ocispec "github.com/opencontainers/image-spec/specs-go/v1"
	"github.com/spf13/pflag"
)

// Request is what the command line asks for.
type Request struct {
	Name       string
	CIDFile    string
	Pull       string // PullAlways, PullMissing or PullNever
	Quiet      bool   // show nothing of a pull
	Platform   *ocispec.Platform
	Config     *container.Config
	HostConfig *container.HostConfig
	Networking *network.NetworkingConfig
}

// When the image of a container is pulled before.
const (
	PullAlways  = "always"
	PullMissing = "missing"
	PullNever   = "never"
)

// Parse reads the image and the command that follow the flags, and makes the
// request. Its errors name the flag and the value that it could not use.
func (f *Flags) Parse(args []string, environ []string) (*Request, error) {
	if len(args) == 0 {
		return nil, fmt.Errorf("no image was named")
	}
	r := &Request{Name: f.Name, CIDFile: f.cidFile, Pull: f.pull, Quiet: f.quiet}
	switch f.pull {
	case PullAlways, PullMissing, PullNever:
	case "":
		r.Pull = PullMissing
	default:
		return nil, fmt.Errorf("invalid pull option: '%s': must be one of \"always\", \"missing\" or \"never\"", f.pull)
	}
	var err error
	if r.Platform, err = parsePlatform(f.Platform); err != nil {
		return nil, err
	}
	if r.Config, err = f.config(args[0], args[1:], environ); err != nil {
		return nil, err
	}
	if r.HostConfig, err = f.hostConfig(); err != nil {
		return nil, err
	}
	if err := f.ports(r.Config, r.HostConfig); err != nil {
		return nil, err
	}
	if err := f.storage(r.Config, r.HostConfig); err != nil {
		return nil, err
	}
	if r.Networking, err = f.networking(r.HostConfig); err != nil {
		return nil, err
	}
	if r.HostConfig.AutoRemove && !r.HostConfig.RestartPolicy.IsNone() {
		return nil, fmt.Errorf("--rm and --restart %s contradict each other", f.restart)
	}
	return r, nil
}

// config makes the part that an image could also carry.
func (f *Flags) config(image string, command, environ []string) (*container.Config, error) {
	env, err := ReadEnv(f.envFile, f.env, environ)
	if err != nil {
		return nil, err
	}
	labels, err := readLabels(f.labelFile, f.label)
	if err != nil {
		return nil, err
	}
	c := &container.Config{
		Hostname:   f.hostname,
		Domainname: f.domainname,
		User:       f.user,
		Tty:        f.tty,
		OpenStdin:  f.interactive,
		Env:        env,
		Cmd:        command,
		Image:      image,
		WorkingDir: f.workdir,
		Labels:     labels,
		StopSignal: f.stopSignal,
	}
	if f.fs.Changed("stop-timeout") {
		c.StopTimeout = &f.stopTimeout
	}
	if f.fs.Changed("entrypoint") {
		// --entrypoint "" takes the image's entrypoint away; the API's word
		// for that is a list with one empty string.
		c.Entrypoint = []string{f.entrypoint}
	}
	for _, a := range f.attach {
		switch strings.ToLower(a) {
		case "stdin", "stdout", "stderr":
		default:
			return nil, fmt.Errorf("--attach %s: must be stdin, stdout or stderr", a)
		}
	}
	if c.Healthcheck, err = f.health(); err != nil {
		return nil, err
	}
	return c, nil
}

// health makes the health check, nil when no flag asks for one.
func (f *Flags) health() (*container.HealthConfig, error) {
	set := f.healthCmd != "" || f.healthInterval != 0 || f.healthTimeout != 0 || f.healthStart != 0 || f.healthStartI != 0 || f.healthRetries != 0
	if f.noHealthcheck {
		if set {
			return nil, fmt.Errorf("--no-healthcheck and --health-* contradict each other")
		}
		return &container.HealthConfig{Test: []string{"NONE"}}, nil
	}
	if !set {
		return nil, nil
	}
	for name, d := range map[string]time.Duration{"interval": f.healthInterval, "timeout": f.healthTimeout, "start-period": f.healthStart} {
		if d < 0 {
			return nil, fmt.Errorf("--health-%s %s: must not be negative", name, d)
		}
	}
	h := &container.HealthConfig{
		Interval: f.healthInterval, Timeout: f.healthTimeout, Retries: f.healthRetries,
		StartPeriod: f.healthStart, StartInterval: f.healthStartI,
	}
	if f.healthCmd != "" {
		h.Test = []string{"CMD-SHELL", f.healthCmd}
	}
	return h, nil
}

// hostConfig makes the part that belongs to this machine, without ports and
// storage.
func (f *Flags) hostConfig() (*container.HostConfig, error) {
	h := &container.HostConfig{
		ContainerIDFile: f.cidFile,
		AutoRemove:      f.rm,
		Privileged:      f.privileged,
		ReadonlyRootfs:  f.readOnly,
		CapAdd:          f.capAdd,
		CapDrop:         f.capDrop,
		GroupAdd:        f.groupAdd,
		PidMode:         container.PidMode(f.pid),
		IpcMode:         container.IpcMode(f.ipc),
		UTSMode:         container.UTSMode(f.uts),
		UsernsMode:      container.UsernsMode(f.userns),
		CgroupnsMode:    container.CgroupnsMode(f.cgroupns),
		OomScoreAdj:     f.oomScoreAdj,
		Runtime:         f.runtime,
		Links:           f.link,
		DNSOptions:      f.dnsOption,
		DNSSearch:       f.dnsSearch,
		PublishAllPorts: f.publishAll,
		VolumesFrom:     f.volumesFrom,
		VolumeDriver:    f.volumeDriver,
		LogConfig:       container.LogConfig{Type: f.logDriver},
	}
	if f.fs.Changed("init") {
		h.Init = &f.initProc
	}
	var err error
	if h.RestartPolicy, err = parseRestart(f.restart); err != nil {
		return nil, err
	}
	if h.Resources, err = f.resources(); err != nil {
		return nil, err
	}
	if f.shmSize != "" {
		if h.ShmSize, err = parseBytes("shm-size", f.shmSize); err != nil {
			return nil, err
		}
	}
	if h.SecurityOpt, err = readSecurityOpts(f.securityOpt); err != nil {
		return nil, err
	}
	for _, kv := range []struct {
		flag string
		in   []string
		out  *map[string]string
	}{
		{"annotation", f.annotation, &h.Annotations}, {"sysctl", f.sysctl, &h.Sysctls},
		{"storage-opt", f.storageOpt, &h.StorageOpt}, {"log-opt", f.logOpt, &h.LogConfig.Config},
	} {
		if *kv.out, err = keyValues(kv.flag, kv.in); err != nil {
			return nil, err
		}
	}
	if h.ExtraHosts, err = parseHosts(f.addHost); err != nil {
		return nil, err
	}
	for _, s := range f.dns {
		a, err := netip.ParseAddr(s)
		if err != nil {
			return nil, fmt.Errorf("--dns %s: not an IP address", s)
		}
		h.DNS = append(h.DNS, a)
	}
	return h, nil
}

// ParseUpdate makes what update asks for: what no flag names stays as it is. It is an
// error if none names anything.
func (f *Flags) ParseUpdate() (*container.UpdateConfig, error) {
	named := false
	f.fs.Visit(func(*pflag.Flag) { named = true })
	if !named {
		return nil, errors.New("you must provide one or more flags when using this command")
	}
	r, err := f.resources()
	if err != nil {
		return nil, err
	}
	r.MemorySwappiness, r.OomKillDisable = nil, nil
	u := &container.UpdateConfig{Resources: r}
	if f.fs.Changed("restart") {
		u.RestartPolicy, err = parseRestart(f.restart)
	}
	return u, err
}

// resources makes the cgroup limits.
func (f *Flags) resources() (container.Resources, error) {
	r := container.Resources{
		CPUShares: f.cpuShares, CPUPeriod: f.cpuPeriod, CPUQuota: f.cpuQuota,
		CPURealtimePeriod: f.cpuRTPeriod, CPURealtimeRuntime: f.cpuRTRuntime,
		CpusetCpus: f.cpusetCpus, CpusetMems: f.cpusetMems,
		CgroupParent: f.cgroupParent, BlkioWeight: f.blkioWeight,
		MemorySwappiness:  &f.memorySwappiness,
		OomKillDisable:    &f.oomKillDisable,
		DeviceCgroupRules: f.deviceCgroupRule,
	}
	if f.fs.Changed("pids-limit") {
		r.PidsLimit = &f.pidsLimit
	}
	var err error
	for _, m := range []struct {
		flag, value string
		to          *int64
	}{{"memory", f.memory, &r.Memory}, {"memory-reservation", f.memoryReservation, &r.MemoryReservation}, {"memory-swap", f.memorySwap, &r.MemorySwap}} {
		switch {
		case m.value == "":
		case m.value == "-1" && m.flag == "memory-swap":
			*m.to = -1
		default:
			if *m.to, err = parseBytes(m.flag, m.value); err != nil {
				return r, err
			}
		}
	}
	if f.cpus != "" {
		if r.NanoCPUs, err = parseCPUs(f.cpus); err != nil {
			return r, err
		}
	}
	for _, u := range f.ulimit {
		l, err := units.ParseUlimit(u)
		if err != nil {
			return r, fmt.Errorf("--ulimit %s: %w", u, err)
		}
		r.Ulimits = append(r.Ulimits, l)
	}
	for _, d := range f.device {
		m, err := parseDevice(d)
		if err != nil {
			return r, err
		}
		r.Devices = append(r.Devices, m)
	}
	return r, nil
}

func parseBytes(flag, s string) (int64, error) {
	n, err := units.RAMInBytes(s)
	if err != nil {
		return 0, fmt.Errorf("--%s %s: not a size; use a number with b, k, m or g", flag, s)
	}
	return n, nil
}

// parseCPUs turns a number of CPUs into billionths of one, exactly.
func parseCPUs(s string) (int64, error) {
	n, ok := new(big.Rat).SetString(s)
	if !ok || n.Sign() < 0 {
		return 0, fmt.Errorf("--cpus %s: not a number of CPUs", s)
	}
	nano := n.Mul(n, big.NewRat(1e9, 1))
	if !nano.IsInt() || !nano.Num().IsInt64() {
		return 0, fmt.Errorf("--cpus %s: no more than nine decimals", s)
	}
	return nano.Num().Int64(), nil
}

// parseRestart reads no, always, unless-stopped and on-failure[:N].
func parseRestart(s string) (container.RestartPolicy, error) {
	name, count, counted := strings.Cut(s, ":")
	p := container.RestartPolicy{Name: container.RestartPolicyMode(name)}
	switch p.Name {
	case "", container.RestartPolicyDisabled:
		p.Name = container.RestartPolicyDisabled
	case container.RestartPolicyAlways, container.RestartPolicyUnlessStopped, container.RestartPolicyOnFailure:
	default:
		return p, fmt.Errorf("--restart %s: must be no, always, unless-stopped or on-failure[:N]", s)
	}
	if counted {
		n, err := strconv.Atoi(count)
		if err != nil || n < 0 || p.Name != container.RestartPolicyOnFailure {
			return p, fmt.Errorf("--restart %s: only on-failure takes a number of retries", s)
		}
		p.MaximumRetryCount = n
	}
	return p, nil
}

// parseDevice reads HOST[:CONTAINER][:PERMISSIONS].
func parseDevice(s string) (container.DeviceMapping, error) {
	parts := strings.Split(s, ":")
	m := container.DeviceMapping{PathOnHost: parts[0], PathInContainer: parts[0], CgroupPermissions: "rwm"}
	permissions := func(p string) bool { return p != "" && strings.Trim(p, "rwm") == "" }
	switch {
	case len(parts) == 2 && permissions(parts[1]):
		m.CgroupPermissions = parts[1]
	case len(parts) == 2:
		m.PathInContainer = parts[1]
	case len(parts) == 3 && permissions(parts[2]):
		m.PathInContainer, m.CgroupPermissions = parts[1], parts[2]
	case len(parts) > 2:
		return m, fmt.Errorf("--device %s: must be HOST[:CONTAINER[:rwm]]", s)
	}
	if !strings.HasPrefix(m.PathOnHost, "/") && !strings.Contains(m.PathOnHost, "=") {
		return m, fmt.Errorf("--device %s: the device's path must be absolute", s)
	}
	return m, nil
}

// parseHosts reads NAME:IP and NAME=IP; host-gateway stands for the host.
func parseHosts(in []string) ([]string, error) {
	var out []string
	for _, s := range in {
		name, ip, ok := strings.Cut(s, "=")
		if !ok {
			name, ip, ok = strings.Cut(s, ":")
		}
		ip = strings.TrimSuffix(strings.TrimPrefix(ip, "["), "]")
		if !ok || name == "" || (ip != "host-gateway" && net.ParseIP(ip) == nil) {
			return nil, fmt.Errorf("--add-host %s: must be NAME:IP", s)
		}
		out = append(out, name+":"+ip)
	}
	return out, nil
}

// parsePlatform reads OS/ARCH[/VARIANT].
func parsePlatform(s string) (*ocispec.Platform, error) {
	if s == "" {
		return nil, nil
	}
	parts := strings.Split(s, "/")
	p := &ocispec.Platform{OS: parts[0]}
	switch len(parts) {
	case 3:
		p.Variant = parts[2]
		fallthrough
	case 2:
		p.Architecture = parts[1]
	default:
		return nil, fmt.Errorf("--platform %s: must be OS/ARCHITECTURE[/VARIANT]", s)
	}
	return p, nil
}
