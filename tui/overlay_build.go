package tui

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"

	tea "charm.land/bubbletea/v2"
	"github.com/moby/buildkit/frontend/dockerfile/instructions"
	"github.com/moby/buildkit/frontend/dockerfile/parser"
	"github.com/moby/moby/client"

	"berth/tui/form"
	"berth/tui/text"
	"berth/tui/theme"
)

// buildForm is the form that builds an image.
type buildForm struct {
	form  *form.Form
	asked [2]string // the directory and the Dockerfile that were looked at last
}

// lookedInto is what a directory and its Dockerfile say of themselves.
type lookedInto struct{ form.Look }

// askBuild opens the form, about the working directory.
func (m *model) askBuild() tea.Cmd {
	o := &buildForm{form: form.NewBuild(".", m.known())}
	m.overlay = o
	return o.look(m)
}

// look looks at what is to be built, when that is another than before.
func (o *buildForm) look(m *model) tea.Cmd {
	dir, file := o.form.WantsLook()
	if o.asked == [2]string{dir, file} || dir == "" {
		return nil
	}
	o.asked = [2]string{dir, file}
	return m.feed.With(func(context.Context, *client.Client) tea.Msg { return lookedInto{lookInto(dir, file)} })
}

// update edits the form; once it is right the build begins.
func (o *buildForm) update(m *model, msg tea.Msg) (bool, tea.Cmd) {
	switch o.form.Update(msg) {
	case form.Cancelled:
		return true, nil
	case form.Submitted:
		return true, m.build(*o.form.Build())
	}
	return false, o.look(m)
}

// box draws the form.
func (o *buildForm) box(m *model, width, height int) (theme.Frame, []string) {
	lines := o.form.Lines(m.theme, min(84, width-2), height-2)
	return theme.Frame{Title: m.theme.Strong.Render("build an image"), Footer: m.theme.Dim.Render("⏎ builds it  tab next  esc cancels")}, lines
}

// mostSeen bounds how much of a directory is offered, and mostRead how much of a
// Dockerfile is read, in bytes.
const (
	mostSeen = 500
	mostRead = 1 << 20
)

// lookInto looks at a directory and its Dockerfile.
func lookInto(dir, file string) form.Look {
	l := form.Look{Context: dir, File: file}
	path, err := homed(dir)
	if err != nil {
		l.NoDir = err
		return l
	}
	l.Dirs = directories(dir, path)
	entries, err := os.ReadDir(path)
	if err != nil {
		l.NoDir = why(err)
		return l
	}
	if whole, err := filepath.Abs(path); err == nil {
		l.Name = strings.ToLower(filepath.Base(whole)) + ":latest"
	}
	for _, e := range entries {
		if name := e.Name(); !e.IsDir() && strings.Contains(strings.ToLower(name), "dockerfile") && !strings.HasSuffix(name, ".dockerignore") || name == "Containerfile" {
			l.Files = append(l.Files, text.Clean(name))
		}
	}
	if file == "" {
		file = "Dockerfile"
	}
	f, err := os.Open(filepath.Join(path, file))
	if err != nil {
		l.NoFile = fmt.Errorf("%s: %w", file, why(err))
		return l
	}
	defer f.Close()
	data, err := io.ReadAll(io.LimitReader(f, mostRead))
	if err == nil {
		err = readDockerfile(data, &l)
	}
	if err != nil {
		l.Broken = fmt.Errorf("%s: %w", file, clean(err))
	}
	return l
}

// why is an error without the path, which stands beside it.
func why(err error) error {
	var at *fs.PathError
	if errors.As(err, &at) {
		return at.Err
	}
	return err
}

// directories are those that what was typed could go on to, as one would type them.
func directories(typed, path string) []string {
	if last := filepath.Base(typed); (last == "." || last == "..") && !strings.HasSuffix(typed, "/") {
		return nil // it is whole as it is
	}
	base, under := typed, path
	if !strings.HasSuffix(typed, "/") {
		base, under = typed[:strings.LastIndexByte(typed, '/')+1], filepath.Dir(path)
	}
	entries, err := os.ReadDir(under)
	if err != nil {
		return nil // what is wrong with the directory itself is said
	}
	var out []string
	for _, e := range entries {
		if info, err := os.Stat(filepath.Join(under, e.Name())); err != nil || !info.IsDir() || strings.HasPrefix(e.Name(), ".") && !strings.HasPrefix(typed[len(base):], ".") {
			continue
		}
		if out = append(out, base+text.Clean(e.Name())); len(out) == mostSeen {
			break
		}
	}
	return out
}

// readDockerfile finds the stages and the arguments of a Dockerfile.
func readDockerfile(data []byte, l *form.Look) error {
	ast, err := parser.Parse(bytes.NewReader(data))
	if err != nil {
		return err
	}
	stages, meta, err := instructions.Parse(ast.AST, nil)
	if err != nil {
		return err
	}
	arg := func(a instructions.KeyValuePairOptional) {
		s := text.Clean(a.Key) + "="
		if a.Value != nil {
			s += text.Clean(*a.Value)
		}
		if !slices.ContainsFunc(l.Args, func(other string) bool { return strings.HasPrefix(other, a.Key+"=") }) {
			l.Args = append(l.Args, s)
		}
	}
	for _, a := range meta {
		for _, kv := range a.Args {
			arg(kv)
		}
	}
	for i, s := range stages {
		name := s.Name
		if name == "" {
			name = fmt.Sprint(i)
		}
		l.Stages = append(l.Stages, text.Clean(name))
		for _, c := range s.Commands {
			if a, ok := c.(*instructions.ArgCommand); ok {
				for _, kv := range a.Args {
					arg(kv)
				}
			}
		}
	}
	return nil
}
