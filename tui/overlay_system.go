package tui

import (
	"context"
	"fmt"
	"strings"

	tea "charm.land/bubbletea/v2"
	"github.com/moby/moby/client"

	"berth/tui/edit"
	"berth/tui/feed"
	"berth/tui/keymap"
	"berth/tui/list"
	"berth/tui/pager"
	"berth/tui/text"
	"berth/tui/theme"
)

// Finding is what an examination of the machine has found.
type Finding struct {
	Status string // "ok", "warning" or "bad"
	Name   string // of what was examined
	Text   string
	Mend   string // the command that mends it, or ""
}

// systemTabs are what the system overlay shows.
var systemTabs = []tab{"Disk", "Events", "Engine", "Doctor"}

// systemBox is the overlay about the engine and its machine.
type systemBox struct {
	at       int
	pager    *pager.Pager
	filter   *edit.Field // being typed
	query    list.Filter // of the events
	usage    *feed.Usage
	info     [][2]string
	findings []Finding
	errs     map[tab]error
}

// systemTold answers one of the questions that the overlay asks.
type systemTold struct {
	tab      tab
	info     [][2]string
	findings []Finding
	err      error
}

// openSystem shows the overlay and asks what it shows.
func (m *model) openSystem() tea.Cmd {
	m.overlay = &systemBox{pager: pager.New(pager.Static(nil), false), errs: map[tab]error{}}
	cmds := []tea.Cmd{m.feed.FetchUsage(systemUsage), m.feed.With(func(ctx context.Context, c *client.Client) tea.Msg {
		res, err := c.Info(ctx, client.InfoOptions{})
		return systemTold{tab: "Engine", info: engineFacts(res), err: err}
	})}
	if examine := m.opt.Doctor; examine != nil {
		cmds = append(cmds, m.feed.With(func(ctx context.Context, _ *client.Client) tea.Msg {
			found, err := examine(ctx)
			return systemTold{tab: "Doctor", findings: found, err: err}
		}))
	}
	return tea.Batch(cmds...)
}

// systemUsage names the overlay to whom it asks what is used.
const systemUsage = "system"

// engineFacts is what the engine says of itself, in lines.
func engineFacts(r client.SystemInfoResult) [][2]string {
	i := r.Info
	return [][2]string{
		{"name", i.Name}, {"version", i.ServerVersion}, {"system", i.OperatingSystem}, {"kernel", i.KernelVersion}, {"architecture", i.Architecture},
		{"CPUs", fmt.Sprint(i.NCPU)}, {"memory", size(uint64(max(i.MemTotal, 0)))}, {"store", i.Driver}, {"root", i.DockerRootDir},
		{"cgroups", fmt.Sprintf("v%s, %s", i.CgroupVersion, i.CgroupDriver)}, {"runtime", i.DefaultRuntime}, {"security", strings.Join(i.SecurityOptions, " ")},
		{"containers", fmt.Sprintf("%d, %d running", i.Containers, i.ContainersRunning)}, {"images", fmt.Sprint(i.Images)}, {"warnings", strings.Join(i.Warnings, "; ")},
	}
}

// told takes an answer in, if the overlay still waits for it.
func (m *model) told(msg systemTold) {
	o, ok := m.overlay.(*systemBox)
	if !ok {
		return
	}
	if o.errs[msg.tab] = msg.err; msg.err != nil {
		return
	}
	if msg.tab == "Engine" {
		o.info = msg.info
		return
	}
	o.findings = msg.findings
}

// update turns the pages, scrolls, filters the events, prunes.
func (o *systemBox) update(m *model, msg tea.Msg) (bool, tea.Cmd) {
	k, ok := msg.(tea.KeyPressMsg)
	if o.filter != nil {
		switch {
		case ok && k.String() == "enter":
			o.filter = nil
		case ok && k.String() == "esc":
			o.filter, o.query = nil, list.Filter{}
		case o.filter.Update(msg):
			o.query = list.NewFilter(o.filter.Value())
		}
		return false, nil
	}
	if !ok {
		return false, nil
	}
	a, _ := m.keys.Find(k.String(), keymap.Lists, keymap.Everywhere)
	switch a {
	case keymap.Back, keymap.Quit, keymap.System:
		return true, nil
	case keymap.NextTab, keymap.NextPane, keymap.Right:
		o.turn(1)
	case keymap.PrevTab, keymap.PrevPane, keymap.Left:
		o.turn(-1)
	case keymap.Up:
		o.pager.Scroll(-1)
	case keymap.Down:
		o.pager.Scroll(1)
	case keymap.PageUp:
		o.pager.Page(-1)
	case keymap.PageDown:
		o.pager.Page(1)
	case keymap.Top:
		o.pager.Home()
	case keymap.Bottom:
		o.pager.End()
	case keymap.Filter:
		if systemTabs[o.at] == "Events" {
			o.filter = &edit.Field{}
			o.filter.Set(o.query.String())
		}
	case keymap.Prune:
		if o.usage != nil {
			u := *o.usage
			m.overlay = nil
			m.pruneEverything(u)
		}
	}
	return false, nil
}

// turn goes to another page, at its top.
func (o *systemBox) turn(by int) {
	o.at = (o.at + by + len(systemTabs)) % len(systemTabs)
	o.pager.Home()
}

