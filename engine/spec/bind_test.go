package spec

import (
	"testing"

	"github.com/containerd/errdefs"
	"github.com/moby/moby/api/types/container"
	"github.com/moby/moby/api/types/mount"
)

func TestParseBind(t *testing.T) {
	for bind, want := range map[string]Mount{
		"/d":            {MountPoint: container.MountPoint{Type: "volume", Driver: "local", Destination: "/d", RW: true}},
		"vol:/d":        {MountPoint: container.MountPoint{Type: "volume", Driver: "local", Name: "vol", Destination: "/d", RW: true}},
		"vol:/d:ro":     {MountPoint: container.MountPoint{Type: "volume", Driver: "local", Name: "vol", Destination: "/d", Mode: "ro"}},
		"vol:/d:nocopy": {container.MountPoint{Type: "volume", Driver: "local", Name: "vol", Destination: "/d", Mode: "nocopy", RW: true}, MountOptions{NoCopy: true}},
		"/h/../x:/d/":   {container.MountPoint{Type: "bind", Source: "/x", Destination: "/d", RW: true}, MountOptions{CreateSource: true}},
		"/h:/d:ro,z":    {container.MountPoint{Type: "bind", Source: "/h", Destination: "/d", Mode: "ro,z"}, MountOptions{CreateSource: true}},
		"/h:/d:cached,rw,Z,rslave": {container.MountPoint{Type: "bind", Source: "/h", Destination: "/d", Mode: "cached,rw,Z,rslave", RW: true, Propagation: "rslave"},
			MountOptions{CreateSource: true}},
	} {
		if got, err := ParseBind(bind, ""); err != nil || got != want {
			t.Errorf("%s: got %+v, %v", bind, got, err)
		}
	}
	if m, err := ParseBind("vol:/d", "nfs"); err != nil || m.Driver != "nfs" {
		t.Errorf("a driver: %+v, %v", m, err)
	}
}

// docker's words, to the letter.
func TestBindsThatAreRefused(t *testing.T) {
	const spec = "invalid volume specification: "
	for bind, want := range map[string]string{
		"":                spec + "''",
		":/d":             spec + "':/d'",
		"/h:/d:ro:x":      spec + "'/h:/d:ro:x'",
		`c:\a:d:\b`:       spec + `'c:\a:d:\b'`,
		"/d:ro":           spec + "'/d:ro'",
		"/h:/d:what":      "invalid mode: what",
		"/h:/d:ro,rw":     "invalid mode: ro,rw",
		"/h:/d:z,Z":       "invalid mode: z,Z",
		"/h:/d:ro,":       "invalid mode: ro,",
		"/h:/d:U":         "invalid mode: U",
		"/h:/d:bind":      "invalid mode: bind",
		"/":               spec + "'/': invalid mount config for type \"volume\": invalid specification: destination can't be '/'",
		"/h:/.":           spec + "'/h:/.': invalid mount config for type \"bind\": invalid specification: destination can't be '/'",
		"/h:d":            spec + "'/h:d': invalid mount config for type \"bind\": invalid mount path: 'd' mount path must be absolute",
		"a:b":             spec + "'a:b': invalid mount config for type \"volume\": invalid mount path: 'b' mount path must be absolute",
		"/h:":             spec + "'/h:'",
		"vol:/d:rslave":   spec + "'vol:/d:rslave': invalid mount config for type \"volume\": field BindOptions must not be specified",
		"vol:/d:shared,z": spec + "'vol:/d:shared,z': invalid mount config for type \"volume\": field BindOptions must not be specified",
	} {
		if _, err := ParseBind(bind, ""); !errdefs.IsInvalidArgument(err) || err.Error() != want {
			t.Errorf("%q: got %v\nwant %s", bind, err, want)
		}
	}
}

