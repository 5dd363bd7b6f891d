package logs

import (
	"fmt"
	"runtime"
	"strings"
	"testing"

	"berth/tui/theme"
)

// Once a log has reached its bound, it may go on for ever.
func TestMemoryIsFlatInALongLog(t *testing.T) {
	v := NewView(theme.Theme{})
	v.buf.maxSize = 4 << 20
	v.Pager().SetSize(80, 20)
	follow := func(batches int) uint64 {
		for n := range batches {
			lines := make([]Line, 100)
			for i := range lines {
				lines[i] = Line{Time: "2026-11-23T09:14:02.123456789Z", Text: fmt.Sprintf("\x1b[32m%d\x1b[m %s", n*100+i, strings.Repeat("chatty ", 15))}
			}
			v.Append(lines)
			v.Lines(80, 20, nil)
		}
		runtime.GC()
		var m runtime.MemStats
		runtime.ReadMemStats(&m)
		return m.HeapAlloc
	}
	full := follow(1000)
	later := follow(5000)
	if later > full+full/2+1<<20 {
		t.Errorf("100,000 lines take %d KB, 600,000 lines %d KB", full>>10, later>>10)
	}
	if v.buf.End() != 600_000 || v.buf.Dropped() < 500_000 || v.buf.bytes > 4<<20 {
		t.Errorf("%d lines, %d dropped, %d bytes kept", v.buf.End(), v.buf.Dropped(), v.buf.bytes)
	}
}
