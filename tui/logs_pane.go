package tui

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strconv"
	"strings"
	"time"

	tea "charm.land/bubbletea/v2"
	"github.com/containerd/errdefs"

	"berth/tui/feed"
	"berth/tui/logs"
	"berth/tui/state"
	"berth/tui/text"
)

// logOf are the containers whose log the detail shows: the marked ones, those of
// the selected project, or the selected one. They come by name, since a list that
// is sorted anew must not open the log anew.
func (m *model) logOf() []state.Container {
	if p, ok := m.projs.Current(); ok && m.panel == projects {
		return p.Containers
	}
	if m.panel == containers && m.conts.Marks() > 1 {
		return slices.SortedFunc(slices.Values(m.conts.Chosen()), func(a, b state.Container) int { return strings.Compare(a.Name, b.Name) })
	}
	if c, ok := m.current(); ok {
		return []state.Container{c}
	}
	return nil
}

// logSources are they as the view knows them.
func (m *model) logSources() []logs.Source {
	var out []logs.Source
	for _, c := range m.logOf() {
		name := c.Name
		if m.panel == projects && c.Service != "" {
			name = strings.TrimPrefix(name, c.Project+"-")
		}
		out = append(out, logs.Source{ID: c.ID, Name: name})
	}
	return out
}

// merging names the containers whose logs are shown as one; "" when it is not
// several.
func (m *model) merging() string {
	if m.tab() != tabLogs {
		return ""
	}
	all := m.logSources()
	if len(all) < 2 {
		return ""
	}
	var ids []string
	for _, s := range all {
		ids = append(ids, s.ID)
	}
	return strings.Join(ids, " ")
}

// logRequest is what is asked of the engine for the view.
func (m *model) logRequest() feed.LogRequest {
	tail := strconv.Itoa(logs.Tail)
	if m.logs.Whole {
		tail = "all"
	}
	return feed.LogRequest{Stream: m.logs.Stream, Sources: m.logs.Sources, Tail: tail, Span: m.logs.Span, Gate: m.logsGate}
}

// openLogs begins the log of what is selected: the last lines, or all of them.
func (m *model) openLogs(whole bool) tea.Cmd {
	m.stopLogs()
	m.streams++
	m.logs.Span = m.span
	m.logs.Reset(m.logSources(), m.streams, whole)
	m.logsCtx, m.logsCancel = context.WithCancel(m.feed.Context())
	m.logsGate = &feed.Gate{}
	return m.feed.OpenLogs(m.logsCtx, m.logRequest())
}

// stopLogs gives up the streams that are open.
func (m *model) stopLogs() {
	if m.logsCancel != nil {
		m.logsCancel()
		m.logsCancel = nil
	}
}

// rejoinLogs reads on in the log of a container that runs again.
func (m *model) rejoinLogs(id string) tea.Cmd {
	c, ok := m.state.Container(id)
	if !ok || !c.Running() || m.logsCancel == nil || !m.logs.Span.Until.IsZero() {
		return nil
	}
	source, from, ok := m.logs.Rejoin(id)
	if !ok {
		return nil
	}
	return m.feed.RejoinLog(m.logsCtx, m.logRequest(), source, from)
}

// logEnded notes that a source has no more lines.
func (m *model) logEnded(msg feed.LogEnd) {
	if msg.Stream != m.logs.Stream {
		return
	}
	var err error
	if msg.Err != nil && !errdefs.IsNotFound(msg.Err) {
		err = clean(msg.Err)
	}
	m.logs.End(msg.Source, err)
}

// logsShown tells whether the view has the log of what is selected, and not
// still that of another one.
func (m *model) logsShown() bool {
	want := m.logSources()
	if len(want) != len(m.logs.Sources) || len(want) == 0 {
		return false
	}
	for i, s := range want {
		if m.logs.Sources[i].ID != s.ID {
			return false
		}
	}
	return true
}

