package keymap

// The actions of the panes that handle their keys themselves.
const (
	Fold       Action = "fold"
	FoldAll    Action = "fold-all"
	Added      Action = "added"
	Modified   Action = "modified"
	Removed    Action = "removed"
	Unchanged  Action = "unchanged"
	Attributes Action = "attributes"
	Extract    Action = "extract"
	Union      Action = "union"
	Compare    Action = "compare"
	AsDiff     Action = "as-diff"
	Whole      Action = "whole"

	Leader      Action = "leader"
	Leave       Action = "leave"
	Split       Action = "split"
	OtherHalf   Action = "other-half"
	ScrollBack  Action = "scroll-back"
	NewSession  Action = "new-session"
	NextSession Action = "next-session"
	PrevSession Action = "previous-session"
	Close       Action = "close"
)

// panes are the built-in keys of the layer browser, which are dive's for the files,
// and of the shell, where all but the leader come after it. The
// palette has those of the browser while that has the focus.
func panes() Map {
	return Map{
		{Open, Layers, []string{"enter"}, "view the file, or the layer's files", "view", true},
		{Fold, Layers, []string{"space"}, "fold the directory", "fold", true},
		{Extract, Layers, []string{"ctrl+e"}, "save it to this machine", "save", true},
		{Filter, Layers, []string{"/"}, "filter names, search in a file", "filter", true},
		{Sort, Layers, []string{"ctrl+o"}, "next order of the files", "order", true},
		{Added, Layers, []string{"ctrl+a"}, "added: shown or hidden", "added", true},
		{Modified, Layers, []string{"M"}, "modified: shown or hidden", "modified", true},
		{Removed, Layers, []string{"ctrl+r"}, "removed: shown or hidden", "removed", true},
		{Unchanged, Layers, []string{"ctrl+u"}, "unchanged: shown or hidden", "unchanged", true},
		{Union, Layers, []string{"u"}, "all layers up to this one", "union", true},
		{Compare, Layers, []string{"c"}, "mark one side of a comparison", "compare with", true},
		{Attributes, Layers, []string{"ctrl+b"}, "mode, owner or neither", "attributes", true},
		{FoldAll, Layers, []string{"ctrl+space", "ctrl+@"}, "fold or unfold all", "fold all", true},
		{Copy, Layers, []string{"y"}, "copy the path", "copy path", true},
		{NextPane, Layers, []string{"tab", "shift+tab"}, "layers, files, file in turn", "next part", true},
		{Back, Layers, []string{"esc"}, "back", "back", true},
		{AsDiff, Layers, []string{"d"}, "the file, or its changes", "diff or file", true},
		{NextHit, Layers, []string{"n"}, "next hit in the file", "next match", true},
		{PrevHit, Layers, []string{"N"}, "previous hit in the file", "last match", true},
		{Wrap, Layers, []string{"w"}, "wrap the long lines of the file", "wrap", true},
		{Whole, Layers, []string{"z"}, "all the room for the file", "all the room", true},
		{Up, Layers, []string{"k", "up"}, "up", "", true},
		{Down, Layers, []string{"j", "down"}, "down", "", true},
		{PageUp, Layers, []string{"pgup"}, "page up", "", true},
		{PageDown, Layers, []string{"pgdown"}, "page down", "", true},
		{Top, Layers, []string{"g", "home"}, "first", "", true},
		{Bottom, Layers, []string{"G", "end"}, "last", "", true},
		{Left, Layers, []string{"h", "left"}, "to the layers", "", true},
		{Right, Layers, []string{"l", "right"}, "to the files", "", true},

		{Leader, Shell, []string{"ctrl+]"}, "the leader; twice: to the shell", "leader", true},
		{Leave, Shell, []string{"q"}, "leave, the shell lives on", "leave", true},
		{Zoom, Shell, []string{"z"}, "zoom", "zoom", true},
		{Split, Shell, []string{"|"}, "split, or one again", "split", true},
		{Left, Shell, []string{"h"}, "left half", "left", true},
		{Right, Shell, []string{"l"}, "right half", "right", true},
		{OtherHalf, Shell, []string{"tab"}, "other half", "other half", true},
		{ScrollBack, Shell, []string{"["}, "scroll back, search, copy", "scroll", true},
		{Copy, Shell, []string{"y"}, "copy the screen", "copy", true},
		{NewSession, Shell, []string{"c"}, "new shell", "new", true},
		{NextSession, Shell, []string{"n"}, "next session", "next", true},
		{PrevSession, Shell, []string{"p"}, "previous session", "previous", true},
		{Close, Shell, []string{"x"}, "close the session", "close", true},

		{Up, Scrollback, []string{"k", "up"}, "up", "", true},
		{Down, Scrollback, []string{"j", "down"}, "down", "", true},
		{PageUp, Scrollback, []string{"pgup", "ctrl+u", "ctrl+b"}, "page up", "", true},
		{PageDown, Scrollback, []string{"pgdown", "ctrl+d", "ctrl+f", "space"}, "page down", "", true},
		{Top, Scrollback, []string{"g", "home"}, "oldest line", "", true},
		{Bottom, Scrollback, []string{"G", "end"}, "newest line", "", true},
		{Mark, Scrollback, []string{"v"}, "mark from here", "mark", true},
		{Copy, Scrollback, []string{"y"}, "copy the marked lines", "copy", true},
		{Filter, Scrollback, []string{"/"}, "search", "search", true},
		{NextHit, Scrollback, []string{"n"}, "next hit, upwards", "", true},
		{PrevHit, Scrollback, []string{"N"}, "previous hit", "", true},
		{Back, Scrollback, []string{"esc", "q", "ctrl+c"}, "back to the shell", "back", true},
	}
}

// AboveLayers tells whether the console keeps an action's key for itself while the
// layer browser has the focus and nothing is typed there.
func AboveLayers(a Action) bool {
	switch a {
	case Quit, Interrupt, Help, Palette, CommandLog, Transfers, Engines, System, ToProjects, ToContainer, ToImages, ToVolumes,
		ToNetworks, ToPorts, Shells, Attach, PrevTab, NextTab, Zoom, Unzoom, Run:
		return true
	}
	return false
}

// Needed tells whether berth might not be left without an action's key.
func Needed(a Action, s Scope) bool {
	return s == Everywhere && a == Interrupt || s == Shell && (a == Leader || a == Leave) || s == Scrollback && a == Back
}
