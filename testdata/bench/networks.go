package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
	"time"
)

const (
	// rounds is how often each flow is measured; the engines take turns.
	rounds = 4
	// flow is how long, in seconds.
	flow = 2
	// published is how many containers with a published port there are in the end.
	published = 500
	// ends is how many of the first and of the last of them are compared.
	ends = 25
)

// host is what the containers run the host's own programs with.
var host = []string{"-v", "/usr:/usr:ro", "-v", "/lib:/lib:ro", "-v", "/lib64:/lib64:ro", "-v", "/etc/ld.so.cache:/etc/ld.so.cache:ro"}

// neighbourhood is where the host has another machine beside it: a namespace of the bench's own.
const neighbourhood = "203.0.113"

// networks measures what passes through the networks of the engines, and what these cost.
func (b *bench) networks(ctx context.Context) (err error) {
	all, _, err := b.startEngines(ctx)
	defer func() { err = errors.Join(err, stopAll(all)) }()
	if err != nil {
		return err
	}
	for _, part := range []struct {
		needs string
		do    func(context.Context, []*engine) error
	}{{"iperf3", b.flows}, {"wrk", b.connections}, {"", b.attachments}, {"", b.publishing}, {"", b.names}} {
		if part.needs != "" {
			if _, err := exec.LookPath(part.needs); err != nil {
				fmt.Fprintln(os.Stderr, part.needs, "is not installed, and what it measures is left out")
				continue
			}
		}
		if err := part.do(ctx, all); err != nil {
			return err
		}
	}
	return nil
}

// neighbour makes the other machine and returns how a program is started there.
func neighbour() (in []string, stop func() error, err error) {
	cmd := exec.Command("sleep", "1000000")
	cmd.SysProcAttr = &syscall.SysProcAttr{Cloneflags: syscall.CLONE_NEWNET, Pdeathsig: syscall.SIGKILL}
	if err := cmd.Start(); err != nil {
		return nil, nil, err
	}
	stop = func() error { cmd.Process.Kill(); cmd.Wait(); return nil }
	pid := strconv.Itoa(cmd.Process.Pid)
	in = []string{"nsenter", "-t", pid, "-n"}
	for _, line := range []string{
		"ip link add bbup type veth peer name eth0 netns " + pid,
		"ip addr add " + neighbourhood + ".1/24 dev bbup", "ip link set bbup up",
		strings.Join(in, " ") + " ip addr add " + neighbourhood + ".2/24 dev eth0", strings.Join(in, " ") + " ip link set eth0 up",
	} {
		words := strings.Fields(line)
		if out, err := exec.Command(words[0], words[1:]...).CombinedOutput(); err != nil {
			return nil, nil, errors.Join(fmt.Errorf("%s: %w: %s", line, err, out), stop())
		}
	}
	return in, stop, nil
}

// serveHost runs a program of the host in a container and returns its address and the port of the host.
func (e *engine) serveHost(ctx context.Context, name, port string, argv ...string) (ip, hostPort string, err error) {
	run := append([]string{"run", "-d", "--name", name, "-p", port}, host...)
	if _, err = e.do(ctx, append(append(run, e.image), argv...)...); err != nil {
		return "", "", err
	}
	if ip, err = e.do(ctx, "inspect", "-f", "{{range .NetworkSettings.Networks}}{{.IPAddress}}{{end}}", name); err != nil {
		return "", "", err
	}
	mapped, err := e.do(ctx, "port", name, port)
	line, _, _ := strings.Cut(mapped, "\n")
	return ip, line[strings.LastIndex(line, ":")+1:], err
}

