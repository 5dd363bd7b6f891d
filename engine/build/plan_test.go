package build

import (
	"context"
	"errors"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/containerd/errdefs"
	"github.com/moby/buildkit/client"
	"github.com/moby/moby/api/types/jsonstream"
	"github.com/opencontainers/go-digest"
)

func TestPlan(t *testing.T) {
	const file = "# a comment\nARG V=1\nFROM busybox AS one\nRUN echo a && \\\n    # in between\n    echo b\nENV A=1\n" +
		"FROM busybox AS unused\nRUN false\nFROM one AS two\nWORKDIR /w\nFROM scratch\nCOPY --from=two /w /w\nCMD x\n"
	p, err := readPlan(file, "")
	if err != nil {
		t.Fatal(err)
	}
	var texts []string
	for _, s := range p.steps {
		texts = append(texts, s.text)
	}
	want := []string{"FROM busybox AS one", "RUN echo a && echo b", "ENV A=1", "FROM one AS two", "WORKDIR /w", "FROM scratch", "COPY --from=two /w /w", "CMD x"}
	if !slices.Equal(texts, want) {
		t.Errorf("steps %q", texts)
	}
	for name, step := range map[string]int{
		"[one 1/2] FROM docker.io/library/busybox:latest": 0, "[one 2/2] RUN echo a &&     echo b": 1, "[two 1/1] WORKDIR /w": 4,
		"[linux/amd64 one 2/2] RUN x": 1, "[stage-3 1/1] COPY --from=two /w /w": 6, "[internal] load .dockerignore": -1, "exporting to image": -1,
		"[nope 1/1] RUN x": -1, "[one 9/2] RUN x": -1, "[one x/2] RUN x": -1, "[] x": -1,
		"[one 2/4] ONBUILD COPY f /": 0, "[one 3/4] ONBUILD RUN x": 0, "[one 4/4] RUN echo": 1,
	} {
		if got := p.find(name); got != step {
			t.Errorf("%s is step %d, want %d", name, got, step)
		}
	}
	single, err := readPlan("FROM busybox\nRUN x\n", "")
	if err != nil || single.find("[2/2] RUN x") != 1 || single.find("[stage-0 2/2] RUN x") != 1 {
		t.Errorf("one stage: %v", err)
	}
	if p, err := readPlan(file, "one"); err != nil || len(p.steps) != 3 {
		t.Errorf("target one: %+v, %v", p, err)
	}
	for _, bad := range []string{"", "RUN x", "FROM busybox\nNOPE x", "FROM"} {
		if _, err := readPlan(bad, ""); !errdefs.IsInvalidArgument(err) {
			t.Errorf("%q: %v", bad, err)
		}
	}
}

// status is what BuildKit tells of one vertex.
func status(name, log string, done bool, failure string) *client.SolveStatus {
	now := time.Now()
	v := &client.Vertex{Digest: digest.FromString(name), Name: name, Started: &now, Error: failure}
	if done {
		v.Completed = &now
	}
	s := &client.SolveStatus{Vertexes: []*client.Vertex{v}}
	if log != "" {
		s.Logs = []*client.VertexLog{{Vertex: v.Digest, Data: []byte(log)}}
	}
	return s
}

func TestStepsAreToldInTheirOrder(t *testing.T) {
	p, err := readPlan("FROM busybox AS a\nRUN a\nFROM busybox\nENV X=1\nRUN b\nCOPY --from=a / /\n", "")
	if err != nil {
		t.Fatal(err)
	}
	var out strings.Builder
	c := &classic{plan: p, report: func(m jsonstream.Message) { out.WriteString(m.Stream) }, local: func(context.Context, string) string { return "" }}
	c.update(status("[a 1/2] FROM docker.io/library/busybox", "", true, ""))
	c.update(status("[stage-1 1/3] FROM docker.io/library/busybox", "", true, ""))
	c.update(status("[stage-1 2/3] RUN b", "says b\n", true, "")) // before its turn
	if strings.Contains(out.String(), "says b") {
		t.Errorf("told too early: %s", out.String())
	}
	c.update(status("[a 2/2] RUN a", "says a\n", false, ""))
	if !strings.HasSuffix(out.String(), "Step 2/6 : RUN a\nsays a\n") {
		t.Errorf("what a step says is told at once: %s", out.String())
	}
	c.update(status("[a 2/2] RUN a", "and more\n", true, ""))
	want := "Step 1/6 : FROM busybox AS a\nStep 2/6 : RUN a\nsays a\nand more\nStep 3/6 : FROM busybox\nStep 4/6 : ENV X=1\nStep 5/6 : RUN b\nsays b\n"
	if out.String() != want {
		t.Errorf("got\n%s\nwant\n%s", out.String(), want)
	}
	err = c.failed(errors.New(`failed to solve: process "/bin/sh -c b" did not complete successfully: exit code: 9`))
	var step *StepError
	if !errors.As(err, &step) || step.Code != 9 || err.Error() != "The command '/bin/sh -c b' returned a non-zero code: 9" {
		t.Errorf("got %v", err)
	}
}

func TestPlace(t *testing.T) {
	if got := (Place{CgroupParent: "/x"}).Encode(); got != "/x" {
		t.Errorf("a cgroup alone is %q", got)
	}
	want := Place{CgroupParent: "/x", Network: "n", Memory: 5, CPUSetCPUs: "0"}
	if got, err := decodePlace(want.Encode()); err != nil || got != want {
		t.Errorf("got %+v, %v", got, err)
	}
	if got, err := decodePlace("/y"); err != nil || got.CgroupParent != "/y" {
		t.Errorf("got %+v, %v", got, err)
	}
	if _, err := decodePlace("place:{"); err == nil {
		t.Error("nonsense is a place")
	}
}
