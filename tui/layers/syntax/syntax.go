// Package syntax knows the languages of the files that images are full of, well
// enough to colour them: comments, strings, numbers, keywords, keys.
//
// The lexers that come with chroma are all read when a process starts (some ten
// milliseconds, which every berth command would pay, whether it shows a file or not); these are
// made when the first file of their language is looked at.
package syntax

import (
	"path"
	"slices"
	"strings"
	"sync"

	"github.com/alecthomas/chroma/v2"
)

// language says how one looks.
type language struct {
	name     string
	files    []string // patterns of path.Match, in lower case
	line     []string // what begins a comment that ends with the line, as regular expressions
	block    string   // a comment that has an end, as a regular expression
	quotes   string   // characters that begin and end a string on one line
	long     []string // strings over several lines, as regular expressions
	keywords string
	builtins string // constants and well-known names
	rules    []chroma.Rule
	once     sync.Once
	lexer    chroma.Lexer
}

// Rules that several languages share.
var (
	key     = chroma.Rule{Pattern: `^[ \t]*(?:- +)?["']?[\w./$@-]+["']?(?=[ \t]*[:=])`, Type: chroma.NameAttribute}
	section = chroma.Rule{Pattern: `^[ \t]*\[[^\]\n]*\]`, Type: chroma.NameClass}
	slashes = `/\*[\s\S]*?\*/`
	tags    = []chroma.Rule{
		{Pattern: `</?[A-Za-z][\w:.-]*|/?>|<[!?]\w*`, Type: chroma.NameTag},
		{Pattern: `[\w:.-]+(?=\s*=)`, Type: chroma.NameAttribute},
		{Pattern: `&#?\w+;`, Type: chroma.NameConstant},
	}
	variable = chroma.Rule{Pattern: `\$(?:\w+|[#?*@$!-]|\{[^}\n]*\})`, Type: chroma.NameBuiltin}
)

// cWords are the words that the languages with braces share.
const cWords = "break case const continue default do else enum for goto if return sizeof static struct switch typedef union void while "

