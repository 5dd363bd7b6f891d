package engine

import (
	"bytes"
	"strings"
	"testing"

	"berth/engine/filter"
	"berth/store/image"

	"github.com/containerd/errdefs"
	apiimage "github.com/moby/moby/api/types/image"
)

// said is the answer to a removal in short: "-tag" for an untagged name, "IMG" for the image id, "LAYER" for a layer.
func said(id string, removed []apiimage.DeleteResponse) string {
	var all []string
	for _, r := range removed {
		switch {
		case r.Untagged != "":
			all = append(all, "-"+r.Untagged)
		case r.Deleted == id:
			all = append(all, "IMG")
		default:
			all = append(all, "LAYER")
		}
	}
	return strings.Join(all, " ")
}

func TestRemove(t *testing.T) {
	const busy, idle = "c0ffee00112233445566", "deadbeef112233445566"
	for _, c := range []struct {
		name        string
		tags        []string
		users       []ImageUser
		ref         string // "ID" is the image's
		force       bool
		want, wrong string
	}{
		{"one name of two", []string{"a:1", "b:1"}, nil, "a:1", false, "-a:1", ""},
		{"one name of two in use", []string{"a:1", "b:1"}, []ImageUser{{ContainerID: busy, Running: true}}, "a:1", false, "-a:1", ""},
		{"the last name", []string{"a:1"}, nil, "a:1", false, "-a:1 IMG LAYER LAYER LAYER", ""},
		{"by ID", []string{"a:1"}, nil, "ID", false, "-a:1 IMG LAYER LAYER LAYER", ""},
		{"by ID names of one repository", []string{"a:1", "a:2"}, nil, "ID", false, "", "conflict: unable to delete IMAGE (must be forced) - image is referenced in multiple repositories"},
		{"by ID names of two", []string{"a:1", "b:1"}, nil, "ID", false, "", "conflict: unable to delete IMAGE (must be forced) - image is referenced in multiple repositories"},
		{"by ID names of two forced", []string{"a:1", "b:1"}, nil, "ID", true, "-a:1 -b:1 IMG LAYER LAYER LAYER", ""},
		{"without a name", nil, nil, "ID", false, "IMG LAYER LAYER LAYER", ""},
		{"stopped container by name", []string{"a:1"}, []ImageUser{{ContainerID: idle}}, "a:1", false, "",
			`conflict: unable to remove repository reference "a:1" (must force) - container deadbeef1122 is using its referenced image IMAGE`},
		{"stopped container by ID", []string{"a:1"}, []ImageUser{{ContainerID: idle}}, "ID", false, "",
			"conflict: unable to delete IMAGE (must be forced) - image is being used by stopped container deadbeef1122"},
		{"stopped container forced", []string{"a:1"}, []ImageUser{{ContainerID: idle}}, "a:1", true, "-a:1 IMG LAYER LAYER LAYER", ""},
		{"running container forced", []string{"a:1"}, []ImageUser{{ContainerID: idle}, {ContainerID: busy, Running: true}}, "a:1", true, "-a:1", ""},
		{"running container forced by ID", []string{"a:1"}, []ImageUser{{ContainerID: busy, Running: true}}, "ID", true, "",
			"conflict: unable to delete IMAGE (cannot be forced) - image is being used by running container c0ffee001122"},
		{"mounted by name", []string{"a:1"}, []ImageUser{{ContainerID: busy, Running: true, Mounts: true}}, "a:1", false, "",
			`conflict: unable to remove repository reference "a:1" (must force) - container c0ffee001122 is using its referenced image IMAGE`},
		{"mounted forced", []string{"a:1"}, []ImageUser{{ContainerID: busy, Running: true, Mounts: true}}, "a:1", true, "-a:1 IMG LAYER LAYER LAYER", ""},
		{"mounted by ID", []string{"a:1"}, []ImageUser{{ContainerID: busy, Running: true, Mounts: true}}, "ID", false, "-a:1 IMG LAYER LAYER LAYER", ""},
		{"not there", []string{"a:1"}, nil, "b", false, "", "No such image: b:latest"},
	} {
		t.Run(c.name, func(t *testing.T) {
			f := newImageFixture(t)
			id := f.load(9, nil, c.tags...)
			for _, u := range c.users {
				u.ImageID = id
				f.users = append(f.users, u)
			}
			if c.ref == "ID" {
				c.ref = id
			}
			removed, err := f.Remove(t.Context(), c.ref, ImageRemoveOptions{Force: c.force})
			if got := said(id, removed); got != c.want {
				t.Errorf("removed %q, want %q", got, c.want)
			}
			wrong := strings.ReplaceAll(c.wrong, "IMAGE", id[7:19])
			if (err == nil) != (wrong == "") || err != nil && err.Error() != wrong {
				t.Errorf("error %v,\nwant  %s", err, wrong)
			}
		})
	}
}

