package main

import (
	"bytes"
	"errors"
	"os"
	"path/filepath"
	"testing"

	"github.com/creack/pty"
)

// TestErrorsOnATerminal has names that strangers chose in the text of an error: a terminal shows them, and does nothing else.
func TestErrorsOnATerminal(t *testing.T) {
	err := errors.New("no such file: /\x1b]0;owned\x07\x1b[31mred\r\u202egnp\n\tsecond line: é")
	master, tty, ptyErr := pty.Open()
	if ptyErr != nil {
		t.Fatal(ptyErr)
	}
	defer master.Close()
	if code := report(tty, err); code != 1 {
		t.Errorf("code %d", code)
	}
	tty.Close()
	got := make([]byte, 4096)
	n, _ := master.Read(got)
	const want = "berth: no such file: /?]0;owned??[31mred??gnp\r\n\tsecond line: é\r\n"
	if text := string(bytes.ReplaceAll(got[:n], []byte("        "), []byte("\t"))); text != want {
		t.Errorf("got %q, want %q", text, want)
	}
	// A file gets what was said, to the byte.
	path := filepath.Join(t.TempDir(), "err")
	f, ferr := os.Create(path)
	if ferr != nil {
		t.Fatal(ferr)
	}
	report(f, err)
	f.Close()
	if text, _ := os.ReadFile(path); string(text) != "berth: "+err.Error()+"\n" {
		t.Errorf("a file got %q", text)
	}
}
