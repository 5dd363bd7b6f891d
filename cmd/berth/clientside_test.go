package main

import (
	"slices"
	"testing"

	"berth/cmd/berth/early/ahead"
)

// TestClientVerbsNeedOnlyTheClientSide holds what package clientside promises. Its
// other half is that the binary is built with the tag client: then no file of those
// verbs uses one that has the tag !client.
func TestClientVerbsNeedOnlyTheClientSide(t *testing.T) {
	there := goList(t, "-deps", "./cmd/berth/early", "./cmd/berth/clientside")
	for _, dep := range goList(t, "-tags", "client", "-deps", "./cmd/berth") {
		if !slices.Contains(there, dep) && dep != "berth/cmd/berth" {
			t.Errorf("a client imports %s, and package clientside does not. Is it for a verb that needs the engine or the console? Then its file has the tag !client", dep)
		}
	}
	// -export compiles and does not link.
	goList(t, "-tags", "client", "-export", "-f", "{{.Export}}", "./cmd/berth")
	for _, name := range ahead.Verbs {
		if !slices.ContainsFunc(clientVerbs, func(v verb) bool { return v.name == name }) {
			t.Errorf("%s is called as a client and is none", name)
		}
	}
}

// TestFlagsWithValuesAreKnown: package ahead has to find the verb behind them.
func TestFlagsWithValuesAreKnown(t *testing.T) {
	root := newRoot(&app{}, []string{"ps"})
	for _, word := range ahead.Valued {
		if f := root.PersistentFlags(); word[1] == '-' && f.Lookup(word[2:]) == nil || word[1] != '-' && f.ShorthandLookup(word[1:]) == nil {
			t.Errorf("there is no flag %s", word)
		}
	}
}
