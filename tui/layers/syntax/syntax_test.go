package syntax

import (
	"strings"
	"testing"

	"github.com/alecthomas/chroma/v2"
)

// tokens are the parts of text that are more than plain text, as TYPE:text.
func tokens(t *testing.T, file, text string) string {
	t.Helper()
	l := Match(file)
	if l == nil {
		t.Fatalf("%s: no language", file)
	}
	it, err := chroma.Coalesce(l).Tokenise(nil, text)
	if err != nil {
		t.Fatal(err)
	}
	var out []string
	var all strings.Builder
	for _, tok := range it.Tokens() {
		all.WriteString(tok.Value)
		if tok.Type != chroma.Text && tok.Type != chroma.Name {
			out = append(out, tok.Type.String()+":"+strings.TrimSpace(tok.Value))
		}
	}
	if strings.TrimSuffix(all.String(), "\n") != strings.TrimSuffix(text, "\n") {
		t.Errorf("%s: %q became %q", file, text, all.String())
	}
	return strings.Join(out, " ")
}

func TestLanguages(t *testing.T) {
	for _, c := range []struct{ file, text, want string }{
		{"/etc/app.JSON", `{"a": [1, true, "x"]}`, `NameAttribute:"a" LiteralNumber:1 NameBuiltin:true LiteralString:"x"`},
		{"/etc/starter.conf", "# note\n[main]\nworkers = 8\n", "CommentSingle:# note NameClass:[main] NameAttribute:workers LiteralNumber:8"},
		{"x.sh", "if [ \"$a\" ]; then echo $b; fi # end\n", `Keyword:if LiteralString:"$a" Keyword:then NameBuiltin:echo NameBuiltin:$b Keyword:fi CommentSingle:# end`},
		{"a/Dockerfile", "FROM debian\nRUN echo 'x'\n", "Keyword:FROM Keyword:RUN LiteralString:'x'"},
		{"main.go", "// c\nfunc f() { return \"s\" }\n", `CommentSingle:// c Keyword:func Keyword:return LiteralString:"s"`},
		{"x.py", "def f():\n  \"\"\"a\nb\"\"\"\n  return None\n", "Keyword:def LiteralString:\"\"\"a\nb\"\"\" Keyword:return NameBuiltin:None"},
		{"index.html", `<a href="x">y &amp; z</a><!-- c -->`, `NameTag:<a NameAttribute:href LiteralString:"x" NameTag:> NameConstant:&amp; NameTag:</a> CommentMultiline:<!-- c -->`},
		{"s.yaml", "a: 1\n- b: 'c'\n", "NameAttribute:a LiteralNumber:1 NameAttribute:- b LiteralString:'c'"},
	} {
		if got := tokens(t, c.file, c.text); got != c.want {
			t.Errorf("%s:\n%s\nwant\n%s", c.file, got, c.want)
		}
	}
}

func TestEveryLanguageTakesAnyText(t *testing.T) {
	seen := map[string]bool{}
	for _, l := range languages {
		if seen[l.name] {
			t.Errorf("%s is there twice", l.name)
		}
		seen[l.name] = true
		file := strings.ReplaceAll(l.files[0], "*", "x")
		tokens(t, file, "\"open 'quotes` /* <!-- \\ \x01 日本語 $ ${ # -- 1.5e3\n\n\tend")
		if got := Match(file).Config().Name; got != l.name {
			t.Errorf("%s is taken for %s", file, got)
		}
	}
	for _, unknown := range []string{"passwd", "vmlinuz", "", "/"} {
		if Match(unknown) != nil {
			t.Errorf("%q has a language", unknown)
		}
	}
}