// box draws the page over nearly the whole screen.
func (o *systemBox) box(m *model, width, height int) (theme.Frame, []string) {
	th, w := m.theme, min(width-2, 120)
	var tabs []string
	for i, t := range systemTabs {
		style := th.Dim
		if i == o.at {
			style = th.Accent
		}
		tabs = append(tabs, style.Render(string(t)))
	}
	f := theme.Frame{Title: th.Strong.Render("system") + "  " + strings.Join(tabs, th.Dim.Render("│")), Footer: th.Dim.Render("[ ] pages  esc closes")}
	t := systemTabs[o.at]
	var lines []string
	switch err := o.errs[t]; {
	case err != nil:
		lines = m.teach(w, clean(err).Error())
	case t == "Disk":
		lines = o.disk(m, w)
		f.Left = th.Dim.Render("b prunes")
	case t == "Events":
		lines = o.events(m)
		f.Left = th.Dim.Render("/ filters")
		if o.filter != nil {
			f.Left = th.Accent.Render("/") + o.filter.View(24, true)
		} else if o.query.Active() {
			f.Left = th.Warn.Render("/" + text.Clean(o.query.String()))
		}
	case t == "Engine":
		lines = o.engine(m, w)
	default:
		lines = o.doctor(m, w)
	}
	o.pager.Replace(pager.Static(lines))
	return f, o.pager.View(th, w, max(height-2, 1))
}

// disk is what each kind of thing takes, and what pruning would free.
func (o *systemBox) disk(m *model, width int) []string {
	if o.usage == nil {
		return m.teach(width, "asking the engine, which counts files…")
	}
	if o.usage.Err != nil {
		return m.teach(width, clean(o.usage.Err).Error())
	}
	s, u := sheet{m: m, width: width}, o.usage
	s.title("disk")
	head := func(w string) string { return m.theme.Dim.Render(w) }
	s.row(head("kind"), head("things"), head("in use"), head("size"), head("pruning frees"), "")
	var most int64 = 1
	kinds := []struct {
		name                     string
		count, active, all, free int64
	}{
		{"images", u.Images.TotalCount, u.Images.ActiveCount, u.Images.TotalSize, u.Images.Reclaimable},
		{"containers", u.Containers.TotalCount, u.Containers.ActiveCount, u.Containers.TotalSize, u.Containers.Reclaimable},
		{"volumes", u.Volumes.TotalCount, u.Volumes.ActiveCount, u.Volumes.TotalSize, u.Volumes.Reclaimable},
		{"build cache", u.BuildCache.TotalCount, u.BuildCache.ActiveCount, u.BuildCache.TotalSize, u.BuildCache.Reclaimable},
	}
	for _, k := range kinds {
		most = max(most, k.all)
	}
	for _, k := range kinds {
		n := int(k.all * 20 / most)
		free := min(int(k.free*20/most), n)
		bar := m.theme.Info.Render(strings.Repeat("█", n-free)) + m.theme.Warn.Render(strings.Repeat("▒", free))
		s.row(m.theme.Strong.Render(k.name), text.FitLeft(fmt.Sprint(k.count), 6), text.FitLeft(fmt.Sprint(k.active), 6),
			text.FitLeft(size(uint64(max(k.all, 0))), 6), m.theme.Warn.Render(text.FitLeft(size(uint64(max(k.free, 0))), 13)), bar)
	}
	s.table()
	return s.lines
}

// events are those that the filter lets through, the newest first.
func (o *systemBox) events(m *model) []string {
	var out []string
	for i := len(m.events) - 1; i >= 0; i-- {
		if !o.query.Active() || o.query.Match(text.Strip(m.events[i])) {
			out = append(out, " "+m.events[i])
		}
	}
	if out == nil {
		out = m.teach(60, "nothing has happened yet that could be shown")
	}
	return out
}

// engine is what the engine says of itself.
func (o *systemBox) engine(m *model, width int) []string {
	s := sheet{m: m, width: width}
	s.title("engine")
	for _, f := range o.info {
		s.row(f[0], text.Clean(f[1]))
	}
	s.row("answers at", text.Clean(m.opt.Host))
	s.table()
	return s.lines
}

// doctor is what this machine lacks, and what mends it.
func (o *systemBox) doctor(m *model, width int) []string {
	switch {
	case m.opt.Doctor == nil:
		return m.teach(width, "the engine is on another machine: berth doctor there tells what that lacks")
	case o.findings == nil:
		return m.teach(width, "looking at the machine…")
	}
	var out []string
	for _, f := range o.findings {
		glyph := m.theme.Good.Render("●")
		switch f.Status {
		case "warning":
			glyph = m.theme.Warn.Render("!")
		case "bad":
			glyph = m.theme.Bad.Render("✗")
		}
		for i, row := range text.Wrap(text.Clean(f.Text), max(width-18, 10)) {
			if i == 0 {
				row = " " + glyph + " " + m.theme.Strong.Render(text.Fit(f.Name, 12)) + " " + row
			} else {
				row = text.Spaces(16) + row
			}
			out = append(out, row)
		}
		if f.Mend != "" {
			out = append(out, text.Spaces(16)+m.theme.Dim.Render("mend it: ")+m.theme.Accent.Render(text.Clean(f.Mend)))
		}
	}
	return out
}
