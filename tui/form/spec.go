// Package form asks for what a container is made of, checks it while it is
// typed, and shows the berth command that does the same.
//
// A [Spec] is the text of the fields; [Spec.Check] says what is wrong with
// which, [Spec.Create] turns it into a request of the Engine API, and
// [Spec.Line] into a command line.
package form

import (
	"errors"
	"fmt"
	"regexp"
	"strconv"
	"strings"

	"github.com/distribution/reference"
	"github.com/docker/go-units"
	"github.com/moby/moby/api/types/container"
	"github.com/moby/moby/client"
)

// Spec is the text of the form's fields, as typed.
type Spec struct {
	Image, Name, Command, Env, Ports, Volumes, Workdir, User, Network, Memory, CPUs, Pids, Restart string

	TTY, Remove, Created bool // Created: made, but not started
}

// Field names a field of Spec.
type Field string

// The fields, in the order of the form.
const (
	Image   Field = "Image"
	Name    Field = "Name"
	Command Field = "Command"
	Env     Field = "Env"
	Ports   Field = "Ports"
	Volumes Field = "Volumes"
	Workdir Field = "Workdir"
	User    Field = "User"
	Network Field = "Network"
	Memory  Field = "Memory"
	CPUs    Field = "CPUs"
	Pids    Field = "Processes"
	Restart Field = "Restart"
	TTY     Field = "Terminal"
	Remove  Field = "Remove"
	Created Field = "Create"
)

// RestartPolicies are the choices of Restart; on-failure may be given a count.
var RestartPolicies = []string{"no", "on-failure", "always", "unless-stopped"}

// nameOK is the grammar of container names.
var nameOK = regexp.MustCompile(`^[a-zA-Z0-9][a-zA-Z0-9_.-]+$`)

// Check returns what is wrong, by field; nothing when the container can be made
// as far as one can tell from here.
func (s Spec) Check() map[Field]error {
	out := map[Field]error{}
	put := func(f Field, err error) {
		if err != nil {
			out[f] = err
		}
	}
	if s.Image == "" {
		put(Image, errors.New("an image is needed"))
	} else if _, err := reference.ParseAnyReference(s.Image); err != nil {
		put(Image, errors.New("no valid reference, such as name:tag"))
	}
	if s.Name != "" && !nameOK.MatchString(s.Name) {
		put(Name, errors.New("two or more of letters, digits, _ . -, a letter or digit first"))
	}
	_, err := Words(s.Command)
	put(Command, err)
	_, err = parseEnv(s.Env)
	put(Env, err)
	_, _, err = ParsePorts(s.Ports)
	put(Ports, err)
	_, err = parseVolumes(s.Volumes)
	put(Volumes, err)
	if s.Workdir != "" && !strings.HasPrefix(s.Workdir, "/") {
		put(Workdir, errors.New("an absolute path"))
	}
	if strings.ContainsAny(s.User, " \t") {
		put(User, errors.New("user, or user:group"))
	}
	_, err = parseMemory(s.Memory)
	put(Memory, err)
	_, err = parseCPUs(s.CPUs)
	put(CPUs, err)
	_, err = parsePids(s.Pids)
	put(Pids, err)
	policy, err := parseRestart(s.Restart)
	put(Restart, err)
	if s.Remove && err == nil && !policy.IsNone() {
		put(Remove, errors.New("cannot go with a restart policy"))
	}
	return out
}

// Create is the request that makes the container. The Spec has passed Check.
func (s Spec) Create() (client.ContainerCreateOptions, error) {
	for f, err := range s.Check() {
		return client.ContainerCreateOptions{}, fmt.Errorf("%s: %w", strings.ToLower(string(f)), err)
	}
	cmd, _ := Words(s.Command)
	env, _ := parseEnv(s.Env)
	exposed, bindings, _ := ParsePorts(s.Ports)
	binds, _ := parseVolumes(s.Volumes)
	memory, _ := parseMemory(s.Memory)
	cpus, _ := parseCPUs(s.CPUs)
	pids, _ := parsePids(s.Pids)
	restart, _ := parseRestart(s.Restart)
	return client.ContainerCreateOptions{
		Name: s.Name,
		Config: &container.Config{
			Image: s.Image, Cmd: cmd, Env: env, WorkingDir: s.Workdir, User: s.User,
			Tty: s.TTY, OpenStdin: s.TTY, ExposedPorts: exposed,
		},
		HostConfig: &container.HostConfig{
			Binds: binds, PortBindings: bindings, RestartPolicy: restart, AutoRemove: s.Remove,
			NetworkMode: container.NetworkMode(s.Network),
			Resources:   container.Resources{Memory: memory, NanoCPUs: cpus, PidsLimit: pids},
		},
	}, nil
}

