package keymap

// The actions.
const (
	Quit        Action = "quit"
	Back        Action = "back"
	Interrupt   Action = "interrupt"
	Help        Action = "help"
	Palette     Action = "palette"
	CommandLog  Action = "command-log"
	NextPane    Action = "next-pane"
	PrevPane    Action = "previous-pane"
	ToProjects  Action = "projects"
	ToContainer Action = "containers"
	ToImages    Action = "images"
	ToVolumes   Action = "volumes"
	ToNetworks  Action = "networks"
	ToPorts     Action = "ports"
	System      Action = "system"
	Engines     Action = "engines"
	ToDetail    Action = "detail"
	PrevTab     Action = "previous-tab"
	NextTab     Action = "next-tab"
	Zoom        Action = "zoom"
	Unzoom      Action = "unzoom"
	Run         Action = "run"
	Filter      Action = "filter"
	Copy        Action = "copy"
	CopyID      Action = "copy-id"

	Up       Action = "up"
	Down     Action = "down"
	PageUp   Action = "page-up"
	PageDown Action = "page-down"
	Top      Action = "top"
	Bottom   Action = "bottom"
	Left     Action = "left"
	Right    Action = "right"
	Open     Action = "open"
	Mark     Action = "mark"
	Range    Action = "range"
	ShowAll  Action = "show-all"
	Sort     Action = "sort"
	Commands Action = "commands"

	DetailUp       Action = "detail-up"
	DetailDown     Action = "detail-down"
	DetailHalfUp   Action = "detail-half-up"
	DetailHalfDown Action = "detail-half-down"

	Start   Action = "start"
	Stop    Action = "stop"
	Restart Action = "restart"
	Pause   Action = "pause"
	Kill    Action = "kill"
	Remove  Action = "remove"
	Commit  Action = "commit"
	Rename  Action = "rename"
	Export  Action = "export"
	CopyIn  Action = "copy-in"
	CopyOut Action = "copy-out"
	Limits  Action = "limits"
	Prune   Action = "prune"
	Shells  Action = "shell"
	Attach  Action = "attach"
	LogsMax Action = "logs"
	Diff    Action = "diff"

	Browse      Action = "layers"
	Tag         Action = "tag"
	RemoveImage Action = "remove-image"
	Pull        Action = "pull"
	Push        Action = "push"
	Build       Action = "build"
	Load        Action = "load"
	Starter     Action = "starter"
	SaveImage   Action = "save"
	Transfers   Action = "transfers"

	ComposeUp   Action = "compose-up"
	ComposeDown Action = "compose-down"

	NewVolume    Action = "new-volume"
	RemoveVolume Action = "remove-volume"
	CloneVolume  Action = "clone-volume"
	ExportVolume Action = "export-volume"
	ImportVolume Action = "import-volume"

	NewNetwork        Action = "new-network"
	RemoveNetwork     Action = "remove-network"
	ConnectNetwork    Action = "connect"
	DisconnectNetwork Action = "disconnect"

	NewPort    Action = "publish"
	RemovePort Action = "close-port"
	OpenURL    Action = "open-url"

	NextHit  Action = "next-hit"
	PrevHit  Action = "previous-hit"
	Times    Action = "timestamps"
	Wrap     Action = "wrap"
	OnlyHits Action = "matches-only"
	Follow   Action = "follow"
	LayOut   Action = "pretty-json"
	Since    Action = "since"
	SaveLog  Action = "save-log"
)