// languages in the order in which they are asked.
var languages = []*language{
	{name: "JSON", files: []string{"*.json", "*.jsonl", "*.map"}, quotes: `"`, builtins: "true false null",
		rules: []chroma.Rule{{Pattern: `"(?:\\.|[^"\\\n])*"(?=\s*:)`, Type: chroma.NameAttribute}}},
	{name: "YAML", files: []string{"*.yaml", "*.yml"}, line: []string{`#`}, quotes: `"'`, builtins: "true false null yes no on off", rules: []chroma.Rule{key}},
	{name: "TOML", files: []string{"*.toml", "*.lock"}, line: []string{`#`}, quotes: `"'`, builtins: "true false", rules: []chroma.Rule{section, key}},
	{name: "Shell", files: []string{"*.sh", "*.bash", "*.ash", "*.zsh", ".profile", "profile", ".bashrc", "bash.bashrc", "*.postinst", "*.prerm", "*.preinst", "*.postrm", "tick"},
		line: []string{`#`}, long: []string{`"(?:\\[\s\S]|[^"\\])*"`, `'[^']*'`},
		keywords: "if then elif else fi for in do done while until case esac function return break continue local export readonly shift trap exit set unset",
		builtins: "echo printf cd test read eval exec source true false", rules: []chroma.Rule{variable}},
	{name: "Dockerfile", files: []string{"dockerfile", "dockerfile.*", "containerfile", "*.dockerfile"}, line: []string{`#`}, quotes: `"'`,
		keywords: "FROM AS RUN CMD LABEL EXPOSE ENV ADD COPY ENTRYPOINT VOLUME USER WORKDIR ARG ONBUILD STOPSIGNAL HEALTHCHECK SHELL", rules: []chroma.Rule{variable}},
	{name: "Makefile", files: []string{"makefile", "gnumakefile", "*.mk"}, line: []string{`#`}, quotes: `"'`,
		keywords: "ifeq ifneq ifdef ifndef else endif include define endef export override",
		rules:    []chroma.Rule{{Pattern: `^[\w./%-]+(?=\s*:)`, Type: chroma.NameFunction}, {Pattern: `\$\([^)\n]*\)|\$[@<^*%]`, Type: chroma.NameBuiltin}}},
	{name: "Go", files: []string{"*.go"}, line: []string{`//`}, block: slashes, quotes: `"'`, long: []string{"`[^`]*`"},
		keywords: "break case chan const continue default defer else fallthrough for func go goto if import interface map package range return select struct switch type var",
		builtins: "true false nil iota error string int int64 uint byte rune bool any append len cap make new panic"},
	{name: "C", files: []string{"*.c", "*.h", "*.cc", "*.cpp", "*.hpp"}, line: []string{`//`}, block: slashes, quotes: `"'`,
		keywords: cWords + "char double extern float inline int long register short signed unsigned volatile class namespace template public private protected virtual using new delete",
		builtins: "NULL nullptr true false", rules: []chroma.Rule{{Pattern: `^[ \t]*#[ \t]*\w+`, Type: chroma.KeywordNamespace}}},
	{name: "JavaScript", files: []string{"*.js", "*.mjs", "*.cjs", "*.ts", "*.jsx", "*.tsx"}, line: []string{`//`}, block: slashes, quotes: `"'`, long: []string{"`(?:\\\\[\\s\\S]|[^`\\\\])*`"},
		keywords: cWords + "async await class catch delete export extends finally from function import in instanceof interface let new of throw try type typeof var yield",
		builtins: "true false null undefined this super NaN Infinity"},
	{name: "Java", files: []string{"*.java", "*.kt", "*.scala"}, line: []string{`//`}, block: slashes, quotes: `"'`,
		keywords: cWords + "abstract catch class extends final finally implements import instanceof interface native new package private protected public synchronized throw throws try",
		builtins: "true false null this super int long boolean byte char double float short"},
	{name: "Rust", files: []string{"*.rs"}, line: []string{`//`}, block: slashes, quotes: `"`,
		keywords: "as async await break const continue crate dyn else enum extern fn for if impl in let loop match mod move mut pub ref return static struct trait type unsafe use where while",
		builtins: "true false self Self None Some Ok Err String Vec Option Result"},
	{name: "Python", files: []string{"*.py", "*.pyi"}, line: []string{`#`}, quotes: `"'`, long: []string{`"""[\s\S]*?"""`, `'''[\s\S]*?'''`},
		keywords: "and as assert async await break class continue def del elif else except finally for from global if import in is lambda nonlocal not or pass raise return try while with yield",
		builtins: "True False None self print len range str int list dict set"},
	{name: "Perl", files: []string{"*.pl", "*.pm"}, line: []string{`#`}, quotes: `"'`,
		keywords: "my our local sub if elsif else unless while until for foreach return use no package require last next redo and or not", rules: []chroma.Rule{{Pattern: `[$@%]\w+`, Type: chroma.NameBuiltin}}},
	{name: "Ruby", files: []string{"*.rb", "gemfile", "rakefile"}, line: []string{`#`}, quotes: `"'`,
		keywords: "alias and begin break case class def do else elsif end ensure for if in module next not or redo require rescue retry return super then undef unless until when while yield",
		builtins: "true false nil self"},
	{name: "SQL", files: []string{"*.sql"}, line: []string{`--`}, block: slashes, quotes: `'`,
		keywords: "select from where insert into values update set delete create table index view drop alter add primary key foreign references join left right inner outer on group by order having limit and or not null as distinct union begin commit",
		rules:    []chroma.Rule{{Pattern: `(?i)\b(?:select|from|where|insert|into|values|update|delete|create|table|join|group|order|by)\b`, Type: chroma.Keyword}}},
	{name: "CSS", files: []string{"*.css", "*.scss", "*.less"}, block: slashes, quotes: `"'`,
		rules: []chroma.Rule{{Pattern: `[\w-]+(?=\s*:)`, Type: chroma.NameProperty}, {Pattern: `@[\w-]+`, Type: chroma.Keyword}, {Pattern: `#[0-9a-fA-F]{3,8}\b`, Type: chroma.LiteralNumber}}},
	{name: "HTML", files: []string{"*.html", "*.htm", "*.xhtml"}, block: `<!--[\s\S]*?-->`, quotes: `"'`, rules: tags},
	{name: "XML", files: []string{"*.xml", "*.svg", "*.xsd", "*.plist"}, block: `<!--[\s\S]*?-->`, quotes: `"'`, rules: tags},
	{name: "Markdown", files: []string{"*.md", "*.markdown"}, rules: []chroma.Rule{
		{Pattern: "^```[\\s\\S]*?^```|`[^`\\n]*`", Type: chroma.LiteralString}, {Pattern: `^#{1,6} [^\n]*`, Type: chroma.Keyword}, {Pattern: `^\s*(?:[-*+]|\d+\.) `, Type: chroma.NameTag}}},
	{name: "settings", files: []string{"*.conf", "*.cfg", "*.ini", "*.cnf", "*.properties", "*.env", ".env", "*.service", "*.socket", "*.timer", "*.desktop", "*.repo", "os-release", "*-release", "nsswitch.conf", "sysctl.conf"},
		line: []string{`[#;]`}, quotes: `"'`, builtins: "true false yes no on off", rules: []chroma.Rule{section, key}},
}

// Match returns the lexer for a file of this name, nil when the language is not known.
func Match(name string) chroma.Lexer {
	name = strings.ToLower(path.Base(name))
	i := slices.IndexFunc(languages, func(l *language) bool {
		return slices.ContainsFunc(l.files, func(pattern string) bool {
			ok, err := path.Match(pattern, name)
			return ok && err == nil
		})
	})
	if i < 0 {
		return nil
	}
	l := languages[i]
	l.once.Do(func() {
		l.lexer = chroma.MustNewLexer(&chroma.Config{Name: l.name}, func() chroma.Rules { return chroma.Rules{"root": l.root()} })
	})
	return l.lexer
}

// root is the one state of a language's lexer: the first rule that fits wins.
func (l *language) root() []chroma.Rule {
	var r []chroma.Rule
	add := func(pattern string, t chroma.TokenType) { r = append(r, chroma.Rule{Pattern: pattern, Type: t}) }
	if l.block != "" {
		add(l.block, chroma.CommentMultiline)
	}
	r = append(r, l.rules...)
	for _, c := range l.line {
		add(`(?:`+c+`)[^\n]*`, chroma.CommentSingle)
	}
	for _, s := range l.long {
		add(s, chroma.LiteralString)
	}
	for _, q := range l.quotes {
		c := string(q)
		add(c+`(?:\\.|[^`+c+`\\\n])*`+c, chroma.LiteralString)
	}
	add(`\b\d[\w.]*`, chroma.LiteralNumber)
	if l.keywords != "" {
		add(words(l.keywords), chroma.Keyword)
	}
	if l.builtins != "" {
		add(words(l.builtins), chroma.NameBuiltin)
	}
	add(`[^\W\d]\w*`, chroma.Name)
	add(`[ \t]+|\n`, chroma.Text)
	add(`[\s\S]`, chroma.Text)
	return r
}

// words matches any of the words as a whole.
func words(list string) string {
	return `\b(?:` + strings.Join(strings.Fields(list), "|") + `)\b`
}
