package layers

import (
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path"
	"strconv"
	"strings"

	tea "charm.land/bubbletea/v2"

	"berth/tui/layers/tree"
	"berth/tui/text"
)

// extract saves a file, or all regular files of a directory, below
// Config.ExtractDir and reports how it went. Nothing that exists is
// overwritten: a taken name gets a number.
func (m *Model) extract(n tree.Node) tea.Cmd {
	t := m.view.Tree()
	info := t.Info(n)
	if info.Kind == tree.Deleted {
		return notice(NoticeMsg{Text: "a removed file has nothing to extract; the layer below still has it"})
	}
	top := t.Path(n)
	var paths []string
	modes := map[string]fs.FileMode{}
	t.Files(n, func(p string, i tree.Info) {
		paths = append(paths, p)
		modes[p] = i.Mode.Perm()
		if i.Bare {
			modes[p] = 0o644
		}
	})
	if info.Unread || m.lazy != nil && info.Dir {
		m.lazy.whole = true
		return notice(NoticeMsg{Text: "reading all files of this layer first: extract again when they are there"})
	}
	if len(paths) == 0 {
		return notice(NoticeMsg{Text: "there is no regular file to extract at " + text.Clean(top)})
	}
	ctx, from, dir := m.ctx, m.source(), m.cfg.ExtractDir
	at, here := m.place(), m.lower()
	if dir == "" {
		dir = "."
	}
	return func() tea.Msg {
		e := extraction{modes: modes, open: func(p string) (io.ReadCloser, error) {
			return from.open(ctx, file{path: p, place: at, here: here})
		}}
		to, err := e.run(ctx, dir, top, paths)
		if err != nil {
			return NoticeMsg{Err: fmt.Errorf("extracting %s: %w", text.Clean(top), err)}
		}
		return NoticeMsg{Text: fmt.Sprintf("extracted %s (%s) to %s", count(e.files, "file"), size(e.bytes), text.Clean(to))}
	}
}

// Save writes a file into dir, under its own name or with a number after it where
// that is taken, and returns where that was and how many bytes it has.
func Save(ctx context.Context, dir, file string, mode fs.FileMode, open func(ctx context.Context) (io.ReadCloser, error)) (to string, n int64, err error) {
	if mode&fs.ModeSymlink != 0 { // its target's is not known
		mode = 0o644
	}
	e := extraction{modes: map[string]fs.FileMode{file: mode.Perm()}, open: func(string) (io.ReadCloser, error) { return open(ctx) }}
	to, err = e.run(ctx, dir, file, []string{file})
	return to, e.bytes, err
}

// notice is a command that says something on the message line.
func notice(n NoticeMsg) tea.Cmd { return func() tea.Msg { return n } }

// extraction copies files out of a layer.
type extraction struct {
	open  func(path string) (io.ReadCloser, error)
	modes map[string]fs.FileMode
	files int
	bytes int64
}

// run copies paths, which are top itself or lie below it, into dir. It returns
// where top went. All writing goes through os.Root: whatever the names say, or
// whatever links lie there, nothing is written outside of dir.
func (e *extraction) run(ctx context.Context, dir, top string, paths []string) (to string, err error) {
	root, err := os.OpenRoot(dir)
	if err != nil {
		return "", err
	}
	defer root.Close()
	base, err := freeName(root, path.Base(top))
	if err != nil {
		return "", err
	}
	for _, p := range paths {
		if err := ctx.Err(); err != nil {
			return "", err
		}
		name := base + strings.TrimPrefix(p, top)
		if top == "/" {
			name = path.Join(base, p)
		}
		if err := root.MkdirAll(path.Dir(name), 0o755); err != nil {
			return "", err
		}
		if err := e.copy(root, p, name); err != nil {
			return "", err
		}
	}
	return path.Join(dir, base), nil
}

// copy writes one file; it must not be there yet.
func (e *extraction) copy(root *os.Root, from, name string) (err error) {
	r, err := e.open(from)
	if err != nil {
		return err
	}
	defer r.Close()
	w, err := root.OpenFile(name, os.O_CREATE|os.O_EXCL|os.O_WRONLY, e.modes[from]&0o777|0o600)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, w.Close()) }()
	n, err := io.Copy(w, r)
	e.files++
	e.bytes += n
	return err
}

// freeName returns name, or name with the first free number after it.
func freeName(root *os.Root, name string) (string, error) {
	if name == "/" || name == "." || name == ".." {
		name = "rootfs"
	}
	for i, try := 1, name; i < 1000; i++ {
		if _, err := root.Lstat(try); errors.Is(err, fs.ErrNotExist) {
			return try, nil
		}
		try = name + "." + strconv.Itoa(i)
	}
	return "", fmt.Errorf("too many files called %s", name)
}
