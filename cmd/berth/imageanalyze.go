package main

import (
	"encoding/json"
	"fmt"
	"os"
	"strconv"
	"strings"

	"github.com/docker/go-units"
	"github.com/spf13/cobra"

	"berth/cmd/berth/output"
	"berth/engine/api/berthapi"
)

// wastedRow is a line of image analyze.
type wastedRow struct{ Count, Path, Size string }

var wastedHeaders = output.Headers{"Count": "COUNT", "Size": "WASTED", "Path": "PATH"}

func newImageAnalyze(a *app) *cobra.Command {
	var asJSON, ci bool
	var config string
	rules := defaultRules()
	c := &cobra.Command{
		Use:   "analyze [flags] IMAGE",
		Short: "Show how much of an image nobody can see",
		Long: `Show how much of an image nobody can see, because a later layer replaces or deletes
it. The figures, the rules of --ci and their file are those of dive: with --ci the
exit code is 1 if a rule fails.`,
		Args: args(1, 1, "image analyze needs one image"),
		RunE: func(c *cobra.Command, args []string) error {
			for name := range rules {
				if f := c.Flags().Lookup(name); f.Changed {
					rules[name] = f.Value.String()
				}
			}
			if ci {
				if err := readRules(config, rules, func(name string) bool { return c.Flags().Changed(name) }); err != nil {
					return err
				}
			}
			bc, done, err := a.berthClient(c.Context())
			if err != nil {
				return err
			}
			defer done()
			w, err := bc.Waste(c.Context(), args[0])
			if err != nil {
				return err
			}
			if asJSON {
				e := json.NewEncoder(a.out)
				e.SetIndent("", "  ")
				err = e.Encode(w)
			} else if !ci {
				err = a.showWaste(w)
			}
			if err != nil || !ci {
				return err
			}
			return a.checkWaste(w, rules, asJSON)
		},
	}
	fs := c.Flags()
	fs.BoolVar(&asJSON, "json", false, "print JSON")
	fs.BoolVar(&ci, "ci", false, "check the rules and end with 1 if one fails")
	fs.StringVar(&config, "ci-config", ".dive-ci", "file with rules; it may be absent")
	fs.String("lowestEfficiency", rules["lowestEfficiency"], "lowest efficiency that passes, as a ratio, or 'disabled'")
	fs.String("highestWastedBytes", rules["highestWastedBytes"], "most wasted bytes that pass (20MB), or 'disabled'")
	fs.String("highestUserWastedPercent", rules["highestUserWastedPercent"], "most wasted bytes that pass, as a ratio of those above the lowest layer, or 'disabled'")
	return c
}

// defaultRules are dive's.
func defaultRules() map[string]string {
	return map[string]string{"lowestEfficiency": "0.9", "highestWastedBytes": disabled, "highestUserWastedPercent": "0.1"}
}

const disabled = "disabled"

// showWaste prints the figures and the files.
func (a *app) showWaste(w berthapi.Waste) error {
	fmt.Fprintf(a.out, "efficiency: %.4f %%\nwasted: %s of %s\nwasted of what is above the lowest layer: %.4f %% of %s\n",
		100*w.Efficiency, output.Size(w.Wasted), output.Size(w.Size), 100*w.UserPercent, output.Size(w.UserSize))
	rows := make([]wastedRow, 0, len(w.Files))
	for _, f := range w.Files {
		if f.Size > 0 {
			rows = append(rows, wastedRow{Count: strconv.Itoa(f.Count), Path: f.Path, Size: output.Size(f.Size)})
		}
	}
	if len(rows) == 0 {
		return nil
	}
	fmt.Fprintln(a.out)
	return output.Rows(a.out, output.Spec{Headers: wastedHeaders, Table: "{{.Count}}\t{{.Size}}\t{{.Path}}"}, rows)
}