func TestMountsThatAreRefused(t *testing.T) {
	for want, m := range map[string]mount.Mount{
		`"bind": field Target must not be empty`:                                         {Type: "bind", Source: "/h"},
		`"bind": field Source must not be empty`:                                         {Type: "bind", Target: "/d"},
		`"bind": invalid mount path: 'd' mount path must be absolute`:                    {Type: "bind", Source: "/h", Target: "d"},
		`"bind": invalid mount path: 'h' mount path must be absolute`:                    {Type: "bind", Source: "h", Target: "/d"},
		`"bind": invalid specification: destination can't be '/'`:                        {Type: "bind", Source: "/h", Target: "/../"},
		`"bind": invalid propagation mode: sideways`:                                     {Type: "bind", Source: "/h", Target: "/d", BindOptions: &mount.BindOptions{Propagation: "sideways"}},
		`"bind": field VolumeOptions must not be specified`:                              {Type: "bind", Source: "/h", Target: "/d", VolumeOptions: &mount.VolumeOptions{}},
		`"volume": field BindOptions must not be specified`:                              {Type: "volume", Source: "v", Target: "/d", BindOptions: &mount.BindOptions{}},
		`"volume": must not set ReadOnly mode when using anonymous volumes`:              {Type: "volume", Target: "/d", ReadOnly: true},
		`"volume": must not set Subpath when using anonymous volumes`:                    {Type: "volume", Target: "/d", VolumeOptions: &mount.VolumeOptions{Subpath: "a"}},
		`"volume": subpath must be a relative path within the volume`:                    {Type: "volume", Source: "v", Target: "/d", VolumeOptions: &mount.VolumeOptions{Subpath: "../a"}},
		`"image": subpath must be a relative path within the volume`:                     {Type: "image", Source: "i", Target: "/d", ImageOptions: &mount.ImageOptions{Subpath: "/a"}},
		`"image": field Source must not be empty`:                                        {Type: "image", Target: "/d"},
		`"tmpfs": field Source must not be specified`:                                    {Type: "tmpfs", Source: "x", Target: "/d"},
		`"tmpfs": field BindOptions must not be specified`:                               {Type: "tmpfs", Target: "/d", BindOptions: &mount.BindOptions{}},
		`"tmpfs": invalid option: huge`:                                                  {Type: "tmpfs", Target: "/d", TmpfsOptions: &mount.TmpfsOptions{Options: [][]string{{"huge", "always"}}}},
		`"tmpfs": invalid option array length`:                                           {Type: "tmpfs", Target: "/d", TmpfsOptions: &mount.TmpfsOptions{Options: [][]string{{}}}},
		`"npipe": mount type unknown`:                                                    {Type: "npipe", Source: "x", Target: "/d"},
		`"bind": mount options conflict: ReadOnlyNonRecursive && ReadOnlyForceRecursive`: {Type: "bind", Source: "/h", Target: "/d", BindOptions: &mount.BindOptions{ReadOnlyNonRecursive: true, ReadOnlyForceRecursive: true}},
	} {
		if _, err := ParseMount(m); !errdefs.IsInvalidArgument(err) || err.Error() != "invalid mount config for type "+want {
			t.Errorf("%+v: got %v\nwant %s", m, err, want)
		}
	}
}

func TestParseMount(t *testing.T) {
	for _, c := range []struct {
		m    mount.Mount
		want Mount
	}{
		{mount.Mount{Type: "tmpfs", Target: "/d", ReadOnly: true, TmpfsOptions: &mount.TmpfsOptions{SizeBytes: 4096, Mode: 0o1700, Options: [][]string{{"exec"}}}},
			Mount{container.MountPoint{Type: "tmpfs", Destination: "/d"}, MountOptions{Tmpfs: "ro,mode=1700,size=4096,exec"}}},
		{mount.Mount{Type: "volume", Source: "v", Target: "/d/", VolumeOptions: &mount.VolumeOptions{NoCopy: true, Subpath: "a/b"}},
			Mount{container.MountPoint{Type: "volume", Name: "v", Driver: "local", Destination: "/d", RW: true}, MountOptions{NoCopy: true, Subpath: "a/b"}}},
		{mount.Mount{Type: "image", Source: "busybox", Target: "/i", ImageOptions: &mount.ImageOptions{Subpath: "bin"}},
			Mount{container.MountPoint{Type: "image", Source: "busybox", Destination: "/i", RW: true}, MountOptions{Subpath: "bin"}}},
		{mount.Mount{Type: "bind", Source: "/h", Target: "/d", ReadOnly: true, BindOptions: &mount.BindOptions{Propagation: "rslave", NonRecursive: true, CreateMountpoint: true}},
			Mount{container.MountPoint{Type: "bind", Source: "/h", Destination: "/d", Propagation: "rslave"}, MountOptions{NonRecursive: true, CreateSource: true}}},
	} {
		if got, err := ParseMount(c.m); err != nil || got != c.want {
			t.Errorf("%+v: got %+v, %v", c.m, got, err)
		}
	}
}

func TestParseVolumesFrom(t *testing.T) {
	for from, want := range map[string]bool{"c": false, "c:ro": true, "c:rw,z": false, "c:ro,cached": true} {
		if name, ro, err := ParseVolumesFrom(from); err != nil || name != "c" || ro != want {
			t.Errorf("%s: %s, %v, %v", from, name, ro, err)
		}
	}
	for from, want := range map[string]string{
		"": "volumes-from specification cannot be an empty string", "c:x": "invalid mode: x",
		"c:rslave": "invalid mode: rslave", "c:nocopy": "invalid mode: nocopy", "c:ro:z": "invalid mode: ro:z",
	} {
		if _, _, err := ParseVolumesFrom(from); !errdefs.IsInvalidArgument(err) || err.Error() != want {
			t.Errorf("%q: %v", from, err)
		}
	}
}
