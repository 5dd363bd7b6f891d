package theme

import "github.com/charmbracelet/colorprofile"

// style is Parse of what this package itself writes.
func style(s string) Style {
	st, err := Parse(s)
	if err != nil {
		panic(err) // a palette below is misspelt; a test draws them all
	}
	return st
}

// Names are the built-in themes in the order of the documentation; the first is the default.
var Names = []string{"ansi", "dark", "light", "contrast", "mono"}

// Named returns a built-in theme; false when there is none of that name.
func Named(name string) (Theme, bool) {
	switch name {
	case "ansi":
		return ANSI16(), true
	case "dark":
		return palette{
			base: "#cdd3de on #14171d", dim: "#7f8a9b", border: "#465062", accent: "#5cc8e0", good: "#7fd087", warn: "#e6b450", bad: "#ff6f6f",
			info: "#7aa8ff", mark: "#d898f0", cursor: "bold #ffffff on #2b4a78", faded: "#e4e8ee on #2b313c", dark: "#14171d",
		}.theme(), true
	case "light":
		return palette{
			base: "#2a2e36 on #fbfaf7", dim: "#6b7280", border: "#b4b9c2", accent: "#006b82", good: "#22723a", warn: "#8a5a00", bad: "#b3231f",
			info: "#1f52b5", mark: "#8b2f9f", cursor: "bold #ffffff on #1f5f9e", faded: "#1c1f24 on #dde3ea", dark: "#ffffff",
		}.theme(), true
	case "contrast":
		return palette{
			base: "#ffffff on #000000", dim: "#d0d0d0", border: "#ffffff", accent: "#00ffff", good: "#00ff5f", warn: "#ffff00", bad: "#ff8080",
			info: "#9fd0ff", mark: "#ffa0ff", cursor: "bold #000000 on #ffff00", faded: "bold #000000 on #c0c0c0", dark: "#000000",
		}.theme(), true
	case "mono":
		return Mono(), true
	}
	return Theme{}, false
}

// palette is what the true-colour themes are made of; dark is what is readable on
// its bright colours.
type palette struct {
	base, dim, border, accent, good, warn, bad, info, mark, cursor, faded, dark string
}

// theme gives the colours their meanings.
func (p palette) theme() Theme {
	return Theme{
		Base: style(p.base),
		Dim:  style(p.dim), Strong: style("bold"), Accent: style("bold " + p.accent),
		Good: style(p.good), Warn: style(p.warn), Bad: style("bold " + p.bad), Info: style(p.info), Mark: style("bold " + p.mark),
		Cursor: style(p.cursor), Faded: style(p.faded),
		Match: style(p.dark + " on " + p.warn), Hit: style("bold " + p.dark + " on " + p.mark), Banner: style("bold " + p.dark + " on " + p.bad),
		Title: style("bold " + p.accent), Border: style(p.border), Focus: style(p.accent),
		Key: style(p.accent), String: style(p.good), Number: style(p.warn), Literal: style(p.mark),
	}
}

// For is the theme that a terminal of a profile can show instead of th: none with
// colour where there is none, and with sixteen colours the terminal's own, since
// sixteen cannot stand for shades that were chosen to be told apart.
func For(th Theme, p colorprofile.Profile) Theme {
	switch {
	case p <= colorprofile.ASCII:
		return Mono()
	case p == colorprofile.ANSI && th != Mono():
		return ANSI16()
	}
	return th
}
