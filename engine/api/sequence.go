package api

import (
	"bufio"
	"bytes"
	"encoding/json"
	"iter"
	"net/http"

	"berth/engine/api/berthapi"
)

// sendLines sends what a sequence yields, a line of JSON each, as it comes. An error before the first is the answer's
// status; a later one is the last line, with which the answer is cut off.
func sendLines[T any](w http.ResponseWriter, items iter.Seq2[T, error], of func(T) any) error {
	w.Header().Set("Content-Type", "application/jsonl")
	buf := bufio.NewWriterSize(w, 32<<10) // each write wakes the client
	enc := json.NewEncoder(buf)
	enc.SetEscapeHTML(false)
	began := false
	for item, err := range items {
		if err != nil && began {
			enc.Encode(berthapi.Failed{Error: messageOf(err)})
			buf.Flush()
			http.NewResponseController(w).Flush() // what is not sent goes with the connection
		}
		if err != nil {
			return err
		}
		if err := enc.Encode(of(item)); err != nil {
			return err
		}
		began = true
	}
	return buf.Flush()
}

// What of an array is not sent before its end, in case an error comes that is the status then: the client of a long one
// should read while it is made. A tree that leads nowhere ends after fewer items, for no path has as many parts.
const (
	heldBack  = 8 << 20 // bytes
	heldItems = 2100
)

// sendArray sends what a sequence yields as one array. A long one is sent as it comes, and cut off by an error.
func sendArray[T any](w http.ResponseWriter, items iter.Seq2[T, error]) error {
	var buf bytes.Buffer
	enc := json.NewEncoder(&buf)
	enc.SetEscapeHTML(false)
	sent, between, count := false, "[", 0
	for item, err := range items {
		if err != nil {
			return err
		}
		buf.WriteString(between)
		if err := enc.Encode(item); err != nil {
			return err
		}
		between = ","
		count++
		if !sent && buf.Len() < heldBack && count < heldItems || sent && buf.Len() < 64<<10 {
			continue
		}
		w.Header().Set("Content-Type", "application/json")
		if _, err := buf.WriteTo(w); err != nil {
			return err
		}
		if !sent {
			sent, buf = true, bytes.Buffer{} // no longer of that size
		}
	}
	if between == "[" {
		buf.WriteString(between)
	}
	buf.WriteString("]\n")
	w.Header().Set("Content-Type", "application/json")
	_, err := buf.WriteTo(w)
	return err
}
