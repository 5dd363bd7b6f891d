package layers

import (
	"fmt"
	"testing"

	"berth/engine/api/berthapi"
)

// largeEngine has a layer with ten directories of ten thousand files each, and one with directories below.
func largeEngine() *engine {
	e := newEngine()
	var all []berthapi.Entry
	dir := func(p string) { all = append(all, berthapi.Entry{Path: p, Kind: "A", Type: berthapi.Dir, Mode: 0o755}) }
	dir("/a")
	dir("/a/deep")
	all = append(all, put("/a/deep/leaf", "A", 5))
	for d := range 10 {
		name := fmt.Sprintf("/d%d", d)
		dir(name)
		for f := range 10_000 {
			all = append(all, put(fmt.Sprintf("%s/f%04d", name, f), "A", 1))
		}
	}
	e.entries["3"], e.entries["3u"] = all, all
	e.layers[3].Added, e.layers[3].Size = len(all), 100_005
	return e
}

func TestALargeLayerIsReadAsItIsLookedAt(t *testing.T) {
	e := largeEngine()
	u := browse(t, e, anImage)
	u.sees("a/", "d0/", "d9/", "A 100013")
	if e.count("entries 3") != 0 || e.count("part 3 /") != 1 || e.sent > 20 {
		t.Errorf("asked %v, %d entries were sent", e.asked, e.sent)
	}
	// What is unfolded is read, once.
	u.press("right", "home", "enter")
	u.sees("deep/")
	u.press("down", "enter")
	u.sees("leaf")
	u.press("enter", "enter")
	if e.count("part 3 /a") != 1 || e.count("part 3 /a/deep") != 1 {
		t.Errorf("asked %v", e.asked)
	}
	// A large directory comes in pages, as the cursor comes near their ends.
	u.press("down", "down", "enter")
	u.sees("f0000")
	if n := e.count("part 3 /d0"); n != 1 {
		t.Errorf("%d pages were read at once", n)
	}
	for range 100 {
		u.press("pgdown")
	}
	u.sees("f1")
	if n := e.count("part 3 /d0"); n < 2 || n > 3 {
		t.Errorf("%d pages were read", n)
	}
	if got := u.m.view.Tree().Len(); got > 4000 {
		t.Errorf("%d files are held", got)
	}
	if e.count("entries 3") != 0 {
		t.Error("the whole layer was read")
	}
}

func TestWhatNeedsAllFilesReadsThem(t *testing.T) {
	for name, keys := range map[string][]string{
		"a name filter": {"/", "f", "9", "9", "9", "9"},
		"order by size": {"ctrl+o"},
	} {
		e := largeEngine()
		u := browse(t, e, anImage)
		u.press(keys...)
		if e.count("entries 3") != 1 || u.m.view.Tree().Len() != 100_013 {
			t.Errorf("%s: read %d times, %d files", name, e.count("entries 3"), u.m.view.Tree().Len())
		}
		if u.m.lazy != nil {
			t.Errorf("%s: it is still lazy", name)
		}
	}
}

func TestExtractingADirectoryOfALargeLayerReadsItFirst(t *testing.T) {
	e := largeEngine()
	e.files["3/a/deep/leaf"] = "leafy"
	u := browse(t, e, anImage)
	u.press("right", "home", "ctrl+e")
	if n, ok := u.out[len(u.out)-1].(NoticeMsg); !ok || n.Err != nil || e.count("entries 3") != 1 {
		t.Fatalf("%+v, read %d times", u.out, e.count("entries 3"))
	}
	u.press("ctrl+e")
	if n, ok := u.out[len(u.out)-1].(NoticeMsg); !ok || n.Err != nil {
		t.Errorf("%+v", u.out)
	}
}

func TestAnErrorOfALargeLayerIsShown(t *testing.T) {
	e := largeEngine()
	u := browse(t, e, anImage)
	e.err = fmt.Errorf("the index is damaged")
	u.press("right", "home", "enter")
	u.sees("the index is damaged")
}
