// Package runflags turns docker's command line of run and create into what the
// Engine API takes: Config, HostConfig and NetworkingConfig.
//
// Terms are docker's. The package only reads the command line (and the files
// that it names: --env-file, --label-file, seccomp profiles); it never talks to
// an engine, and which value an engine can honour is the engine's to say.
package runflags

import (
	"strings"
	"time"

	"github.com/spf13/pflag"
)

// Flags holds the values of the flags that create and run share.
type Flags struct {
	fs *pflag.FlagSet

	// who and what
	Name, Platform, pull, cidFile, hostname, domainname, user, workdir, entrypoint string
	quiet, tty, interactive, privileged, readOnly, initProc, rm                    bool
	attach, env, envFile, label, labelFile, annotation, groupAdd                   []string
	stopSignal, restart, runtime                                                   string
	stopTimeout                                                                    int

	// isolation
	capAdd, capDrop, securityOpt, sysctl                 []string
	pid, ipc, uts, userns, cgroupns, cgroupParent        string
	device, deviceCgroupRule, ulimit, storageOpt         []string
	oomKillDisable                                       bool
	oomScoreAdj                                          int
	memory, memoryReservation, memorySwap, shmSize, cpus string
	memorySwappiness, pidsLimit, cpuPeriod, cpuQuota     int64
	cpuShares, cpuRTPeriod, cpuRTRuntime                 int64
	cpusetCpus, cpusetMems                               string
	blkioWeight                                          uint16

	// storage
	volume, mount, tmpfs, volumesFrom []string
	volumeDriver                      string

	// network
	network, networkAlias, linkLocal, publish, expose, link []string
	publishAll                                              bool
	addHost, dns, dnsOption, dnsSearch                      []string
	ip, ip6, macAddress                                     string

	// logs and health
	logDriver                                                string
	logOpt                                                   []string
	healthCmd                                                string
	healthInterval, healthTimeout, healthStart, healthStartI time.Duration
	healthRetries                                            int
	noHealthcheck                                            bool
}

// Register adds the flags to fs and returns where their values go.
func Register(fs *pflag.FlagSet) *Flags {
	f := &Flags{fs: fs}
	// docker stops at the image's name: what follows belongs to the command.
	fs.SetInterspersed(false)
	// docker's old names of a flag mean the same.
	fs.SetNormalizeFunc(func(_ *pflag.FlagSet, name string) pflag.NormalizedName {
		switch name {
		case "net":
			name = "network"
		case "net-alias":
			name = "network-alias"
		case "dns-opt":
			name = "dns-option"
		}
		return pflag.NormalizedName(name)
	})
	f.registerIdentity(fs)
	f.registerIsolation(fs)
	f.registerResources(fs)
	f.registerStorage(fs)
	f.registerNetwork(fs)
	f.registerHealth(fs)
	return f
}

// RegisterUpdate adds to fs the flags of update, which are those of run for what
// can change while a container runs.
func RegisterUpdate(fs *pflag.FlagSet) *Flags {
	f := &Flags{fs: fs}
	f.registerLimits(fs)
	fs.StringVar(&f.restart, "restart", "", "restart policy: no, always, unless-stopped, on-failure[:N]")
	return f
}

// AttachStreams is what -a named: any of stdin, stdout and stderr.
func (f *Flags) AttachStreams() []string { return f.attach }

// HasAttach says whether -a named this stream.
func (f *Flags) HasAttach(stream string) bool {
	for _, a := range f.attach {
		if strings.EqualFold(a, stream) {
			return true
		}
	}
	return false
}

