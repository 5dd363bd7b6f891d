package tui

import (
	"context"
	"errors"
	"io"
	"testing"

	"github.com/moby/moby/api/types/image"

	"berth/tui/feed"
)

// first is a console that comes to an engine, on a machine that was found to be so.
func first(t *testing.T, images []image.Summary, found ...Finding) *model {
	t.Helper()
	m := bare(t, 120, 36)
	examined := 0
	m.opt.Doctor = func(context.Context) ([]Finding, error) { examined++; return found, nil }
	send(m, feed.Containers{}, feed.Images{List: images}, feed.Volumes{}, feed.Networks{})
	m.lookedAt = false
	for range 2 {
		if cmd := m.firstLook(); cmd != nil {
			send(m, cmd())
		}
	}
	if want := min(len(images), 1) ^ 1; examined != want {
		t.Errorf("the machine was looked at %d times, not %d", examined, want)
	}
	return m
}

// noStarter is how a starter image is made where there is no busybox.
func noStarter(context.Context) (io.ReadCloser, error) { return nil, errors.New("no busybox") }

func TestAFirstStartSaysWhatTheMachineLacks(t *testing.T) {
	m := first(t, nil, Finding{"ok", "kernel", "6.18", ""}, Finding{"warning", "limits", "few files", "ulimit"}, Finding{"bad", "overlay", "there is \x1b[2Jno overlay", "modprobe overlay"})
	shows(t, m, "✗ this machine lacks 2 things (7 then [: what mends it) · overlay: there is no overlay")
	press(m, "7", "[")
	send(m, systemTold{tab: "Doctor", findings: []Finding{{"bad", "overlay", "there is no overlay", "modprobe overlay"}}})
	shows(t, m, "mend it: modprobe overlay")
}

func TestAMachineThatLacksNothingIsNotTalkedAbout(t *testing.T) {
	hides(t, first(t, nil, Finding{"ok", "kernel", "6.18", ""}), "this machine")
	hides(t, first(t, []image.Summary{{ID: "sha256:1"}}, Finding{"bad", "overlay", "none", ""}), "this machine")
	m := bare(t, 120, 36)
	m.opt.Doctor = nil // it is another one
	send(m, feed.Containers{}, feed.Images{}, looked{err: errors.New("no eyes")})
	shows(t, m, "✗ looking at the machine: no eyes")
}

func TestWithoutImagesAKeyMakesTheFirst(t *testing.T) {
	m := bare(t, 120, 36)
	send(m, feed.Containers{}, feed.Images{})
	press(m, "3")
	shows(t, m, "N  makes a small starter", "P  pulls one", "i  loads a tar")
	press(m, "N")
	shows(t, m, "✗ no starter image can be made here: P pulls an image")
}
