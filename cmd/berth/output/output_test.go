package output

import (
	"net/netip"
	"strings"
	"testing"
	"time"

	"github.com/moby/moby/api/types/container"
)

type row struct {
	ID, Name string
	labels   map[string]string
}

func (r row) Label(n string) string { return r.labels[n] }

var spec = Spec{Table: "{{.ID}}\t{{.Name}}", Headers: Headers{"ID": "CONTAINER ID", "Name": "NAMES"}}

var rows = []row{{"1", "a", map[string]string{"com.x.role": "db"}}, {"2", "<b>", nil}}

func render(t *testing.T, format string) string {
	t.Helper()
	s := spec
	s.Format = format
	var b strings.Builder
	if err := Rows(&b, s, rows); err != nil {
		t.Fatalf("--format %s: %v", format, err)
	}
	return b.String()
}

func TestRows(t *testing.T) {
	for _, c := range []struct{ format, want string }{
		{"", "CONTAINER ID   NAMES\n1              a\n2              <b>\n"},
		{"table", "CONTAINER ID   NAMES\n1              a\n2              <b>\n"},
		{`table {{.Name}}\t{{.ID}}`, "NAMES     CONTAINER ID\na         1\n<b>       2\n"},
		{`table {{.ID}}\t{{.Label "com.x.role"}}`, "CONTAINER ID   ROLE\n1              db\n2              \n"},
		{"{{.ID}}:{{upper .Name}}", "1:A\n2:<B>\n"},
		{"json", "{\"ID\":\"1\",\"Name\":\"a\"}\n{\"ID\":\"2\",\"Name\":\"<b>\"}\n"},
		{"{{json .Name}}", "\"a\"\n\"<b>\"\n"},
		{`{{.ID}}\n-`, "1\n-\n2\n-\n"},
	} {
		if got := render(t, c.format); got != c.want {
			t.Errorf("--format %q:\n%swant\n%s", c.format, got, c.want)
		}
	}
}

func TestBadTemplateIsNamed(t *testing.T) {
	for _, format := range []string{"{{.ID", "{{.Nothing}}"} {
		s := spec
		s.Format = format
		if err := Rows(&strings.Builder{}, s, rows); err == nil || !strings.Contains(err.Error(), "--format") {
			t.Errorf("--format %q: error %v", format, err)
		}
	}
	if err := Value(&strings.Builder{}, "{{.missing}}", map[string]any{"a": 1}); err == nil {
		t.Error("a missing key is no error")
	}
}

func TestPorts(t *testing.T) {
	any4, any6 := netip.MustParseAddr("0.0.0.0"), netip.MustParseAddr("::")
	for _, c := range []struct {
		ports []container.PortSummary
		want  string
	}{
		{nil, ""},
		{[]container.PortSummary{{PrivatePort: 80, Type: "tcp"}}, "80/tcp"},
		{[]container.PortSummary{{IP: any6, PrivatePort: 80, PublicPort: 8080, Type: "tcp"}, {IP: any4, PrivatePort: 80, PublicPort: 8080, Type: "tcp"}}, "0.0.0.0:8080->80/tcp, [::]:8080->80/tcp"},
		{[]container.PortSummary{{IP: any4, PrivatePort: 81, PublicPort: 8081, Type: "tcp"}, {IP: any4, PrivatePort: 80, PublicPort: 8080, Type: "tcp"}, {PrivatePort: 9, Type: "udp"}}, "0.0.0.0:8080-8081->80-81/tcp, 9/udp"},
		{[]container.PortSummary{{IP: any4, PrivatePort: 81, PublicPort: 9000, Type: "tcp"}, {IP: any4, PrivatePort: 80, PublicPort: 8080, Type: "tcp"}}, "0.0.0.0:8080->80/tcp, 0.0.0.0:9000->81/tcp"},
	} {
		if got := Ports(c.ports); got != c.want {
			t.Errorf("ports %v: %q, want %q", c.ports, got, c.want)
		}
	}
}

func TestText(t *testing.T) {
	for _, c := range []struct{ got, want string }{
		{ShortID("sha256:0123456789abcdef"), "0123456789ab"},
		{ShortID("0123"), "0123"},
		{Truncate("grüße aus dem hafen", 6), "grüße…"},
		{Truncate("kurz", 6), "kurz"},
		{Size(1980000), "1.98MB"},
		{Size(0), "0B"},
		{Labels(map[string]string{"b": "2", "a": "1"}), "a=1,b=2"},
		{Ago(time.Now().Add(-3 * time.Hour)), "3 hours ago"},
		{Ago(time.Time{}), "N/A"},
	} {
		if c.got != c.want {
			t.Errorf("%q, want %q", c.got, c.want)
		}
	}
}

// TestTextOfStrangers pins that no image can write escape sequences, or rows of its own, into a table.
func TestTextOfStrangers(t *testing.T) {
	type row struct{ Name, By string }
	rows := []row{{"a", "RUN x\x1b[31m\n\xff\u202efake\u009b row é"}}
	headers := Headers{"Name": "NAME", "By": "BY"}
	for format, want := range map[string]string{
		"":                         "NAME      BY\na         RUN x?[31m???fake? row é\n",
		`table {{.Name}}\n{{.By}}`: "NAME\nBY\na\nRUN x?[31m\n??fake? row é\n",
		"{{.By}}":                  rows[0].By + "\n",
	} {
		var b strings.Builder
		if err := Rows(&b, Spec{Format: format, Table: "{{.Name}}\t{{.By}}", Headers: headers}, rows); err != nil || b.String() != want {
			t.Errorf("%q: %q, want %q; %v", format, b.String(), want, err)
		}
	}
	if got := Clean("/etc/\x1b]0;title\a"); got != "/etc/?]0;title?" {
		t.Errorf("%q", got)
	}
}
