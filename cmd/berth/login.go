package main

import (
	"bufio"
	"errors"
	"fmt"
	"io"
	"strings"

	"github.com/moby/moby/api/types/registry"
	"github.com/moby/moby/client"
	"github.com/spf13/cobra"

	"berth/cmd/berth/credentials"
	"berth/cmd/berth/session"
)

// loginOptions are the flags of login.
type loginOptions struct {
	user, password string
	stdin          bool
}

func newLogin(a *app) *cobra.Command {
	var o loginOptions
	c := &cobra.Command{
		Use:   "login [flags] [SERVER]",
		Short: "Log in to a registry",
		Long: `Log in to a registry, the default one (docker.io) if none is named.

The credentials are kept where docker keeps them: in ~/.docker/config.json (or in
the directory DOCKER_CONFIG), or in the credential helper that it names.`,
		Args: args(0, 1, "login takes at most one registry"),
		RunE: func(c *cobra.Command, args []string) error {
			if err := o.check(a, c.Flags().Changed("password")); err != nil {
				return err
			}
			name := ""
			if len(args) == 1 {
				name = args[0]
			}
			config, err := a.config()
			if err != nil {
				return err
			}
			cl, err := a.client(c.Context())
			if err != nil {
				return err
			}
			try := func(auth registry.AuthConfig) error {
				res, err := cl.RegistryLogin(c.Context(), client.RegistryLoginOptions{
					Username: auth.Username, Password: auth.Password, ServerAddress: auth.ServerAddress, IdentityToken: auth.IdentityToken,
				})
				if err != nil {
					return err
				}
				if res.Auth.IdentityToken != "" {
					auth.Password, auth.IdentityToken = "", res.Auth.IdentityToken
				}
				if err := a.keep(config, auth); err != nil {
					return err
				}
				fmt.Fprintln(a.out, res.Auth.Status)
				return nil
			}
			return a.login(config, credentials.Server(name), o, try)
		},
	}
	fs := c.Flags()
	fs.StringVarP(&o.user, "username", "u", "", "user name")
	fs.StringVarP(&o.password, "password", "p", "", "password or token (other users of this machine can see it)")
	fs.BoolVar(&o.stdin, "password-stdin", false, "take the password from stdin")
	return c
}

// check reads the password from stdin, if that is where it is, and refuses
// what docker refuses.
func (o *loginOptions) check(a *app, given bool) error {
	if given {
		fmt.Fprintln(a.err, "WARNING! Using --password via the CLI is insecure. Use --password-stdin.")
		if o.stdin {
			return errors.New("--password and --password-stdin are mutually exclusive")
		}
	}
	if !o.stdin {
		return nil
	}
	if o.user == "" {
		return errors.New("--password-stdin needs the user name too: give --username")
	}
	b, err := io.ReadAll(a.in)
	if err != nil {
		return fmt.Errorf("reading the password from stdin: %w", err)
	}
	o.password = strings.TrimSuffix(strings.TrimSuffix(string(b), "\n"), "\r")
	return nil
}

// login tries what is known of a server, and asks for the rest.
func (a *app) login(config *credentials.File, server string, o loginOptions, try func(registry.AuthConfig) error) error {
	known, err := config.Get(server)
	if err != nil {
		fmt.Fprintln(a.err, "WARNING: "+err.Error())
	}
	if o.user == "" && o.password == "" && (known.Username != "" && known.Password != "" || known.IdentityToken != "") {
		fmt.Fprintln(a.out, "Authenticating with existing credentials...")
		if err = try(known); err == nil {
			return nil
		}
		fmt.Fprintln(a.err, "Login did not succeed, error: "+message(err))
	}
	auth := registry.AuthConfig{ServerAddress: server, Username: o.user, Password: o.password}
	if auth.Username == "" || auth.Password == "" {
		if err := a.ask(&auth, known.Username); err != nil {
			return err
		}
	}
	return try(auth)
}

// ask asks at the terminal for what is missing.
func (a *app) ask(auth *registry.AuthConfig, usual string) error {
	if !session.IsTerminal(a.in) {
		return errors.New("cannot perform an interactive login from a non TTY device")
	}
	in := bufio.NewReader(a.in)
	if auth.Username == "" {
		prompt := "Username: "
		if usual != "" {
			prompt = "Username (" + usual + "): "
		}
		fmt.Fprint(a.out, prompt)
		line, err := in.ReadString('\n')
		if err != nil {
			return fmt.Errorf("reading the user name: %w", err)
		}
		if auth.Username = strings.TrimSpace(line); auth.Username == "" {
			auth.Username = usual
		}
		if auth.Username == "" {
			return errors.New("a user name is needed")
		}
	}
	if auth.Password == "" {
		fmt.Fprint(a.out, "Password: ")
		show, err := session.Hide(a.in)
		if err != nil {
			return err
		}
		line, err := in.ReadString('\n')
		show()
		fmt.Fprintln(a.out)
		if err != nil {
			return fmt.Errorf("reading the password: %w", err)
		}
		if auth.Password = strings.TrimRight(line, "\r\n"); auth.Password == "" {
			return errors.New("a password is needed")
		}
	}
	return nil
}

// keep saves credentials that were taken.
func (a *app) keep(config *credentials.File, auth registry.AuthConfig) error {
	plain, err := config.Put(auth)
	if err != nil {
		return err
	}
	if plain {
		fmt.Fprintf(a.err, "\nWARNING! Your credentials are stored unencrypted in '%s'.\nConfigure a credential helper to remove this warning. See\nhttps://docs.docker.com/go/credential-store/\n\n",
			credentials.Path(lookupIn(a.environ)))
	}
	return nil
}

func newLogout(a *app) *cobra.Command {
	return &cobra.Command{
		Use:   "logout [SERVER]",
		Short: "Forget the credentials for a registry",
		Args:  args(0, 1, "logout takes at most one registry"),
		RunE: func(_ *cobra.Command, args []string) error {
			server := credentials.Hub
			if len(args) == 1 {
				server = credentials.Server(args[0])
			}
			config, err := a.config()
			if err != nil {
				return err
			}
			fmt.Fprintln(a.out, "Removing login credentials for "+server)
			if err := config.Erase(server); err != nil {
				fmt.Fprintf(a.err, "WARNING: could not erase credentials:\n%s: %v\n", server, err)
			}
			return nil
		},
	}
}
