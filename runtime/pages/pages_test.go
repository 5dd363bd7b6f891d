package pages

import (
	"os"
	"reflect"
	"strconv"
	"strings"
	"testing"
)

func TestExecutable(t *testing.T) {
	const own = "00400000-01004000 r-xp 00000000 fe:00 101 /berth\n01004000-01c63000 r--p 00c04000 fe:00 101 /berth\n01c63000-01d5f000 rw-p 01863000 fe:00 101 /berth\n"
	want := []mapping{{0x400000, 0x1004000}, {0x1004000, 0x1c63000}}
	for name, text := range map[string]string{
		"whole":                own + "01d5f000-03fd0000 rw-p 00000000 00:00 0\n7f00000-7f01000 r--p 00000000 fe:00 7 /lib/libc.so\n",
		"an unfinished line":   own + "01d5f000-03fd00",
		"a file behind others": own + "01d5f000-03fd0000 rw-p 00000000 00:00 0\n04000000-05000000 r--p 00000000 fe:00 101 /berth\n",
	} {
		if got := executable([]byte(text)); !reflect.DeepEqual(got, want) {
			t.Errorf("%s: %x, want %x", name, got, want)
		}
	}
	for _, text := range []string{"", "x\n", "00400000-01004000 r-xp 00000000 00:00 0\n"} {
		if got := executable([]byte(text)); got != nil {
			t.Errorf("%q: %x", text, got)
		}
	}
}

// TestGiveBack reads all of the test binary first, as a start that touches everything
// does.
func TestGiveBack(t *testing.T) {
	text, err := os.ReadFile("/proc/self/maps")
	if err != nil {
		t.Fatal(err)
	}
	mem, err := os.Open("/proc/self/mem")
	if err != nil {
		t.Fatal(err)
	}
	defer mem.Close()
	sum := 0
	for _, m := range executable(text) {
		for at := m.start; at < m.end; at += 4096 {
			b := make([]byte, 1)
			if _, err := mem.ReadAt(b, int64(at)); err != nil {
				t.Fatal(err)
			}
			sum += int(b[0])
		}
	}
	if sum == 0 {
		t.Fatal("the executable is empty")
	}
	before := fileKB(t)
	if err := GiveBack(); err != nil {
		t.Fatal(err)
	}
	if after := fileKB(t); after > before*3/4 {
		t.Errorf("%d kB of files are mapped, and were %d kB before", after, before)
	}
}

// fileKB is how much of files is mapped. Those on a tmpfs count as shared memory.
func fileKB(t *testing.T) int {
	t.Helper()
	status, err := os.ReadFile("/proc/self/status")
	if err != nil {
		t.Fatal(err)
	}
	sum := 0
	for line := range strings.Lines(string(status)) {
		if f := strings.Fields(line); f[0] == "RssFile:" || f[0] == "RssShmem:" {
			kb, err := strconv.Atoi(f[1])
			if err != nil {
				t.Fatal(err)
			}
			sum += kb
		}
	}
	if sum == 0 {
		t.Fatal("no RssFile")
	}
	return sum
}