// flows measures with iperf3.
func (b *bench) flows(ctx context.Context, all []*engine) error {
	in, stop, err := neighbour()
	if err != nil {
		return err
	}
	defer stop()
	type way struct {
		what string
		goal float64
		argv func(e *engine, ip, port string) []string
	}
	direct := func(_ *engine, ip, _ string) []string { return []string{"-c", ip} }
	ways := []way{
		{"iperf3, the host to a published port at 127.0.0.1", 1, func(_ *engine, _, port string) []string { return []string{"-c", "127.0.0.1", "-p", port} }},
		{"iperf3, another machine to a published port", 1, func(_ *engine, _, port string) []string {
			return append(append([]string{}, in...), "iperf3", "-c", neighbourhood+".1", "-p", port)
		}},
		{"iperf3, one container to another", 1, func(e *engine, ip, _ string) []string {
			return append(append([]string{}, e.cmd...), "exec", "client", "/usr/bin/iperf3", "-c", ip)
		}},
		{"iperf3, the host to a container directly", 0, direct},
	}
	best := make([]map[*engine]float64, len(ways))
	ips, ports := map[*engine]string{}, map[*engine]string{}
	for _, e := range all {
		if ips[e], ports[e], err = e.serveHost(ctx, "iperf", "5201", "/usr/bin/iperf3", "-s"); err != nil {
			return err
		}
		if _, _, err = e.serveHost(ctx, "client", "1", "sleep", "100000"); err != nil {
			return err
		}
	}
	for i := range best {
		best[i] = map[*engine]float64{}
	}
	// The ways take turns too: what is compared has to be of the same minute, on a machine that others use.
	for range rounds {
		for i, w := range ways {
			for _, e := range all {
				argv := w.argv(e, ips[e], ports[e])
				if argv[0] == "-c" {
					argv = append([]string{"iperf3"}, argv...)
				}
				got, err := iperf(ctx, append(argv, "-J", "-t", strconv.Itoa(flow)))
				if err != nil {
					return err
				}
				best[i][e] = max(best[i][e], got)
			}
		}
	}
	for i, w := range ways {
		r := result{what: w.what, berth: best[i][all[0]], peers: map[string]float64{}, unit: "Gbit/s"}
		for _, e := range all[1:] {
			r.peers[e.name] = best[i][e]
		}
		if w.goal > 0 {
			r.goal, r.met = atLeast("docker", w.goal)
		}
		b.add(r)
	}
	r := result{what: "the same, published against direct", berth: best[0][all[0]], peers: map[string]float64{"direct": best[3][all[0]]}, unit: "Gbit/s"}
	r.goal, r.met = atLeast("direct", 0.9)
	b.add(r)
	for _, e := range all {
		if err := e.clear(ctx); err != nil {
			return err
		}
	}
	return nil
}

// iperf returns what a client of iperf3 measures, in gigabits per second. A server that is just coming up is waited for.
func iperf(ctx context.Context, argv []string) (float64, error) {
	var err error
	for end := time.Now().Add(10 * time.Second); time.Now().Before(end); time.Sleep(50 * time.Millisecond) {
		var out []byte
		var answer struct {
			Error string
			End   struct {
				Received struct {
					Rate float64 `json:"bits_per_second"`
				} `json:"sum_received"`
			}
		}
		out, err = exec.CommandContext(ctx, argv[0], argv[1:]...).Output()
		if jerr := json.Unmarshal(out, &answer); jerr != nil {
			err = errors.Join(err, jerr)
		} else if answer.Error == "" {
			return answer.End.Received.Rate / 1e9, nil
		} else {
			err = errors.New(answer.Error)
		}
	}
	return 0, fmt.Errorf("%s: %w", strings.Join(argv, " "), err)
}

// atLeast is the goal "at least x times that peer".
func atLeast(peer string, x float64) (goal string, met func(result) *bool) {
	return fmt.Sprintf("≥ %.2f × %s", x, peer), func(r result) *bool {
		p, ok := r.peers[peer]
		if !ok {
			return nil
		}
		ok = r.berth >= x*p
		return &ok
	}
}

