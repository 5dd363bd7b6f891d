package main

import (
	"bytes"
	"fmt"
	"os"
	"path/filepath"
	"strings"

	"github.com/spf13/cobra"
	"github.com/spf13/pflag"
)

func newMan(*app) *cobra.Command {
	return &cobra.Command{
		Use:    "man DIRECTORY",
		Short:  "Write the man pages, one for every verb",
		Args:   args(1, 1, "man needs a directory"),
		Hidden: true,
		RunE: func(c *cobra.Command, dirs []string) error {
			if err := os.MkdirAll(dirs[0], 0o755); err != nil {
				return fmt.Errorf("writing the man pages: %w", err)
			}
			return writeMan(c.Root(), dirs[0])
		},
	}
}

// writeMan writes the page of c and of every command below it.
func writeMan(c *cobra.Command, dir string) error {
	if c.Hidden {
		return nil
	}
	path := filepath.Join(dir, pageName(c)+".1")
	if err := os.WriteFile(path, manPage(c), 0o644); err != nil {
		return fmt.Errorf("writing the man pages: %w", err)
	}
	for _, sub := range c.Commands() {
		if err := writeMan(sub, dir); err != nil {
			return err
		}
	}
	return nil
}

func pageName(c *cobra.Command) string { return strings.ReplaceAll(c.CommandPath(), " ", "-") }

// manPage is c in the language of man(7).
func manPage(c *cobra.Command) []byte {
	var b bytes.Buffer
	line := func(format string, v ...any) { fmt.Fprintf(&b, format+"\n", v...) }
	line(".TH %q 1 \"\" %q \"berth\"", strings.ToUpper(pageName(c)), "berth "+berthVersion())
	line(".SH NAME\n%s \\- %s", roff(pageName(c)), roff(c.Short))
	line(".SH SYNOPSIS\n.B %s", roff(c.UseLine()))
	text := c.Long
	if text == "" {
		text = c.Short + "."
	}
	line(".SH DESCRIPTION\n.nf\n%s\n.fi", roff(text))
	if len(c.Aliases) > 0 {
		line(".SH ALIASES\n%s", roff(strings.Join(c.Aliases, ", ")))
	}
	var see []string
	if c.HasAvailableSubCommands() {
		line(".SH COMMANDS")
		for _, sub := range c.Commands() {
			if sub.IsAvailableCommand() {
				line(".TP\n.B %s\n%s", roff(sub.Name()), roff(sub.Short))
				see = append(see, pageName(sub)+"(1)")
			}
		}
	}
	if c.HasParent() {
		see = append([]string{pageName(c.Parent()) + "(1)"}, see...)
	}
	manFlags(&b, "OPTIONS", c.NonInheritedFlags())
	manFlags(&b, "OPTIONS BEFORE THE VERB", c.InheritedFlags())
	line(".SH SEE ALSO\n%s", roff(strings.Join(see, ", ")))
	return b.Bytes()
}

func manFlags(b *bytes.Buffer, title string, fs *pflag.FlagSet) {
	if !fs.HasAvailableFlags() {
		return
	}
	fmt.Fprintf(b, ".SH %s\n", title)
	fs.VisitAll(func(f *pflag.Flag) {
		if f.Hidden {
			return
		}
		value, usage := pflag.UnquoteUsage(f)
		names := "--" + f.Name
		if f.Shorthand != "" {
			names = "-" + f.Shorthand + ", " + names
		}
		fmt.Fprintf(b, ".TP\n.B %s\n%s\n", roff(strings.TrimSpace(names+" "+value)), roff(usage))
	})
}

// roff makes text mean itself: a backslash, a hyphen to be typed, and a line
// that begins like a request.
func roff(text string) string {
	text = strings.NewReplacer(`\`, `\e`, "-", `\-`).Replace(text)
	lines := strings.Split(text, "\n")
	for i, l := range lines {
		if strings.HasPrefix(l, ".") || strings.HasPrefix(l, "'") {
			lines[i] = `\&` + l
		}
	}
	return strings.Join(lines, "\n")
}
