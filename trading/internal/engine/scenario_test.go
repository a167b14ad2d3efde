package engine_test

import (
	"flag"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

var update = flag.Bool("update", false, "write what the scenarios do into their files")

// TestScenarios plays the scripts in testdata: a command a line, and below it, after ">", everything that it
// caused: acknowledgements, reports, routes to the venue, and what risk was told of holds. A scenario begins with
// "== title". At its end, the journal replayed, from its start and from a snapshot in the middle, gives the same
// state. The words of the commands are in scenario_commands_test.go.
func TestScenarios(t *testing.T) {
	files, err := filepath.Glob("testdata/*.txt")
	if err != nil || len(files) == 0 {
		t.Fatalf("%d scripts, %v", len(files), err)
	}
	scenarios := 0
	for _, file := range files {
		script, err := os.ReadFile(file)
		if err != nil {
			t.Fatal(err)
		}
		parts := strings.Split(string(script), "== ")
		written := parts[0]
		for _, part := range parts[1:] {
			title, body, _ := strings.Cut(part, "\n")
			scenarios++
			t.Run(strings.TrimSuffix(filepath.Base(file), ".txt")+"/"+title, func(t *testing.T) {
				got := newScenario(t).play(body)
				if written += "== " + title + "\n" + got; got != body && !*update {
					t.Errorf("got\n%s\nwant\n%s\nfirst difference: %s", got, body, difference(got, body))
				}
			})
		}
		if *update && !t.Failed() {
			if err := os.WriteFile(file, []byte(written), 0o644); err != nil {
				t.Fatal(err)
			}
		}
	}
	if scenarios < 40 {
		t.Errorf("%d scenarios, want at least 40", scenarios)
	}
}

func difference(got, want string) string {
	g, w := strings.Split(got, "\n"), strings.Split(want, "\n")
	for i := range g {
		if i >= len(w) || g[i] != w[i] {
			return fmt.Sprintf("line %d, got %q", i+1, g[i])
		}
	}
	return fmt.Sprintf("line %d is missing", len(g)+1)
}

// play does the commands of a script, and gives the script with what they caused.
func (s *scenario) play(script string) string {
	var out strings.Builder
	for line := range strings.Lines(script) {
		line = strings.TrimSuffix(line, "\n")
		if strings.HasPrefix(line, ">") {
			continue
		}
		fmt.Fprintln(&out, line)
		if words := strings.Fields(line); len(words) > 0 && words[0] != "#" {
			for _, caused := range s.do(words) {
				fmt.Fprintln(&out, strings.TrimRight("> "+caused, " "))
			}
		}
	}
	s.checkReplay()
	return out.String()
}
