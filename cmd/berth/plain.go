//go:build !client

package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"os/signal"
	"slices"
	"strconv"
	"strings"

	"github.com/google/shlex"
	"github.com/moby/moby/client"
	"github.com/spf13/pflag"

	"berth/cmd/berth/connect"
	"berth/tui/text"
)

// plain is the console as a talk: lists are numbered sentences, commands are typed,
// nothing is drawn, coloured or moved. A screen reader reads it from top to bottom.
type plain struct {
	app   *app
	cl    *connect.Client
	flags []string // those before the verb, for the verbs that are run
	names []string // what the last list showed, by its numbers less one
}

// shortcuts are words of the console for verbs with their flags.
var shortcuts = map[string][]string{
	"shell": {"exec", "-it"}, "logs": {"logs", "--tail", "20"}, "remove": {"rm"}, "browse": {"image", "analyze"},
}

// losing are the verbs that ask first; the second word is one below it.
var losing = []string{"rm", "rmi", "kill", "container rm", "container kill", "container prune", "image rm", "image prune", "volume rm", "volume remove", "volume prune", "network rm", "network remove", "network prune", "context rm", "context remove", "system prune", "system reset", "builder prune"}

const plainHelp = `Lists, whose numbers can be typed instead of names:
  containers, images, volumes, networks, ports.
What is done to a container, by name or number:
  start, stop, restart, pause, unpause, kill, remove, rename, inspect, top, stats --no-stream, diff, port.
  logs web: the last 20 lines. logs -f web: follows; control C ends it.
  shell web: a shell in it; exit leaves it. attach web: its main process.
Images: pull, push, run, tag, rmi, history, save, load, build.
Every other verb of berth works as on the command line, like: volume create data.
  help stop: what a verb takes.
quit leaves. Containers run on.
`

// plainMode reads commands and answers in lines until the input ends. chosen says that
// nobody asked for it: the terminal can do no more.
func (a *app) plainMode(ctx context.Context, chosen bool) error {
	if chosen {
		fmt.Fprintln(a.out, "This terminal calls itself dumb, so berth speaks in plain lines; with another TERM it opens the console.")
	}
	cl, err := a.client(ctx)
	if err != nil {
		return err
	}
	defer cl.Close()
	p := &plain{app: a, cl: cl}
	a.flags.Visit(func(f *pflag.Flag) {
		if f.Name != "plain" {
			p.flags = append(p.flags, "--"+f.Name+"="+f.Value.String())
		}
	})
	if err := p.greet(ctx); err != nil {
		return err
	}
	for {
		fmt.Fprint(a.out, "berth> ")
		line, err := readLine(a.in)
		if err != nil && line == "" {
			fmt.Fprintln(a.out, "\nEnd of input. Containers run on.")
			return nil
		}
		words, err := shlex.Split(line)
		if err != nil {
			fmt.Fprintf(a.out, "Not understood: %v.\n", err)
			continue
		}
		if len(words) > 0 && slices.Contains([]string{"quit", "exit", "q"}, words[0]) {
			fmt.Fprintln(a.out, "Containers run on.")
			return nil
		}
		p.obey(ctx, words)
	}
}

// greet says where we are, and what to do first where there is nothing yet.
func (p *plain) greet(ctx context.Context) error {
	where := "of this machine"
	if !p.app.conf.Local() {
		where = "at " + text.Clean(p.app.conf.Host)
	}
	all, err := p.cl.ContainerList(ctx, client.ContainerListOptions{All: true})
	if err != nil {
		return fmt.Errorf("asking the engine %s for its containers: %w", where, err)
	}
	running := 0
	for _, c := range all.Items {
		if c.State == "running" {
			running++
		}
	}
	fmt.Fprintf(p.app.out, "berth in plain lines, with the engine %s: %d of %d containers run. Type help for what there is.\n", where, running, len(all.Items))
	if len(all.Items) == 0 {
		fmt.Fprintln(p.app.out, "A first one: image starter makes a small image, then run -it berth/starter sh. Or pull one: pull debian.")
	}
	return nil
}

