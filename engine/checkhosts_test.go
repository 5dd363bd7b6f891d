package engine

import (
	"strings"
	"testing"

	"github.com/containerd/errdefs"
	"github.com/moby/moby/api/types/container"
	"github.com/moby/moby/api/types/network"
)

func TestExtraHosts(t *testing.T) {
	for text, want := range map[string]string{
		"a:1.2.3.4":                "a [1.2.3.4]",
		"a=1.2.3.4":                "a [1.2.3.4]",
		"a:::1":                    "a [::1]",
		"a:[::1]":                  "a [::1]",
		"a=::1,1.2.3.4":            "a [::1 1.2.3.4]",
		"a:host-gateway":           "a [host-gateway]",
		"a":                        `bad format for add-host: "a"`,
		":1.2.3.4":                 `bad format for add-host: ":1.2.3.4"`,
		"a:b=1.2.3.4":              `bad format for add-host: "a:b=1.2.3.4"`,
		"a:nope":                   `invalid IP address in add-host: "nope"`,
		"a:":                       `invalid IP address in add-host: ""`,
		"a\n6.6.6.6 bank:1.2.3.4":  `bad format for add-host: "a\n6.6.6.6 bank:1.2.3.4"`,
		"a:1.2.3.4\n6.6.6.6\tbank": `invalid IP address in add-host: "1.2.3.4\n6.6.6.6\tbank"`,
		"a:fe80::1%\n1.1.1.1 bank": `invalid IP address in add-host: "fe80::1%\n1.1.1.1 bank"`,
	} {
		name, addresses, err := extraHost(text)
		got := name + " [" + strings.Join(addresses, " ") + "]"
		if err != nil {
			got = strings.TrimSuffix(err.Error(), ": "+errdefs.ErrInvalidArgument.Error())
			if !errdefs.IsInvalidArgument(err) {
				t.Errorf("%q: %v is of the wrong kind", text, err)
			}
		}
		if got != want {
			t.Errorf("%q: got %s, want %s", text, got, want)
		}
	}
}

// No value of a client makes a line of its own in the files that the engine writes for a container, nor is what cannot
// be started created.
func TestCreateRefusesForeignLinesAndBadPorts(t *testing.T) {
	r := newRig(t)
	web := network.MustParsePort("80/tcp")
	for want, edit := range map[string]func(*CreateOptions){
		`invalid hostname format: "a\nb"`:               func(o *CreateOptions) { o.Config.Hostname = "a\nb" },
		`invalid domainname format: "a\r.b"`:            func(o *CreateOptions) { o.Config.Domainname = "a\r.b" },
		`"b\nnameserver 6.6.6.6" is not a valid domain`: func(o *CreateOptions) { o.HostConfig.DNSSearch = []string{"a", "b\nnameserver 6.6.6.6"} },
		`invalid DNS option: "ndots:1\nnameserver"`:     func(o *CreateOptions) { o.HostConfig.DNSOptions = []string{"ndots:1\nnameserver"} },
		`bad format for add-host: "a"`:                  func(o *CreateOptions) { o.HostConfig.ExtraHosts = []string{"a"} },
		`invalid port specification: "x"`:               func(o *CreateOptions) { o.HostConfig.PortBindings = network.PortMap{web: {{HostPort: "x"}}} },
		`invalid port specification: "70000"`:           func(o *CreateOptions) { o.HostConfig.PortBindings = network.PortMap{web: {{HostPort: "70000"}}} },
		`invalid port specification: "9-8"`:             func(o *CreateOptions) { o.HostConfig.PortBindings = network.PortMap{web: {{HostPort: "9-8"}}} },
		`Minimum memory limit allowed is 6MB`:           func(o *CreateOptions) { o.HostConfig.Memory = -1 },
		`invalid container format container:<name|id>`:  func(o *CreateOptions) { o.HostConfig.NetworkMode = "container:" },
		`unknown capability: "CAP_ZZ"`:                  func(o *CreateOptions) { o.HostConfig.CapAdd = []string{"zz"} },
		`invalid --security-opt 1: "zz"`:                func(o *CreateOptions) { o.HostConfig.SecurityOpt = []string{"zz"} },
		`invalid --security-opt 2: "zz=1"`:              func(o *CreateOptions) { o.HostConfig.SecurityOpt = []string{"zz=1"} },
	} {
		o := CreateOptions{Config: &container.Config{Image: "busybox"}, HostConfig: &container.HostConfig{NetworkMode: "none"}}
		edit(&o)
		if _, err := r.Containers.Create(r.ctx, o); !errdefs.IsInvalidArgument(err) || !strings.Contains(err.Error(), want) {
			t.Errorf("got %v, want %s", err, want)
		}
	}
	if all, err := r.Containers.List(r.ctx, ListOptions{All: true}); err != nil || len(all) != 0 {
		t.Errorf("left: %+v, %v", all, err)
	}
}

func TestFiltersThatSayNothing(t *testing.T) {
	r := newRig(t)
	for _, c := range []struct{ key, value, want string }{
		{"health", "x", "Unrecognised filter value for health: x"},
		{"is-task", "x", "invalid filter 'is-task=[x]'"},
		{"publish", "x", "error while looking up for publish x: "},
		{"expose", "80-x/udp", "error while looking up for expose 80-x/udp: "},
		{"exited", "x", "invalid filter 'exited=x'"},
		{"status", "x", "invalid filter 'status=x'"},
	} {
		_, err := r.Containers.List(r.ctx, ListOptions{All: true, Filters: map[string][]string{c.key: {c.value}}})
		if !errdefs.IsInvalidArgument(err) || !strings.Contains(err.Error(), c.want) {
			t.Errorf("%s=%s: got %v, want %s", c.key, c.value, err, c.want)
		}
	}
	twice := map[string][]string{"until": {"1h", "2h"}}
	const want = "more than one until filter specified"
	if _, err := r.Containers.Prune(r.ctx, twice); err == nil || !strings.HasPrefix(err.Error(), want) {
		t.Errorf("containers: got %v, want %s", err, want)
	}
	if _, err := r.Networks.Prune(r.ctx, twice); err == nil || !strings.HasPrefix(err.Error(), want) {
		t.Errorf("networks: got %v, want %s", err, want)
	}
}
