package list

import (
	"fmt"
	"math/rand/v2"
	"slices"
	"testing"
)

// Whatever comes, goes and is filtered, the cursor is on a row that is shown,
// it stays with its row while that is there, and verbs act on rows that exist.
func TestRandomChanges(t *testing.T) {
	for seed := range uint64(40) {
		rnd := rand.New(rand.NewPCG(seed, 3))
		l := filled(10)
		var rows []string
		for n := range 200 {
			before, had := l.Current()
			what := rnd.IntN(9)
			switch what {
			case 0, 1:
				rows = rows[:0:0]
				for i := range rnd.IntN(30) {
					if rnd.IntN(4) > 0 {
						rows = append(rows, fmt.Sprintf("web-%02d", i))
					}
				}
				rnd.Shuffle(len(rows), func(i, j int) { rows[i], rows[j] = rows[j], rows[i] })
				l.Set(rows)
			case 2:
				l.SetFilter(NewFilter([]string{"", "1", "!0", "~w2", "[", "none"}[rnd.IntN(6)]))
			case 3:
				l.Move(rnd.IntN(9) - 4)
			case 4:
				l.Page(rnd.IntN(3) - 1)
			case 5:
				l.Mark()
			case 6:
				l.Range()
			case 7:
				l.Clear()
			case 8:
				if len(rows) > 0 {
					l.Select(rows[rnd.IntN(len(rows))])
				}
			}
			shown, cursor := l.Visible(1 + rnd.IntN(12))
			now, ok := l.Current()
			switch {
			case ok != (l.Len() > 0):
				t.Fatalf("seed %d step %d: a current row %v among %d", seed, n, ok, l.Len())
			case ok && (cursor < 0 || cursor >= len(shown) || shown[cursor] != now):
				t.Fatalf("seed %d step %d: the cursor is at %d of %v, on %q", seed, n, cursor, shown, now)
			case what <= 2 && had && l.index(before) >= 0 && now != before:
				t.Fatalf("seed %d step %d: the cursor went from %q to %q", seed, n, before, now)
			}
			all, _ := l.Visible(1000)
			for _, r := range l.Chosen() {
				if !slices.Contains(all, r) {
					t.Fatalf("seed %d step %d: %q is chosen and not shown", seed, n, r)
				}
			}
			if l.Len() > l.Total() {
				t.Fatalf("seed %d step %d: %d of %d rows", seed, n, l.Len(), l.Total())
			}
		}
	}
}
