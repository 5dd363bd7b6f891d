package files

import (
	"context"
	"errors"
	"io"
	"iter"
	"os"
	"path"
	"strings"
	"testing"

	tea "charm.land/bubbletea/v2"

	"berth/engine/api/berthapi"
	"berth/tui/keymap"
	"berth/tui/layers"
	"berth/tui/list"
	"berth/tui/text"
	"berth/tui/theme"
)

// disk is a tree in memory: paths that end in a slash are directories.
func disk(id string, all map[string]string) Tree {
	return Tree{ID: id,
		Entries: func(_ context.Context, dir string) iter.Seq2[berthapi.Entry, error] {
			return func(yield func(berthapi.Entry, error) bool) {
				if dir == "/broken" {
					yield(berthapi.Entry{}, errors.New("no such\x1b[2J directory"))
					return
				}
				for p, content := range all {
					e := berthapi.Entry{Path: path.Clean(p), Type: berthapi.File, Mode: 0o644, Size: int64(len(content))}
					if strings.HasSuffix(p, "/") {
						e.Type = berthapi.Dir
					}
					if path.Dir(e.Path) == dir && !yield(e, nil) {
						return
					}
				}
			}
		},
		Open: func(_ context.Context, p string) (io.ReadCloser, error) {
			return io.NopCloser(strings.NewReader(all[p])), nil
		}}
}

// run does what a command asks for.
func run(m *Model, cmd tea.Cmd) {
	if cmd != nil {
		m.Update(cmd())
	}
}

func press(t *testing.T, m *Model, keys ...string) {
	t.Helper()
	for _, k := range keys {
		cmd, ok := m.Press(k)
		if !ok {
			t.Errorf("%s is not the browser's", k)
		}
		run(m, cmd)
	}
}

func see(t *testing.T, m *Model, want ...string) {
	t.Helper()
	screen := text.Strip(strings.Join(m.View(60, 10, true), "\n"))
	for _, w := range want {
		if !strings.Contains(screen, w) {
			t.Errorf("%q is missing\n%s", w, screen)
		}
	}
}

func TestOneGoesIntoDirectoriesAndReadsFiles(t *testing.T) {
	m := New(t.Context(), theme.ANSI16())
	run(m, m.Show(disk("a", map[string]string{"/etc/": "", "/etc/app.conf": "workers = 2", "/zz": "z", "/broken/": "", "/bin": "\x00\x01"})))
	see(t, m, "broken/", "etc/", "zz", "-rw-r--r--")
	press(t, m, "j", "enter")
	see(t, m, "/etc", "app.conf", "11B")
	press(t, m, "enter")
	see(t, m, "/etc/app.conf", "workers = 2")
	press(t, m, "j", "w", "esc", "esc")
	see(t, m, "etc/", "zz")
	if e, _ := m.rows.Current(); e.Path != "/etc" {
		t.Errorf("the cursor is on %s", e.Path)
	}
	press(t, m, "k", "enter")
	see(t, m, "/broken", "no such directory")
	press(t, m, "h", "G", "enter")
	see(t, m, "z")
	press(t, m, "esc")
	if _, ok := m.Press("esc"); ok {
		t.Error("esc at the top is not left to who is around")
	}
}

func TestLateAnswersAreDropped(t *testing.T) {
	m := New(t.Context(), theme.ANSI16())
	late := m.Show(disk("a", map[string]string{"/old": ""}))
	run(m, m.Show(disk("b", map[string]string{"/new": ""})))
	run(m, late)
	see(t, m, "new")
	run(m, m.Show(disk("c", nil)))
	see(t, m, "nothing is in it")
	for _, l := range m.View(33, 7, false) {
		if text.Width(l) != 33 {
			t.Errorf("%d cells: %q", text.Width(l), l)
		}
	}
}

// One finds, copies and keeps files as in the layer browser.
func TestFilesAreFoundAndSaved(t *testing.T) {
	t.Chdir(t.TempDir())
	m := New(t.Context(), theme.ANSI16())
	run(m, m.Show(disk("a", map[string]string{"/etc/": "", "/app.conf": "workers = 2\nport = 80\nport = 81", "/zz": "z"})))
	m.Search(list.NewFilter("conf"))
	see(t, m, "app.conf")
	if m.rows.Len() != 1 || m.Query().String() != "conf" {
		t.Errorf("%d rows for %q", m.rows.Len(), m.Query())
	}
	m.Search(list.NewFilter("nowhere"))
	see(t, m, "no name matches")
	m.Search(list.NewFilter("app"))
	if what, content := m.Text(); what != "/app.conf" || content != what {
		t.Errorf("copies %q: %q", what, content)
	}
	for i, to := range []string{"app.conf", "app.conf.1"} {
		if i == 1 { // also while it is shown
			press(t, m, "enter")
			see(t, m, "workers = 2")
		}
		n, _ := m.Do(keymap.Extract)().(layers.NoticeMsg)
		if b, err := os.ReadFile(to); n.Err != nil || err != nil || !strings.HasPrefix(string(b), "workers = 2") || !strings.HasSuffix(n.Text, "to "+to) {
			t.Errorf("%+v, %q, %v", n, b, err)
		}
	}
	m.Search(list.NewFilter("port"))
	m.Do(keymap.NextHit)
	m.Do(keymap.PrevHit)
	m.Do(keymap.OnlyHits)
	if _, content := m.Text(); strings.Contains(content, "workers") || m.Query().String() != "port" {
		t.Errorf("%q of %q", content, m.Query())
	}
	press(t, m, "esc", "esc", "esc", "g") // the search, the file, the filter
	see(t, m, "etc/", "app.conf", "zz")
	if n, _ := m.Do(keymap.Extract)().(layers.NoticeMsg); !strings.Contains(n.Text, "this is a dir") {
		t.Errorf("%+v", n)
	}
}