func (f *Flags) registerIdentity(fs *pflag.FlagSet) {
	fs.StringVar(&f.Name, "name", "", "name of the container")
	fs.StringVar(&f.pull, "pull", PullMissing, "pull the image before: always, missing or never")
	fs.BoolVarP(&f.quiet, "quiet", "q", false, "show nothing of a pull")
	fs.StringVar(&f.Platform, "platform", "", "platform of the image, e.g. linux/arm64")
	fs.StringVar(&f.cidFile, "cidfile", "", "write the container's ID to this file")
	fs.StringVarP(&f.hostname, "hostname", "h", "", "host name inside the container")
	fs.StringVar(&f.domainname, "domainname", "", "domain name inside the container")
	fs.StringVarP(&f.user, "user", "u", "", "user name or UID, with an optional :group")
	fs.StringVarP(&f.workdir, "workdir", "w", "", "working directory inside the container")
	fs.StringVar(&f.entrypoint, "entrypoint", "", "replace the image's entrypoint")
	fs.BoolVarP(&f.tty, "tty", "t", false, "give the container a terminal")
	fs.BoolVarP(&f.interactive, "interactive", "i", false, "keep stdin open")
	fs.BoolVar(&f.rm, "rm", false, "remove the container when it ends")
	fs.BoolVar(&f.initProc, "init", false, "run an init that reaps processes and forwards signals")
	fs.StringArrayVarP(&f.attach, "attach", "a", nil, "attach to stdin, stdout or stderr")
	fs.StringArrayVarP(&f.env, "env", "e", nil, "set an environment variable (KEY=VALUE, or KEY to pass it on)")
	fs.StringArrayVar(&f.envFile, "env-file", nil, "read environment variables from a file")
	fs.StringArrayVarP(&f.label, "label", "l", nil, "set a label (KEY=VALUE)")
	fs.StringArrayVar(&f.labelFile, "label-file", nil, "read labels from a file")
	fs.StringArrayVar(&f.annotation, "annotation", nil, "pass an annotation to the OCI runtime (KEY=VALUE)")
	fs.StringArrayVar(&f.groupAdd, "group-add", nil, "add a group")
	fs.StringVar(&f.stopSignal, "stop-signal", "", "signal that stops the container")
	fs.IntVar(&f.stopTimeout, "stop-timeout", 0, "seconds to wait before killing a stopping container")
	fs.StringVar(&f.restart, "restart", "no", "restart policy: no, always, unless-stopped, on-failure[:N]")
	fs.StringVar(&f.runtime, "runtime", "", "OCI runtime")
}

func (f *Flags) registerIsolation(fs *pflag.FlagSet) {
	fs.BoolVar(&f.privileged, "privileged", false, "give all capabilities and devices")
	fs.BoolVar(&f.readOnly, "read-only", false, "mount the root filesystem read-only")
	fs.StringArrayVar(&f.capAdd, "cap-add", nil, "add a capability")
	fs.StringArrayVar(&f.capDrop, "cap-drop", nil, "drop a capability")
	fs.StringArrayVar(&f.securityOpt, "security-opt", nil, "security option, e.g. no-new-privileges, seccomp=FILE")
	fs.StringArrayVar(&f.sysctl, "sysctl", nil, "namespaced sysctl (KEY=VALUE)")
	fs.StringVar(&f.pid, "pid", "", "PID namespace: host or container:ID")
	fs.StringVar(&f.ipc, "ipc", "", "IPC namespace: none, private, shareable, host or container:ID")
	fs.StringVar(&f.uts, "uts", "", "UTS namespace: host")
	fs.StringVar(&f.userns, "userns", "", "user namespace: host")
	fs.StringVar(&f.cgroupns, "cgroupns", "", "cgroup namespace: host or private")
	fs.StringVar(&f.cgroupParent, "cgroup-parent", "", "parent cgroup")
	fs.StringArrayVar(&f.device, "device", nil, "add a device of the host (HOST[:CONTAINER[:rwm]])")
	fs.StringArrayVar(&f.deviceCgroupRule, "device-cgroup-rule", nil, "add a rule to the allowed devices")
}

func (f *Flags) registerResources(fs *pflag.FlagSet) {
	f.registerLimits(fs)
	fs.Int64Var(&f.memorySwappiness, "memory-swappiness", -1, "swappiness, 0 to 100")
	fs.StringVar(&f.shmSize, "shm-size", "", "size of /dev/shm")
	fs.StringArrayVar(&f.ulimit, "ulimit", nil, "resource limit (NAME=SOFT[:HARD])")
	fs.BoolVar(&f.oomKillDisable, "oom-kill-disable", false, "do not let the OOM killer end the container")
	fs.IntVar(&f.oomScoreAdj, "oom-score-adj", 0, "OOM preference, -1000 to 1000")
}

