package build

import (
	"bytes"
	"context"
	"fmt"
	"regexp"
	"strconv"
	"strings"
	"time"

	"github.com/distribution/reference"
	controlapi "github.com/moby/buildkit/api/services/control"
	"github.com/moby/buildkit/client"
	"github.com/moby/moby/api/types/jsonstream"
	"github.com/opencontainers/go-digest"
)

// StepError is the failure of a step: its process ended with a code.
type StepError struct {
	Command string
	Code    int
}

func (e *StepError) Error() string {
	return fmt.Sprintf("The command '%s' returned a non-zero code: %d", e.Command, e.Code)
}

// classic tells of a build as the classic builder does: one step after another, in
// the order of the Dockerfile, though BuildKit runs them when it can. What a step
// says before its turn waits.
type classic struct {
	plan   *plan
	report Report
	quiet  bool
	local  func(ctx context.Context, ref string) string // the ID of an image; may give ""

	current int // the step whose turn it is
	begun   bool
	state   map[int]*told
	byNode  map[digest.Digest]int
}

// told is what is known of a step.
type told struct {
	waiting  bytes.Buffer // output before its turn
	cached   bool
	complete bool
	err      string
}

// update takes in what BuildKit tells.
func (c *classic) update(s *client.SolveStatus) {
	if c.state == nil {
		c.state, c.byNode = make(map[int]*told), make(map[digest.Digest]int)
	}
	for _, v := range s.Vertexes {
		at := c.plan.find(v.Name)
		if at < 0 {
			continue
		}
		c.byNode[v.Digest] = at
		p := c.of(at)
		p.cached = v.Cached
		p.complete = v.Completed != nil && v.Error == ""
		if v.Error != "" {
			p.err = v.Error
		}
	}
	for _, l := range s.Logs {
		if at, ok := c.byNode[l.Vertex]; ok {
			c.of(at).waiting.Write(l.Data)
		}
	}
	c.advance(false)
}

func (c *classic) of(at int) *told {
	p := c.state[at]
	if p == nil {
		p = &told{}
		c.state[at] = p
	}
	return p
}

// advance tells what can be told by now; at the end of the build that is all.
func (c *classic) advance(end bool) {
	for c.current < len(c.plan.steps) {
		s, p := c.plan.steps[c.current], c.of(c.current)
		known := !s.vertex || p.complete || p.err != "" || p.waiting.Len() > 0
		for node, at := range c.byNode {
			known = known || at == c.current && node != ""
		}
		if !known && !end {
			return
		}
		c.begin(s)
		c.flush(p)
		if s.vertex && !p.complete && !end {
			return // it goes on
		}
		if p.err != "" {
			return
		}
		if p.cached && !s.isFrom() {
			c.say(" ---> Using cache\n")
		}
		c.current++
		c.begun = false
	}
}

// begin tells that the turn of a step has come.
func (c *classic) begin(s planned) {
	if c.begun {
		return
	}
	c.begun = true
	c.say(fmt.Sprintf("Step %d/%d : %s", c.current+1, len(c.plan.steps), s.text))
	c.say("\n")
	if s.isFrom() && s.vertex {
		if id := c.local(context.Background(), s.from); id != "" {
			c.say(" ---> " + short(id) + "\n")
		}
	}
}

// flush tells what a step said.
func (c *classic) flush(p *told) {
	if p.waiting.Len() > 0 {
		c.say(p.waiting.String())
		p.waiting.Reset()
	}
}

func (c *classic) say(text string) {
	if !c.quiet {
		c.report(jsonstream.Message{Stream: text})
	}
}

// done tells of the result.
func (c *classic) done(id, names string) {
	c.advance(true)
	if id == "" {
		return
	}
	if c.quiet {
		c.report(jsonstream.Message{Stream: id + "\n"})
		return
	}
	c.report(jsonstream.Message{Aux: rawJSON(map[string]string{"ID": id})})
	c.say("Successfully built " + short(id) + "\n")
	for name := range strings.SplitSeq(names, ",") {
		if named, err := reference.ParseNormalizedNamed(name); err == nil {
			c.say("Successfully tagged " + reference.FamiliarString(named) + "\n")
		}
	}
}

// short is the beginning of an ID that docker shows.
func short(id string) string {
	id = strings.TrimPrefix(id, "sha256:")
	return id[:min(12, len(id))]
}

// What BuildKit says when a step fails.
var (
	exitText    = regexp.MustCompile(`(?s)process "(.*)" did not complete successfully: exit code: (\d+)`)
	missingText = regexp.MustCompile(`"/?([^"]*)": not found$`)
)

// failed tells what was said until a build failed, and returns the error in the
// classic builder's words.
func (c *classic) failed(err error) error {
	at := -1
	for i := range c.plan.steps {
		if p := c.state[i]; p != nil && p.err != "" && !strings.Contains(p.err, "context canceled") {
			at = i
			break
		}
	}
	if at >= 0 {
		for c.current <= at {
			c.begin(c.plan.steps[c.current])
			c.flush(c.of(c.current))
			c.current++
			c.begun = false
		}
	}
	text := err.Error()
	if m := exitText.FindStringSubmatch(text); m != nil {
		if code, cerr := strconv.Atoi(m[2]); cerr == nil {
			return &StepError{Command: m[1], Code: code}
		}
	}
	if m := missingText.FindStringSubmatch(text); m != nil && at >= 0 {
		word, _, _ := strings.Cut(c.plan.steps[at].text, " ")
		missing := "%s failed: file not found in build context or excluded by .dockerignore: stat %s: file does not exist"
		return &SolveError{fmt.Sprintf(missing, strings.ToUpper(word), m[1]), err}
	}
	return &SolveError{strings.TrimPrefix(text, "failed to solve: "), err}
}

// SolveError is why a build failed that had begun, other than by a command's exit code:
// BuildKit's error without what it says before all of them.
type SolveError struct {
	text string
	err  error
}

func (e *SolveError) Error() string { return e.text }
func (e *SolveError) Unwrap() error { return e.err }

// trace passes BuildKit's own progress on, as docker's clients with BuildKit read it.
func trace(ctx context.Context, control controlapi.ControlClient, ref string, ended <-chan struct{}, report Report) error {
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	stream, err := control.Status(ctx, &controlapi.StatusRequest{Ref: ref})
	if err != nil {
		return err
	}
	// A build that fails before it begins has no status.
	go func() {
		<-ended
		cancelLater(ctx, cancel)
	}()
	for {
		s, err := stream.Recv()
		if err != nil {
			return nil //nolint:nilerr // the end, or the build's own error tells more
		}
		data, err := s.MarshalVT()
		if err != nil {
			return fmt.Errorf("encode progress: %w", err)
		}
		report(jsonstream.Message{ID: "moby.buildkit.trace", Aux: rawJSON(data)})
	}
}

// cancelLater ends a status stream that does not end by itself with its build.
func cancelLater(ctx context.Context, cancel context.CancelFunc) {
	select {
	case <-ctx.Done():
	case <-time.After(statusPatience):
		cancel()
	}
}

// statusPatience is how long a status may take to end after its build.
const statusPatience = 3 * time.Second
