package form

import (
	"errors"
	"fmt"
	"regexp"
	"slices"
	"strings"

	"github.com/distribution/reference"
	"github.com/moby/moby/client"
	ocispec "github.com/opencontainers/image-spec/specs-go/v1"
)

// The fields of a build, in the order of the form.
const (
	Context  Field = "Context"
	File     Field = "File"
	Tags     Field = "Tags"
	Target   Field = "Target"
	Args     Field = "Args"
	Platform Field = "Platform"
	NoCache  Field = "No cache"
	Pull     Field = "Pull"
)

// BuildSpec is the text of the fields of a build, as typed.
type BuildSpec struct {
	Context, File, Tags, Target, Args, Platform string

	NoCache, Pull bool
}

// platformOK is the grammar of platforms.
var platformOK = regexp.MustCompile(`^[a-z0-9_]+/[a-z0-9_]+(/[a-z0-9_.]+)?$`)

// Check returns what is wrong, by field.
func (s *BuildSpec) Check() map[Field]error {
	out := map[Field]error{}
	if s.Context == "" {
		out[Context] = errors.New("a directory is needed, such as . or ~/app")
	}
	if err := checkTags(s.Tags); err != nil {
		out[Tags] = err
	}
	if _, err := parseEnv(s.Args); err != nil {
		out[Args] = err
	}
	if s.Platform != "" && !platformOK.MatchString(s.Platform) {
		out[Platform] = errors.New("system/architecture, such as linux/arm64")
	}
	return out
}

// checkTags reads names of images.
func checkTags(s string) error {
	words, err := Words(s)
	for _, w := range words {
		if _, err := reference.ParseNormalizedNamed(w); err != nil {
			return fmt.Errorf("%q is no name of an image, such as app:dev", w)
		}
	}
	return err
}

// Options is the request that builds the image. The BuildSpec has passed Check.
func (s *BuildSpec) Options() client.ImageBuildOptions {
	tags, _ := Words(s.Tags)
	args, _ := parseEnv(s.Args)
	o := client.ImageBuildOptions{Dockerfile: s.File, Tags: tags, Target: s.Target, NoCache: s.NoCache, PullParent: s.Pull,
		Remove: true, ForceRemove: true, BuildArgs: map[string]*string{}}
	for _, a := range args {
		name, value, _ := strings.Cut(a, "=")
		o.BuildArgs[name] = &value
	}
	if parts := strings.Split(s.Platform, "/"); len(parts) > 1 {
		p := ocispec.Platform{OS: parts[0], Architecture: parts[1]}
		if len(parts) > 2 {
			p.Variant = parts[2]
		}
		o.Platforms = []ocispec.Platform{p}
	}
	return o
}

// Line is the command line that does the same.
func (s *BuildSpec) Line() string {
	args := []string{"berth", "build"}
	add := func(flag, list string) {
		words, err := Words(list)
		if err != nil {
			words = []string{list}
		}
		for _, w := range words {
			args = append(args, flag, quote(w))
		}
	}
	add("-t", s.Tags)
	if s.File != "" {
		args = append(args, "-f", quote(strings.TrimSuffix(s.Context, "/")+"/"+s.File)) // the command wants it from here
	}
	add("--target", s.Target)
	add("--build-arg", s.Args)
	add("--platform", s.Platform)
	if s.NoCache {
		args = append(args, "--no-cache")
	}
	if s.Pull {
		args = append(args, "--pull")
	}
	if s.Context == "" {
		return strings.Join(append(args, "DIRECTORY"), " ")
	}
	return strings.Join(append(args, quote(s.Context)), " ")
}

// Look is what a directory and its Dockerfile say of themselves.
type Look struct {
	Context, File string   // as typed: what was looked at
	Dirs          []string // that complete the context
	Files         []string // that could be its Dockerfile
	NoDir, NoFile error    // why it cannot be read
	Broken        error    // what is wrong with the Dockerfile
	Stages, Args  []string // Args as NAME=default
	Name          string   // that the image could have
}

// NewBuild is a form about the build of a directory.
func NewBuild(dir string, known Known) *Form {
	f := &Form{known: known, touch: map[Field]bool{}, order: []Field{Context, File, Tags, Target, Args, Platform, NoCache, Pull}}
	f.about = &f.build
	f.fill()
	f.field(Context).Set(dir)
	f.read()
	return f
}

// Build is what was typed into the form of a build.
func (f *Form) Build() *BuildSpec { return &f.build }

// WantsLook is the directory and the Dockerfile that the form would like to know of.
func (f *Form) WantsLook() (dir, file string) { return f.build.Context, f.build.File }

// Looked takes in what is known of them; what is about something else is late.
func (f *Form) Looked(l Look) {
	if l.Context == f.build.Context && l.File == f.build.File {
		f.known.Look, f.touch[File] = l, true
	}
}

// looked is what is known of what is typed now.
func (f *Form) looked() (Look, bool) {
	l := f.known.Look
	return l, l.Context != "" && l.Context == f.build.Context && l.File == f.build.File
}

// take is what was typed.
func (s *BuildSpec) take(f *Form) {
	v := f.text
	*s = BuildSpec{Context: v(Context), File: v(File), Tags: f.all(Tags), Target: v(Target), Args: f.all(Args), Platform: v(Platform), NoCache: s.NoCache, Pull: s.Pull}
}

// box is the fields that are on or off.
func (s *BuildSpec) box(name Field) (on *bool, label string) {
	switch name {
	case NoCache:
		return &s.NoCache, "do every step again"
	case Pull:
		return &s.Pull, "ask the registry for a newer base image"
	}
	return nil, ""
}

// clash is what is wrong with what the directory and its Dockerfile are.
func (s *BuildSpec) clash(f *Form, errs map[Field]error) {
	l, ok := f.looked()
	if !ok {
		return
	}
	put := func(name Field, err error) {
		if err != nil && errs[name] == nil {
			errs[name] = err
		}
	}
	put(Context, l.NoDir)
	if l.NoDir == nil {
		put(File, l.NoFile)
		put(File, l.Broken)
	}
	if l.Stages != nil && s.Target != "" && !slices.ContainsFunc(l.Stages, func(stage string) bool { return strings.EqualFold(stage, s.Target) }) {
		put(Target, fmt.Errorf("there is no stage %s: there is %s", s.Target, strings.Join(l.Stages, ", ")))
	}
}

// platforms are those that engines build for most.
var platforms = []string{"linux/amd64", "linux/arm64", "linux/arm/v7", "linux/386", "linux/riscv64"}
