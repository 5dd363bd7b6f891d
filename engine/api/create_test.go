package api

import (
	"strings"
	"testing"

	"berth/engine"

	"github.com/moby/moby/api/types/container"
)

// What a version of the API did not have is dropped or refused as the engines of its time did.
func TestCreateOfOldVersions(t *testing.T) {
	const body = `{"Image":"i","Healthcheck":{"Test":["CMD","x"],"StartInterval":1000000000},"HostConfig":{"PidsLimit":-1,"MemorySwappiness":-1,"Mounts":[` +
		`{"Type":"bind","Source":"/a","Target":"/b","ReadOnly":true,"BindOptions":{"NonRecursive":true,"CreateMountpoint":true}},` +
		`{"Type":"volume","Source":"v","Target":"/c","VolumeOptions":{"Subpath":"d"}}]}}`
	for _, c := range []struct {
		version                                 string
		nonRecursive, create, shallow, interval bool
		subpath                                 string
		ipc                                     container.IpcMode
	}{
		{"", true, true, false, true, "d", ""},
		{"/v1.44", true, true, false, true, "", ""},
		{"/v1.43", true, true, true, false, "", ""},
		{"/v1.41", true, false, true, false, "", ""},
		{"/v1.39", false, false, true, false, "", "shareable"},
	} {
		f := serve(t)
		if status, got := f.do("POST", c.version+"/containers/create", body); status != 201 {
			t.Fatalf("%s: %d %s", c.version, status, got)
		}
		asked := f.containers.asked[0].(engine.CreateOptions)
		host, bind := asked.HostConfig, asked.HostConfig.Mounts[0].BindOptions
		if bind.NonRecursive != c.nonRecursive || bind.CreateMountpoint != c.create || bind.ReadOnlyNonRecursive != c.shallow ||
			host.Mounts[1].VolumeOptions.Subpath != c.subpath || host.IpcMode != c.ipc || host.PidsLimit != nil || host.MemorySwappiness != nil ||
			(asked.Config.Healthcheck.StartInterval != 0) != c.interval {
			t.Errorf("%s: %+v, %+v", c.version, bind, host)
		}
	}
	f := serve(t)
	const networks = `{"Image":"i","NetworkingConfig":{"EndpointsConfig":{"b":{},"a":{}}}}`
	f.expect("POST", "/v1.43/containers/create", networks, 400, "message: Container cannot be created with multiple network endpoints: a, b")
	if status, got := f.do("POST", "/v1.44/containers/create", networks); status != 201 {
		t.Errorf("%d %s", status, got)
	}
}

// Sysctls of eth0 become its endpoint's for clients that know no better, and are refused of others.
func TestSysctlsOfAnInterface(t *testing.T) {
	f := serve(t)
	create := func(mode, name string) string {
		return `{"Image":"i","HostConfig":{"NetworkMode":"` + mode + `","Sysctls":{"` + name + `":"1","net.ipv4.conf.all.forwarding":"1"}}}`
	}
	f.expect("POST", "/v1.47/containers/create", create("web", "net.ipv4.conf.eth0.log_martians"), 400,
		`message: interface specific sysctl setting "net.ipv4.conf.eth0.log_martians" must be supplied using driver option 'com.docker.network.endpoint.sysctls'`)
	f.expect("POST", "/v1.46/containers/create", create("web", "net.ipv4.conf.eth1.log_martians"), 400,
		"message: unable to determine network endpoint for sysctl net.ipv4.conf.eth1.log_martians, use driver option 'com.docker.network.endpoint.sysctls' to set per-interface sysctls")
	status, got := f.do("POST", "/v1.46/containers/create", create("web", "net.ipv4.conf.eth0.log_martians"))
	if status != 201 || !strings.Contains(got, "Migrated net.ipv4.conf.IFNAME.log_martians=1") {
		t.Errorf("%d %s", status, got)
	}
	asked := f.containers.asked[len(f.containers.asked)-1].(engine.CreateOptions)
	if opts := asked.NetworkingConfig.EndpointsConfig["web"].DriverOpts[endpointSysctls]; opts != "net.ipv4.conf.IFNAME.log_martians=1" || len(asked.HostConfig.Sysctls) != 1 {
		t.Errorf("endpoint %q, container %v", opts, asked.HostConfig.Sysctls)
	}
	// The host's interfaces are nobody's endpoints.
	if status, got := f.do("POST", "/v1.47/containers/create", create("host", "net.ipv4.conf.eth0.log_martians")); status != 201 {
		t.Errorf("%d %s", status, got)
	}
}

func TestResizeWords(t *testing.T) {
	f := serve(t)
	for query, want := range map[string]string{
		"":                  `invalid resize height "": invalid syntax`,
		"h=1":               `invalid resize width "": invalid syntax`,
		"h=ten&w=1":         `invalid resize height "ten": invalid syntax`,
		"h=1&w=-100":        `invalid resize width "-100": value out of range`,
		"h=4294967296&w=10": `invalid resize height "4294967296": value out of range`,
	} {
		for _, path := range []string{"/containers/web/resize?", "/exec/x/resize?"} {
			f.expect("POST", path+query, "", 400, "message: "+want)
		}
	}
}

func TestListsOfOldVersions(t *testing.T) {
	found := []container.Summary{{Health: &container.HealthSummary{Status: "none"}}}
	found[0].HostConfig.Annotations = map[string]string{"a": "b"}
	if got := listed(found, version{1, 46})[0]; got.HostConfig.Annotations == nil || got.Health != nil {
		t.Errorf("1.46: %+v", got)
	}
	if got := listed(found, version{1, 45})[0]; got.HostConfig.Annotations != nil {
		t.Errorf("1.45: %+v", got)
	}
}
