package foreign

import (
	"archive/tar"
	"bufio"
	"bytes"
	"context"
	"errors"
	"fmt"
	"hash/maphash"
	"io"
	"iter"
	"strings"
	"testing"

	"github.com/containerd/errdefs"
	"github.com/klauspost/compress/gzip"
	"github.com/moby/moby/api/types/image"
	"github.com/moby/moby/client"

	"berth/engine/api/berthapi"
)

// other is an engine that is not berth's, with one image.
type other struct {
	export  []byte
	exports int
}

func (*other) Layers(context.Context, string) ([]berthapi.Layer, error) {
	return nil, berthapi.ErrUnsupported
}
func (o *other) Entries(ctx context.Context, ref string, n int, union bool) iter.Seq2[berthapi.Entry, error] {
	return o.EntriesOf(ctx, ref, n, union, berthapi.Part{})
}
func (*other) EntriesOf(context.Context, string, int, bool, berthapi.Part) iter.Seq2[berthapi.Entry, error] {
	return func(yield func(berthapi.Entry, error) bool) { yield(berthapi.Entry{}, berthapi.ErrUnsupported) }
}
func (*other) Waste(context.Context, string) (berthapi.Waste, error) {
	return berthapi.Waste{}, berthapi.ErrUnsupported
}
func (*other) LayerFile(context.Context, string, int, string) (io.ReadCloser, error) {
	return nil, berthapi.ErrUnsupported
}
func (*other) Diff(context.Context, string, string, berthapi.DiffOptions) iter.Seq2[berthapi.Difference, error] {
	return func(yield func(berthapi.Difference, error) bool) {
		yield(berthapi.Difference{}, berthapi.ErrUnsupported)
	}
}
func (*other) Changes(context.Context, string) iter.Seq2[berthapi.Change, error] { return nil }
func (*other) ContainerFile(context.Context, string, string) (io.ReadCloser, error) {
	return nil, berthapi.ErrUnsupported
}
func (*other) ImageInspect(context.Context, string, ...client.ImageInspectOption) (client.ImageInspectResult, error) {
	return client.ImageInspectResult{InspectResponse: image.InspectResponse{ID: "sha256:1"}}, nil
}
func (*other) ImageHistory(context.Context, string, ...client.ImageHistoryOption) (client.ImageHistoryResult, error) {
	return client.ImageHistoryResult{Items: []image.HistoryResponseItem{{CreatedBy: "top", Size: 3}, {CreatedBy: "base", Size: 9}}}, nil
}
func (o *other) ImageSave(context.Context, []string, ...client.ImageSaveOption) (client.ImageSaveResult, error) {
	o.exports++
	return io.NopCloser(bytes.NewReader(o.export)), nil
}

// packed is a tar: names with the content of files; "/" at the end makes a directory, "->" a hard link, "~" a symlink.
func packed(t *testing.T, members ...string) []byte {
	t.Helper()
	var out bytes.Buffer
	w := tar.NewWriter(&out)
	for i := 0; i < len(members); i += 2 {
		name, content := members[i], members[i+1]
		h := &tar.Header{Name: name, Mode: 0o644, Typeflag: tar.TypeReg}
		switch {
		case strings.HasSuffix(name, "/"):
			h.Typeflag, h.Mode = tar.TypeDir, 0o755
		case strings.HasPrefix(content, "->"):
			h.Typeflag, h.Linkname, content = tar.TypeLink, content[2:], ""
		case strings.HasPrefix(content, "~"):
			h.Typeflag, h.Linkname, content = tar.TypeSymlink, content[1:], ""
		case strings.HasPrefix(content, "x"):
			h.Mode = 0o755
		}
		h.Size = int64(len(content))
		if err := errors.Join(w.WriteHeader(h), second(io.WriteString(w, content))); err != nil {
			t.Fatal(err)
		}
	}
	if err := w.Close(); err != nil {
		t.Fatal(err)
	}
	return out.Bytes()
}

func second(_ int, err error) error { return err }

func zipped(t *testing.T, b []byte) []byte {
	t.Helper()
	var out bytes.Buffer
	w := gzip.NewWriter(&out)
	if err := errors.Join(second(w.Write(b)), w.Close()); err != nil {
		t.Fatal(err)
	}
	return out.Bytes()
}

const config = `{"history":[{"created_by":"base"},{"created_by":"ENV a","empty_layer":true},{"created_by":"top"}]}`

// image of two layers, in the layout that is asked for.
func exported(t *testing.T, oci bool) []byte {
	base := packed(t, "etc/", "", "etc/motd", "hello", "etc/old/", "", "etc/old/a", "aaaa", "etc/same", "-", "run", "script", "o/x", "1", "o/y", "2")
	top := packed(t, "etc/motd", "hello, you", "etc/.wh.old", "", "etc/same", "-", "run", "xcript", "new", "->etc/motd", "o/.wh..wh..opq", "", "o/y", "2")
	if oci {
		return packed(t, "blobs/sha256/c", config, "blobs/sha256/a", string(zipped(t, base)), "blobs/sha256/b", string(top), "oci-layout", "{}",
			"manifest.json", `[{"Config":"blobs/sha256/c","Layers":["blobs/sha256/a","blobs/sha256/b"]}]`)
	}
	return packed(t, "1/VERSION", "1.0", "1/layer.tar", string(base), "2/layer.tar", "~../real.tar", "real.tar", string(top), "c.json", config,
		"manifest.json", `[{"Config":"c.json","Layers":["1/layer.tar","2/layer.tar"]}]`)
}

