// Package layers is the layer browser of the console: the layers of an image,
// what each of them added, modified and removed, the live difference of a
// container's writable layer, and the files themselves.
//
// Terms: a Subject is what is browsed (an image, or a container on an image); a
// row of the left list is a layer, the last one the container's writable layer
// ("live"); the tree shows the files of the chosen row, or the union of all
// layers up to it. Waste is content that a later layer hides.
//
// Everything is fetched by commands; Update and View never wait. Names of
// files and their contents come from strangers: they are drawn through
// text.Clean, which leaves no control character alive.
package layers

import (
	"context"
	"io"
	"iter"

	"github.com/moby/moby/client"

	"berth/engine/api/berthapi"
	"berth/tui/keymap"
	"berth/tui/theme"
)

// Berth is what berth's engine answers beyond docker's (*berthapi.Client).
type Berth interface {
	Layers(ctx context.Context, ref string) ([]berthapi.Layer, error)
	Entries(ctx context.Context, ref string, n int, union bool) iter.Seq2[berthapi.Entry, error]
	EntriesOf(ctx context.Context, ref string, n int, union bool, part berthapi.Part) iter.Seq2[berthapi.Entry, error]
	Waste(ctx context.Context, ref string) (berthapi.Waste, error)
	LayerFile(ctx context.Context, ref string, n int, path string) (io.ReadCloser, error)
	Diff(ctx context.Context, from, to string, o berthapi.DiffOptions) iter.Seq2[berthapi.Difference, error]
	Changes(ctx context.Context, id string) iter.Seq2[berthapi.Change, error]
	ContainerFile(ctx context.Context, id, path string) (io.ReadCloser, error)
}

// Docker is what every engine answers (*client.Client); it serves the live
// difference and its files of an engine that is not berth's.
type Docker interface {
	ContainerDiff(ctx context.Context, id string, o client.ContainerDiffOptions) (client.ContainerDiffResult, error)
	CopyFromContainer(ctx context.Context, id string, o client.CopyFromContainerOptions) (client.CopyFromContainerResult, error)
}

// Config is what a Model needs from its surroundings.
type Config struct {
	Berth  Berth
	Docker Docker
	// ExtractDir is where ctrl+e puts files; "" means the working directory.
	ExtractDir string
	// Keys are those of the scope Layers; nil means the built-in ones.
	Keys keymap.Map
	// Theme is the meaning of colours; the zero value means the default.
	Theme theme.Theme
}

// Subject is what the browser shows: an image, or a container and the image
// that it runs.
type Subject struct {
	Image     string // reference or ID
	ImageName string // for the title; "" means Image
	Container string // ID; "" for an image alone
	Name      string // the container's name
	Running   bool
}

// Messages that the browser sends to the console (by tea.Cmd).
type (
	// CloseMsg: the user pressed esc with nothing left to close.
	CloseMsg struct{}
	// CopyMsg carries text for the host's clipboard.
	CopyMsg struct{ Text string }
	// NoticeMsg is one line for the console's message line.
	NoticeMsg struct {
		Text string
		Err  error
	}
)
