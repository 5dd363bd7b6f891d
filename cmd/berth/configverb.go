//go:build !client

package main

import (
	"errors"
	"fmt"
	"io"
	"os"
	"strings"

	"github.com/spf13/cobra"

	"berth/cmd/berth/config"
	"berth/cmd/berth/connect"
	"berth/tui/settings"
)

func newConfig(a *app) *cobra.Command {
	c := &cobra.Command{Use: "config", Short: "Examples of the settings, and what is wrong with yours", Args: cobra.NoArgs, RunE: showHelp}
	c.AddCommand(newConfigConsole(a), &cobra.Command{
		Use: "engine", Short: "Print an example of the engine's settings (/etc/berth/config.toml)", Args: args(0, 0, "config engine takes no arguments"),
		RunE: func(*cobra.Command, []string) error {
			_, err := io.WriteString(a.out, config.Example)
			return err
		},
	})
	return c
}

func newConfigConsole(a *app) *cobra.Command {
	var check bool
	c := &cobra.Command{
		Use: "console [flags]", Short: "Print an example of the console's settings, or check yours",
		Long: `Print an example of the console's settings: themes, keys, which actions ask first,
and commands of your own.

They are read from /etc/berth/console.toml and, over it, ~/.config/berth/console.toml. A
mistake there costs the setting that it is about; the console starts and says so.

  mkdir -p ~/.config/berth && berth config console >~/.config/berth/console.toml`,
		Args: args(0, 0, "config console takes no arguments"),
		RunE: func(*cobra.Command, []string) error {
			if !check {
				_, err := io.WriteString(a.out, settings.Example)
				return err
			}
			paths := connect.ConsoleFiles(lookupIn(a.environ))
			var found []string
			for _, path := range paths {
				if _, err := os.Stat(path); err == nil {
					found = append(found, path)
				}
			}
			if _, problems := settings.Load(paths...); len(problems) > 0 {
				return errors.Join(problems...)
			}
			if len(found) == 0 {
				fmt.Fprintln(a.out, "there are no settings: "+strings.Join(paths, " and ")+" do not exist")
				return nil
			}
			fmt.Fprintln(a.out, strings.Join(found, " and ")+": nothing is wrong")
			return nil
		},
	}
	c.Flags().BoolVar(&check, "check", false, "say what is wrong with the settings that there are")
	return c
}
