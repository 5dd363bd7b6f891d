package main

import (
	"context"
	"io"
	"net"

	"github.com/spf13/cobra"

	"berth/cmd/berth/connect"
)

func newDialStdio(a *app) *cobra.Command {
	return &cobra.Command{
		Use:   "dial-stdio",
		Short: "Connect standard input and output to the engine",
		Long: `Connect standard input and output to the engine. This is what ssh runs on another
machine for -H ssh://HOST, of berth and of docker.`,
		Args:   args(0, 0, "system dial-stdio takes no arguments"),
		Hidden: true,
		RunE: func(c *cobra.Command, _ []string) error {
			if err := a.fill(); err != nil {
				return err
			}
			conn, err := connect.Dial(c.Context(), a.conf, connect.Options{Version: berthVersion()})
			if err != nil {
				return err
			}
			defer conn.Close()
			return a.dialStdio(c.Context(), conn)
		},
	}
}

// dialStdio copies both ways. The end of what comes in is passed on; the end of
// what the engine sends is the end.
func (a *app) dialStdio(ctx context.Context, conn net.Conn) error {
	stop := context.AfterFunc(ctx, func() { conn.Close() })
	defer stop()
	broken := make(chan error, 1)
	go func() {
		_, err := io.Copy(conn, a.in)
		if half, ok := conn.(interface{ CloseWrite() error }); ok && err == nil {
			err = half.CloseWrite()
		}
		if err != nil {
			broken <- err
		}
	}()
	sent := make(chan error, 1)
	go func() {
		_, err := io.Copy(a.out, conn)
		sent <- err
	}()
	select {
	case err := <-sent:
		return err
	case err := <-broken:
		return err
	}
}
