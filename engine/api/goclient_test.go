package api_test

import (
	"bytes"
	"errors"
	"io"
	"strings"
	"testing"

	"berth/engine/api/berthapi"

	"github.com/containerd/errdefs"
	"github.com/moby/moby/api/pkg/stdcopy"
	"github.com/moby/moby/api/types/container"
	"github.com/moby/moby/api/types/events"
	"github.com/moby/moby/client"
)

// create makes a container of busybox that has no network.
func (r *rig) create(name string, config container.Config, cmd ...string) string {
	r.t.Helper()
	config.Image, config.Cmd = "busybox", cmd
	created, err := r.client.ContainerCreate(r.t.Context(), client.ContainerCreateOptions{
		Name: name, Config: &config, HostConfig: &container.HostConfig{NetworkMode: "none"},
	})
	if err != nil {
		r.t.Fatal(err)
	}
	return created.ID
}

func (r *rig) start(id string) {
	r.t.Helper()
	if _, err := r.client.ContainerStart(r.t.Context(), id, client.ContainerStartOptions{}); err != nil {
		r.t.Fatal(err)
	}
}

// TestGoClient goes through a container's life with the client that the console and the verbs are made of.
func TestGoClient(t *testing.T) {
	r := newRig(t)
	ctx := t.Context()
	heard := r.client.Events(ctx, client.EventsListOptions{Filters: client.Filters{}.Add("type", "container")})

	id := r.create("echo", container.Config{OpenStdin: true, StdinOnce: true, AttachStdin: true, Labels: map[string]string{"a": "b"}},
		"sh", "-c", "cat; echo end >&2; exit 7")
	attached, err := r.client.ContainerAttach(ctx, id, client.ContainerAttachOptions{Stream: true, Stdin: true, Stdout: true, Stderr: true})
	if err != nil {
		t.Fatal(err)
	}
	defer attached.Close()
	wait := r.client.ContainerWait(ctx, id, client.ContainerWaitOptions{Condition: container.WaitConditionNextExit})
	r.start(id)
	if _, err := io.WriteString(attached.Conn, "through stdin"); err != nil {
		t.Fatal(err)
	}
	if err := attached.CloseWrite(); err != nil {
		t.Fatal(err)
	}
	var out, errs bytes.Buffer
	if _, err := stdcopy.StdCopy(&out, &errs, attached.Reader); err != nil || out.String() != "through stdin" || errs.String() != "end\n" {
		t.Errorf("attached: %q and %q, %v", out.String(), errs.String(), err)
	}
	select {
	case how := <-wait.Result:
		if how.StatusCode != 7 {
			t.Errorf("exit %+v", how)
		}
	case err := <-wait.Error:
		t.Fatal(err)
	}
	logged, err := r.client.ContainerLogs(ctx, id, client.ContainerLogsOptions{ShowStdout: true, ShowStderr: true, Follow: true})
	if err != nil {
		t.Fatal(err)
	}
	defer logged.Close()
	out.Reset()
	if _, err := stdcopy.StdCopy(&out, &out, logged); err != nil || out.String() != "through stdin"+"end\n" && out.String() != "end\n"+"through stdin" {
		t.Errorf("logged %q, %v", out.String(), err)
	}
	found, err := r.client.ContainerInspect(ctx, "echo", client.ContainerInspectOptions{})
	if err != nil || found.Container.State.ExitCode != 7 || found.Container.State.Running || found.Container.ID != id {
		t.Errorf("inspected %+v, %v", found.Container.State, err)
	}
	if _, err := r.client.ContainerRemove(ctx, id, client.ContainerRemoveOptions{}); err != nil {
		t.Fatal(err)
	}
	if _, err := r.client.ContainerInspect(ctx, id, client.ContainerInspectOptions{}); !errdefs.IsNotFound(err) {
		t.Errorf("inspected what is gone: %v", err)
	}
	var actions []string
	for len(actions) == 0 || actions[len(actions)-1] != string(events.ActionDestroy) {
		select {
		case e := <-heard.Messages:
			actions = append(actions, string(e.Action))
			if e.Actor.ID != id || e.Actor.Attributes["a"] != "b" || e.Actor.Attributes["name"] != "echo" {
				t.Errorf("event %+v", e)
			}
		case err := <-heard.Err:
			t.Fatal(err)
		}
	}
	if got := strings.Join(actions, " "); got != "create attach start die destroy" {
		t.Errorf("events: %s", got)
	}
}

func TestExecThroughTheGoClient(t *testing.T) {
	r := newRig(t)
	ctx := t.Context()
	id := r.create("web", container.Config{}, "sleep", "1000")
	r.start(id)
	made, err := r.client.ExecCreate(ctx, id, client.ExecCreateOptions{
		Cmd: []string{"sh", "-c", "cat; echo $A >&2; pwd; exit 9"}, Env: []string{"A=1"}, WorkingDir: "/etc",
		AttachStdin: true, AttachStdout: true, AttachStderr: true,
	})
	if err != nil {
		t.Fatal(err)
	}
	s, err := r.client.ExecAttach(ctx, made.ID, client.ExecAttachOptions{})
	if err != nil {
		t.Fatal(err)
	}
	defer s.Close()
	big := strings.Repeat("0123456789abcdef", 1<<16)
	go func() {
		io.WriteString(s.Conn, big)
		s.CloseWrite()
	}()
	var out, errs bytes.Buffer
	if _, err := stdcopy.StdCopy(&out, &errs, s.Reader); err != nil || out.String() != big+"/etc\n" || errs.String() != "1\n" {
		t.Errorf("%d bytes and %q, %v", out.Len(), errs.String(), err)
	}
	r.eventually("the exec has ended", func() bool {
		how, err := r.client.ExecInspect(ctx, made.ID, client.ExecInspectOptions{})
		return err == nil && !how.Running && how.ExitCode == 9
	})
}

