package build

import (
	"errors"
	"fmt"
	"io"
	"io/fs"
	"strconv"
	"strings"

	"github.com/containerd/errdefs"
	"github.com/moby/buildkit/frontend/dockerfile/instructions"
	"github.com/moby/buildkit/frontend/dockerfile/parser"
)

// plan is what a Dockerfile says, as the classic builder tells it: a list of steps.
// BuildKit tells of vertexes "[name 2/5] RUN …" instead, one for each instruction
// that changes files.
type plan struct {
	steps []planned
	stage map[string]int // index of the first step of a stage, by the name in vertexes
	// vertexes are the steps that have one, in order, by stage.
	vertexes map[string][]int
}

// planned is one step.
type planned struct {
	text   string // the instruction as it was written, on one line
	from   string // of FROM: the image
	vertex bool   // BuildKit will tell of it
}

// plan reads the Dockerfile of a context. Errors are docker's, of kind InvalidArgument.
func (s *received) plan(name, target string) (*plan, error) {
	f, err := s.open(name)
	if errors.Is(err, fs.ErrNotExist) {
		//lint:ignore ST1005 the words are docker's
		return nil, fmt.Errorf("Cannot locate specified Dockerfile: %s: %w", name, errdefs.ErrInvalidArgument)
	}
	if err != nil {
		return nil, fmt.Errorf("read Dockerfile: %w: %w", err, errdefs.ErrInvalidArgument)
	}
	defer f.Close()
	data, err := io.ReadAll(io.LimitReader(f, maxDockerfile+1))
	if err != nil {
		return nil, fmt.Errorf("read Dockerfile: %w: %w", err, errdefs.ErrInvalidArgument)
	}
	switch {
	case len(data) == 0:
		//lint:ignore ST1005 the words are docker's
		return nil, fmt.Errorf("The Dockerfile (%s) cannot be empty: %w", name, errdefs.ErrInvalidArgument)
	case len(data) > maxDockerfile:
		return nil, fmt.Errorf("the Dockerfile (%s) has more than %d bytes: %w", name, maxDockerfile, errdefs.ErrInvalidArgument)
	}
	return readPlan(string(data), target)
}

func readPlan(data, target string) (*plan, error) {
	ast, err := parser.Parse(strings.NewReader(data))
	if err != nil {
		return nil, fmt.Errorf("%w: %w", err, errdefs.ErrInvalidArgument)
	}
	stages, _, err := instructions.Parse(ast.AST, nil)
	if err != nil {
		return nil, fmt.Errorf("%w: %w", err, errdefs.ErrInvalidArgument)
	}
	if len(stages) == 0 {
		return nil, fmt.Errorf("no build stage in current context: %w", errdefs.ErrInvalidArgument)
	}
	last := len(stages) - 1
	if target != "" {
		at, ok := instructions.HasStage(stages, target)
		if n, err := strconv.Atoi(target); !ok && err == nil && n >= 0 && n <= last {
			at, ok = n, true
		}
		if !ok {
			return nil, fmt.Errorf("target stage %q could not be found: %w", target, errdefs.ErrInvalidArgument)
		}
		last = at
	}
	lines := strings.Split(data, "\n")
	p := &plan{stage: map[string]int{}, vertexes: map[string][]int{}}
	used := needed(stages, last)
	for i, st := range stages[:last+1] {
		if !used[i] {
			continue // BuildKit does not make what nobody needs
		}
		name := ""
		if len(stages) > 1 {
			if name = st.Name; name == "" {
				name = "stage-" + strconv.Itoa(i)
			}
		}
		p.stage[name] = len(p.steps)
		_, isStage := instructions.HasStage(stages[:i], st.BaseName)
		from := planned{text: oneLine(lines, st.Location), from: st.BaseName, vertex: st.BaseName != "scratch" && !isStage}
		p.add(name, from)
		for _, c := range st.Commands {
			step := planned{text: oneLine(lines, c.Location())}
			switch c.(type) {
			case *instructions.RunCommand, *instructions.CopyCommand, *instructions.AddCommand, *instructions.WorkdirCommand:
				step.vertex = true
			}
			p.add(name, step)
		}
	}
	return p, nil
}

func (p *plan) add(stage string, s planned) {
	if s.vertex {
		p.vertexes[stage] = append(p.vertexes[stage], len(p.steps))
	}
	p.steps = append(p.steps, s)
}

// needed tells which stages the last one is made of.
func needed(stages []instructions.Stage, last int) map[int]bool {
	used := map[int]bool{}
	var use func(i int)
	// A name that is only known when it is built may be any stage.
	ref := func(i int, name string) {
		if strings.Contains(name, "$") {
			for j := range i {
				use(j)
			}
			return
		}
		if j, ok := instructions.HasStage(stages[:i], name); ok {
			use(j)
		} else if n, err := strconv.Atoi(name); err == nil && n >= 0 && n < i {
			use(n)
		}
	}
	use = func(i int) {
		if used[i] {
			return
		}
		used[i] = true
		ref(i, stages[i].BaseName)
		for _, c := range stages[i].Commands {
			switch c := c.(type) {
			case *instructions.CopyCommand:
				ref(i, c.From)
			case *instructions.RunCommand:
				for _, m := range instructions.GetMounts(c) {
					ref(i, m.From)
				}
			}
		}
	}
	use(last)
	return used
}

// oneLine is an instruction as it was written, with its lines joined.
func oneLine(lines []string, at []parser.Range) string {
	if len(at) == 0 {
		return ""
	}
	var parts []string
	for i := at[0].Start.Line; i <= at[len(at)-1].End.Line && i <= len(lines); i++ {
		line := strings.TrimRight(lines[i-1], "\r")
		if t := strings.TrimSpace(line); i > at[0].Start.Line && (t == "" || strings.HasPrefix(t, "#")) {
			continue
		}
		if i > at[0].Start.Line {
			line = strings.TrimLeft(line, " \t")
		}
		parts = append(parts, strings.TrimSuffix(strings.TrimRight(line, " \t"), "\\"))
	}
	return strings.Join(parts, "")
}

// find tells which step a vertex is of, -1 if none.
func (p *plan) find(name string) int {
	head, text, ok := strings.Cut(name, "] ")
	if !ok || !strings.HasPrefix(head, "[") {
		return -1
	}
	words := strings.Fields(head[1:])
	if len(words) == 0 || words[0] == "internal" {
		return -1
	}
	count := words[len(words)-1]
	stage := ""
	if len(words) > 1 {
		stage = words[len(words)-2] // before it may be a platform
	}
	if _, ok := p.vertexes[stage]; !ok && len(p.stage) == 1 {
		// BuildKit has made stages of its own, for mounts, and the only one a name.
		stage = ""
	}
	steps := p.vertexes[stage]
	nth, of, ok := strings.Cut(count, "/")
	n, err := strconv.Atoi(nth)
	all, err2 := strconv.Atoi(of)
	if !ok || err != nil || err2 != nil || len(steps) == 0 {
		return -1
	}
	// The triggers of the base image come behind FROM, and count.
	triggers := all - len(steps)
	switch {
	case strings.HasPrefix(text, "ONBUILD "):
		return p.stage[stage]
	case n > 1 || !p.steps[steps[0]].isFrom():
		n -= max(0, triggers)
	}
	if n < 1 || n > len(steps) {
		return -1
	}
	return steps[n-1]
}

func (s planned) isFrom() bool { return s.from != "" }