// obey does one command. What goes wrong is said; the talk goes on.
func (p *plain) obey(ctx context.Context, words []string) {
	if len(words) == 0 {
		return
	}
	if list, ok := p.lists()[words[0]]; ok && len(words) == 1 {
		if err := list(ctx); err != nil {
			fmt.Fprintf(p.app.out, "It did not work: %s.\n", message(err))
		}
		return
	}
	if words[0] == "help" || words[0] == "?" {
		if len(words) == 1 {
			fmt.Fprint(p.app.out, plainHelp)
			return
		}
		words = append(words[1:], "--help")
	}
	words = p.numbers(words)
	if long, ok := shortcuts[words[0]]; ok {
		tail := words[1:]
		if words[0] == "shell" && len(tail) == 1 {
			tail = append(tail, "sh")
		}
		words = append(slices.Clone(long), tail...)
	}
	if asks(words) && !p.sure(words) {
		fmt.Fprintln(p.app.out, "Left as it is.")
		return
	}
	p.verb(ctx, words)
}

// alone are the flags whose value is not the next word.
var alone = []string{"-f", "--force", "--follow", "-v", "--volumes", "-it", "-i", "-t", "-d", "-a"}

// numbers replaces numbers of the last list by what they stand for, but for those that
// are a flag's value.
func (p *plain) numbers(words []string) []string {
	out := slices.Clone(words)
	for i, w := range out[1:] {
		if n, err := strconv.Atoi(w); err == nil && n >= 1 && n <= len(p.names) && (!strings.HasPrefix(out[i], "-") || slices.Contains(alone, out[i])) {
			out[i+1] = p.names[n-1]
		}
	}
	return out
}

// asks tells whether words lose something that cannot be had back.
func asks(words []string) bool {
	if slices.Contains(words, "--help") {
		return false
	}
	return slices.Contains(losing, words[0]) || len(words) > 1 && slices.Contains(losing, words[0]+" "+words[1])
}

// sure asks, and takes yes alone for yes.
func (p *plain) sure(words []string) bool {
	fmt.Fprintf(p.app.out, "Really %s? Type yes or no: ", text.Clean(strings.Join(words, " ")))
	answer, err := readLine(p.app.in)
	return err == nil && strings.TrimSpace(answer) == "yes"
}

// verb runs a verb of the command line, in a process of its own: what it still reads
// when it ends must not be the next command. Control C ends it and not berth. Only one
// that wants a terminal gets it, since the others would draw on it.
func (p *plain) verb(ctx context.Context, words []string) {
	interrupts := make(chan os.Signal, 1)
	signal.Notify(interrupts, os.Interrupt)
	defer signal.Stop(interrupts)
	self, err := os.Executable()
	if err != nil {
		fmt.Fprintf(p.app.out, "It did not work: finding berth's own executable: %v.\n", err)
		return
	}
	cmd := exec.CommandContext(ctx, self, append(slices.Clone(p.flags), words...)...)
	cmd.Env, cmd.Stdin, cmd.Stdout, cmd.Stderr = p.app.environ, p.app.in, p.app.out, p.app.err
	if !wantsTerminal(words) {
		cmd.Stdout, cmd.Stderr = writer{p.app.out}, writer{p.app.out}
	}
	err = cmd.Run()
	var exit *exec.ExitError
	switch {
	case len(interrupts) > 0:
		fmt.Fprintln(p.app.out, "Stopped.")
	case err == nil:
		fmt.Fprintln(p.app.out, "Done.")
	case errors.As(err, &exit):
		fmt.Fprintf(p.app.out, "It did not work (%d).\n", exit.ExitCode())
	default:
		fmt.Fprintf(p.app.out, "It did not work: %v.\n", err)
	}
}

// wantsTerminal tells whether words ask for a terminal of their own.
func wantsTerminal(words []string) bool {
	if words[0] == "attach" {
		return true
	}
	return slices.ContainsFunc(words, func(w string) bool {
		return w == "-t" || w == "-it" || w == "-ti" || w == "--tty" || w == "-dit" || w == "-itd"
	})
}

// writer hides that its writer is a terminal.
type writer struct{ io.Writer }

// readLine reads up to the end of a line, and not a byte more: the rest may be for a
// program that is run.
func readLine(r io.Reader) (string, error) {
	var line []byte
	for b := make([]byte, 1); ; {
		n, err := r.Read(b)
		if n == 1 && b[0] == '\n' {
			return strings.TrimSuffix(string(line), "\r"), nil
		}
		line = append(line, b[:n]...)
		if err != nil {
			if errors.Is(err, io.EOF) && len(line) > 0 {
				return string(line), nil
			}
			return string(line), err
		}
	}
}