func TestTerminal(t *testing.T) {
	r := newRig(t)
	ctx := t.Context()
	id := r.create("term", container.Config{Tty: true, OpenStdin: true}, "sh")
	s, err := r.client.ContainerAttach(ctx, id, client.ContainerAttachOptions{Stream: true, Stdin: true, Stdout: true})
	if err != nil {
		t.Fatal(err)
	}
	defer s.Close()
	r.start(id)
	if _, err := r.client.ContainerResize(ctx, id, client.ContainerResizeOptions{Height: 33, Width: 99}); err != nil {
		t.Fatal(err)
	}
	io.WriteString(s.Conn, "stty size; echo e''nd\n")
	var seen strings.Builder
	for buf := make([]byte, 4096); !strings.Contains(seen.String(), "end"); {
		n, err := s.Reader.Read(buf)
		if err != nil {
			t.Fatalf("%q, %v", seen.String(), err)
		}
		seen.Write(buf[:n])
	}
	if !strings.Contains(seen.String(), "33 99") {
		t.Errorf("size in %q", seen.String())
	}
	// Docker's detach keys end the session, not the container.
	s.Conn.Write([]byte{16, 17})
	if _, err := io.Copy(io.Discard, s.Reader); err != nil {
		t.Error(err)
	}
	if found, err := r.client.ContainerInspect(ctx, id, client.ContainerInspectOptions{}); err != nil || !found.Container.State.Running {
		t.Errorf("after detaching: %+v, %v", found.Container.State, err)
	}
}

// TestLiveChangesAndFiles sees a file appear in a container, and reads it, without the container's help.
func TestLiveChangesAndFiles(t *testing.T) {
	r := newRig(t)
	ctx := t.Context()
	id := r.create("web", container.Config{}, "sh", "-c", "echo new > /tmp/new; ln -s /etc/shadow /tmp/out; rm /bin/id; exec sleep 1000")
	r.start(id)
	c := berthapi.NewClient(r.client)
	defer c.Close()
	var size int64
	r.eventually("the file and the deletion are seen", func() bool {
		kinds := map[string]berthapi.ChangeKind{}
		for ch, err := range c.Changes(ctx, "web") {
			if err != nil {
				t.Fatal(err)
			}
			if kinds[ch.Path] = ch.Kind; ch.Path == "/tmp/new" {
				size = ch.Size
			}
		}
		return kinds["/tmp/new"] == berthapi.ChangeAdded && kinds["/bin/id"] == berthapi.ChangeDeleted
	})
	if size != 4 {
		t.Errorf("size %d", size)
	}
	for path, want := range map[string]string{"/tmp/new": "new\n", "/etc/hostname": id[:12] + "\n"} {
		file, err := c.ContainerFile(ctx, "web", path)
		if err != nil {
			t.Errorf("%s: %v", path, err)
			continue
		}
		if text, err := io.ReadAll(file); string(text) != want || err != nil {
			t.Errorf("%s: %q, %v", path, text, err)
		}
		file.Close()
	}
	// The link means the container's own file, which does not exist; never the machine's.
	for _, path := range []string{"/tmp/out", "/tmp/../../../../../etc/shadow", "/proc/1/root/etc/shadow"} {
		if file, err := c.ContainerFile(ctx, "web", path); err == nil {
			file.Close()
			t.Errorf("%s leads out of the container", path)
		}
	}
	if _, err := c.ContainerFile(ctx, "web", "/dev/null"); !errdefs.IsInvalidArgument(err) {
		t.Errorf("a device: %v", err)
	}
	var err error
	for _, err = range c.Changes(ctx, "nope") {
	}
	if !errdefs.IsNotFound(err) || errors.Is(err, berthapi.ErrUnsupported) {
		t.Errorf("got %v", err)
	}
}

// TestExitCodeIsKnownWhenTheStreamEnds: the shim closes the client's stream itself, so the engine may learn of the end
// only after the client has asked for the exit code.
func TestExitCodeIsKnownWhenTheStreamEnds(t *testing.T) {
	r := newRig(t)
	ctx := t.Context()
	id := r.create("web", container.Config{}, "sleep", "1000")
	r.start(id)
	for range 40 {
		made, err := r.client.ExecCreate(ctx, id, client.ExecCreateOptions{Cmd: []string{"sh", "-c", "exit 4"}, AttachStdout: true})
		if err != nil {
			t.Fatal(err)
		}
		s, err := r.client.ExecAttach(ctx, made.ID, client.ExecAttachOptions{})
		if err != nil {
			t.Fatal(err)
		}
		if _, err := io.Copy(io.Discard, s.Reader); err != nil {
			t.Error(err)
		}
		s.Close()
		if how, err := r.client.ExecInspect(ctx, made.ID, client.ExecInspectOptions{}); err != nil || how.Running || how.ExitCode != 4 {
			t.Fatalf("%+v, %v", how, err)
		}
	}
}
