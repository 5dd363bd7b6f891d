// Package term is the shell pane of the console: a terminal emulator on a
// hijacked stream of the Engine API.
//
// Terms: a Session is one stream (an exec of a shell, or an attach to the main
// process of a container) with its own emulated screen. A session lives until
// its process ends or it is closed, whether or not it is shown. Model is the
// component that the console embeds; it holds the sessions of all containers
// and shows one of them.
//
// Three goroutines serve a session: one moves bytes from the stream into the
// emulator, one moves keys and the emulator's replies to the stream, one sends
// resizes. Update and View never wait for any of them. Lock order: a session's
// own lock is a leaf, nothing else is taken under it.
//
// What a container prints reaches the host's terminal only as rendered cells.
// This package knows the Engine API client and Bubble Tea, nothing of the engine.
package term

import (
	"context"

	"github.com/moby/moby/client"

	"berth/tui/keymap"
	"berth/tui/theme"
)

// Engine is the part of the Engine API client (*client.Client) that the pane uses.
type Engine interface {
	ClientVersion() string
	ContainerInspect(ctx context.Context, id string, o client.ContainerInspectOptions) (client.ContainerInspectResult, error)
	ContainerAttach(ctx context.Context, id string, o client.ContainerAttachOptions) (client.ContainerAttachResult, error)
	ContainerResize(ctx context.Context, id string, o client.ContainerResizeOptions) (client.ContainerResizeResult, error)
	ExecCreate(ctx context.Context, id string, o client.ExecCreateOptions) (client.ExecCreateResult, error)
	ExecAttach(ctx context.Context, execID string, o client.ExecAttachOptions) (client.ExecAttachResult, error)
	ExecInspect(ctx context.Context, execID string, o client.ExecInspectOptions) (client.ExecInspectResult, error)
	ExecResize(ctx context.Context, execID string, o client.ExecResizeOptions) (client.ExecResizeResult, error)
}

// Config is what a Model needs from its surroundings.
type Config struct {
	Engine Engine
	// Go starts a goroutine; the console passes its wrapper that restores the
	// terminal on a panic. nil means a plain go statement.
	Go func(func())
	// Scrollback is the number of lines kept per session; 0 means 10,000.
	Scrollback int
	// AllowClipboard lets programs in a container set the host's clipboard
	// (OSC 52). Their text then arrives as CopyMsg.
	AllowClipboard bool
	// Keys are those of the scopes Shell and Scrollback; nil means the built-in ones.
	Keys keymap.Map
	// Theme colours what the pane itself draws; the zero value means the default.
	Theme theme.Theme
}

// Messages that the pane sends to the console (by tea.Cmd).
type (
	// LeaveMsg: the user wants the keys back; the session lives on.
	LeaveMsg struct{}
	// ZoomMsg: give the pane the whole screen, or take it back.
	ZoomMsg struct{}
	// CopyMsg carries text for the host's clipboard.
	CopyMsg struct{ Text string }
	// EndedMsg: a session's process ended, or its stream broke (Err).
	EndedMsg struct {
		Session, Container string
		ExitCode           int
		Err                error
	}
	// NoticeMsg is one line for the console's message line.
	NoticeMsg struct {
		Text string
		Err  error
	}
)

// Kind tells what a session is connected to.
type Kind int

// The kinds of session.
const (
	Shell   Kind = iota // an exec of bash or sh
	Attach              // the container's main process
	Command             // a program of this machine
)
