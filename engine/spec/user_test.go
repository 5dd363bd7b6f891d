package spec

import (
	"slices"
	"strings"
	"testing"

	"github.com/containerd/errdefs"
)

func TestUserOfTheSpec(t *testing.T) {
	s := build(t, func(in *Input) { in.Config.User = "www" })
	u := s.Process.User
	if u.UID != 33 || u.GID != 34 || !slices.Equal(u.AdditionalGids, []uint32{10, 29, 34}) {
		t.Errorf("user %+v", u)
	}
	if c := s.Process.Capabilities; len(c.Effective) != 0 || len(c.Permitted) != 0 || len(c.Bounding) != 14 {
		t.Errorf("an ordinary user holds nothing at once: %+v", c)
	}
	if !slices.Contains(s.Process.Env, "HOME=/var/www") {
		t.Errorf("environment %v", s.Process.Env)
	}
}

func TestLookupUser(t *testing.T) {
	for _, c := range []struct {
		spec     string
		extra    []string
		uid, gid uint32
		groups   []uint32
		home     string
		err      string
	}{
		{spec: "", uid: 0, gid: 0, groups: []uint32{0, 10}, home: "/root"},
		{spec: "0", groups: []uint32{0, 10}, home: "/root"},
		{spec: "33", uid: 33, gid: 34, groups: []uint32{10, 29, 34}, home: "/var/www"},
		{spec: "www:wheel", uid: 33, gid: 10, groups: []uint32{10}, home: "/var/www"},
		{spec: "1234", uid: 1234, groups: []uint32{0}, home: "/"},
		{spec: "1234:4321", uid: 1234, gid: 4321, groups: []uint32{4321}, home: "/"},
		{spec: "nohome", uid: 50, gid: 50, groups: []uint32{50}, home: "/"},
		{spec: "www", extra: []string{"web", "77"}, uid: 33, gid: 34, groups: []uint32{10, 29, 34, 77}, home: "/var/www"},
		{spec: "nobody", err: "unable to find user nobody: no matching entries in passwd file"},
		{spec: "www:none", err: "unable to find group none: no matching entries in group file"},
		{spec: "-1", err: "unable to find user -1"},
		{spec: "99999999999", err: "unable to find user"},
	} {
		u, home, err := LookupUser(busybox, c.spec, c.extra)
		if c.err != "" {
			if err == nil || !strings.Contains(err.Error(), c.err) || !errdefs.IsInvalidArgument(err) {
				t.Errorf("%q: got error %v, want %s", c.spec, err, c.err)
			}
			continue
		}
		if err != nil || u.UID != c.uid || u.GID != c.gid || !slices.Equal(u.AdditionalGids, c.groups) || home != c.home {
			t.Errorf("%q: got %+v, %q, %v", c.spec, u, home, err)
		}
	}
	if _, _, err := LookupUser(tree{}, "", nil); err != nil {
		t.Errorf("an image without databases: %v", err)
	}
}
