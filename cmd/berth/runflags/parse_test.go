package runflags

import (
	"encoding/json"
	"os"
	"path/filepath"
	"reflect"
	"slices"
	"strings"
	"testing"

	"github.com/moby/moby/api/types/container"
	"github.com/moby/moby/api/types/mount"
	"github.com/moby/moby/api/types/network"
	"github.com/spf13/pflag"
)

// parse reads a command line as run does.
func parse(args ...string) (*Request, error) {
	fs := pflag.NewFlagSet("run", pflag.ContinueOnError)
	f := Register(fs)
	if err := fs.Parse(args); err != nil {
		return nil, err
	}
	return f.Parse(fs.Args(), []string{"HOME=/root", "TERM=dumb"})
}

func mustParse(t *testing.T, args ...string) *Request {
	t.Helper()
	r, err := parse(args...)
	if err != nil {
		t.Fatalf("run %s: %v", strings.Join(args, " "), err)
	}
	return r
}

func TestFlagsEndAtTheImage(t *testing.T) {
	r := mustParse(t, "-e", "A=1", "image", "ls", "-l", "--name", "x")
	if r.Config.Image != "image" || !reflect.DeepEqual(r.Config.Cmd, []string{"ls", "-l", "--name", "x"}) || r.Name != "" {
		t.Errorf("image %q, command %q, name %q", r.Config.Image, r.Config.Cmd, r.Name)
	}
}

// get follows a path of JSON keys, as the engine will see them.
func get(t *testing.T, v any, path string) any {
	t.Helper()
	b, err := json.Marshal(v)
	if err != nil {
		t.Fatal(err)
	}
	var m any
	if err := json.Unmarshal(b, &m); err != nil {
		t.Fatal(err)
	}
	for _, k := range strings.Split(path, ".") {
		mm, ok := m.(map[string]any)
		if !ok {
			t.Fatalf("no %s in %s", path, b)
		}
		m = mm[k]
	}
	return m
}

func TestWhatTheEngineIsAskedFor(t *testing.T) {
	for _, c := range []struct {
		args  string
		where string
		want  any
	}{
		{"-m 64m", "HostConfig.Memory", 67108864.0},
		{"--memory-swap -1", "HostConfig.MemorySwap", -1.0},
		{"--cpus 1.5", "HostConfig.NanoCpus", 1.5e9},
		{"--cpus 0.1", "HostConfig.NanoCpus", 1e8},
		{"--pids-limit 10", "HostConfig.PidsLimit", 10.0},
		{"", "HostConfig.PidsLimit", nil},
		{"", "HostConfig.MemorySwappiness", -1.0},
		{"", "HostConfig.NetworkMode", "default"},
		{"", "HostConfig.RestartPolicy.Name", "no"},
		{"--restart on-failure:3", "HostConfig.RestartPolicy.MaximumRetryCount", 3.0},
		{"--restart always", "HostConfig.RestartPolicy.Name", "always"},
		{"--network none", "HostConfig.NetworkMode", "none"},
		{"--net=host", "HostConfig.NetworkMode", "host"},
		{"--network container:x", "HostConfig.NetworkMode", "container:x"},
		{"--rm", "HostConfig.AutoRemove", true},
		{"--init", "HostConfig.Init", true},
		{"", "HostConfig.Init", nil},
		{"--privileged", "HostConfig.Privileged", true},
		{"--read-only", "HostConfig.ReadonlyRootfs", true},
		{"--shm-size 1g", "HostConfig.ShmSize", 1073741824.0},
		{"--cap-add NET_ADMIN --cap-drop ALL", "HostConfig.CapDrop", []any{"ALL"}},
		{"--security-opt no-new-privileges", "HostConfig.SecurityOpt", []any{"no-new-privileges"}},
		{"--security-opt label:disable", "HostConfig.SecurityOpt", []any{"label=disable"}},
		{"--tmpfs /t:size=1m", "HostConfig.Tmpfs./t", "size=1m"},
		{"--sysctl net.x=1", "HostConfig.Sysctls", map[string]any{"net.x": "1"}},
		{"--add-host a:1.2.3.4 --add-host b=::1", "HostConfig.ExtraHosts", []any{"a:1.2.3.4", "b:::1"}},
		{"--dns 9.9.9.9", "HostConfig.Dns", []any{"9.9.9.9"}},
		{"--log-driver none", "HostConfig.LogConfig.Type", "none"},
		{"-v /a:/b:ro", "HostConfig.Binds", []any{"/a:/b:ro"}},
		{"-v data:/b", "HostConfig.Binds", []any{"data:/b"}},
		{"-v /b", "Config.Volumes", map[string]any{"/b": map[string]any{}}},
		{"-h box -u 1:2 -w /w", "Config.Hostname", "box"},
		{"-h box -u 1:2 -w /w", "Config.User", "1:2"},
		{"-h box -u 1:2 -w /w", "Config.WorkingDir", "/w"},
		{"-it", "Config.Tty", true},
		{"--entrypoint /e", "Config.Entrypoint", []any{"/e"}},
		{"--stop-timeout 0", "Config.StopTimeout", 0.0},
		{"", "Config.StopTimeout", nil},
		{"-e A=1 -e HOME -e MISSING -e EMPTY=", "Config.Env", []any{"A=1", "HOME=/root", "EMPTY="}},
		{"-l a=b -l c", "Config.Labels", map[string]any{"a": "b", "c": ""}},
		{"--health-cmd true --health-retries 2", "Config.Healthcheck.Test", []any{"CMD-SHELL", "true"}},
		{"--no-healthcheck", "Config.Healthcheck.Test", []any{"NONE"}},
		{"--platform linux/arm64/v8", "Platform.variant", "v8"},
		{"--ip 10.0.0.9 --network n", "Networking.EndpointsConfig.n.IPAMConfig.IPv4Address", "10.0.0.9"},
		{"--network name=n,alias=a", "Networking.EndpointsConfig.n.Aliases", []any{"a"}},
		{`--network name=n,"driver-opt=k=v,w=x"`, "Networking.EndpointsConfig.n.DriverOpts.k", "v,w=x"},
		{"--network n --link-local-ip 169.254.1.2", "Networking.EndpointsConfig.n.IPAMConfig.LinkLocalIPs", []any{"169.254.1.2"}},
		{"--network name=n,link-local-ip=169.254.1.2", "Networking.EndpointsConfig.n.IPAMConfig.LinkLocalIPs", []any{"169.254.1.2"}},
		{"--device /dev/fuse", "HostConfig.Devices", []any{map[string]any{"PathOnHost": "/dev/fuse", "PathInContainer": "/dev/fuse", "CgroupPermissions": "rwm"}}},
	} {
		r := mustParse(t, append(strings.Fields(c.args), "image")...)
		if got := get(t, r, c.where); !reflect.DeepEqual(got, c.want) {
			t.Errorf("run %s: %s is %v, want %v", c.args, c.where, got, c.want)
		}
	}
}