// Default is the built-in key map.
func Default() Map {
	return append(Map{
		{Quit, Everywhere, []string{"q"}, "close what is open, then leave berth", "", false},
		{Interrupt, Everywhere, []string{"ctrl+c"}, "leave berth; containers run on", "", true},
		{Back, Everywhere, []string{"esc"}, "back: out of the detail, marks, filter", "", true},
		{Help, Everywhere, []string{"?", "x"}, "all keys", "help", false},
		{Palette, Everywhere, []string{":"}, "palette: find any action by name", "palette", true},
		{CommandLog, Everywhere, []string{"@"}, "log of the equal berth commands", "", false},
		{NextPane, Everywhere, []string{"tab"}, "next pane", "", true},
		{PrevPane, Everywhere, []string{"shift+tab"}, "previous pane", "", true},
		{ToProjects, Everywhere, []string{"1"}, "go to compose projects", "", false},
		{ToContainer, Everywhere, []string{"2"}, "go to containers", "", false},
		{ToImages, Everywhere, []string{"3"}, "go to images", "", false},
		{ToVolumes, Everywhere, []string{"4"}, "go to volumes", "", false},
		{ToNetworks, Everywhere, []string{"5"}, "go to networks", "", false},
		{ToPorts, Everywhere, []string{"6"}, "go to published ports", "", false},
		{System, Everywhere, []string{"7"}, "disk, events, engine and doctor", "", false},
		{Transfers, Everywhere, []string{"ctrl+t"}, "pulls, pushes and builds under way", "", false},
		{Engines, Everywhere, []string{"H"}, "go to another engine (host)", "", false},
		{ToDetail, Everywhere, []string{"0"}, "go to the detail", "", false},
		{PrevTab, Everywhere, []string{"["}, "previous tab of the detail", "", true},
		{NextTab, Everywhere, []string{"]"}, "next tab of the detail", "", true},
		{Zoom, Everywhere, []string{"+", "="}, "detail over the whole screen", "", false},
		{Unzoom, Everywhere, []string{"_", "-"}, "back to the lists beside the detail", "", false},
		{Run, Everywhere, []string{"R"}, "run an image", "run", false},
		{Filter, Everywhere, []string{"/"}, "filter (regex, !inverse, ~fuzzy), search", "filter", false},
		{Copy, Everywhere, []string{"y"}, "copy the name, or the visible text", "", false},
		{CopyID, Everywhere, []string{"Y"}, "copy the ID", "", false},

		{Down, Lists, []string{"j", "down"}, "down", "", true},
		{Up, Lists, []string{"k", "up"}, "up", "", true},
		{PageDown, Lists, []string{"pgdown", "ctrl+f"}, "page down", "", true},
		{PageUp, Lists, []string{"pgup", "ctrl+b"}, "page up", "", true},
		{Top, Lists, []string{"g", "home"}, "first row", "", true},
		{Bottom, Lists, []string{"G", "end"}, "last row", "", true},
		{Left, Lists, []string{"h", "left"}, "panel above", "", true},
		{Right, Lists, []string{"l", "right"}, "panel below, then the detail", "", true},
		{Open, Lists, []string{"enter"}, "into the detail", "open", true},
		{Mark, Lists, []string{"space"}, "mark; verbs act on all that is marked", "mark", false},
		{Range, Lists, []string{"v"}, "begin a range; move to extend it", "", false},
		{Prune, Lists, []string{"b"}, "prune what nobody uses", "", false},
		{Commands, Lists, []string{"c"}, "your own commands", "", false},
		{Sort, Lists, []string{"o"}, "next order of the list", "", false},
		{DetailDown, Lists, []string{"J", "shift+down"}, "scroll the detail down", "", true},
		{DetailUp, Lists, []string{"K", "shift+up"}, "scroll the detail up", "", true},
		{DetailHalfDown, Lists, []string{"ctrl+d"}, "scroll the detail half a page down", "", true},
		{DetailHalfUp, Lists, []string{"ctrl+u"}, "scroll the detail half a page up", "", true},

		{Shells, Containers, []string{"E", "e"}, "shell in the container", "shell", false},
		{LogsMax, Containers, []string{"m"}, "logs over the whole screen", "logs", false},
		{Diff, Containers, []string{"D"}, "layers of the image and live changes", "diff", false},
		{Stop, Containers, []string{"s"}, "stop", "stop", false},
		{Start, Containers, []string{"S"}, "start", "start", false},
		{Restart, Containers, []string{"r"}, "restart", "restart", false},
		{Pause, Containers, []string{"p"}, "pause, or go on", "", false},
		{Remove, Containers, []string{"d", "delete"}, "remove (asks how)", "remove", false},
		{Kill, Containers, []string{"ctrl+k"}, "kill (asks)", "", false},
		{Attach, Containers, []string{"a"}, "attach to the main process", "", false},
		{Commit, Containers, []string{"C"}, "make an image of it (commit)", "", false},
		{Rename, Containers, []string{"n"}, "rename", "", false},
		{Limits, Containers, []string{"u"}, "change limits and restart policy (update)", "", false},
		{CopyIn, Containers, []string{"<"}, "copy files into it (cp)", "", false},
		{CopyOut, Containers, []string{">"}, "copy files out of it (cp)", "", false},
		{Export, Containers, []string{"X"}, "export all its files to a tar", "", false},
		{ShowAll, Containers, []string{"A"}, "show all, or only what runs", "", false},

		{Browse, Images, []string{"D"}, "browse the layers", "layers", false},
		{Pull, Images, []string{"P"}, "pull an image", "pull", false},
		{Push, Images, []string{"u"}, "push (upload) it", "push", false},
		{Build, Images, []string{"B"}, "build one from a directory", "build", false},
		{Load, Images, []string{"i"}, "load images from a tar", "load", false},
		{Starter, Images, []string{"N"}, "make a small image to begin with", "", false},
		{SaveImage, Images, []string{"e"}, "save to a tar", "save", false},
		{Tag, Images, []string{"t"}, "tag", "tag", false},
		{RemoveImage, Images, []string{"d", "delete"}, "remove (asks how)", "remove", false},

		{ComposeUp, Projects, []string{"U"}, "bring all of it up from its files", "up", false},
		{ComposeDown, Projects, []string{"D"}, "take it down, networks too (asks)", "down", false},
		{Stop, Projects, []string{"s"}, "stop all of it", "stop", false},
		{Start, Projects, []string{"S"}, "start all of it", "start", false},
		{Restart, Projects, []string{"r"}, "restart all of it", "restart", false},
		{Pause, Projects, []string{"p"}, "pause all of it, or go on", "pause", false},
		{Remove, Projects, []string{"d", "delete"}, "remove its containers (asks how)", "remove", false},

		{NewVolume, Volumes, []string{"N"}, "new volume", "new", false},
		{CloneVolume, Volumes, []string{"C"}, "clone", "clone", false},
		{ExportVolume, Volumes, []string{"e"}, "export to a tar", "export", false},
		{ImportVolume, Volumes, []string{"i"}, "import a tar", "import", false},
		{RemoveVolume, Volumes, []string{"d", "delete"}, "remove (asks)", "remove", false},

		{NewNetwork, Networks, []string{"N"}, "new network", "new", false},
		{ConnectNetwork, Networks, []string{"C"}, "connect a container", "connect", false},
		{DisconnectNetwork, Networks, []string{"X"}, "disconnect a container", "disconnect", false},
		{RemoveNetwork, Networks, []string{"d", "delete"}, "remove (asks)", "remove", false},

		{OpenURL, Ports, []string{"w"}, "open in the browser", "browser", false},
		{NewPort, Ports, []string{"N"}, "publish another port", "publish", false},
		{RemovePort, Ports, []string{"d", "delete"}, "publish it no more (asks)", "close", false},

		{Down, Detail, []string{"j", "down"}, "down", "", true},
		{Up, Detail, []string{"k", "up"}, "up", "", true},
		{DetailHalfDown, Detail, []string{"ctrl+d"}, "half a page down", "", true},
		{DetailHalfUp, Detail, []string{"ctrl+u"}, "half a page up", "", true},
		{PageDown, Detail, []string{"pgdown", "ctrl+f", "space"}, "page down", "", true},
		{PageUp, Detail, []string{"pgup", "ctrl+b"}, "page up", "", true},
		{Top, Detail, []string{"g", "home"}, "first line, the oldest of a log", "", true},
		{Bottom, Detail, []string{"G", "end"}, "last line, and follow it", "", true},
		{Left, Detail, []string{"h", "left"}, "left, or back to the lists", "", true},
		{Right, Detail, []string{"l", "right"}, "right", "", true},
		{NextHit, Detail, []string{"n"}, "next hit of the search", "next hit", false},
		{PrevHit, Detail, []string{"N"}, "previous hit", "", false},
		{Wrap, Detail, []string{"w"}, "wrap long lines", "wrap", false},
		{OnlyHits, Detail, []string{"x"}, "only the lines that match", "matches only", false},

		{Times, Logs, []string{"t"}, "times", "times", false},
		{Follow, Logs, []string{"P", "f"}, "hold the log, or follow it", "hold", false},
		{Since, Logs, []string{"T"}, "since: 10m, 2h..30m, 09:14 (asks)", "since", false},
		{LayOut, Logs, []string{"p"}, "lay out lines that are JSON", "pretty", false},
		{Extract, Files, []string{"ctrl+e"}, "save the file to this machine", "save", false},

		{SaveLog, Logs, []string{"ctrl+s"}, "save the log to a file (asks)", "save", false},
	}, panes()...)
}
