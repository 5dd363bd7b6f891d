package main

import (
	"bytes"
	"errors"
	"strings"
	"sync"
	"testing"
)

// TestTogether lets the last of the references end first: all of them are under way, and what is printed has their
// order all the same.
func TestTogether(t *testing.T) {
	var out bytes.Buffer
	a := &app{out: &out}
	refs := []string{"one", "two", "bad", "three"}
	var begun sync.WaitGroup
	begun.Add(len(refs))
	last := make(chan struct{})
	err := a.together(refs, func(ref string) error {
		begun.Done()
		begun.Wait()
		if ref == "three" {
			close(last)
		}
		<-last
		if ref == "bad" {
			return errors.New("it is bad")
		}
		return nil
	})
	if got := out.String(); got != "one\ntwo\nthree\n" {
		t.Errorf("printed %q", got)
	}
	if err == nil || err.Error() != "it is bad" {
		t.Errorf("error %v", err)
	}
	// More than are done at once.
	out.Reset()
	many := strings.Fields(strings.Repeat("x ", 3*atOnce))
	if err := a.together(many, func(string) error { return nil }); err != nil || strings.Count(out.String(), "x\n") != len(many) {
		t.Errorf("%v, printed %q", err, out.String())
	}
}
