package sync

import "testing"

// FuzzDecode reads whatever comes from init as a message.
func FuzzDecode(f *testing.F) {
	f.Add(Message{Kind: Made, Step: 2, Errno: 3}.Encode(), 2, 2)
	f.Add(Message{Kind: Failed, Step: -1}.Encode(), 0, 1)
	f.Add([]byte("short"), 1, 0)
	f.Fuzz(func(t *testing.T, b []byte, got, want int) {
		m, err := decode(b, got, want)
		if err != nil {
			return
		}
		if string(m.Encode()) != string(b) {
			t.Errorf("%x is read as %+v", b, m)
		}
		if got != want && m.Kind != Failed && m.Kind != Refused {
			t.Errorf("%d descriptors are accepted for %d", got, want)
		}
	})
}
