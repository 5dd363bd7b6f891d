package logs

import (
	"bytes"
	"encoding/json"
	"strings"

	"berth/tui/inspect"
	"berth/tui/text"
	"berth/tui/theme"
)

// pretty lays a line out that is a JSON object or array, a row for each value;
// false when it is neither.
func pretty(th theme.Theme, line string) (rows string, ok bool) {
	line = strings.TrimSpace(line)
	if line == "" || line[0] != '{' && line[0] != '[' {
		return "", false
	}
	var out bytes.Buffer
	if json.Indent(&out, []byte(line), "", "  ") != nil {
		return "", false
	}
	var b strings.Builder
	for row := range strings.SplitSeq(out.String(), "\n") {
		if b.Len() > 0 {
			b.WriteByte('\n')
		}
		b.WriteString(inspect.Colour(th, text.Clean(row)))
	}
	return b.String(), true
}
