package text

import "io/fs"

// Mode writes a mode as "ls -l" does, always in ten cells: drwxrwxrwt. Go's own
// words for what is more than permissions have other widths.
func Mode(m fs.FileMode) string {
	b := []byte(m.Perm().String())
	switch m.Type() {
	case fs.ModeDir:
		b[0] = 'd'
	case fs.ModeSymlink:
		b[0] = 'l'
	case fs.ModeDevice | fs.ModeCharDevice:
		b[0] = 'c'
	case fs.ModeDevice:
		b[0] = 'b'
	case fs.ModeNamedPipe:
		b[0] = 'p'
	case fs.ModeSocket:
		b[0] = 's'
	}
	for _, special := range []struct {
		at   int
		bit  fs.FileMode
		with byte
	}{{3, fs.ModeSetuid, 's'}, {6, fs.ModeSetgid, 's'}, {9, fs.ModeSticky, 't'}} {
		switch {
		case m&special.bit == 0:
		case b[special.at] == 'x':
			b[special.at] = special.with
		default:
			b[special.at] = special.with - 'a' + 'A'
		}
	}
	return string(b)
}
