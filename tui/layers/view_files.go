package layers

import (
	"fmt"
	"strings"
	"time"

	"berth/engine/api/berthapi"
	"berth/tui/layers/tree"
	"berth/tui/text"
	"berth/tui/theme"
)

// drawFiles is the tree of the chosen row.
func (m *Model) drawFiles(width, height int) []string {
	if height <= 0 {
		return nil
	}
	lines := []string{m.filesHeading(width)}
	room := height - 1
	rows := m.view.Rows()
	if len(rows) == 0 {
		for _, why := range m.noFiles() {
			lines = append(lines, " "+m.cfg.Theme.Dim.Render(text.Fit(text.Clean(why), max(width-2, 0))))
		}
		return lines
	}
	m.fileTop = window(m.cursor, m.fileTop, len(rows), room)
	for i := m.fileTop; i < min(m.fileTop+room, len(rows)); i++ {
		lines = append(lines, m.fileRow(rows[i], width, i == m.cursor))
	}
	return lines
}

// filesHeading says which kinds are shown, the order, the filter and the totals.
func (m *Model) filesHeading(width int) string {
	var shown []string
	for _, k := range []struct {
		kind tree.Kind
		name string
	}{{tree.Added, "A"}, {tree.Modified, "M"}, {tree.Deleted, "R"}, {tree.Unchanged, "U"}} {
		if !m.view.Hidden(k.kind) {
			shown = append(shown, k.name)
		}
	}
	title := "Files " + strings.Join(shown, "+")
	if m.view.Order() == tree.BySize {
		title += "  sort:size"
	}
	switch {
	case m.typing != nil:
		title += "  /" + m.typing.Value() + "▏"
	case m.filter.Active():
		title += "  /" + text.Clean(m.filter.String())
	}
	switch some := m.view.Tree().Len() > 0; {
	case some && m.loading == m.place():
		title += "  reading …"
	case some && m.treeErr != nil:
		title += "  ✗ not all: " + text.Clean(m.treeErr.Error())
	}
	return m.heading(title, m.totals(), width, m.on(onFiles))
}

// totals counts what the tree holds.
func (m *Model) totals() string {
	t, th := m.view.Tree(), m.cfg.Theme
	counts, bytes := t.Counts, t.Size()
	if m.lazy != nil && m.row < len(m.layers) {
		// The tree has but a part of them; the engine has counted.
		l := m.layers[m.row]
		counts[tree.Added], counts[tree.Modified], counts[tree.Metadata], counts[tree.Deleted] = l.Added, l.Modified, 0, l.Deleted
		bytes = l.Size
	}
	var parts []string
	for _, k := range []tree.Kind{tree.Added, tree.Modified, tree.Metadata, tree.Deleted} {
		if n := counts[k]; n > 0 {
			parts = append(parts, kindStyle(k, th).Render(fmt.Sprintf("%s %d", k, n)))
		}
	}
	if bytes > 0 {
		parts = append(parts, size(bytes))
	}
	return strings.Join(parts, " ")
}

// noFiles says why there are none.
func (m *Model) noFiles() []string {
	isLive := m.place().layer == live && !m.paired
	switch {
	case isLive && m.liveErr != nil:
		return []string{"the live difference cannot be read: " + m.liveErr.Error()}
	case isLive && m.liveTree == nil:
		return []string{"reading what the container changed …"}
	case isLive && m.liveTree.Len() == 0:
		return []string{"the container has changed nothing yet", "what it writes shows here as it happens"}
	case m.treeErr != nil:
		return []string{"the files cannot be read: " + m.treeErr.Error()}
	case m.loading == m.place(), m.readingRoot():
		return []string{"reading the files …"}
	case m.paired && m.view.Tree().Len() == 0:
		return []string{"the two sides are the same"}
	case m.filter.Active():
		return []string{"no name matches /" + m.filter.String() + "   esc shows all"}
	case m.view.Tree().Len() > 0:
		return []string{"all kinds of change are hidden: ctrl+a M ctrl+r ctrl+u show them"}
	}
	return []string{"this layer holds no files"}
}

