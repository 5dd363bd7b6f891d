package shim_test

import (
	"os"
	"testing"

	specs "github.com/opencontainers/runtime-spec/specs-go"
	"golang.org/x/sys/unix"

	"berth/shim"
)

// TestUserNamespace runs a container in one, and a process beside it: the overlay is
// mounted by the shim, who has rights that the container's root has not.
func TestUserNamespace(t *testing.T) {
	b := newBench(t)
	cfg := b.config("echo $(cat /proc/self/uid_map); touch /made; echo pipe > /proc/self/fd/1; read x; exit 4")
	l := cfg.Spec.Linux
	l.Namespaces = append(l.Namespaces, specs.LinuxNamespace{Type: specs.UserNamespace})
	l.UIDMappings = []specs.LinuxIDMapping{{ContainerID: 0, HostID: 100000, Size: 1000}}
	l.GIDMappings = l.UIDMappings
	upper := b.dir + "/" + cfg.ID + "/upper"
	if err := os.Chown(upper, 100000, 100000); err != nil {
		t.Fatal(err)
	}
	cfg.OpenStdin = true
	c := b.create(cfg)
	term := b.attach(c, shim.AttachOptions{Stdin: true, Stdout: true, Mux: true})
	if err := c.Start(); err != nil {
		t.Fatal(err)
	}
	p := process("readlink /proc/self/ns/user; readlink /proc/1/ns/user")
	beside := b.exec(c, shim.ExecConfig{ID: "x", Process: p})
	out, errs := demux(t, beside.all())
	if n := len(out) / 2; n == 0 || out[:n] != out[n:] || errs != "" {
		t.Errorf("the exec's and init's user namespaces: %q, %q", out, errs)
	}
	if x := b.execExit(c, "x"); x.Status != 0 {
		t.Errorf("exec's exit is %+v", x)
	}
	if _, err := term.f.WriteString("\n"); err != nil {
		t.Fatal(err)
	}
	if out, errs := demux(t, term.all()); out != "0 100000 1000\npipe\n" || errs != "" {
		t.Errorf("output %q, %q", out, errs)
	}
	if x := b.exit(c); x.Status != 4 {
		t.Errorf("exit is %+v", x)
	}
	var st unix.Stat_t
	if err := unix.Stat(upper+"/made", &st); err != nil || st.Uid != 100000 {
		t.Errorf("the file is user %d's, %v", st.Uid, err)
	}
}
