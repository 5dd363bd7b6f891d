//go:build !client

package main

import (
	"encoding/json"
	"fmt"
	"os"

	"github.com/spf13/cobra"

	"berth/cmd/berth/contexts"
	"berth/cmd/berth/doctor"
	"berth/engine"
)

func newDoctor(a *app) *cobra.Command {
	var asJSON bool
	c := &cobra.Command{
		Use:   "doctor [flags]",
		Short: "Show what this machine can and cannot do, and how to mend it",
		Long: `Show what this machine can and cannot do for containers, and the one command that mends
each lack. Nothing is changed.

The exit status is 0 when containers can be run, if perhaps not all of them, and 1 when
something is lacking that every container needs.`,
		Args: args(0, 0, "doctor takes no arguments"),
		RunE: func(*cobra.Command, []string) error {
			// This machine's engine, whichever one is in use.
			a.conf.Host, a.context = "", contexts.Default
			if err := a.fill(); err != nil {
				return err
			}
			findings, err := a.examine()
			if err != nil {
				return err
			}
			if err := a.printFindings(findings, asJSON); err != nil {
				return err
			}
			if doctor.Worst(findings) == doctor.Bad {
				return &statusError{code: 1}
			}
			return nil
		},
	}
	c.Flags().BoolVar(&asJSON, "json", false, "print JSON")
	return c
}

// examine looks at this machine.
func (a *app) examine() ([]doctor.Finding, error) {
	release, err := engine.KernelVersion()
	if err != nil {
		return nil, err
	}
	return doctor.Examine(doctor.Machine{Root: a.conf.Root, Socket: a.conf.Socket(), Release: release, Euid: os.Geteuid()}), nil
}

func (a *app) printFindings(findings []doctor.Finding, asJSON bool) error {
	if asJSON {
		e := json.NewEncoder(a.out)
		e.SetEscapeHTML(false)
		e.SetIndent("", "    ")
		return e.Encode(findings)
	}
	for _, f := range findings {
		fmt.Fprintf(a.out, "%-8s %-11s %s\n", f.Status, f.Name, f.Text)
		if f.Mend != "" {
			fmt.Fprintf(a.out, "%21smend it: %s\n", "", f.Mend)
		}
	}
	return nil
}
