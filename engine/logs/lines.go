package logs

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"os"
)

const (
	readSize = 64 << 10
	maxLine  = 4 << 20 // a longer one cannot be the shim's and is skipped
)

// drainFile delivers the complete lines of the open file; what is left of an
// incomplete one stays in the buffer.
func (r *reader) drainFile(ctx context.Context) error {
	for {
		if err := ctx.Err(); err != nil {
			return err
		}
		have := len(r.buf)
		r.buf = append(r.buf, make([]byte, readSize)...)
		n, err := r.file.Read(r.buf[have:])
		r.buf = r.buf[:have+n]
		if n == 0 {
			if err == nil || errors.Is(err, io.EOF) {
				return nil
			}
			return fmt.Errorf("read log: %w", err)
		}
		rest := r.buf
		for {
			end := bytes.IndexByte(rest, '\n')
			if end < 0 {
				break
			}
			if err := r.deliver(rest[:end]); err != nil {
				return err
			}
			rest = rest[end+1:]
		}
		// Something without newlines: not a log of ours, and not to be held in memory.
		if len(rest) > maxLine {
			rest = rest[:0]
		}
		r.buf = append(r.buf[:0], rest...)
	}
}

// deliver decodes a line and passes it on if the options want it. A line that
// is none of the shim's (a power cut tore it) is skipped.
func (r *reader) deliver(line []byte) error {
	e, ok := r.dec.decode(line)
	if !ok || !r.opts.wants(e.Stream) || e.Time.Before(r.opts.Since) {
		return nil
	}
	if !r.opts.Until.IsZero() && e.Time.After(r.opts.Until) {
		return errUntil
	}
	return r.fn(e)
}

// seekTail drops the files before the one in which the last Tail wanted entries
// begin, and seeks in that one; nothing before that place is read.
func (r *reader) seekTail(files []*source) ([]*source, error) {
	// From the newest file backwards, until there are enough.
	left := r.opts.Tail
	for i := len(files) - 1; i >= 0; i-- {
		if err := files[i].unpack(); err != nil {
			return files, err
		}
		at, found, err := r.tailIn(files[i].file, left)
		if err != nil {
			return files, err
		}
		left -= found
		if left > 0 && i > 0 {
			continue
		}
		if _, err := files[i].file.Seek(at, io.SeekStart); err != nil {
			return files, fmt.Errorf("read log: %w", err)
		}
		closeAll(files[:i])
		return files[i:], nil
	}
	return files, nil
}

// tailIn finds the offset at which the last n wanted entries of a file begin,
// reading blocks from its end. found is less than n when the file has no more.
func (r *reader) tailIn(f *os.File, n int) (at int64, found int, err error) {
	info, err := f.Stat()
	if err != nil {
		return 0, 0, fmt.Errorf("read log: %w", err)
	}
	pos := info.Size()
	var tail []byte // from pos to the beginning of the line last looked at
	end := pos
	first := true
	for {
		i := bytes.LastIndexByte(tail, '\n')
		// No whole line in hand: one more block from further ahead.
		for i < 0 && pos > 0 {
			step := min(pos, readSize)
			block := make([]byte, step, int(step)+len(tail))
			if _, err := f.ReadAt(block, pos-step); err != nil {
				return 0, 0, fmt.Errorf("read log: %w", err)
			}
			pos -= step
			tail = append(block, tail...)
			i = bytes.LastIndexByte(tail, '\n')
		}
		// tail[i+1:] is a line without its newline, at offset pos+i+1; after the last newline
		// of the file it is one that is still being written.
		line := tail[i+1:]
		if first {
			first = false
		} else if e, ok := r.dec.decode(line); ok && r.opts.wants(e.Stream) && found < n {
			found++
			end = pos + int64(i) + 1
		}
		if found >= n || i < 0 {
			return end, found, nil
		}
		tail = tail[:i]
	}
}
