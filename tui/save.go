package tui

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"

	tea "charm.land/bubbletea/v2"
	"github.com/moby/moby/client"

	"berth/tui/feed"
)

// counter counts what is written through it; things is for whoever counts in
// something else.
type counter struct {
	to     io.Writer
	n      int64
	things int
}

func (c *counter) Write(p []byte) (int, error) {
	n, err := c.to.Write(p)
	c.n += int64(n)
	return n, err
}

// save has write fill a new file of this machine, and says what told says of it.
// A file that is there already stays as it is; one that could not be written
// whole is removed.
func (m *model) save(command string, d feed.Done, file string, write func(ctx context.Context, to *counter) error, told func(*counter) string) tea.Cmd {
	return m.order(command, d, func(ctx context.Context, _ *client.Client) (string, error) {
		path, err := homed(file)
		if err != nil {
			return "", err
		}
		if whole, err := filepath.Abs(path); err == nil {
			path = whole
		}
		c, err := create(path, func(c *counter) error { return write(ctx, c) })
		if err != nil {
			return "", err
		}
		return "to " + path + ", " + told(c), nil
	})
}

// create makes a file and has it filled.
func create(path string, fill func(*counter) error) (*counter, error) {
	f, err := os.OpenFile(path, os.O_CREATE|os.O_EXCL|os.O_WRONLY, 0o600)
	if errors.Is(err, fs.ErrExist) {
		return nil, fmt.Errorf("%s is there already: give another name", path)
	}
	if err != nil {
		return nil, err
	}
	buf := bufio.NewWriterSize(f, 256<<10)
	c := &counter{to: buf}
	err = fill(c)
	if err = errors.Join(err, buf.Flush(), f.Close()); err != nil {
		return nil, errors.Join(err, os.Remove(path))
	}
	return c, nil
}

// bytesWritten is what most savings have to tell.
func bytesWritten(c *counter) string { return size(uint64(c.n)) }
