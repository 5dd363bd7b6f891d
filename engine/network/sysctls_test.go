package network

import (
	"os"
	"strings"
	"testing"
)

func TestSysctlsOfAnEndpoint(t *testing.T) {
	f := newFixture(t)
	create(t, f, CreateSpec{Name: "one"})
	sysctls, err := ParseSysctls("net.ipv4.conf.IFNAME.log_martians=1,net.ipv6.conf.ifname.disable_ipv6=0")
	if err != nil {
		t.Fatal(err)
	}
	ns := newSandbox(t)
	join(t, f, AttachSpec{ContainerID: "a", Network: "one", Interface: "net7", Sysctls: sysctls}, ns)
	for name, want := range map[string]string{"ipv4/conf/net7/log_martians": "1", "ipv6/conf/net7/disable_ipv6": "0", "ipv4/conf/lo/log_martians": "0"} {
		got := inside(t, ns, func() (string, error) {
			b, err := os.ReadFile("/proc/sys/net/" + name)
			return strings.TrimSpace(string(b)), err
		})
		if got != want {
			t.Errorf("%s is %s, want %s", name, got, want)
		}
	}
	unknown := []Sysctl{{Group: "ipv4/conf", Key: "no_such", Value: "1"}}
	if _, err := f.Attach(t.Context(), AttachSpec{ContainerID: "b", Network: "one", Sysctls: unknown}, newSandbox(t)); err == nil || !strings.Contains(err.Error(), "eth0/no_such to 1") {
		t.Errorf("a sysctl that is not there: %v", err)
	}
	if left := f.Endpoints("b"); left != nil {
		t.Errorf("left behind: %+v", left)
	}
}

func TestParseSysctls(t *testing.T) {
	for list, want := range map[string]string{
		"net.ipv4.conf.eth0.log_martians=1": "unrecognised network interface sysctl 'net.ipv4.conf.eth0.log_martians=1'; represent 'net.X.Y.ethN.Z=V' as 'net.X.Y.IFNAME.Z=V'",
		"net.core.conf.IFNAME.x=1":          "'X' must be 'ipv4', 'ipv6' or 'mpls'",
		"kernel.ipv4.conf.IFNAME.x=1":       "unrecognised",
		"net.ipv4.conf.IFNAME.log_martians": "expected sysctl 'net.ipv4.conf.IFNAME.log_martians' to have format name=value",
		"net.ipv4.conf.IFNAME.../../x=1":    "to have format net.X.Y.IFNAME.Z",
		"net.ipv4.a/b.IFNAME.x=1":           "to have format net.X.Y.IFNAME.Z",
		"":                                  "unrecognised network interface sysctl ''",
	} {
		if got, err := ParseSysctls(list); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%q: %v, %v, want %q", list, got, err, want)
		}
	}
}