func TestPublish(t *testing.T) {
	for _, c := range []struct{ arg, want string }{
		{"80", `{"80/tcp":[{"HostIp":"","HostPort":""}]}`},
		{"8080:80", `{"80/tcp":[{"HostIp":"","HostPort":"8080"}]}`},
		{"53:53/udp", `{"53/udp":[{"HostIp":"","HostPort":"53"}]}`},
		{"127.0.0.1:8080:80", `{"80/tcp":[{"HostIp":"127.0.0.1","HostPort":"8080"}]}`},
		{"127.0.0.1::80", `{"80/tcp":[{"HostIp":"127.0.0.1","HostPort":""}]}`},
		{"[::1]:8080:80", `{"80/tcp":[{"HostIp":"::1","HostPort":"8080"}]}`},
		{"8000-8001:80-81", `{"80/tcp":[{"HostIp":"","HostPort":"8000"}],"81/tcp":[{"HostIp":"","HostPort":"8001"}]}`},
		{"8000-8010:80", `{"80/tcp":[{"HostIp":"","HostPort":"8000-8010"}]}`},
		{"target=80,published=8080,protocol=tcp", `{"80/tcp":[{"HostIp":"","HostPort":"8080"}]}`},
	} {
		r := mustParse(t, "-p", c.arg, "image")
		b, err := json.Marshal(r.HostConfig.PortBindings)
		if err != nil {
			t.Fatal(err)
		}
		if string(b) != c.want {
			t.Errorf("-p %s: %s, want %s", c.arg, b, c.want)
		}
		if len(r.Config.ExposedPorts) != len(r.HostConfig.PortBindings) {
			t.Errorf("-p %s: exposes %v", c.arg, r.Config.ExposedPorts)
		}
	}
	r := mustParse(t, "--expose", "90-91/udp", "image")
	if _, ok := r.Config.ExposedPorts[network.MustParsePort("91/udp")]; !ok {
		t.Errorf("--expose 90-91/udp: %v", r.Config.ExposedPorts)
	}
}