// drawLogs draws the log of what is selected; while another one is still in the
// view, nothing.
func (m *model) drawLogs(w, h int) []string {
	if !m.logsShown() {
		return nil
	}
	it, has := "it has", "E"
	if len(m.logs.Sources) > 1 {
		it, has = "they have", ""
	}
	empty := m.teach(w, it+" written nothing yet")
	if has != "" {
		empty = m.teach(w, it+" written nothing yet", has, "opens a shell in it")
	}
	c, one := m.current()
	switch {
	case m.logs.Err != nil:
		empty = m.teach(w, "the log cannot be read:")
		for _, row := range text.Wrap(m.logs.Err.Error(), max(w-4, 10)) {
			empty = append(empty, "   "+m.theme.Bad.Render(row))
		}
	case m.span.String() != "":
		empty = m.teach(w, it+" written nothing since "+text.Clean(m.span.String()), "T", "asks since when")
	case one && len(m.logs.Sources) == 1 && !c.Running():
		empty = m.teach(w, "it has written nothing", "S", "starts it")
	}
	return m.logs.Lines(w, h, empty)
}

// togglePretty lays JSON out, or no more.
func (m *model) togglePretty() {
	if m.logs.TogglePretty() {
		m.say("lines that are JSON are laid out")
		return
	}
	m.say("lines are shown as they were written")
}

// askSince asks what part of the log is wanted.
func (m *model) askSince() {
	hint := func(s string) string {
		if s == "" {
			return "the whole log"
		}
		span, err := logs.ParseSpan(s, time.Now())
		if err != nil {
			return err.Error()
		}
		return "berth logs" + span.Flags() + " " + m.logNames()
	}
	m.overlay = &prompt{title: "the log since", example: "10m · 2h..30m · 09:14 · 2026-11-23 09:14 · empty: all of it", hint: hint, empty: true, run: func(s string) tea.Cmd {
		span, err := logs.ParseSpan(s, time.Now())
		if err != nil {
			m.fail(err)
			return nil
		}
		m.span = span
		m.note("berth logs" + span.Flags() + " " + m.logNames())
		return m.openLogs(!span.Since.IsZero())
	}}
}

// logNames are the containers of the log as a command line has them.
func (m *model) logNames() string {
	var out []string
	for _, c := range m.logOf() {
		out = append(out, c.Name)
	}
	return strings.Join(out, " ")
}

// askSaveLog asks for the file that the log is to be written to.
func (m *model) askSaveLog() {
	of := m.logOf()
	if len(of) == 0 {
		m.fail(errors.New("no log is shown"))
		return
	}
	name := of[0].Name
	if len(of) > 1 {
		name = "merged"
		if m.panel == projects {
			name = of[0].Project
		}
	}
	request := m.logRequest()
	what := "all of it"
	if m.logs.Pager().OnlyHits() {
		what = "only the lines that match"
	}
	m.prompt("save the log, "+what, "path of the file", name+".log", func(s string) string { return m.saveCommand(s) },
		func(file string) tea.Cmd { return m.saveLog(request, name, file) })
}

// saveCommand is the command line that does about the same.
func (m *model) saveCommand(file string) string {
	times := ""
	if m.logs.Times() {
		times = " -t"
	}
	return "berth logs" + times + m.span.Flags() + " " + m.logNames() + " > " + file
}

// saveLog writes the log to a file of this machine that is not there yet: as the
// containers wrote it, with times and names as far as they are shown.
func (m *model) saveLog(r feed.LogRequest, name, file string) tea.Cmd {
	write := logs.Writer{Times: m.logs.Times()}
	if len(r.Sources) > 1 {
		for _, s := range r.Sources {
			write.Names = append(write.Names, s.Name)
		}
	}
	if p := m.logs.Pager(); p.OnlyHits() {
		write.Only = p.Query()
	}
	return m.save(m.saveCommand(file), feed.Done{Verb: "save the log of", Past: "saved the log of", Name: name}, file,
		func(ctx context.Context, to *counter) error {
			return m.feed.CopyLogs(ctx, r, func(l logs.Line) error {
				wrote, err := write.Line(to, l)
				if wrote {
					to.things++
				}
				return err
			})
		},
		func(to *counter) string {
			return fmt.Sprintf("%s lines, %s", logs.Thousands(to.things), size(uint64(to.n)))
		})
}
