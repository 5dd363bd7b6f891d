//go:build client

package main

import (
	"errors"

	"github.com/spf13/cobra"
)

// engineVerbs are those that this berth, a client without an engine, does not have.
var engineVerbs []verb

// systemEngineVerbs are those of system that need one.
var systemEngineVerbs []func(*app) *cobra.Command

// engineImageVerbs are those of "image" that it does not have.
var engineImageVerbs []func(*app) *cobra.Command

func (a *app) console(*cobra.Command, []string) error {
	return errors.New("this berth was built as a client only, without the console: name a verb, 'berth --help' lists them")
}