func TestPublishRefuses(t *testing.T) {
	for args, want := range map[string]string{
		"-p 8080:80/foo":     "--publish 8080:80/foo: invalid proto: foo",
		"--expose 80/foo":    "--expose 80/foo: invalid proto: foo",
		"-p 8080:":           "--publish 8080:: no port of the container",
		"-p 99999:80":        "--publish 99999:80: invalid start port '99999'",
		"-p 1-4:80-81":       "the ranges of ports have different lengths",
		"-p 256.0.0.1:80:80": "the address 256.0.0.1 is not an IP address",
	} {
		if _, err := parse(append(strings.Fields(args), "image")...); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%s: %v, want %q", args, err, want)
		}
	}
}

func TestMount(t *testing.T) {
	r := mustParse(t, "--mount", "type=bind,src=/a,dst=/b,readonly,bind-propagation=rslave", "--mount", "dst=/v,src=data,volume-label=x=y", "--mount", `"type=tmpfs",dst=/t,tmpfs-size=1m,tmpfs-mode=0700`, "image")
	want := []mount.Mount{
		{Type: mount.TypeBind, Source: "/a", Target: "/b", ReadOnly: true, BindOptions: &mount.BindOptions{Propagation: "rslave"}},
		{Type: mount.TypeVolume, Source: "data", Target: "/v", VolumeOptions: &mount.VolumeOptions{Labels: map[string]string{"x": "y"}}},
		{Type: mount.TypeTmpfs, Target: "/t", TmpfsOptions: &mount.TmpfsOptions{SizeBytes: 1 << 20, Mode: 0o700}},
	}
	if !reflect.DeepEqual(r.HostConfig.Mounts, want) {
		t.Errorf("mounts %+v, want %+v", r.HostConfig.Mounts, want)
	}
}

func TestRelativeSourceBecomesAbsolute(t *testing.T) {
	t.Chdir(t.TempDir())
	dir, err := os.Getwd()
	if err != nil {
		t.Fatal(err)
	}
	r := mustParse(t, "-v", "./x:/x", "-v", "a/b:/x", "image")
	if want := []string{filepath.Join(dir, "x") + ":/x", "a/b:/x"}; !slices.Equal(r.HostConfig.Binds, want) {
		t.Errorf("binds %s, want %s", r.HostConfig.Binds, want)
	}
}

func TestUpdateAsksOnlyForWhatIsNamed(t *testing.T) {
	parse := func(args ...string) (*container.UpdateConfig, error) {
		fs := pflag.NewFlagSet("update", pflag.ContinueOnError)
		f := RegisterUpdate(fs)
		if err := fs.Parse(args); err != nil {
			t.Fatal(err)
		}
		return f.ParseUpdate()
	}
	u, err := parse("--cpus", "1.5", "--memory-swap", "-1", "--pids-limit", "-1", "--restart", "always", "--cpu-rt-runtime", "5")
	if err != nil {
		t.Fatal(err)
	}
	none := int64(-1)
	want := container.UpdateConfig{
		Resources:     container.Resources{NanoCPUs: 1.5e9, MemorySwap: -1, PidsLimit: &none, CPURealtimeRuntime: 5},
		RestartPolicy: container.RestartPolicy{Name: "always"},
	}
	if !reflect.DeepEqual(*u, want) {
		t.Errorf("%+v, want %+v", *u, want)
	}
	for _, args := range [][]string{nil, {"--restart", "sometimes"}, {"-m", "lots"}} {
		if _, err := parse(args...); err == nil {
			t.Errorf("%q is accepted", args)
		}
	}
}

