package api

import (
	"errors"
	"iter"
	"net/http/httptest"
	"testing"
)

func TestSendArray(t *testing.T) {
	broken := errors.New("broken")
	upTo := func(n int, err error) iter.Seq2[int, error] {
		return func(yield func(int, error) bool) {
			for i := range n {
				if !yield(i, nil) {
					return
				}
			}
			if err != nil {
				yield(0, err)
			}
		}
	}
	for _, c := range []struct {
		items int
		err   error
		want  string
	}{{0, nil, "[]\n"}, {1, nil, "[0\n]\n"}, {3, nil, "[0\n,1\n,2\n]\n"}, {0, broken, ""}, {1, broken, "[0\n"}} {
		w := httptest.NewRecorder()
		if err := sendArray(w, upTo(c.items, c.err)); !errors.Is(err, c.err) || w.Body.String() != c.want {
			t.Errorf("%d items, %v: %q, %v", c.items, c.err, w.Body, err)
		}
	}
}
