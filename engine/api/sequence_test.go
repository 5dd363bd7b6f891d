package api

import (
	"encoding/json"
	"errors"
	"iter"
	"net/http/httptest"
	"testing"
)

var errBroken = errors.New("broken")

// upTo yields so many numbers, and then an error if there is one.
func upTo(n int, err error) iter.Seq2[int, error] {
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

func TestSendArray(t *testing.T) {
	for _, c := range []struct {
		items int
		err   error
		want  string
	}{{0, nil, "[]\n"}, {1, nil, "[0\n]\n"}, {3, nil, "[0\n,1\n,2\n]\n"}, {0, errBroken, ""}, {1, errBroken, ""}} {
		w := httptest.NewRecorder()
		if err := sendArray(w, upTo(c.items, c.err)); !errors.Is(err, c.err) || w.Body.String() != c.want {
			t.Errorf("%d items, %v: %q, %v", c.items, c.err, w.Body, err)
		}
	}
	// More than is held back.
	const many = heldBack / 4
	w := httptest.NewRecorder()
	var got []int
	if err := errors.Join(sendArray(w, upTo(many, nil)), json.Unmarshal(w.Body.Bytes(), &got)); err != nil || len(got) != many || got[many-1] != many-1 {
		t.Errorf("%d of %d, %v", len(got), many, err)
	}
	w = httptest.NewRecorder()
	if err := sendArray(w, upTo(many, errBroken)); !errors.Is(err, errBroken) || w.Body.Len() < heldBack {
		t.Errorf("%d bytes, %v", w.Body.Len(), err)
	}
}

func TestSendLines(t *testing.T) {
	for _, c := range []struct {
		items int
		err   error
		want  string
	}{{0, nil, ""}, {2, nil, "0\n1\n"}, {0, errBroken, ""}, {2, errBroken, "0\n1\n{\"error\":\"broken\"}\n"}} {
		w := httptest.NewRecorder()
		err := sendLines(w, upTo(c.items, c.err), func(n int) any { return n })
		if !errors.Is(err, c.err) || w.Body.String() != c.want || w.Flushed != (c.err != nil && c.items > 0) {
			t.Errorf("%d items, %v: %q, %v, flushed %v", c.items, c.err, w.Body, err, w.Flushed)
		}
	}
}
