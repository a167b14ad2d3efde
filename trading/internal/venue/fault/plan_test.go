package fault

import (
	"strings"
	"testing"
	"time"
)

const whole = `# every kind of fault
at report 5 drop
at report 7 delay 200ms
at report 9 duplicate
at report 11 reorder 2
at fill 3 lose
at fill 4 bust
at fill 6 correct price +1
at order 2 reject
at cancel 3 fill first
at replace 2 fill first
at 20s disconnect 500ms
from 10s to 12s reject
from 30s to 31s stale   # and later
from 40s to 41s crossed
`

func TestAPlanReadsAsItIsWritten(t *testing.T) {
	rules, err := Parse(whole)
	if err != nil {
		t.Fatal(err)
	}
	var text strings.Builder
	for _, r := range rules {
		text.WriteString(r.String() + "\n")
	}
	again, err := Parse(text.String())
	if err != nil || len(rules) != 14 || len(again) != len(rules) {
		t.Fatalf("%d rules, again %d, %v", len(rules), len(again), err)
	}
	for n := range rules {
		if rules[n] != again[n] {
			t.Errorf("rule %d: %v is read as %v", n, rules[n], again[n])
		}
	}
	if want := (Rule{On: Window, From: 30 * time.Second, To: 31 * time.Second, Do: Stale}); rules[12] != want {
		t.Errorf("got %v, want %v", rules[12], want)
	}
}

func TestABadPlanSaysWhereAndWhy(t *testing.T) {
	for text, want := range map[string]string{
		"at report 1 drop\n\nat report 0 drop": `line 3: report: must be a whole number from 1 to 9223372036854775807, got "0"`,
		"at report 1":                          "line 1: fault: is missing; of report there are drop, delay, duplicate, reorder",
		"at report 1 bust":                     `line 1: fault: of report must be one of drop, delay, duplicate, reorder, got "bust"`,
		"at report 1 drop now":                 `line 1: drop: takes nothing more, got "now"`,
		"at report 1 delay":                    `line 1: delay: takes a duration, got ""`,
		"at report 1 delay 0s":                 `line 1: delay: must be a duration from 1ns to 24h0m0s, got "0s"`,
		"at cancel 1 fill last":                `line 1: fill: takes "first", got "last"`,
		"at fill 1 correct price 0":            `line 1: price: must not be zero ticks, got "0"`,
		"from 2s to 1s stale":                  `line 1: to: must be a duration from 2.000000001s to 24h0m0s, got "1s"`,
		"at noon disconnect 1s":                `line 1: at: must be a duration from 0s to 24h0m0s, got "noon"`,
		"sometimes":                            `line 1: trigger: must be like "at report 5", "at 20s" or "from 10s to 12s", got "sometimes"`,
	} {
		if _, err := Parse(text); err == nil || err.Error() != want {
			t.Errorf("%q: got %v, want %s", text, err, want)
		}
	}
	for text, want := range map[string]string{
		"drop=2":           `fault_rates: drop: must be a probability from 0 to 1, got "2"`,
		"drop=NaN":         `fault_rates: drop: must be a probability from 0 to 1, got "NaN"`,
		"drop=0.1,drop=.2": "fault_rates: drop: must be given once",
		"explode=0.1":      `fault_rates: unknown fault "explode"`,
	} {
		if _, err := ParseRates(text); err == nil || err.Error() != want {
			t.Errorf("%q: got %v, want %s", text, err, want)
		}
	}
}

func FuzzParse(f *testing.F) {
	f.Add(whole)
	f.Fuzz(func(t *testing.T, text string) {
		rules, err := Parse(text)
		if err != nil {
			return
		}
		for _, r := range rules {
			again, err := Parse(r.String())
			if err != nil || len(again) != 1 || again[0] != r {
				t.Fatalf("%v is read as %v, %v", r, again, err)
			}
		}
	})
}