// fileRow is one line: mark, size, mode, owner, name. Without colours the mark
// in front and the ✗ of removed files still tell.
func (m *Model) fileRow(r tree.Row, width int, cursor bool) string {
	t, th := m.view.Tree(), m.cfg.Theme
	info := t.Info(r.Node)
	name := text.Clean(m.view.Label(r))
	glyph := "  "
	switch {
	case info.Kind == tree.Deleted:
		glyph = "✗ "
	case r.Open:
		glyph = "▾ "
	case info.Dir:
		glyph = "▸ "
	}
	if info.Dir {
		name += "/"
	}
	if info.Link != "" {
		name += " → " + text.Clean(info.Link)
	}
	bytes := "-"
	if info.Kind != tree.Deleted && !info.Unread && (!info.Bare || info.Size > 0) && !m.isBare() {
		bytes = size(info.Size)
	}
	style := kindStyle(info.Kind, th)
	line := fmt.Sprintf("%-2s %6s ", info.Kind, bytes) + m.attributes(info) +
		text.Spaces(2*r.Depth) + glyph
	if cursor {
		return m.cursorRow(text.Fit(line+name, width), true, m.on(onFiles))
	}
	return text.Fit(style.Render(line[:2])+line[2:]+style.Render(name), width)
}

// isBare reports whether no sizes are known.
func (m *Model) isBare() bool { return m.bare && m.place().layer == live }

// attributes are the columns of mode and owner.
func (m *Model) attributes(info tree.Info) string {
	if m.attrs == 2 || m.isBare() {
		return ""
	}
	mode := ""
	switch {
	case info.Kind == tree.Metadata && !info.Dir && m.attrs == 0:
		mode = "mode only"
	case !info.Bare:
		mode = text.Mode(info.Mode)
	}
	s := fmt.Sprintf("%-10s ", mode)
	if m.attrs == 1 {
		owner := ""
		if !info.Bare {
			owner = fmt.Sprintf("%d:%d", info.UID, info.GID)
		}
		s += fmt.Sprintf("%-9s ", owner)
	}
	return s
}

// kindStyle is the colour of a kind, beside its mark.
func kindStyle(k tree.Kind, th theme.Theme) theme.Style {
	switch k {
	case tree.Added:
		return th.Good
	case tree.Modified:
		return th.Warn
	case tree.Metadata:
		return th.Info
	case tree.Deleted:
		return th.Bad
	}
	return th.Text
}

// age is how long ago something was, coarser as it grows older, so that an
// idle screen changes less and less often.
func age(now, then time.Time) string {
	if then.IsZero() || now.IsZero() {
		return ""
	}
	switch d := max(now.Sub(then), 0); {
	case d < 10*time.Second:
		return fmt.Sprintf("%ds", int(d.Seconds()))
	case d < time.Minute:
		return fmt.Sprintf("%ds", int(d.Seconds())/10*10)
	case d < time.Hour:
		return fmt.Sprintf("%dm", int(d.Minutes()))
	case d < 48*time.Hour:
		return fmt.Sprintf("%dh", int(d.Hours()))
	default:
		return fmt.Sprintf("%dd", int(d.Hours())/24)
	}
}

// stepName is the command of a layer without what every such command begins with.
func stepName(l berthapi.Layer) string {
	s := text.Clean(strings.Join(strings.Fields(l.CreatedBy), " "))
	for _, prefix := range []string{"/bin/sh -c #(nop) ", "/bin/sh -c "} {
		if rest, ok := strings.CutPrefix(s, prefix); ok {
			if prefix == "/bin/sh -c " {
				rest = "RUN " + rest
			}
			s = rest
			break
		}
	}
	s = strings.TrimSuffix(strings.TrimSpace(s), " # buildkit")
	if rest, ok := strings.CutPrefix(s, "RUN /bin/sh -c "); ok {
		s = "RUN " + rest
	}
	if s == "" {
		s = text.Clean(l.Comment)
	}
	if s == "" {
		s = "(no command recorded)"
	}
	return s
}
