package keymap

// Verbs are the actions that change something, and so can ask before they do.
func Verbs() []Action {
	return []Action{Start, Stop, Restart, Pause, Kill, Remove, RemoveImage, RemoveVolume, RemoveNetwork, RemovePort, Push, ComposeUp, ComposeDown}
}

// Asks tells whether a verb asks first unless the user says otherwise.
func Asks(a Action) bool {
	switch a {
	case Kill, Remove, RemoveImage, RemoveVolume, RemoveNetwork, RemovePort, ComposeDown:
		return true
	}
	return false
}
