package foreign

import (
	"context"
	"io"
	"strings"
	"testing"

	"berth/engine/api/berthapi"
)

func (*other) VolumeFile(context.Context, string, string) (io.ReadCloser, error) {
	return nil, berthapi.ErrUnsupported
}

// The files of a volume are those that a container sees where it has it.
func TestVolumesAreSeenThroughTheirUsers(t *testing.T) {
	o := &other{export: packed(t, "./", "", "./b/", "", "./a", "22")}
	for at, dir := range map[string]string{"/data": "/", "/": "/sub", "/data/": "/sub"} {
		got := listed(t, VolumeChildren(t.Context(), o, []User{{"web", at}}, dir, o.Entries(t.Context(), "", 0, false)))
		if want := strings.ReplaceAll("/b /a", "/", strings.TrimSuffix(dir, "/")+"/"); got != want {
			t.Errorf("%s of a volume at %s: %s, not %s", dir, at, got, want)
		}
	}
	o.export = packed(t, "motd", "hello")
	r, err := VolumeFile(t.Context(), o, o, "files", []User{{"web", "/etc"}}, "/motd")
	if err != nil {
		t.Fatal(err)
	}
	defer r.Close()
	if b, err := io.ReadAll(r); string(b) != "hello" || err != nil {
		t.Errorf("%q, %v", b, err)
	}
}

// What berth's engine tells is taken as it is, also where a path begins as that of the mount.
func TestVolumesOfBerthNeedNoUser(t *testing.T) {
	own := func(yield func(berthapi.Entry, error) bool) { yield(berthapi.Entry{Path: "/data/x"}, nil) }
	if got := listed(t, VolumeChildren(t.Context(), nil, []User{{"web", "/data"}}, "/data", own)); got != "/data/x" {
		t.Error(got)
	}
}

func TestVolumesThatNobodyUsesSaySo(t *testing.T) {
	o := &other{}
	if _, err := VolumeFile(t.Context(), o, o, "files", nil, "/motd"); err == nil || !strings.Contains(err.Error(), "a container that uses it") {
		t.Error(err)
	}
	for _, err := range VolumeChildren(t.Context(), o, nil, "/", o.Entries(t.Context(), "", 0, false)) {
		if err == nil || !strings.Contains(err.Error(), "a container that uses it") {
			t.Error(err)
		}
	}
}