// connections measures how many new ones a published nginx takes.
func (b *bench) connections(ctx context.Context, all []*engine) error {
	conf := filepath.Join(b.dir, "nginx.conf")
	if err := os.WriteFile(conf, []byte("daemon off; worker_processes 1; pid /tmp/nginx.pid; error_log stderr crit;\n"+
		"events { worker_connections 1024; }\nhttp { access_log off; client_body_temp_path /tmp/a; proxy_temp_path /tmp/b; fastcgi_temp_path /tmp/c; uwsgi_temp_path /tmp/d; scgi_temp_path /tmp/e;\n"+
		"server { listen 80; location / { return 200 \"hello\\n\"; } } }\n"), 0o644); err != nil {
		return err
	}
	ports := map[*engine]string{}
	for _, e := range all {
		script := "mkdir -p /tmp /etc /var/log/nginx /var/lib/nginx; echo root:x:0:0::/:/bin/sh > /etc/passwd; echo root:x:0: > /etc/group; exec /usr/sbin/nginx -c " + conf + " -g 'user root;'"
		run := append(append([]string{"run", "-d", "--name", "nginx", "-p", "80", "-v", conf + ":" + conf + ":ro"}, host...), e.image, "sh", "-c", script)
		if _, err := e.do(ctx, run...); err != nil {
			return err
		}
		mapped, err := e.do(ctx, "port", "nginx", "80")
		if err != nil {
			return err
		}
		line, _, _ := strings.Cut(mapped, "\n")
		ports[e] = line[strings.LastIndex(line, ":")+1:]
	}
	best := map[*engine]float64{}
	for range rounds {
		for _, e := range all {
			out, err := exec.CommandContext(ctx, "wrk", "-t", "1", "-c", "16", "-d", strconv.Itoa(flow), "-H", "Connection: close", "http://127.0.0.1:"+ports[e]+"/").Output()
			if err != nil {
				return fmt.Errorf("wrk: %w", err)
			}
			_, rest, ok := strings.Cut(string(out), "Requests/sec:")
			var rate float64
			if _, err := fmt.Sscan(rest, &rate); !ok || err != nil {
				return fmt.Errorf("wrk says %q", out)
			}
			best[e] = max(best[e], rate)
		}
	}
	r := result{what: "new connections to a published nginx (wrk)", berth: best[all[0]], peers: map[string]float64{}, unit: "/s"}
	for _, e := range all[1:] {
		r.peers[e.name] = best[e]
	}
	r.goal, r.met = atLeast("docker", 1)
	b.add(r)
	for _, e := range all {
		if err := e.clear(ctx); err != nil {
			return err
		}
	}
	return nil
}

// attachments measures what the network adds to a start and to a removal.
func (b *bench) attachments(ctx context.Context, all []*engine) error {
	ours := all[0]
	up, down := map[string][]time.Duration{}, map[string][]time.Duration{}
	for range b.runs {
		for _, network := range []string{"none", "bridge"} {
			if _, err := ours.do(ctx, append([]string{"create", "--name", "one", "--network", network, ours.image}, sleeper...)...); err != nil {
				return err
			}
			for _, verb := range []struct {
				took map[string][]time.Duration
				argv []string
			}{{up, []string{"start", "one"}}, {down, []string{"rm", "-f", "one"}}} {
				begin := time.Now()
				if _, err := ours.do(ctx, verb.argv...); err != nil {
					return err
				}
				verb.took[network] = append(verb.took[network], time.Since(begin))
			}
		}
	}
	for _, part := range []struct {
		what string
		took map[string][]time.Duration
	}{{"set-up of a network, beside none", up}, {"its tear-down, beside none", down}} {
		r := result{what: part.what, berth: median(part.took["bridge"]) - median(part.took["none"])}
		r.goal, r.met = most(5, "ms")
		b.add(r)
	}
	return nil
}

// publishing starts many containers, each with a published port, on one bridge. The last ones take turns with those of
// an engine that has none, which tells what the machine does from what the engine does.
func (b *bench) publishing(ctx context.Context, all []*engine) (err error) {
	ours := all[0]
	// An engine of its own directory is another one.
	dir := filepath.Join(b.dir, "e")
	if err := os.Mkdir(dir, 0o700); err != nil {
		return err
	}
	empty, err := (&bench{berth: b.berth, dir: dir}).startBerth(ctx)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, empty.stop()) }()
	if _, err := empty.do(ctx, "load", "-i", filepath.Join(b.dir, "starter.tar")); err != nil {
		return err
	}
	took := map[*engine][]time.Duration{}
	start := func(n int, engines ...*engine) error {
		for range n {
			for _, e := range engines {
				begin := time.Now()
				if _, err := e.do(ctx, append([]string{"run", "-d", "-p", "80", e.image}, sleeper...)...); err != nil {
					return err
				}
				took[e] = append(took[e], time.Since(begin))
			}
		}
		return nil
	}
	if err := start(published-ends, ours); err != nil {
		return err
	}
	if err := start(ends, ours, empty); err != nil {
		return err
	}
	last := median(took[ours][published-ends:])
	if err := ours.clear(ctx); err != nil {
		return err
	}
	// The first ones again: what the machine has become slower meanwhile is not the networks' doing.
	if err := start(ends, ours); err != nil {
		return err
	}
	first := median(append(took[ours][published:], took[ours][:ends]...))
	r := result{
		what: fmt.Sprintf("run -d -p, the last of %d against the first", published), berth: last,
		peers: map[string]float64{"first": first, "in an empty engine": median(took[empty])},
	}
	r.goal, r.met = ratio("first", 1.3)
	b.add(r)
	return ours.clear(ctx)
}
