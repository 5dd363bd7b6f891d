package tui

import (
	"errors"

	tea "charm.land/bubbletea/v2"

	"berth/tui/feed"
	"berth/tui/keymap"
	"berth/tui/state"
)

// gotVolumes takes the list of volumes in.
func (m *model) gotVolumes(msg feed.Volumes) tea.Cmd {
	if msg.Err != nil {
		m.state.FailedList(state.AllVolumes)
		m.fail(clean(msg.Err))
		return nil
	}
	rows, again := state.FromVolumes(msg.List), false
	if msg.Answer {
		again = m.state.PutVolumes(rows)
	} else {
		m.state.SetVolumes(rows)
	}
	m.refresh()
	if again {
		return m.feed.FetchVolumes()
	}
	return nil
}

// gotNetworks takes the list of networks in.
func (m *model) gotNetworks(msg feed.Networks) tea.Cmd {
	if msg.Err != nil {
		m.state.FailedList(state.AllNetworks)
		m.fail(clean(msg.Err))
		return nil
	}
	rows, again := state.FromNetworks(msg.List), false
	if msg.Answer {
		again = m.state.PutNetworks(rows)
	} else {
		m.state.SetNetworks(rows)
	}
	m.refresh()
	if again {
		return m.feed.FetchNetworks()
	}
	return nil
}

// measureImages asks what images take and share, and again when there are others.
func (m *model) measureImages() tea.Cmd {
	if m.imgs.Total() == 0 {
		m.disk.images = 0
	}
	if m.gone != nil || m.imgs.Total() == 0 || m.sharedOf == m.state.ImagesVersion() {
		return nil
	}
	m.sharedOf = m.state.ImagesVersion()
	return m.feed.FetchShared()
}

// gotShared takes in what images share.
func (m *model) gotShared(msg feed.Shared) {
	if msg.Err != nil {
		if m.panel == images { // elsewhere nobody has asked
			m.fail(clean(msg.Err))
		}
		return
	}
	m.state.SetShared(msg.Sizes)
	m.disk.images = msg.Total
	m.refresh()
}

// measureVolumes asks how large the volumes are: when rows of theirs are first
// on the screen, when there are others, and each time their panel is gone to.
// The engine walks all their files for it, so one question waits for the answer
// to the one before.
func (m *model) measureVolumes() tea.Cmd {
	if m.panel != volumes {
		m.sized.again = true
	}
	shown := m.panel == volumes || m.screen().Panels[volumes].Dy() > 1
	due := m.sized.version != m.state.VolumesVersion() || m.sized.again && m.panel == volumes
	if !shown || !due || m.sized.asking || m.gone != nil || m.vols.Total() == 0 {
		return nil
	}
	m.sized = sizing{asking: true, version: m.state.VolumesVersion()}
	return m.feed.FetchSizes()
}

// sizing is for which list of volumes their sizes were asked, whether the
// answer is awaited, and whether to ask again when their panel is gone to.
type sizing struct {
	version int
	asking  bool
	again   bool
}

// disk is what images and volumes take, as far as it was measured.
type disk struct{ images, volumes int64 }

// gotSizes takes in how large volumes are.
func (m *model) gotSizes(msg feed.Sizes) {
	m.sized.asking = false
	if msg.Err != nil {
		m.fail(clean(msg.Err))
		return
	}
	m.state.SetSizes(msg.Sizes)
	m.disk.volumes = 0
	for _, n := range msg.Sizes {
		m.disk.volumes += n
	}
	m.refresh()
}

// panelOf says where the keys that go to a panel go.
var panelOf = map[keymap.Action]panel{
	keymap.ToProjects: projects, keymap.ToContainer: containers, keymap.ToImages: images,
	keymap.ToVolumes: volumes, keymap.ToNetworks: networks, keymap.ToPorts: ports,
}

// goTo goes to a panel, if it is on the screen.
func (m *model) goTo(p panel) {
	if !m.visible(p) {
		m.fail(errors.New("there is no compose project: docker compose up makes one"))
		return
	}
	m.focus(p)
}
