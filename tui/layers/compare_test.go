package layers

import (
	"errors"
	"strings"
	"testing"

	"berth/engine/api/berthapi"
)

func entry(path, digest string, mode uint32) berthapi.Entry {
	return berthapi.Entry{Path: path, Type: berthapi.File, Mode: mode, Size: 1, Digest: digest}
}

// differs is a difference of a file between two sides.
func differs(kind berthapi.Kind, path string) berthapi.Difference {
	d := berthapi.Difference{Path: path, Kind: kind}
	old, cur := entry(path, "1", 0o644), entry(path, "2", 0o644)
	old.Size, cur.Size = 5, 9
	if kind != berthapi.Added {
		d.Old = &old
	}
	if kind != berthapi.Deleted {
		d.New = &cur
	}
	return d
}

func TestADifferenceIsWhatIsThereInTheEnd(t *testing.T) {
	e := newEngine()
	e.diffs = map[string][]berthapi.Difference{
		"image:i@layer0 container:c": {differs(berthapi.Added, "/a"), differs(berthapi.Deleted, "/d"), differs(berthapi.Modified, "/m")},
	}
	s := source{berth: e, image: "i", id: "c"}
	var got []string
	for x, err := range s.compared(t.Context(), s.tree(0), s.tree(live)) {
		if err != nil {
			t.Fatal(err)
		}
		got = append(got, string(x.Kind)+" "+x.Path+" "+size(x.Size))
	}
	if text := strings.Join(got, ", "); text != "A /a 9B, D /d 0B, M /m 9B" {
		t.Errorf("got %s", text)
	}
	e.err = errors.New("cut off")
	var last error
	for _, last = range s.compared(t.Context(), s.tree(0), s.tree(live)) {
	}
	if last == nil || last.Error() != "cut off" {
		t.Errorf("error %v", last)
	}
}

func TestTwoSidesAreCompared(t *testing.T) {
	e := newEngine()
	e.diffs = map[string][]berthapi.Difference{
		"image:sha256:1@layer0 image:sha256:1@layer3": {differs("A", "/app"), differs("M", "/etc/app.conf"), differs("D", "/gone")},
		"image:sha256:1@layer0 container:c1":          {differs("M", "/etc/app.conf"), differs("M", "/etc/motd")},
	}
	e.set(berthapi.Change{Path: "/etc/motd", Kind: berthapi.ChangeModified, Mode: 0o644, Size: 7})
	u := browse(t, e, aContainer)
	u.press("h", "k", "c")
	u.sees("A, then c for B")
	u.press("g", "c") // the order does not matter
	u.sees("A ⇄ B", "A 1 M 1 D 1", "✗ gone", "A   78M", "B  9.1M")
	u.open("/etc/app.conf")
	u.sees("layer 0 → layer 3", "-workers = 2", "+workers = 8")
	u.press("esc", "esc")
	u.seesNot("A ⇄ B")
	u.m.focus = onLayers
	u.press("g", "c", "G", "c")
	u.sees("M 2", "motd", "A   78M", "B    7B")
	u.open("/etc/motd")
	u.sees("-welcome", "+hacked", "layer 0 → live")
	u.press("esc")
	e.diffs["image:sha256:1@layer0 container:c1"] = append(e.diffs["image:sha256:1@layer0 container:c1"], differs("A", "/zz"))
	e.set(append(e.changes, berthapi.Change{Path: "/zz", Kind: berthapi.ChangeAdded, Mode: 0o644})...)
	u.tick()
	u.sees("zz", "A 1")
	u.m.focus = onLayers
	u.press("k")
	u.seesNot("A ⇄ B")
	u.press("c", "c")
	if u.m.mark >= 0 {
		t.Error("the mark stays")
	}
}
