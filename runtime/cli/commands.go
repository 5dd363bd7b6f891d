package cli

// command is one of runc's commands.
type command struct {
	name, usage string
	args        string // in the usage line
	about       string // further help
	min, max    int    // number of arguments; max < 0 is any
	first       bool   // options end at the first argument: the others are another program's
	flags       []flag
	run         func(a *app, f values) (int, error)
}

var createFlags = []flag{
	{"bundle", "b", text, "path to the bundle directory, by default the current directory"},
	{"console-socket", "", text, "path to a unix socket that receives the master of the terminal"},
	{"pidfd-socket", "", text, "path to a unix socket that receives a pidfd of the first process"},
	{"pid-file", "", text, "file to write the process ID to"},
	{"no-pivot", "", toggle, "do not use pivot_root; for a root file system on a ramdisk"},
	{"no-new-keyring", "", toggle, "keep the caller's session keyring"},
	{"preserve-fds", "", number, "pass this many further descriptors, after stdio and those of $LISTEN_FDS"},
}

var runFlags = append([]flag{
	{"detach", "d", toggle, "do not wait for the end of the process"},
	{"keep", "", toggle, "do not delete the container when it ends"},
	{"no-subreaper", "", toggle, "accepted for compatibility; no subreaper is used"},
}, createFlags...)

var execFlags = []flag{
	{"console-socket", "", text, "path to a unix socket that receives the master of the terminal"},
	{"pidfd-socket", "", text, "path to a unix socket that receives a pidfd of the process"},
	{"cwd", "", text, "working directory in the container"},
	{"env", "e", text, "set an environment variable"},
	{"tty", "t", toggle, "allocate a terminal"},
	{"user", "u", text, "user to run as, UID[:GID]"},
	{"additional-gids", "g", text, "further group"},
	{"process", "p", text, "path to a process.json"},
	{"detach", "d", toggle, "do not wait for the end of the process"},
	{"pid-file", "", text, "file to write the process ID to"},
	{"process-label", "", text, "SELinux label of the process"},
	{"apparmor", "", text, "AppArmor profile of the process"},
	{"no-new-privs", "", toggle, "set no_new_privs"},
	{"cap", "c", text, "add a capability"},
	{"preserve-fds", "", number, "pass this many further descriptors, after stdio"},
	{"cgroup", "", text, "run in a cgroup below the container's, [CONTROLLER:]PATH"},
	{"ignore-paused", "", toggle, "allow it in a paused container"},
}

var updateFlags = []flag{
	{"resources", "r", text, "file with the linux.resources to change, in JSON; - is standard input, and the other options are ignored"},
	{"blkio-weight", "", number, "weight of block I/O, 10 to 1000"},
	{"cpu-period", "", text, "CFS period in microseconds"},
	{"cpu-quota", "", text, "CFS quota in microseconds of a period"},
	{"cpu-burst", "", text, "CFS burst in microseconds"},
	{"cpu-share", "", text, "CPU shares, relative to other containers"},
	{"cpu-rt-period", "", text, "realtime period in microseconds"},
	{"cpu-rt-runtime", "", text, "realtime runtime in microseconds of a period"},
	{"cpuset-cpus", "", text, "CPUs to use"},
	{"cpuset-mems", "", text, "memory nodes to use"},
	{"kernel-memory", "", text, "obsolete; not accepted by the kernel"},
	{"kernel-memory-tcp", "", text, "obsolete; not accepted by the kernel"},
	{"memory", "", text, "memory limit in bytes"},
	{"memory-reservation", "", text, "soft limit of memory in bytes"},
	{"memory-swap", "", text, "limit of memory and swap together in bytes; -1 is none"},
	{"pids-limit", "", number, "limit of processes and threads"},
	{"l3-cache-schema", "", text, "Intel RDT schema of the L3 cache"},
	{"mem-bw-schema", "", text, "Intel RDT schema of the memory bandwidth"},
	{"cpu-idle", "", number, "1 runs the container only when nothing else wants the CPU"},
}

