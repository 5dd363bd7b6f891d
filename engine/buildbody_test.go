package engine

import (
	"bytes"
	"io"
	"strings"
	"testing"

	"berth/engine/build"

	"github.com/containerd/errdefs"
	"github.com/moby/moby/api/types/jsonstream"
)

// A client may send BuildKit the context with the request, without a session.
func TestBuildKitTakesTheContextOfTheRequest(t *testing.T) {
	r := newBuildRig(t)
	request := func(tag, remote, id string) build.Request {
		return build.Request{BuildKit: true, Tags: []string{tag}, Remote: remote, ID: id, NetworkMode: "none", Dockerfile: "d/Other"}
	}
	sent := func() io.Reader {
		return buildContext(t, "d/Other=FROM busybox\nCOPY f /made\nRUN cat /made", "f=content")
	}
	ran := func(image string) {
		t.Helper()
		o := shell("cat /made")
		o.Config.Image = image
		if text, _ := r.output(o); text != "content" {
			t.Errorf("%s says %q", image, text)
		}
	}
	var id string
	report := func(m jsonstream.Message) {
		if m.ID == "moby.image.id" {
			id = string(*m.Aux)
		}
	}
	if err := r.Builds.Build(r.ctx, request("one", "", ""), sent(), report); err != nil {
		t.Fatal(err)
	}
	if img, err := r.Images.Inspect(r.ctx, "one"); err != nil || !strings.Contains(id, img.ID) {
		t.Errorf("the image %s was told of as %q: %v", img.ID, id, err)
	}
	ran("one")

	// The two requests come in any order.
	uploaded := make(chan error, 1)
	go func() {
		uploaded <- r.Builds.Build(r.ctx, request("", "", "upload-request:me"), sent(), report)
	}()
	if err := r.Builds.Build(r.ctx, request("two", "upload-request", "me"), nil, func(jsonstream.Message) {}); err != nil {
		t.Fatal(err)
	}
	if err := <-uploaded; err != nil {
		t.Errorf("sending the context: %v", err)
	}
	ran("two")

	if err := r.Builds.Build(r.ctx, request("", "", ""), nil, report); !errdefs.IsInvalidArgument(err) {
		t.Errorf("without a context: %v", err)
	}
	if err := r.Builds.Build(r.ctx, request("", "", ""), bytes.NewBufferString("noise"), report); err == nil {
		t.Error("noise is no context")
	}
	// What was one request's can be had by no other.
	dockerfile := "FROM scratch\nADD http://build-context-0123/ /x"
	if _, err := r.build(build.Request{}, dockerfile); err == nil || !strings.Contains(err.Error(), "not found") && !strings.Contains(err.Error(), "was read before") {
		t.Errorf("the context of nobody: %v", err)
	}
}

// read tells whether a reader has come to its end.
type read struct {
	io.Reader
	whole bool
}

func (r *read) Read(p []byte) (int, error) {
	n, err := r.Reader.Read(p)
	r.whole = r.whole || err == io.EOF
	return n, err
}

// A build that has not read its request to the end is not told that its client has gone, and works on.
func TestBuildReadsItsRequestWhole(t *testing.T) {
	r := newBuildRig(t)
	body := &read{Reader: io.MultiReader(buildContext(t, "Dockerfile=FROM busybox\nLABEL a=b"), bytes.NewReader(make([]byte, 1<<20)))}
	err := r.Builds.Build(r.ctx, build.Request{NetworkMode: "none"}, body, func(m jsonstream.Message) {
		if strings.HasPrefix(m.Stream, "Step") && !body.whole {
			t.Errorf("%q before the request was read", m.Stream)
		}
	})
	if err != nil || !body.whole {
		t.Errorf("read whole: %v, %v", body.whole, err)
	}
}