func TestBadFlagsAreNamed(t *testing.T) {
	for _, c := range []struct{ args, says string }{
		{"-m lots image", "--memory lots"},
		{"--cpus many image", "--cpus many"},
		{"--cpus 1.0000000001 image", "nine decimals"},
		{"--restart sometimes image", "--restart sometimes"},
		{"--restart always:3 image", "on-failure"},
		{"--rm --restart always image", "contradict"},
		{"-v relative image", "absolute"},
		{"-v /a:/ image", "root"},
		{"-v /a:/b:ro:x image", "SOURCE:TARGET"},
		{"-p 99999:80 image", "99999"},
		{"-p 1-2:1-3 image", "lengths"},
		{"-p x.y:1:1 image", "x.y"},
		{"--mount type=bind,dst=/x image", "src is missing"},
		{"--mount type=floppy,dst=/x image", "type must be"},
		{"--mount type=bind,src=/a,dst=/b,volume-nocopy image", "volume-nocopy"},
		{"--dns nowhere image", "--dns nowhere"},
		{"--add-host nowhere image", "NAME:IP"},
		{"--ulimit x image", "--ulimit x"},
		{"--device relative image", "absolute"},
		{"--env-file /does/not/exist image", "/does/not/exist"},
		{"--security-opt seccomp=/does/not/exist image", "/does/not/exist"},
		{"--attach stdio image", "stdin, stdout or stderr"},
		{"--no-healthcheck --health-cmd x image", "contradict"},
		{"--platform linux image", "OS/ARCHITECTURE"},
		{"--network a --network a image", "named twice"},
		{"--network name=n,driver-opt=k image", "driver-opt k is not KEY=VALUE"},
		{"--link-local-ip x --network n image", "--link-local-ip x: not an address"},
		{"--network name=n,link-local-ip=x image", "--network x: not an address"},
		{"--mac-address zz image", "--mac-address zz"},
		{"", "no image"},
	} {
		_, err := parse(strings.Fields(c.args)...)
		if err == nil || !strings.Contains(err.Error(), c.says) {
			t.Errorf("run %s: error %v, want one with %q", c.args, err, c.says)
		}
	}
}

func TestFilesOfVariablesLabelsAndProfiles(t *testing.T) {
	dir := t.TempDir()
	write := func(name, body string) string {
		path := filepath.Join(dir, name)
		if err := os.WriteFile(path, []byte(body), 0o600); err != nil {
			t.Fatal(err)
		}
		return path
	}
	env := write("env", "\xef\xbb\xbf# comment\n\nA=from file\n  B=2\nHOME\n")
	labels := write("labels", "x=file\ny=file\n")
	profile := write("seccomp.json", "{ \"defaultAction\":\n \"SCMP_ACT_ALLOW\" }")
	r := mustParse(t, "--env-file", env, "-e", "A=flag", "--label-file", labels, "-l", "x=flag", "--security-opt", "seccomp="+profile, "image")
	if want := []string{"A=from file", "B=2", "HOME=/root", "A=flag"}; !reflect.DeepEqual(r.Config.Env, want) {
		t.Errorf("variables %q, want %q", r.Config.Env, want)
	}
	if want := map[string]string{"x": "flag", "y": "file"}; !reflect.DeepEqual(r.Config.Labels, want) {
		t.Errorf("labels %v, want %v", r.Config.Labels, want)
	}
	if want := []string{`seccomp={"defaultAction":"SCMP_ACT_ALLOW"}`}; !reflect.DeepEqual(r.HostConfig.SecurityOpt, want) {
		t.Errorf("security options %q, want %q", r.HostConfig.SecurityOpt, want)
	}
	if r.HostConfig.RestartPolicy.Name != container.RestartPolicyDisabled {
		t.Errorf("restart policy %q", r.HostConfig.RestartPolicy.Name)
	}
}

func FuzzParse(f *testing.F) {
	f.Add("-p 80:80/tcp -v a:/b --mount type=bind,src=/a,dst=/b")
	f.Add("--publish [::1]:1-2:3-4/udp --device /dev/x:/y:rw --ulimit nofile=1:2")
	f.Fuzz(func(t *testing.T, line string) {
		// Whatever is typed gives a request or an error.
		if strings.Contains(line, "file") || strings.Contains(line, "seccomp") {
			return // names files of this machine
		}
		if r, err := parse(append(strings.Fields(line), "image")...); err == nil && r.Config == nil {
			t.Error("neither a request nor an error")
		}
	})
}

// What a mount's options need of each other is the client's to check, as docker's does.
func TestMountsThatNeedMore(t *testing.T) {
	for s, want := range map[string]string{
		"type=bind,src=/h,dst=/d,bind-recursive=writable":    "requires 'readonly'",
		"type=bind,src=/h,dst=/d,bind-recursive=readonly":    "requires 'readonly'",
		"type=bind,src=/h,dst=/d,bind-recursive=readonly,ro": "requires 'bind-propagation=rprivate'",
		"type=bind,src=/h,dst=/d,volume-nocopy":              "unknown key",
		"type=tmpfs,dst=/d,src=/h":                           "has no src",
	} {
		if _, err := parseMount(s); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%s: %v", s, err)
		}
	}
	m, err := parseMount("type=bind,src=/h,dst=/d,ro,bind-recursive=readonly,bind-propagation=rprivate,bind-create-src")
	if err != nil || !m.BindOptions.ReadOnlyForceRecursive || !m.BindOptions.CreateMountpoint {
		t.Errorf("%+v, %v", m, err)
	}
}
