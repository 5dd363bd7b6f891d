package main

import (
	"errors"
	"fmt"
	"io"
	"net/url"
	"strings"
	"syscall"
	"testing"
)

func TestAnEngineThatGoesAwayIsToldOf(t *testing.T) {
	cut := &url.Error{Op: "Post", URL: "http://x/images/load", Err: syscall.EPIPE}
	for _, err := range []error{cut, fmt.Errorf("reading the engine's progress: %w", io.ErrUnexpectedEOF)} {
		got := engineGone("images were loaded", err)
		if !strings.HasPrefix(got.Error(), "the engine went away while images were loaded (") || !errors.Is(got, err) {
			t.Errorf("%v", got)
		}
	}
	said := errors.New("the archive is cut off")
	if got := engineGone("images were loaded", said); got != said {
		t.Errorf("%v", got)
	}
	if got := engineGone("images were loaded", nil); got != nil {
		t.Errorf("%v", got)
	}
}
