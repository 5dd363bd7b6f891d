//go:build !client

package main

import (
	"github.com/spf13/cobra"

	"berth/runtime/cli"
)

// newRuntime is the OCI runtime for those who put berth's own flags first and
// for the help text; `berth runtime …` itself leaves in package early.
func newRuntime(*app) *cobra.Command {
	return &cobra.Command{
		Use:                "runtime [command]",
		Short:              "Run containers from OCI bundles, with runc's command line",
		DisableFlagParsing: true,
		RunE: func(_ *cobra.Command, args []string) error {
			if code := cli.Main(append([]string{"runtime"}, args...)); code != 0 {
				return &statusError{code: code}
			}
			return nil
		},
	}
}
