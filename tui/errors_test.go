package tui

import (
	"errors"
	"strings"
	"testing"
)

// A line is short: who holds a port must be on it.
func TestErrorsSayWhatMatters(t *testing.T) {
	got := clean(errors.New("Error response from daemon: driver failed programming external connectivity on endpoint web (" + strings.Repeat("d7", 32) +
		"): failed to bind host port for 0.0.0.0:8080/tcp: address already in use by nginx (process 12)\x1b[2J")).Error()
	if got != "0.0.0.0:8080/tcp: address already in use by nginx (process 12)" {
		t.Errorf("%q", got)
	}
}
