package layers

import (
	"errors"
	"iter"
	"slices"
	"strings"
	"testing"

	"berth/engine/api/berthapi"
)

// listed is entries as a sequence that may end in an error.
func listed(err error, entries ...berthapi.Entry) iter.Seq2[berthapi.Entry, error] {
	return func(yield func(berthapi.Entry, error) bool) {
		for _, e := range entries {
			if !yield(e, nil) {
				return
			}
		}
		if err != nil {
			yield(berthapi.Entry{}, err)
		}
	}
}

// collect writes a sequence as "A /path" words.
func collect(t *testing.T, seq iter.Seq2[berthapi.Entry, error]) string {
	t.Helper()
	var out []string
	for e, err := range seq {
		if err != nil {
			return strings.Join(append(out, "error: "+err.Error()), ", ")
		}
		out = append(out, string(e.Kind)+" "+e.Path)
	}
	return strings.Join(out, ", ")
}

func entry(path, digest string, mode uint32) berthapi.Entry {
	return berthapi.Entry{Path: path, Type: berthapi.File, Mode: mode, Size: 1, Digest: digest}
}

func TestDifferenceOfTwoTrees(t *testing.T) {
	link := func(path, to string) berthapi.Entry {
		return berthapi.Entry{Path: path, Type: berthapi.Symlink, Link: to}
	}
	dir := func(path string, mode uint32) berthapi.Entry {
		return berthapi.Entry{Path: path, Type: berthapi.Dir, Mode: mode}
	}
	a := []berthapi.Entry{dir("/", 0o755), dir("/d", 0o755), entry("/d/x", "1", 0o644), dir("/d-e", 0o755), link("/l", "a"), entry("/m", "1", 0o644), entry("/n", "1", 0o644), entry("/o", "1", 0o644)}
	b := []berthapi.Entry{dir("/", 0o755), dir("/d", 0o700), entry("/d/y", "1", 0o644), dir("/d-e", 0o755), link("/l", "b"), entry("/m", "2", 0o644), entry("/n", "1", 0o600), entry("/o", "1", 0o644), entry("/z", "1", 0o644)}
	if got, want := collect(t, difference(listed(nil, a...), listed(nil, b...))), "M* /d, D /d/x, A /d/y, M /l, M /m, M* /n, A /z"; got != want {
		t.Errorf("got  %s\nwant %s", got, want)
	}
	if got, want := collect(t, difference(listed(nil, b...), listed(nil, a...))), "M* /d, A /d/x, D /d/y, M /l, M /m, M* /n, D /z"; got != want {
		t.Errorf("the other way round: got %s\nwant %s", got, want)
	}
	if got := collect(t, difference(listed(nil, a...), listed(nil, a...))); got != "" {
		t.Errorf("a tree differs from itself: %s", got)
	}
	for range difference(listed(nil, a...), listed(nil, b...)) {
		break // the sequences below are stopped too; the race detector and vet watch
	}
}

func TestDifferenceReportsWhatWentWrong(t *testing.T) {
	one := entry("/a", "1", 0o644)
	cut := errors.New("cut off")
	for name, seq := range map[string]iter.Seq2[berthapi.Entry, error]{
		"left":    difference(listed(cut, one), listed(nil, one)),
		"right":   difference(listed(nil, one), listed(cut, one)),
		"at once": difference(listed(cut), listed(nil)),
		"overlay": overlay(listed(cut, one), nil),
	} {
		if got := collect(t, seq); !strings.Contains(got, "cut off") {
			t.Errorf("%s: %s", name, got)
		}
	}
	disorder := difference(listed(nil, entry("/b", "1", 0), entry("/a", "1", 0)), listed(nil))
	if got := collect(t, disorder); !strings.Contains(got, "listed /a after /b") {
		t.Errorf("disorder: %s", got)
	}
}

func TestOverlay(t *testing.T) {
	tree := listed(nil, entry("/a", "1", 0o644), entry("/d", "1", 0o755), entry("/d/x", "1", 0o644), entry("/d/y", "1", 0o644), entry("/d-e", "1", 0o644), entry("/m", "1", 0o644))
	got := overlay(tree, []berthapi.Change{
		{Path: "/m", Kind: berthapi.ChangeMetadata, Mode: 0o600},
		{Path: "/new", Kind: berthapi.ChangeAdded, Mode: 0o644, Size: 7},
		{Path: "/d", Kind: berthapi.ChangeDeleted},
		{Path: "/a", Kind: berthapi.ChangeModified, Mode: 0o644, Size: 9},
	})
	var paths []string
	for e, err := range got {
		if err != nil {
			t.Fatal(err)
		}
		paths = append(paths, e.Path)
		switch e.Path {
		case "/a":
			if e.Digest != "" || e.Size != 9 {
				t.Errorf("%+v", e)
			}
		case "/m":
			if e.Digest != "1" || e.Mode != 0o600 {
				t.Errorf("%+v", e)
			}
		}
	}
	if want := []string{"/a", "/d-e", "/m", "/new"}; !slices.Equal(paths, want) {
		t.Errorf("%q, want %q", paths, want)
	}
}

func TestTheOrderOfPaths(t *testing.T) {
	sorted := []string{"/", "/usr", "/usr/bin", "/usr/bin/a", "/usr/bin.d", "/usr-local", "/usr.d", "/var"}
	for i, a := range sorted {
		for j, b := range sorted {
			if got, want := comparePaths(a, b), min(max(i-j, -1), 1); got != want {
				t.Errorf("%s and %s: %d", a, b, got)
			}
		}
	}
}

func TestTwoSidesAreCompared(t *testing.T) {
	e := newEngine()
	e.entries["0u"] = []berthapi.Entry{entry("/etc/app.conf", "old", 0o644), entry("/etc/motd", "m", 0o644), entry("/gone", "g", 0o644)}
	e.entries["3u"] = []berthapi.Entry{entry("/app", "a", 0o644), entry("/etc/app.conf", "new", 0o644), entry("/etc/motd", "m", 0o644)}
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
	e.set(append(e.changes.Changes, berthapi.Change{Path: "/zz", Kind: berthapi.ChangeAdded, Mode: 0o644})...)
	u.tick()
	u.sees("zz", "A 2")
	u.m.focus = onLayers
	u.press("k")
	u.seesNot("A ⇄ B")
	u.press("c", "c")
	if u.m.mark >= 0 {
		t.Error("the mark stays")
	}
}

func TestAForeignEngineComparesNothing(t *testing.T) {
	e := newEngine()
	e.foreign = true
	u := browse(t, e, anImage)
	u.press("c")
	if n := u.out[len(u.out)-1].(NoticeMsg); !strings.Contains(n.Text, "berth's own does") || u.m.mark >= 0 {
		t.Errorf("%+v", n)
	}
}
