package tui

import (
	tea "charm.land/bubbletea/v2"

	"berth/tui/feed"
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

// measureImages asks what images share when their panel is gone to, and again
// when there are others.
func (m *model) measureImages() tea.Cmd {
	if m.panel != images || m.gone != nil || m.imgs.Total() == 0 || m.sharedOf == m.state.ImagesVersion() {
		return nil
	}
	m.sharedOf = m.state.ImagesVersion()
	return m.feed.FetchShared()
}

// gotShared takes in what images share.
func (m *model) gotShared(msg feed.Shared) {
	if msg.Err != nil {
		m.fail(clean(msg.Err))
		return
	}
	m.state.SetShared(msg.Sizes)
	m.refresh()
}

// measureVolumes asks how large the volumes are when their panel is first gone
// to: the engine walks all their files for it.
func (m *model) measureVolumes() tea.Cmd {
	if m.sized || m.panel != volumes || m.gone != nil || m.vols.Total() == 0 {
		return nil
	}
	m.sized = true
	return m.feed.FetchSizes()
}
