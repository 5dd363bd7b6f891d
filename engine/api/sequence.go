package api

import (
	"encoding/json"
	"io"
	"iter"
	"net/http"
)

// sendLines sends what a sequence yields, a line of JSON each, as it comes. An error before the first is the answer's
// status, a later one cuts the answer off.
func sendLines[T any](w http.ResponseWriter, items iter.Seq2[T, error], of func(T) any) error {
	w.Header().Set("Content-Type", "application/jsonl")
	enc := json.NewEncoder(w)
	enc.SetEscapeHTML(false)
	for item, err := range items {
		if err != nil {
			return err
		}
		if err := enc.Encode(of(item)); err != nil {
			return err
		}
	}
	return nil
}

// sendArray sends what a sequence yields as one array, as it comes; with errors it does as sendLines.
func sendArray[T any](w http.ResponseWriter, items iter.Seq2[T, error]) error {
	w.Header().Set("Content-Type", "application/json")
	enc := json.NewEncoder(w)
	enc.SetEscapeHTML(false)
	between := "["
	for item, err := range items {
		if err != nil {
			return err
		}
		if _, err := io.WriteString(w, between); err != nil {
			return err
		}
		if err := enc.Encode(item); err != nil {
			return err
		}
		between = ","
	}
	if between == "[" {
		_, err := io.WriteString(w, "[]\n")
		return err
	}
	_, err := io.WriteString(w, "]\n")
	return err
}
