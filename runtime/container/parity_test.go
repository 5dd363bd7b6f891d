package container

import (
	"os"
	"path/filepath"
	"testing"
)

// TestTmpfsInheritsItsMode is what runc does unless an option says otherwise.
func TestTmpfsInheritsItsMode(t *testing.T) {
	f := newFixture(t)
	for name, mode := range map[string]os.FileMode{"a": 0o750, "b": 0o755 | os.ModeSticky, "c": 0o700, "e": 0o711} {
		dir := filepath.Join(f.opts.Bundle, "rootfs", name)
		if err := os.Mkdir(dir, 0o700); err != nil {
			t.Fatal(err)
		}
		if err := os.Chmod(dir, mode); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(filepath.Join(dir, "file"), nil, 0o600); err != nil {
			t.Fatal(err)
		}
	}
	s := f.opts.Spec
	addMount(s, "/a", "tmpfs", "tmpfs")
	addMount(s, "/b", "tmpfs", "tmpfs", "ro")
	addMount(s, "/c", "tmpfs", "tmpfs", "mode=1777")
	addMount(s, "/d", "tmpfs", "tmpfs") // made for it
	addMount(s, "/e", "tmpfs", "tmpfs", "tmpcopyup", "ro")
	f.want("stat -c '%n %a' /a /b /c /d /e; grep -c ' /b ro.* ro,' /proc/self/mountinfo; ls /e; touch /e/x", `
/a 750
/b 1755
/c 1777
/d 1777
/e 711
1
file
touch: /e/x: Read-only file system`)
}

// TestMasksTellNothingOfTheHost: files are covered by the container's own null device,
// and what only is called so is not taken.
func TestMasksTellNothingOfTheHost(t *testing.T) {
	f := newFixture(t)
	f.want("grep ' /proc/keys ' /proc/self/mountinfo | grep -c devtmpfs; stat -c %t:%T /proc/keys; wc -c < /proc/keys", "0\n1:3\n0")
	f = newFixture(t)
	host := filepath.Join(f.opts.Bundle, "dev")
	if err := os.Mkdir(host, 0o755); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(filepath.Join(host, "null"), []byte("secret"), 0o666); err != nil {
		t.Fatal(err)
	}
	s := f.opts.Spec
	s.Mounts = s.Mounts[:1]
	addMount(s, "/dev", "bind", host, "bind")
	f.want("wc -c < /dev/null; stat -c %t:%T /proc/keys", "6\n1:3")
}
