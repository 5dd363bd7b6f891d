package form

import (
	"errors"
	"strings"
	"testing"

	tea "charm.land/bubbletea/v2"
)

func TestABuildSaysTheSameToTheEngineAndTheCommand(t *testing.T) {
	s := BuildSpec{Context: "~/my app", File: "Dockerfile.dev", Tags: "app:dev other", Target: "base", Args: "A=1 'B=x y'", Platform: "linux/arm/v7", NoCache: true, Pull: true}
	if errs := s.Check(); len(errs) > 0 {
		t.Fatal(errs)
	}
	o := s.Options()
	if o.Dockerfile != "Dockerfile.dev" || len(o.Tags) != 2 || o.Target != "base" || *o.BuildArgs["B"] != "x y" || !o.NoCache || !o.PullParent || o.Platforms[0].Variant != "v7" {
		t.Errorf("%+v", o)
	}
	want := "berth build -t app:dev -t other -f '~/my app/Dockerfile.dev' --target base --build-arg A=1 --build-arg 'B=x y' --platform linux/arm/v7 --no-cache --pull '~/my app'"
	if got := s.Line(); got != want {
		t.Errorf("%s\nnot\n%s", got, want)
	}
	for field, bad := range map[Field]BuildSpec{
		Context: {}, Tags: {Context: ".", Tags: "UPPER"}, Args: {Context: ".", Args: "NAME"}, Platform: {Context: ".", Platform: "arm"},
	} {
		if errs := bad.Check(); len(errs) != 1 || errs[field] == nil {
			t.Errorf("%s: %v", field, errs)
		}
	}
}

// What was found out about a directory that is not typed any more is not used.
func TestALateLookIsDropped(t *testing.T) {
	f := NewBuild("app", Known{})
	f.Looked(Look{Context: "ap", NoDir: errors.New("late")})
	f.Looked(Look{Context: "app", Stages: []string{"base"}})
	f.Looked(Look{Context: "app", File: "Other", NoFile: errors.New("late")})
	if f.Update(key("enter")) != Submitted {
		t.Error(drawn(f))
	}
	f.Looked(Look{Context: "app", NoFile: errors.New("no Dockerfile")})
	if f.Update(key("enter")) != Going || f.now() != File || !strings.Contains(drawn(f), "✗ no Dockerfile") {
		t.Error(drawn(f))
	}
	f.at = 0
	f.Update(tea.PasteMsg{Content: "s"}) // another directory, about which nothing is known
	if f.Update(key("enter")) != Submitted || f.Build().Context != "apps" {
		t.Error(drawn(f))
	}
}