// TestRemoveParent takes the last name of an image that another was made of.
func TestRemoveParent(t *testing.T) {
	const busy = "c0ffee00112233445566"
	for _, c := range []struct {
		name        string
		users       []ImageUser
		force       bool
		want, wrong string
	}{
		{"nobody uses it", nil, false, "-a:1", ""},
		{"a container", []ImageUser{{ContainerID: busy}}, false, "", `conflict: unable to remove repository reference "a:1" (must force) - container c0ffee001122 is using its referenced image IMAGE`},
		{"a container, forced", []ImageUser{{ContainerID: busy}}, true, "-a:1", ""},
		{"a running container, forced", []ImageUser{{ContainerID: busy, Running: true}}, true, "-a:1", ""},
	} {
		t.Run(c.name, func(t *testing.T) {
			f := newImageFixture(t)
			id := f.load(9, nil, "a:1")
			if _, err := f.images.Append(t.Context(), bytes.NewReader(make([]byte, 1024)), image.NewImage{Parent: id, Name: "child"}); err != nil {
				t.Fatal(err)
			}
			for _, u := range c.users {
				u.ImageID = id
				f.users = append(f.users, u)
			}
			removed, err := f.Remove(t.Context(), "a:1", ImageRemoveOptions{Force: c.force})
			if got := said(id, removed); got != c.want {
				t.Errorf("removed %q, want %q", got, c.want)
			}
			if wrong := strings.ReplaceAll(c.wrong, "IMAGE", id[7:19]); err == nil && wrong != "" || err != nil && err.Error() != wrong {
				t.Errorf("error %v,\nwant  %s", err, wrong)
			}
		})
	}
}

func TestPrune(t *testing.T) {
	f := newImageFixture(t)
	f.load(10, nil, "named:1")
	bare := f.load(20, map[string]string{"keep": ""})
	used := f.load(30, nil)
	f.users = []ImageUser{{ContainerID: "c0ffee00112233445566", ImageID: used}}
	prune := func(filters filter.Args) string {
		t.Helper()
		report, err := f.Prune(t.Context(), filters)
		if err != nil {
			t.Fatal(err)
		}
		return said(bare, report.ImagesDeleted)
	}
	if got := prune(filter.Args{"label!": {"keep"}}); got != "" {
		t.Errorf("kept by its label, but removed %q", got)
	}
	if got := prune(filter.Args{"until": {at(15).Format("2006-01-02")}}); got != "" {
		t.Errorf("too young, but removed %q", got)
	}
	if got := prune(nil); got != "IMG" {
		t.Errorf("removed %q", got)
	}
	report, err := f.Prune(t.Context(), filter.Args{"dangling": {"false"}})
	if err != nil || report.SpaceReclaimed != 0 || len(report.ImagesDeleted) != 2 || report.ImagesDeleted[0].Untagged != "named:1" {
		t.Errorf("all that no container uses: %+v, %v", report, err)
	}
	f.users = nil
	report, err = f.Prune(t.Context(), nil)
	if err != nil || report.SpaceReclaimed != 5+7+3+9 {
		t.Errorf("the last holder of the layers: %+v, %v", report, err)
	}
	if _, err := f.Prune(t.Context(), filter.Args{"name": {"x"}}); !errdefs.IsInvalidArgument(err) {
		t.Errorf("got %v", err)
	}
}

func TestTagAndImport(t *testing.T) {
	f := newImageFixture(t)
	ctx := t.Context()
	id, err := f.Import(ctx, bytes.NewReader(tarball(t, "f", "x")), ImportOptions{
		Repo: "made", Tag: "1", Message: "by hand", Changes: []string{`CMD ["f"]`, "ENV A=b"},
	})
	if err != nil {
		t.Fatal(err)
	}
	full, err := f.Inspect(ctx, "made:1")
	if err != nil || full.ID != id || full.Comment != "by hand" || full.Config.Env[0] != "A=b" || full.Config.Cmd[0] != "f" {
		t.Errorf("imported %+v, %v", full, err)
	}
	if err := f.Tag(ctx, id[7:20], "docker.io/library/other", ""); err != nil {
		t.Fatal(err)
	}
	if full, err := f.Inspect(ctx, "other"); err != nil || full.ID != id {
		t.Errorf("tagged: %+v, %v", full, err)
	}
	for _, bad := range [][2]string{{"UPPER", ""}, {"", ""}, {"a", "b c"}, {"a@sha256:" + strings.Repeat("0", 64), ""}} {
		if err := f.Tag(ctx, id, bad[0], bad[1]); !errdefs.IsInvalidArgument(err) {
			t.Errorf("%q: got %v", bad, err)
		}
	}
	if err := f.Tag(ctx, "nope", "a", ""); !errdefs.IsNotFound(err) || err.Error() != "No such image: nope:latest" {
		t.Errorf("got %v", err)
	}
	if _, err := f.Import(ctx, strings.NewReader("junk"), ImportOptions{}); !errdefs.IsInvalidArgument(err) {
		t.Errorf("junk: %v", err)
	}
	if _, err := f.Load(ctx, strings.NewReader("junk")); !errdefs.IsInvalidArgument(err) {
		t.Errorf("junk: %v", err)
	}
	if got := f.seen(); got != "tag import tag" {
		t.Errorf("events: %s", got)
	}
}
