package api_test

import (
	"fmt"
	"maps"
	"slices"
	"strings"
	"testing"

	"berth/engine/api/berthapi"
)

// seen is what a tree has, by path, read file by file: the slow way to compare.
func (r *rig) seen(c *berthapi.Client, tree string) map[string]string {
	r.t.Helper()
	all := map[string]string{}
	for e, err := range c.TreeEntries(r.t.Context(), tree, true, berthapi.Part{}) {
		if err != nil {
			r.t.Fatalf("%s: %v", tree, err)
		}
		content := e.Link
		if e.Type == berthapi.File {
			content = read(c.TreeFile(r.t.Context(), tree, e.Path))
		}
		all[e.Path] = fmt.Sprintf("%s %q\x00%o %d:%d", e.Type, content, e.Mode, e.UID, e.GID)
	}
	return all
}

// differing is what has to be done to a to get b.
func differing(a, b map[string]string) (all []string) {
	paths := maps.Clone(a)
	maps.Copy(paths, b)
	for path := range paths {
		old, had := a[path]
		now, has := b[path]
		content := func(s string) string { s, _, _ = strings.Cut(s, "\x00"); return s }
		switch {
		case !had:
			all = append(all, "A "+path)
		case !has:
			all = append(all, "D "+path)
		case content(old) != content(now):
			all = append(all, "M "+path)
		case old != now:
			all = append(all, "M* "+path)
		}
	}
	slices.Sort(all)
	return all
}

// TestAnyTwoTreesAreCompared has each kind of tree on both sides, and compares the engine's answers with those of
// reading both trees whole.
func TestAnyTwoTreesAreCompared(t *testing.T) {
	r := newRig(t)
	ctx := t.Context()
	id := r.edited(t)
	r.exec(id, `busybox rm -r /new/sub; busybox mkdir /etc/again; echo a >/etc/again/x`)
	c := berthapi.NewClient(r.client)
	defer c.Close()
	layers, err := c.Layers(ctx, "edited:1")
	if err != nil {
		t.Fatal(err)
	}
	trees := []string{"busybox", "edited:1", "edited:1@layer0", layers[1].DiffID, "web", "web@live"}
	has := map[string]map[string]string{}
	for _, tree := range trees {
		has[tree] = r.seen(c, tree)
	}
	for _, from := range trees {
		for _, to := range trees {
			got := texts(c.Diff(ctx, from, to, berthapi.DiffOptions{IgnoreTimes: true}), differenceText)
			slices.Sort(got)
			if want := differing(has[from], has[to]); !slices.Equal(got, want) {
				t.Errorf("%s against %s:\ngot  %q\nwant %q", from, to, got, want)
			}
			// And the lines of a file that some of them have, and have differently.
			text := read(c.FileDiff(ctx, from, to, "/etc/a"))
			a, b := has[from]["/etc/a"], has[to]["/etc/a"]
			switch {
			case a == "" && b == "":
				if !strings.HasPrefix(text, "error: neither "+from) {
					t.Errorf("%s against %s: %q", from, to, text)
				}
			case (text == "") != (a == b), a != b && !strings.Contains(text, "@@"):
				t.Errorf("%s against %s: %q", from, to, text)
			}
		}
	}
}