func listed(t *testing.T, list iter.Seq2[berthapi.Entry, error]) string {
	t.Helper()
	var out []string
	for e, err := range list {
		if err != nil {
			t.Fatal(err)
		}
		out = append(out, fmt.Sprintf("%s%s", e.Kind, e.Path))
	}
	return strings.Join(out, " ")
}

func TestLayersOfAnExport(t *testing.T) {
	for _, oci := range []bool{false, true} {
		o := &other{export: exported(t, oci)}
		b := New(o, o, func(f func()) { go f() })
		t.Cleanup(b.Close)
		ctx := t.Context()
		list, err := b.Layers(ctx, "app")
		if err != nil || len(list) != 2 || list[0].CreatedBy != "base" || list[0].Added != 0 || o.exports != 0 {
			t.Fatalf("before any file was looked at: %+v, %v, %d exports", list, err, o.exports)
		}
		for _, c := range []struct {
			n     int
			union bool
			part  berthapi.Part
			want  string
		}{
			{0, false, berthapi.Part{}, "A/etc A/etc/motd A/etc/old A/etc/old/a A/etc/same A/o A/o/x A/o/y A/run"},
			{2, false, berthapi.Part{}, "/etc M/etc/motd D/etc/old M*/etc/same A/new /o M*/o/y M/run"},
			{2, true, berthapi.Part{}, "/etc M/etc/motd D/etc/old M*/etc/same A/new /o M*/o/y M/run"},
			{0, true, berthapi.Part{Dir: "/", Depth: 1, Limit: 2}, "A/etc A/o"},
			{0, true, berthapi.Part{Dir: "/", Depth: 1, After: "/o"}, "A/run"},
			{0, false, berthapi.Part{Dir: "/etc/old"}, "A/etc/old A/etc/old/a"},
		} {
			if got := listed(t, b.EntriesOf(ctx, "app", c.n, c.union, c.part)); got != c.want {
				t.Errorf("oci %v, layer %d, union %v, %+v:\ngot  %s\nwant %s", oci, c.n, c.union, c.part, got, c.want)
			}
		}
		if o.exports != 1 {
			t.Errorf("%d exports", o.exports)
		}
		if list, err = b.Layers(ctx, "app"); err != nil || len(list) != 3 || !list[1].Empty || list[2].Wasted != 5+4+1+6+1+1 || list[2].Deleted != 3 {
			t.Errorf("after: %+v, %v", list, err)
		}
		if w, err := b.Waste(ctx, "app"); err != nil || w.Efficiency >= 1 || w.Files[0].Path != "/etc/motd" || w.Files[0].Size != 15 {
			t.Errorf("waste %+v, %v", w, err)
		}
		for path, want := range map[string]string{"/etc/motd": "hello, you", "/new": "hello, you"} {
			r, err := b.LayerFile(ctx, "app", 2, path)
			if err != nil {
				t.Fatal(err)
			}
			if got, err := io.ReadAll(r); string(got) != want || err != nil {
				t.Errorf("%s: %q, %v", path, got, err)
			}
			r.Close()
		}
		for _, path := range []string{"/etc/old", "/etc", "/none"} {
			if _, err := b.LayerFile(ctx, "app", 2, path); !errdefs.IsNotFound(err) {
				t.Errorf("%s: %v", path, err)
			}
		}
	}
}

func TestHostileExports(t *testing.T) {
	good := exported(t, true)
	for name, c := range map[string]struct {
		export []byte
		want   string
	}{
		"cut":         {good[:1800], "unexpected EOF"},
		"no manifest": {packed(t, "a", "b"), "has no \"manifest.json\""},
		"no layer":    {packed(t, "manifest.json", `[{"Config":"c","Layers":["x"]}]`, "c", "{}"), "lacks the layer x"},
		"no tar":      {packed(t, "x.tar", strings.Repeat("no", 1000)), "x.tar"},
		"bad gzip":    {packed(t, "x.tar", "\x1f\x8bno"), "x.tar"},
		"two images":  {packed(t, "manifest.json", "[{},{}]"), "2 images"},
		"large text":  {packed(t, "a", "{"+strings.Repeat(" ", maxText)), "too large"},
		"a loop":      {packed(t, "manifest.json", "~manifest.json"), "has no"},
	} {
		o := &other{export: c.export}
		b := New(o, o, func(f func()) { go f() })
		for _, err := range b.Entries(t.Context(), "app", 0, false) {
			if err == nil || !strings.Contains(err.Error(), c.want) {
				t.Errorf("%s: %v", name, err)
			}
		}
		b.Close()
	}
	x := &export{layers: map[string]*layer{}, entries: maxEntries, seed: maphash.MakeSeed()}
	o := packed(t, "a", "b")
	if err := x.member("x.tar", int64(len(o)), bufio.NewReader(bytes.NewReader(o))); err == nil || !strings.Contains(err.Error(), "more than 500000 files") {
		t.Error(err)
	}
}