// registerLimits adds the limits that update can change.
func (f *Flags) registerLimits(fs *pflag.FlagSet) {
	fs.StringVarP(&f.memory, "memory", "m", "", "memory limit, e.g. 512m")
	fs.StringVar(&f.memoryReservation, "memory-reservation", "", "memory soft limit")
	fs.StringVar(&f.memorySwap, "memory-swap", "", "limit of memory plus swap; -1 for unlimited swap")
	fs.Int64Var(&f.pidsLimit, "pids-limit", 0, "limit of processes; -1 for none")
	fs.StringVar(&f.cpus, "cpus", "", "number of CPUs, e.g. 1.5")
	fs.Int64VarP(&f.cpuShares, "cpu-shares", "c", 0, "CPU shares (relative weight)")
	fs.Int64Var(&f.cpuPeriod, "cpu-period", 0, "CFS period in microseconds")
	fs.Int64Var(&f.cpuQuota, "cpu-quota", 0, "CFS quota in microseconds")
	fs.StringVar(&f.cpusetCpus, "cpuset-cpus", "", "CPUs to run on, e.g. 0-3,5")
	fs.StringVar(&f.cpusetMems, "cpuset-mems", "", "memory nodes to use")
	fs.Uint16Var(&f.blkioWeight, "blkio-weight", 0, "block I/O weight, 10 to 1000")
	fs.Int64Var(&f.cpuRTPeriod, "cpu-rt-period", 0, "real-time period of the CPUs in microseconds")
	fs.Int64Var(&f.cpuRTRuntime, "cpu-rt-runtime", 0, "real-time runtime of the CPUs in microseconds")
}

func (f *Flags) registerStorage(fs *pflag.FlagSet) {
	fs.StringArrayVarP(&f.volume, "volume", "v", nil, "mount a directory or a volume (SOURCE:TARGET[:ro])")
	fs.StringArrayVar(&f.mount, "mount", nil, "mount (type=bind|volume|tmpfs,src=…,dst=…)")
	fs.StringArrayVar(&f.tmpfs, "tmpfs", nil, "mount a tmpfs (TARGET[:OPTIONS])")
	fs.StringArrayVar(&f.volumesFrom, "volumes-from", nil, "mount the volumes of another container")
	fs.StringVar(&f.volumeDriver, "volume-driver", "", "driver of the volumes that -v makes")
	fs.StringArrayVar(&f.storageOpt, "storage-opt", nil, "storage driver option")
}

func (f *Flags) registerNetwork(fs *pflag.FlagSet) {
	fs.StringArrayVar(&f.network, "network", nil, "network: bridge, none, host, container:ID or a name")
	fs.StringArrayVar(&f.networkAlias, "network-alias", nil, "name of the container on its network")
	fs.StringArrayVarP(&f.publish, "publish", "p", nil, "publish a port ([[IP:]HOST:]CONTAINER[/PROTOCOL])")
	fs.BoolVarP(&f.publishAll, "publish-all", "P", false, "publish every exposed port on a free one")
	fs.StringArrayVar(&f.expose, "expose", nil, "expose a port or a range")
	fs.StringArrayVar(&f.link, "link", nil, "link to another container")
	fs.StringArrayVar(&f.addHost, "add-host", nil, "add a line to /etc/hosts (NAME:IP)")
	fs.StringArrayVar(&f.dns, "dns", nil, "name server")
	fs.StringArrayVar(&f.dnsOption, "dns-option", nil, "resolver option")
	fs.StringArrayVar(&f.dnsSearch, "dns-search", nil, "search domain")
	fs.StringVar(&f.ip, "ip", "", "IPv4 address")
	fs.StringVar(&f.ip6, "ip6", "", "IPv6 address")
	fs.StringArrayVar(&f.linkLocal, "link-local-ip", nil, "further address, of the container's own link (169.254.0.0/16, fe80::/10)")
	fs.StringVar(&f.macAddress, "mac-address", "", "MAC address")
}

func (f *Flags) registerHealth(fs *pflag.FlagSet) {
	fs.StringVar(&f.logDriver, "log-driver", "", "log driver")
	fs.StringArrayVar(&f.logOpt, "log-opt", nil, "log driver option (KEY=VALUE)")
	fs.StringVar(&f.healthCmd, "health-cmd", "", "command that checks the container's health")
	fs.DurationVar(&f.healthInterval, "health-interval", 0, "time between two checks")
	fs.DurationVar(&f.healthTimeout, "health-timeout", 0, "time a check may take")
	fs.DurationVar(&f.healthStart, "health-start-period", 0, "time the container may take to start")
	fs.DurationVar(&f.healthStartI, "health-start-interval", 0, "time between two checks while it starts")
	fs.IntVar(&f.healthRetries, "health-retries", 0, "failures in a row that mean unhealthy")
	fs.BoolVar(&f.noHealthcheck, "no-healthcheck", false, "ignore the image's health check")
}
