package foreign

import (
	"bytes"
	"context"
	"io"
	"testing"

	"github.com/moby/moby/client"

	"berth/engine/api/berthapi"
)

func (*other) ContainerDiff(context.Context, string, client.ContainerDiffOptions) (client.ContainerDiffResult, error) {
	return client.ContainerDiffResult{}, nil
}
func (o *other) CopyFromContainer(context.Context, string, client.CopyFromContainerOptions) (client.CopyFromContainerResult, error) {
	return client.CopyFromContainerResult{Content: io.NopCloser(bytes.NewReader(o.export))}, nil
}

// Engines name the top of an archive each in its own way.
func TestDirectoriesOfContainers(t *testing.T) {
	for dir, archives := range map[string][][]string{
		"/":    {{"./", "", "./b/", "", "./b/x", "1", "./a", "22"}, {"b/", "", "b/x", "1", "a", "22"}, {"/", "", "/b/", "", "/b/x", "1", "/a", "22"}},
		"/etc": {{"./", "", "./b/", "", "./b/x", "1", "./a", "22"}, {"etc/", "", "etc/b/", "", "etc/b/x", "1", "etc/a", "22"}},
	} {
		for _, members := range archives {
			o := &other{export: packed(t, members...)}
			got := listed(t, Children(t.Context(), o, "web", dir, o.Entries(t.Context(), "", 0, false)))
			want := "/b /a"
			if dir != "/" {
				want = "/etc/b /etc/a"
			}
			if got != want {
				t.Errorf("%s of %q: %s", dir, members, got)
			}
		}
	}
	o := &other{export: packed(t, "motd", "hello")}
	r, err := ContainerFile(t.Context(), o, o, "web", "/etc/motd")
	if err != nil {
		t.Fatal(err)
	}
	defer r.Close()
	if b, err := io.ReadAll(r); string(b) != "hello" || err != nil {
		t.Errorf("%q, %v", b, err)
	}
	o.export = o.export[:514]
	for _, err := range Children(t.Context(), o, "web", "/", func(yield func(berthapi.Entry, error) bool) { yield(berthapi.Entry{}, berthapi.ErrUnsupported) }) {
		if err == nil {
			continue
		}
		return
	}
	t.Error("a cut archive is taken for a whole one")
}
