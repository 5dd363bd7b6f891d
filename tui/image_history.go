package tui

import (
	"context"
	"strings"

	tea "charm.land/bubbletea/v2"
	"github.com/moby/moby/client"

	"berth/tui/state"
	"berth/tui/text"
)

// askHistory asks how an image was made.
func (m *model) askHistory(i state.Image) tea.Cmd {
	return m.feed.With(func(ctx context.Context, cl *client.Client) tea.Msg {
		out := inside{id: i.ID, tab: tabHistory}
		res, err := cl.ImageHistory(ctx, i.ID)
		if out.err = err; err != nil {
			return out
		}
		for _, h := range res.Items {
			bytes := ""
			if h.Size > 0 {
				bytes = size(uint64(h.Size))
			}
			out.rows = append(out.rows, []string{stamp(h.Created), bytes, step(h.CreatedBy)})
		}
		return out
	})
}

// step is a command of a Dockerfile without what builders write around it.
func step(by string) string {
	by, _, _ = strings.Cut(by, "# buildkit")
	if rest, ok := strings.CutPrefix(by, "/bin/sh -c #(nop) "); ok {
		by = rest
	} else if rest, ok := strings.CutPrefix(by, "/bin/sh -c "); ok {
		by = "RUN " + rest
	}
	return strings.Join(strings.Fields(strings.Replace(by, "RUN /bin/sh -c ", "RUN ", 1)), " ")
}

// imageSheet is what an image takes, who uses it, and how it was made.
func (m *model) imageSheet(i state.Image, width int) []string {
	s := sheet{m: m, width: width}
	s.title("image")
	s.row("name", i.Title())
	s.row("size", size(uint64(max(i.Size, 0))))
	if shared, ok := m.state.Shared(i.ID); ok {
		s.row("of its own", size(uint64(max(i.Size-shared, 0))))
		s.row("shared", size(uint64(shared)))
	}
	s.row("made", stamp(i.Created))
	s.table()
	if users := m.state.ContainersOf(i.ID); len(users) > 0 {
		s.title("used by")
		for _, c := range users {
			s.row(m.glyph(c)+" "+m.theme.Strong.Render(c.Name), m.theme.Dim.Render(c.Status), "")
		}
		s.table()
	} else {
		s.note("no container uses it")
	}
	in := m.inside
	switch {
	case in.id != i.ID || in.tab != tabHistory:
		return s.lines
	case in.err != nil:
		return append(s.lines, m.teach(width, clean(in.err).Error())...)
	}
	s.title("history, the newest step first")
	for _, r := range in.rows {
		front := "   " + m.theme.Dim.Render(r[0]) + " " + text.FitLeft(r[1], 6) + "  "
		for k, row := range text.Wrap(text.Clean(r[2]), max(width-text.Width(front)-1, 20)) {
			if k == 0 {
				name, rest, _ := strings.Cut(row, " ")
				s.lines = append(s.lines, front+m.theme.Key.Render(name)+" "+rest)
				continue
			}
			s.lines = append(s.lines, text.Spaces(text.Width(front)+2)+row)
		}
	}
	return s.lines
}
