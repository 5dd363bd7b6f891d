package tui

import (
	"bytes"
	"os"
	"path/filepath"
	"testing"
)

// pitfalls are what bit other consoles, with the tests that hold that it does not
// bite this one. Times (1, 4, 5, 7) are measured by make bench, on a machine at rest.
var pitfalls = []struct {
	what  string
	tests map[string][]string // by directory
}{
	1:  {"a log flood: keys are answered, what is dropped is counted", map[string][]string{".": {"TestALogFlood", "TestAFrameCostsWhatIsVisible"}, "paint": {"TestAFloodIsCoalescedAndKeysAreNot"}}},
	2:  {"scrolled up in a log, new lines move nothing", map[string][]string{".": {"TestLogsFollowLockSearch"}, "logs": {"TestAReaderIsNotPushedOff"}}},
	3:  {"the lines of a log are the engine's, from the oldest on", map[string][]string{"../cmd/berth": {"TestTheLogIsTheEngines"}, "logs": {"TestLinesAreWrittenAsTheyCame"}}},
	4:  {"500 containers: an event is one row, only what is seen is polled", map[string][]string{".": {"TestManyContainers", "TestAChangeFromOutsideIsOneRowsFetch"}}},
	5:  {"idle, nothing is written", map[string][]string{".": {"TestIdleWritesNothing"}}},
	6:  {"following chatty logs for long: flat memory", map[string][]string{"logs": {"TestMemoryIsFlatInALongLog"}, "term": {"TestMemoryIsFlatInAFlood"}}},
	7:  {"an image of a million files", map[string][]string{"layers": {"TestALargeLayerIsReadAsItIsLookedAt"}, "layers/tree": {"TestAMillionFiles"}}},
	8:  {"however it ends, the terminal is as it was", map[string][]string{".": {"TestTheTerminalIsRestored", "TestTheSecondSignalDoesNotCutOffTheEnd"}, "../cmd/berth": {"TestAStormOfKeysAndFaults"}}},
	9:  {"SIGKILL: containers run on, and the next start shows them", map[string][]string{"../cmd/berth": {"TestTheConsoleDiesTheContainersDoNot"}}},
	10: {"a storm of sizes: every line is as wide as the screen", map[string][]string{".": {"TestResizeStorm", "TestResizingTheTerminal"}, "term": {"TestAResizeStormInAFlood"}}},
	11: {"wide, joined and combined characters: frames stay aligned", map[string][]string{".": {"TestResizeStorm"}, "text": {"TestCleanedTextHasOneWidth", "TestFitIsExact"}}},
	12: {"escape sequences of containers stay out of the terminal", map[string][]string{".": {"TestEscapeSequencesStayOut"}, "text": {"TestCleanRemovesWhatATerminalWouldObey"}, "../cmd/berth": {"TestWhatContainersSayIsNotObeyed"}}},
	13: {"the shell: real programs, the size from the first prompt, floods of queries", map[string][]string{"term": {"TestAShellKnowsItsSizeAtOnce", "TestAFloodOfQueries"}, "term/screen": {"TestRealProgramsLookAsElsewhere"}}},
	14: {"one key writes less than 2 KB", map[string][]string{".": {"TestAKeyWritesLittle"}}},
	15: {"the engine goes: a banner, it comes back, one can quit", map[string][]string{".": {"TestTheEngineGoesAndComesBack", "TestNoEngineAtAll"}, "../cmd/berth": {"TestShellsOutliveTheirEngine"}}},
	16: {"killed from outside: it shows, and verbs act on what is", map[string][]string{".": {"TestAChangeFromOutsideIsOneRowsFetch"}, "../cmd/berth": {"TestTheFirstEvening"}}},
}

func TestEveryPitfallHasItsTests(t *testing.T) {
	for n, p := range pitfalls[1:] {
		for dir, names := range p.tests {
			files, err := filepath.Glob(filepath.Join(dir, "*_test.go"))
			if err != nil {
				t.Fatal(err)
			}
			var all []byte
			for _, f := range files {
				b, err := os.ReadFile(f)
				if err != nil {
					t.Fatal(err)
				}
				all = append(all, b...)
			}
			for _, name := range names {
				if !bytes.Contains(all, []byte("\nfunc "+name+"(t *testing.T)")) {
					t.Errorf("pitfall %d (%s): there is no %s in %s", n+1, p.what, name, dir)
				}
			}
		}
	}
}
