package server

// matcher finds the detach keys in the input of a terminal, byte by byte. The beginning
// of the sequence is held back until it is known whether the rest follows.
type matcher struct {
	keys []byte
	held int // bytes of keys that were seen last and not passed on
}

// filter returns what of in is to be passed on, and whether the keys were complete;
// what follows them is dropped.
func (m *matcher) filter(in []byte) (out []byte, detached bool) {
	if len(m.keys) == 0 {
		return in, false
	}
	if m.held == 0 {
		// Nothing to do for most input.
		i := 0
		for i < len(in) && in[i] != m.keys[0] {
			i++
		}
		if i == len(in) {
			return in, false
		}
	}
	out = make([]byte, 0, len(in)+m.held)
	for _, b := range in {
		for m.held > 0 && b != m.keys[m.held] {
			out = append(out, m.keys[:m.held-m.fallback()]...)
			m.held = m.fallback()
		}
		if b != m.keys[m.held] {
			out = append(out, b)
			continue
		}
		if m.held++; m.held == len(m.keys) {
			m.held = 0
			return out, true
		}
	}
	return out, false
}

// fallback is the length of the longest beginning of the keys that the held bytes end
// with, but for all of them: typing ctrl-p ctrl-p ctrl-q detaches, too.
func (m *matcher) fallback() int {
	for n := m.held - 1; n > 0; n-- {
		if string(m.keys[:n]) == string(m.keys[m.held-n:m.held]) {
			return n
		}
	}
	return 0
}
