package settings

import (
	"strings"

	"berth/tui/theme"
)

// themes chooses the theme: a built-in one, or one that the file makes of one. All
// that the file makes are read, so that mistakes in them are found.
func (r *reader) themes(chosen, made any) {
	own := map[string]theme.Theme{}
	var names []string
	if made != nil {
		t := r.table("themes", made)
		for _, name := range sorted(t) {
			own[name] = r.ownTheme(name, t[name])
			names = append(names, name)
		}
	}
	if chosen == nil {
		return
	}
	name, _ := chosen.(string) // what is no string is no theme either
	th, ok := own[name]
	if !ok {
		th, ok = theme.Named(name)
	}
	if !ok {
		r.problem("theme", "there is no theme %q%s", name, nearest(name, append(names, theme.Names...)))
		return
	}
	r.into.Theme = th
}

// ownTheme is a built-in theme with some styles of its own.
func (r *reader) ownTheme(name string, v any) theme.Theme {
	at := "themes/" + name
	th := theme.ANSI16()
	t := r.table(at, v)
	if base, ok := t["like"]; ok {
		s, _ := base.(string)
		known, ok := theme.Named(s)
		if !ok {
			r.problem(at+"/like", "there is no built-in theme %q%s", s, nearest(s, theme.Names))
		} else {
			th = known
		}
	}
	for _, meaning := range sorted(t) {
		if meaning == "like" {
			continue
		}
		s, isText := t[meaning].(string)
		st, err := theme.Parse(s)
		switch {
		case !isText:
			r.problem(at+"/"+meaning, "%s must be a style in quotes, like \"bold #ffaf00\"", meaning)
		case err != nil:
			r.problem(at+"/"+meaning, "%s: %w", meaning, err)
		case !th.Set(strings.ToLower(meaning), st):
			r.problem(at+"/"+meaning, "a theme has no style %q%s", meaning, nearest(meaning, theme.Meanings()))
		}
	}
	return th
}
