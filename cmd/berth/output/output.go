// Package output writes the rows of a verb the way docker's CLI does: as a
// table whose columns are a Go template, as JSON lines, or through a template
// of the user's.
//
// Terms: a Row is any value whose exported fields (or methods) are the names
// that a template may use; Headers maps each of them to its column's title.
// It must not import a client or an engine.
package output

import (
	"encoding/json"
	"fmt"
	"io"
	"strings"
	"text/tabwriter"
	"text/template"
)

// Headers maps a template's field to the title of its column.
type Headers map[string]string

// Label makes `{{.Label "name"}}` usable as a column: its title is the last
// element of the label's name.
func (Headers) Label(name string) string {
	if i := strings.LastIndexAny(name, "./"); i >= 0 {
		name = name[i+1:]
	}
	return strings.ToUpper(strings.NewReplacer("-", " ", "_", " ").Replace(name))
}

// Spec says how rows are to be written.
type Spec struct {
	// Format is what the user gave: "", "table", "table TEMPLATE", "json" or
	// "TEMPLATE".
	Format string
	// Table is the template of the verb's own table, without the word table.
	Table string
	// Headers are the column titles.
	Headers Headers
}

// functions are what docker offers inside --format.
var functions = template.FuncMap{
	"json": func(v any) (string, error) {
		b, err := marshal(v)
		return string(b), err
	},
	"split": strings.Split,
	"join":  strings.Join,
	"title": func(s string) string { return strings.ToUpper(s[:min(1, len(s))]) + s[min(1, len(s)):] },
	"lower": strings.ToLower,
	"upper": strings.ToUpper,
	"pad": func(s string, left, right int) string {
		return strings.Repeat(" ", left) + s + strings.Repeat(" ", right)
	},
	"truncate": Truncate,
	"println":  fmt.Sprintln,
}

// marshal is json.Marshal without the escaping meant for HTML.
func marshal(v any) ([]byte, error) {
	var b strings.Builder
	e := json.NewEncoder(&b)
	e.SetEscapeHTML(false)
	if err := e.Encode(v); err != nil {
		return nil, err
	}
	return []byte(strings.TrimSuffix(b.String(), "\n")), nil
}

// Parse compiles a --format template.
func Parse(format string) (*template.Template, error) {
	// docker lets people write \t and \n in a shell word.
	format = strings.NewReplacer(`\t`, "\t", `\n`, "\n").Replace(format)
	t, err := template.New("format").Funcs(functions).Parse(format)
	if err != nil {
		return nil, fmt.Errorf("reading --format %q: %w", format, err)
	}
	return t, nil
}

// Rows writes rows to w as spec says.
func Rows[T any](w io.Writer, spec Spec, rows []T) error {
	format, table := spec.Format, false
	switch {
	case format == "" || format == "table":
		format, table = spec.Table, true
	case strings.HasPrefix(format, "table "):
		format, table = strings.TrimSpace(strings.TrimPrefix(format, "table ")), true
	case format == "json":
		format = "{{json .}}"
	}
	t, err := Parse(format)
	if err != nil {
		return err
	}
	var tab *tabwriter.Writer
	if table {
		tab = tabwriter.NewWriter(w, 10, 1, 3, ' ', 0)
		w = tab
		if err := t.Execute(w, spec.Headers); err != nil {
			return fmt.Errorf("writing the header of --format %q: %w", spec.Format, err)
		}
		fmt.Fprintln(w)
	}
	parts := "\t" // of a row; a user may have asked for several lines of it
	if format != spec.Table {
		parts = "\t\n"
	}
	var row strings.Builder
	for i := range rows {
		row.Reset()
		if err := t.Execute(&row, rows[i]); err != nil {
			return fmt.Errorf("writing a row of --format %q: %w", spec.Format, err)
		}
		text := row.String()
		if table {
			text = clean(text, parts) // tables are for people
		}
		if _, err := fmt.Fprintln(w, text); err != nil {
			return err
		}
	}
	if tab != nil {
		return tab.Flush()
	}
	return nil
}

// Value writes one value through a template, or as indented JSON when format
// is empty.
func Value(w io.Writer, format string, v any) error {
	if format == "json" {
		format = "{{json .}}"
	}
	t, err := Parse(format)
	if err != nil {
		return err
	}
	var b strings.Builder
	if err := t.Option("missingkey=error").Execute(&b, v); err != nil {
		return fmt.Errorf("writing --format %q: %w", format, err)
	}
	_, err = fmt.Fprintln(w, b.String())
	return err
}
