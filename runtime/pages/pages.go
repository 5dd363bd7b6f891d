// Package pages gives back memory that only the start of a process needed: the pages of
// its executable that it has read.
//
// They are the kernel's file cache and counted where they are mapped, and every first
// read maps many around it. The inits of all packages touch half of the binary this way,
// 20 MB of it, and little of that is ever used again.
package pages

import (
	"bytes"
	"fmt"
	"io"
	"os"
	"strconv"

	"golang.org/x/sys/unix"
)

// GiveBack unmaps what has been read of the executable. The kernel maps again what is
// used again. Nothing that was written is touched.
func GiveBack() error {
	maps, err := os.Open("/proc/self/maps")
	if err != nil {
		return fmt.Errorf("give back pages of the executable: %w", err)
	}
	defer maps.Close()
	// The executable is mapped first of all, so its lines are in the first page.
	text := make([]byte, 2048)
	n, err := io.ReadFull(maps, text)
	if err != nil && err != io.ErrUnexpectedEOF {
		return fmt.Errorf("give back pages of the executable: %w", err)
	}
	for _, m := range executable(text[:n]) {
		if _, _, errno := unix.Syscall(unix.SYS_MADVISE, m.start, m.end-m.start, unix.MADV_DONTNEED); errno != 0 {
			return fmt.Errorf("give back pages of the executable: %w", errno)
		}
	}
	return nil
}

// mapping is a range of addresses.
type mapping struct{ start, end uintptr }

// executable finds in the text of /proc/PID/maps (proc(5)) those mappings of the first
// file that cannot be written.
func executable(text []byte) []mapping {
	var found []mapping
	var first []byte
	for line := range bytes.Lines(text) {
		// addresses, mode, offset, device, inode, path
		f := bytes.Fields(line)
		if len(f) < 5 || line[len(line)-1] != '\n' {
			break
		}
		if first == nil {
			first = f[4]
		}
		if !bytes.Equal(f[4], first) || bytes.Equal(first, []byte("0")) {
			break
		}
		low, high, _ := bytes.Cut(f[0], []byte("-"))
		start, err := strconv.ParseUint(string(low), 16, 64)
		end, err2 := strconv.ParseUint(string(high), 16, 64)
		if err == nil && err2 == nil && f[1][1] == '-' {
			found = append(found, mapping{uintptr(start), uintptr(end)})
		}
	}
	return found
}