// Line is the command line that does the same.
func (s Spec) Line() string {
	args := []string{"berth", "run", "-d"}
	if s.Created {
		args = []string{"berth", "create"}
	}
	add := func(flag, value string) {
		if value != "" {
			args = append(args, flag, quote(value))
		}
	}
	if s.TTY {
		args = append(args, "-it")
	}
	if s.Remove {
		args = append(args, "--rm")
	}
	add("--name", s.Name)
	each := func(flag, list string) {
		words, err := Words(list)
		if err != nil {
			words = []string{list}
		}
		for _, w := range words {
			add(flag, w)
		}
	}
	each("-e", s.Env)
	each("-p", s.Ports)
	each("-v", s.Volumes)
	add("-w", s.Workdir)
	add("-u", s.User)
	add("--network", s.Network)
	add("-m", s.Memory)
	add("--cpus", s.CPUs)
	add("--pids-limit", s.Pids)
	if s.Restart != "" && s.Restart != "no" {
		add("--restart", s.Restart)
	}
	if s.Image == "" {
		args = append(args, "IMAGE")
	} else {
		args = append(args, quote(s.Image))
	}
	if s.Command != "" {
		args = append(args, s.Command)
	}
	return strings.Join(args, " ")
}

// parseEnv reads NAME=value words. A bare NAME, which docker's command takes
// from its own environment, is refused: the console's is not the user's shell.
func parseEnv(s string) ([]string, error) {
	words, err := Words(s)
	for _, w := range words {
		if name, _, ok := strings.Cut(w, "="); !ok || name == "" {
			return nil, fmt.Errorf("%q is not NAME=value", w)
		}
	}
	return words, err
}

// parseVolumes reads source:target[:options] words. Relative sources are
// refused, since the engine would read them from its own directory.
func parseVolumes(s string) ([]string, error) {
	words, err := Words(s)
	for _, w := range words {
		parts := strings.Split(w, ":")
		switch {
		case len(parts) < 2 || len(parts) > 3:
			return nil, fmt.Errorf("%q is not source:target[:ro]", w)
		case parts[0] == "":
			return nil, fmt.Errorf("%q has no source", w)
		case !strings.HasPrefix(parts[1], "/"):
			return nil, fmt.Errorf("%q: the target is an absolute path", w)
		case strings.HasPrefix(parts[0], ".") || strings.HasPrefix(parts[0], "~"):
			return nil, fmt.Errorf("%q: the source is an absolute path or a volume's name", w)
		}
	}
	return words, err
}

// parseMemory reads an amount with a unit; 6 MiB is the least that the Engine
// API accepts.
func parseMemory(s string) (int64, error) {
	if s == "" {
		return 0, nil
	}
	n, err := units.RAMInBytes(s)
	if err != nil || n <= 0 {
		return 0, errors.New("an amount, such as 512m or 2g")
	}
	if n < 6<<20 {
		return 0, errors.New("6m at least")
	}
	return n, nil
}

// parseCPUs reads a number of CPUs, such as 1.5, as billionths.
func parseCPUs(s string) (int64, error) {
	if s == "" {
		return 0, nil
	}
	n, err := strconv.ParseFloat(s, 64)
	if err != nil || n < 0.01 || n > 1e6 {
		return 0, errors.New("a number of CPUs, such as 0.5 or 2")
	}
	return int64(n * 1e9), nil
}

// parsePids reads how many processes there may be.
func parsePids(s string) (*int64, error) {
	if s == "" {
		return nil, nil
	}
	n, err := strconv.ParseInt(s, 10, 64)
	if err != nil || n < 1 {
		return nil, errors.New("a number of processes, such as 100")
	}
	return &n, nil
}

// parseRestart reads policy[:retries].
func parseRestart(s string) (container.RestartPolicy, error) {
	name, count, counted := strings.Cut(s, ":")
	if name == "" {
		name = "no"
	}
	p := container.RestartPolicy{Name: container.RestartPolicyMode(name)}
	if counted {
		n, err := strconv.Atoi(count)
		if err != nil {
			return p, fmt.Errorf("%q is no number of retries", count)
		}
		p.MaximumRetryCount = n
	}
	if err := container.ValidateRestartPolicy(p); err != nil {
		return p, errors.New("no, on-failure[:retries], always or unless-stopped")
	}
	return p, nil
}
