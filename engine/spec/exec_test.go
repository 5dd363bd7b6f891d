package spec

import (
	"slices"
	"testing"

	"github.com/containerd/errdefs"
	"github.com/moby/moby/api/types/container"
)

func TestExecProcess(t *testing.T) {
	in := ExecInput{
		Root: busybox, Config: &container.Config{User: "www", Env: []string{"A=1"}, WorkingDir: "/w"}, HostConfig: &container.HostConfig{},
		Hostname: "h", Tty: true, ConsoleSize: &[2]uint{24, 80}, Env: []string{"A=2"}, Cmd: []string{"sh"},
	}
	p, err := Exec(in)
	if err != nil {
		t.Fatal(err)
	}
	if p.User.UID != 33 || p.Cwd != "/w" || !slices.Contains(p.Env, "A=2") || !slices.Contains(p.Env, "TERM=xterm") || p.ConsoleSize.Width != 80 {
		t.Errorf("%+v", p)
	}
	in.User, in.WorkingDir, in.Privileged = "root", "/x", true
	if p, err = Exec(in); err != nil || p.User.UID != 0 || p.Cwd != "/x" || !slices.Contains(p.Capabilities.Effective, "CAP_SYS_ADMIN") {
		t.Errorf("%+v, %v", p, err)
	}
	in.WorkingDir = "relative"
	if _, err = Exec(in); !errdefs.IsInvalidArgument(err) {
		t.Errorf("a relative directory: %v", err)
	}
}