func commands() []command {
	format := flag{"format", "f", text, `"table" or "json"`}
	return []command{
		{name: "checkpoint", usage: "checkpoint a running container", args: "<container-id>", min: 1, max: 1,
			about: "CRIU saves it, which has to be installed.", flags: checkpointFlags, run: (*app).checkpoint},
		{name: "create", usage: "create a container", args: "<container-id>", min: 1, max: 1,
			about: "The first process is made ready, and waits for start.", flags: createFlags, run: (*app).create},
		{name: "delete", usage: "delete a container that does not run", args: "<container-id>", min: 1, max: 1,
			flags: []flag{{"force", "f", toggle, "kill it first if it runs"}}, run: (*app).delete},
		{name: "events", usage: "print statistics of a container, and when it runs out of memory", args: "<container-id>", min: 1, max: 1,
			flags: []flag{{"interval", "", duration, "time between statistics, by default 5s"}, {"stats", "", toggle, "print them once"}}, run: (*app).events},
		{name: "exec", usage: "run a further process in a container", args: "<container-id> <command> [arguments...] || -p process.json <container-id>",
			min: 1, max: -1, first: true, flags: execFlags, run: (*app).exec},
		{name: "features", usage: "print what the runtime can do, as JSON", run: (*app).features},
		{name: "kill", usage: "send a signal (by default SIGTERM) to a container's first process", args: "<container-id> [signal]", min: 1, max: 2,
			flags: []flag{{"all", "a", toggle, "send it to all processes of the container"}}, run: (*app).kill},
		{name: "list", usage: "list the containers under the root",
			flags: []flag{format, {"quiet", "q", toggle, "print IDs only"}}, run: (*app).list},
		{name: "pause", usage: "freeze all processes of a container", args: "<container-id>", min: 1, max: 1, run: (*app).pause},
		{name: "ps", usage: "list the processes in a container", args: "<container-id> [ps options]", min: 1, max: -1, first: true,
			flags: []flag{format}, run: (*app).ps},
		{name: "restore", usage: "restore a container from a checkpoint", args: "<container-id>", min: 1, max: 1,
			about: "CRIU restores it, which has to be installed.", flags: restoreFlags, run: (*app).restore},
		{name: "resume", usage: "let a paused container go on", args: "<container-id>", min: 1, max: 1, run: (*app).resume},
		{name: "run", usage: "create and start a container", args: "<container-id>", min: 1, max: 1, flags: runFlags, run: (*app).run},
		{name: "spec", usage: "write a config.json to start from",
			flags: []flag{{"bundle", "b", text, "directory to write it to"}, {"rootless", "", toggle, "one for a user without privileges"}}, run: (*app).spec},
		{name: "start", usage: "run the command of a created container", args: "<container-id>", min: 1, max: 1, run: (*app).start},
		{name: "state", usage: "print the state of a container", args: "<container-id>", min: 1, max: 1, run: (*app).state},
		{name: "update", usage: "change the resource limits of a container", args: "<container-id>", min: 1, max: 1, flags: updateFlags, run: (*app).update},
	}
}

var globalFlags = []flag{
	{"debug", "", toggle, "log more"},
	{"log", "", text, "log file, by default standard error"},
	{"log-format", "", text, `format of the log, "text" or "json"`},
	{"root", "", text, "directory of the containers' states, by default " + defaultRoot},
	{"criu", "", text, `path to CRIU, by default "criu" in $PATH`},
	{"systemd-cgroup", "", toggle, "have systemd make the cgroups; linux.cgroupsPath is then SLICE:PREFIX:NAME"},
	{"rootless", "", text, "accepted for compatibility: true, false or auto"},
	{"help", "h", toggle, "print this help"},
	{"version", "v", toggle, "print the version"},
}
