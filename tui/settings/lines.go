package settings

import (
	"slices"
	"strconv"
	"strings"

	"github.com/pelletier/go-toml/v2/unstable"
)

// lines finds where each key of a TOML file stands, by its path: names joined by
// slashes, tables of an array by their number.
func lines(data []byte) map[string]int {
	out := map[string]int{}
	count := map[string]int{}
	var table []string
	p := unstable.Parser{}
	p.Reset(data)
	for p.NextExpression() {
		e := p.Expression()
		var names []string
		line := 0
		for it := e.Key(); it.Next(); {
			n := it.Node()
			names = append(names, string(n.Data))
			if line == 0 {
				line = p.Shape(n.Raw).Start.Line
			}
		}
		switch e.Kind {
		case unstable.Table:
			table = names
		case unstable.ArrayTable:
			path := strings.Join(names, "/")
			table = append(names, strconv.Itoa(count[path]))
			count[path]++
			names = table
		default:
			names = append(slices.Clone(table), names...)
		}
		for i := range names { // what it is in stands at its first mention
			path := strings.Join(names[:i+1], "/")
			if _, ok := out[path]; !ok {
				out[path] = line
			}
		}
	}
	return out
}

// nearest suggests the word that was probably meant, or lists what there is.
func nearest(word string, among []string) string {
	best, most := "", 3
	for _, w := range among {
		if d := distance(word, w); d < most || d == most && best == "" && len(w) > 5 {
			best, most = w, d
		}
	}
	if best != "" {
		return "; did you mean " + best + "?"
	}
	list := slices.Clone(among)
	slices.Sort(list)
	return "; there are " + strings.Join(slices.Compact(list), ", ")
}

// distance is how many letters of a have to change to make it b.
func distance(a, b string) int {
	row := make([]int, len(b)+1)
	for j := range row {
		row[j] = j
	}
	for i := range a {
		diagonal := row[0]
		row[0] = i + 1
		for j := range b {
			cost := diagonal
			if a[i] != b[j] {
				cost++
			}
			diagonal = row[j+1]
			row[j+1] = min(cost, row[j+1]+1, row[j]+1)
		}
	}
	return row[len(b)]
}