// readRules takes rules from a file as dive has it: "rules:", and below it a rule and its value a line. What a flag has
// set stays.
func readRules(file string, rules map[string]string, set func(string) bool) error {
	data, err := os.ReadFile(file)
	if os.IsNotExist(err) {
		return nil
	}
	if err != nil {
		return err
	}
	for i, line := range strings.Split(string(data), "\n") {
		line, _, _ = strings.Cut(line, "#")
		name, value, ok := strings.Cut(strings.TrimSpace(line), ":")
		name, value = strings.TrimSpace(name), strings.Trim(strings.TrimSpace(value), `"'`)
		switch _, known := rules[name]; {
		case name == "" && !ok, name == "rules" && value == "":
		case !ok || !known:
			return fmt.Errorf("%s, line %d: %q is no rule: known are lowestEfficiency, highestWastedBytes and highestUserWastedPercent", file, i+1, strings.TrimSpace(line))
		case !set(name):
			rules[name] = value
		}
	}
	return nil
}

// verdict is what a rule says: "" passes, "disabled" is not asked, anything else is why it fails.
type verdict struct{ rule, says string }

// judge applies the rules, in dive's order and words.
func judge(w berthapi.Waste, rules map[string]string) ([]verdict, error) {
	var all []verdict
	for _, rule := range []struct {
		name  string
		parse func(string) (float64, error)
		fails func(limit float64) string
	}{
		{"highestUserWastedPercent", ratio, func(limit float64) string {
			if w.UserPercent <= limit {
				return ""
			}
			return fmt.Sprintf("too many bytes wasted, relative to the user bytes added (%%-user-wasted-bytes=%v > threshold=%v)", w.UserPercent, limit)
		}},
		{"highestWastedBytes", byteCount, func(limit float64) string {
			if float64(w.Wasted) <= limit {
				return ""
			}
			return fmt.Sprintf("too many bytes wasted (wasted-bytes=%d > threshold=%.0f)", w.Wasted, limit)
		}},
		{"lowestEfficiency", ratio, func(limit float64) string {
			if w.Efficiency >= limit {
				return ""
			}
			return fmt.Sprintf("image efficiency is too low (efficiency=%v < threshold=%v)", w.Efficiency, limit)
		}},
	} {
		if rules[rule.name] == disabled {
			all = append(all, verdict{rule.name, disabled})
			continue
		}
		limit, err := rule.parse(rules[rule.name])
		if err != nil {
			return nil, fmt.Errorf("rule %s: %w", rule.name, err)
		}
		all = append(all, verdict{rule.name, rule.fails(limit)})
	}
	return all, nil
}

func ratio(s string) (float64, error) {
	f, err := strconv.ParseFloat(s, 64)
	if err != nil || f < 0 || f > 1 {
		return 0, fmt.Errorf("%q is no ratio between 0 and 1, nor 'disabled'", s)
	}
	return f, nil
}

// byteCount reads 20MB (decimal) and 20MiB (binary).
func byteCount(s string) (float64, error) {
	parse := units.FromHumanSize
	if strings.Contains(strings.ToLower(s), "i") {
		parse = units.RAMInBytes
	}
	n, err := parse(s)
	if err != nil {
		return 0, fmt.Errorf("%q is no number of bytes, nor 'disabled'", s)
	}
	return float64(n), nil
}

// checkWaste prints what the rules say, as dive does, and returns the exit code.
func (a *app) checkWaste(w berthapi.Waste, rules map[string]string, quiet bool) error {
	all, err := judge(w, rules)
	if err != nil {
		return err
	}
	count := map[string]int{}
	for _, v := range all {
		word, says := "FAIL", ": "+v.says
		switch v.says {
		case "":
			word, says = "PASS", ""
		case disabled:
			word, says = "SKIP", ": rule disabled"
		}
		count[word]++
		if !quiet {
			fmt.Fprintf(a.out, "  %s: %s%s\n", word, v.rule, says)
		}
	}
	result := "PASS"
	if count["FAIL"] > 0 {
		result = "FAIL"
	}
	if !quiet {
		fmt.Fprintf(a.out, "Result:%s [Total:%d] [Passed:%d] [Failed:%d] [Warn:0] [Skipped:%d]\n", result, len(all), count["PASS"], count["FAIL"], count["SKIP"])
	}
	if count["FAIL"] > 0 {
		return &statusError{code: 1}
	}
	return nil
}
