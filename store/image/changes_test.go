package image

import (
	"encoding/json"
	"testing"

	"github.com/containerd/errdefs"
	dockerspec "github.com/moby/docker-image-spec/specs-go/v1"
)

func TestApplyChanges(t *testing.T) {
	for change, want := range map[string]string{
		`CMD ["a","b c"]`:                      `{"Cmd":["a","b c"]}`,
		`cmd a  "b" $X`:                        `{"Cmd":["/bin/sh","-c","a  \"b\" $X"]}`,
		`ENTRYPOINT ["/e"]`:                    `{"Entrypoint":["/e"]}`,
		`ENV A=1 B="two words" C=x\ y D='q"'`:  `{"Env":["P=old","A=1","B=two words","C=x y","D=q\""]}`,
		`ENV P new value`:                      `{"Env":["P=new value"]}`,
		`ENV P=`:                               `{"Env":["P="]}`,
		`EXPOSE 80 53/udp 90-91/TCP`:           `{"ExposedPorts":{"53/udp":{},"80/tcp":{},"90/tcp":{},"91/tcp":{}}}`,
		`LABEL a="b c" d.e=f`:                  `{"Labels":{"a":"b c","d.e":"f"}}`,
		`USER 1000:1000`:                       `{"User":"1000:1000"}`,
		`VOLUME /a /b`:                         `{"Volumes":{"/a":{},"/b":{}}}`,
		`VOLUME ["/a b"]`:                      `{"Volumes":{"/a b":{}}}`,
		`WORKDIR /x/../y`:                      `{"WorkingDir":"/y"}`,
		`WORKDIR rel`:                          `{"WorkingDir":"/rel"}`,
		`STOPSIGNAL SIGQUIT`:                   `{"StopSignal":"SIGQUIT"}`,
		`ONBUILD RUN make`:                     `{"OnBuild":["RUN make"]}`,
		"ENV A=1\nENV B=2\n# and\nUSER x":      `{"User":"x","Env":["P=old","A=1","B=2"]}`,
		`ENV A=$P/x B='$P' C=\$P D="${P}s"`:    `{"Env":["P=old","A=old/x","B=$P","C=$P","D=olds"]}`,
		`ENV P=new Q=$P R=${N:-none}${P:+set}`: `{"Env":["P=new","Q=old","R=noneset"]}`,
		`ENV A the "old" form of $P`:           `{"Env":["P=old","A=the old form of old"]}`,
		`CMD`:                                  `{}`,
		`HEALTHCHECK NONE`:                     `{"Healthcheck":{"Test":["NONE"]}}`,
		"HEALTHCHECK --interval=5s --retries=2 \\\n CMD curl x": `{"Healthcheck":{"Test":["CMD-SHELL","curl x"],"Interval":5000000000,"Retries":2}}`,
		`HEALTHCHECK CMD ["x"]`:                                 `{"Healthcheck":{"Test":["CMD","x"]}}`,
	} {
		parent := dockerspec.DockerOCIImageConfig{}
		parent.Env = []string{"P=old"}
		c := parent
		if err := ApplyChanges(&c, []string{change}); err != nil {
			t.Errorf("%s: %v", change, err)
			continue
		}
		if len(c.Env) == 1 && c.Env[0] == "P=old" {
			c.Env = nil
		}
		if got, err := json.Marshal(c); err != nil || string(got) != want {
			t.Errorf("%s:\n%s\nwant\n%s", change, got, want)
		}
		if parent.Env[0] != "P=old" {
			t.Errorf("%s: changed the parent", change)
		}
	}
	for change, want := range map[string]string{
		"FOO x": "foo is not a valid change command", "SHELL [\"a\"]": "shell is not a valid change command", "ENV": "ENV requires at least one argument",
		"ENV A": "ENV must have two arguments", "EXPOSE abc": "Invalid containerPort: abc", "WORKDIR": "WORKDIR requires exactly one argument",
		"HEALTHCHECK CMD": "Missing command after HEALTHCHECK CMD", "HEALTHCHECK --bad=1 CMD x": "Unknown flag: bad",
		"ONBUILD FROM x": "FROM isn't allowed as an ONBUILD trigger", "ONBUILD ONBUILD RUN x": "Chaining ONBUILD via `ONBUILD ONBUILD` isn't allowed",
		"LABEL =x": "LABEL names can not be blank", "VOLUME []": "VOLUME requires at least one argument", "# comment": "file with no instructions", "": "file with no instructions",
		"ENV A=b C": `Syntax error - can't find = in "C". Must be of the form: name=value`, "ENV A=${B": "syntax error: missing '}'",
	} {
		if err := ApplyChanges(new(dockerspec.DockerOCIImageConfig), []string{change}); err == nil || err.Error() != want {
			t.Errorf("%s: %v, docker says %s", change, err, want)
		}
	}
	for _, bad := range []string{"FROM x", "RUN make", "ENV", "ENV A", "ENV =x", `ENV A="x`, "EXPOSE x", "EXPOSE 0", "EXPOSE 99999", "EXPOSE 9-8", "EXPOSE 80/icmp",
		"SHELL bash", "USER a b", "HEALTHCHECK x", "HEALTHCHECK --retries=0 CMD x", "HEALTHCHECK --interval=x CMD y", "HEALTHCHECK --what=1s CMD y", "WORKDIR a b", "LABEL a"} {
		if err := ApplyChanges(new(dockerspec.DockerOCIImageConfig), []string{bad}); !errdefs.IsInvalidArgument(err) {
			t.Errorf("%s: %v, want kind InvalidArgument", bad, err)
		}
	}
}
