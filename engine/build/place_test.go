package build

import (
	"log/slog"
	"testing"

	"github.com/containerd/errdefs"
	"github.com/moby/buildkit/executor"
)

// A frontend that a Dockerfile names cannot put its steps into a network that the client
// did not name.
func TestStepsGoOnlyWhereTheClientAsked(t *testing.T) {
	of := &places{}
	c := newExecutor(StepOptions{Files: t.TempDir() + "/none", places: of}, slog.New(slog.DiscardHandler))
	run := func(place string) error {
		_, err := c.Run(t.Context(), "", executor.Mount{}, nil, executor.ProcessInfo{Meta: executor.Meta{CgroupParent: place}}, nil)
		return err
	}
	inside := Place{Network: "inside"}.Encode()
	if err := run(inside); !errdefs.IsPermissionDenied(err) {
		t.Errorf("nobody has asked: %v", err)
	}
	first, second := of.ask(inside), of.ask(inside)
	first()
	// It goes on from there, to a directory that is not there.
	if err := run(inside); err == nil || errdefs.IsPermissionDenied(err) {
		t.Errorf("somebody has asked: %v", err)
	}
	if err := run(Place{Network: "other"}.Encode()); !errdefs.IsPermissionDenied(err) {
		t.Errorf("somebody has asked for another: %v", err)
	}
	second()
	if err := run(inside); !errdefs.IsPermissionDenied(err) {
		t.Errorf("the build is over: %v", err)
	}
	if err := run("/a/cgroup"); err == nil || errdefs.IsPermissionDenied(err) {
		t.Errorf("a cgroup, as in BuildKit: %v", err)
	}
}
