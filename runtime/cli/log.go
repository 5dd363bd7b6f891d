package cli

import (
	"encoding/json"
	"fmt"
	"os"
	"strconv"
	"strings"
	"time"
)

// logger writes what the callers of runc read: lines of logrus's text or JSON
// format.
type logger struct {
	out  *os.File
	json bool
	all  bool // what only --debug prints, too
}

func (l *logger) open(path, format string, debug bool) error {
	l.all = debug
	switch format {
	case "", "text":
	case "json":
		l.json = true
	default:
		return fmt.Errorf("invalid log-format: %s", format)
	}
	if path == "" || path == "/dev/stderr" {
		return nil
	}
	f, err := os.OpenFile(path, os.O_CREATE|os.O_WRONLY|os.O_APPEND|os.O_SYNC, 0o644)
	if err != nil {
		return err
	}
	l.out = f
	return nil
}

// debug tells who looks for a fault what is being done.
func (l *logger) debug(message string) {
	if l.all {
		l.write("debug", message)
	}
}

func (l *logger) warn(message string) { l.write("warning", message) }
func (l *logger) error(err error)     { l.write("error", reason(err)) }

func (l *logger) write(level, message string) {
	// Errors fit in a line, whatever names they quote.
	message = strings.ReplaceAll(message, "\n", " ")
	now := time.Now().UTC().Format(time.RFC3339)
	line := fmt.Sprintf("time=%q level=%s msg=%s", now, level, quote(message))
	if l.json {
		b, err := json.Marshal(struct {
			Level   string `json:"level"`
			Message string `json:"msg"`
			Time    string `json:"time"`
		}{level, message, now})
		if err == nil {
			line = string(b)
		}
	}
	fmt.Fprintln(l.out, line)
}

// quote quotes what is more than a word, as logrus does.
func quote(message string) string {
	word := func(c rune) bool {
		return c >= 'a' && c <= 'z' || c >= 'A' && c <= 'Z' || c >= '0' && c <= '9' || strings.ContainsRune("-._/@^+", c)
	}
	if message != "" && strings.TrimFunc(message, word) == "" {
		return message
	}
	return strconv.Quote(message)
}
