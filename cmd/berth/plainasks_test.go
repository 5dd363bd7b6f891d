//go:build !client

package main

import "testing"

func TestPlainAsksBeforeWhatIsLost(t *testing.T) {
	for words, want := range map[[2]string]bool{
		{"rm", "web"}: true, {"volume", "rm"}: true, {"volume", "remove"}: true, {"network", "remove"}: true, {"context", "remove"}: true,
		{"volume", "ls"}: false, {"stop", "web"}: false, {"rm", "--help"}: false,
	} {
		if got := asks(words[:]); got != want {
			t.Errorf("%v asks: %v", words, got)
		}
	}
}
