// Package fault makes a venue misbehave on purpose: by a script, or at random with a seed. It is pure: it
// reads no clock, and the same plan makes the same faults of the same reports, commands and market data.
package fault

import (
	"fmt"
	"math"
	"slices"
	"strconv"
	"strings"
	"time"
)

// Trigger is what a fault waits for.
type Trigger string

// Triggers. All but the last two are counted, from 1, over all accounts.
const (
	Report  Trigger = "report"
	Fill    Trigger = "fill"
	Order   Trigger = "order"
	Cancel  Trigger = "cancel"
	Replace Trigger = "replace"
	Time    Trigger = "time"   // since the start
	Window  Trigger = "window" // from one time to before another
)

// Action is what goes wrong.
type Action string

// Actions.
const (
	Drop       Action = "drop"       // a report that only a resume brings
	Delay      Action = "delay"      // a report
	Duplicate  Action = "duplicate"  // a report
	Reorder    Action = "reorder"    // a report comes after later ones
	Lose       Action = "lose"       // a fill that only a query tells
	Bust       Action = "bust"       // a fill is undone
	Correct    Action = "correct"    // a fill has another price
	FillFirst  Action = "fill"       // an order fills just before it is canceled or replaced
	Reject     Action = "reject"     // new orders are refused
	Disconnect Action = "disconnect" // all streams end
	Stale      Action = "stale"      // market data stops
	Crossed    Action = "crossed"    // bids and offers change places in market data
)

// Rule is one fault of a plan.
type Rule struct {
	On       Trigger
	N        uint64        // of a counted trigger; 0 in a rate
	From, To time.Duration // of Time (From) and Window
	Do       Action
	For      time.Duration // Delay, Disconnect
	By       int64         // Reorder: later reports; Correct: price increments
}

// Rate is a fault that happens to each of what it waits for with a probability.
type Rate struct {
	Rule
	Chance float64
}

const (
	maxDuration = 24 * time.Hour
	maxReorder  = 1000
	maxTicks    = 1_000_000
)

var allowed = map[Trigger][]Action{
	Report:  {Drop, Delay, Duplicate, Reorder},
	Fill:    {Lose, Bust, Correct},
	Order:   {Reject},
	Cancel:  {FillFirst},
	Replace: {FillFirst},
	Time:    {Disconnect},
	Window:  {Reject, Stale, Crossed},
}

// random are the faults that a rate may name.
var random = map[string]Rule{
	"drop":         {On: Report, Do: Drop},
	"delay":        {On: Report, Do: Delay, For: 200 * time.Millisecond},
	"duplicate":    {On: Report, Do: Duplicate},
	"reorder":      {On: Report, Do: Reorder, By: 1},
	"lose":         {On: Fill, Do: Lose},
	"bust":         {On: Fill, Do: Bust},
	"correct":      {On: Fill, Do: Correct, By: 1},
	"reject":       {On: Order, Do: Reject},
	"cancel-fill":  {On: Cancel, Do: FillFirst},
	"replace-fill": {On: Replace, Do: FillFirst},
}

// String is the rule as a plan has it.
func (r Rule) String() string {
	var b strings.Builder
	switch r.On {
	case Time:
		fmt.Fprintf(&b, "at %s", r.From)
	case Window:
		fmt.Fprintf(&b, "from %s to %s", r.From, r.To)
	default:
		fmt.Fprintf(&b, "at %s %d", r.On, r.N)
	}
	fmt.Fprintf(&b, " %s", r.Do)
	switch r.Do {
	case Delay, Disconnect:
		fmt.Fprintf(&b, " %s", r.For)
	case Reorder:
		fmt.Fprintf(&b, " %d", r.By)
	case Correct:
		fmt.Fprintf(&b, " price %+d", r.By)
	case FillFirst:
		b.WriteString(" first")
	}
	return b.String()
}

// Parse reads a plan: one fault a line, # starts a comment.
func Parse(text string) ([]Rule, error) {
	var rules []Rule
	for n, line := range strings.Split(text, "\n") {
		line, _, _ = strings.Cut(line, "#")
		words := strings.Fields(line)
		if len(words) == 0 {
			continue
		}
		rule, err := parseRule(words)
		if err != nil {
			return nil, fmt.Errorf("line %d: %w", n+1, err)
		}
		rules = append(rules, rule)
	}
	return rules, nil
}

func parseRule(words []string) (rule Rule, err error) {
	rest, err := rule.parseTrigger(words)
	if err != nil {
		return rule, err
	}
	if len(rest) == 0 {
		return rule, fmt.Errorf("fault: is missing; of %s there are %s", rule.On, names(allowed[rule.On]))
	}
	rule.Do = Action(rest[0])
	if !slices.Contains(allowed[rule.On], rule.Do) {
		return rule, fmt.Errorf("fault: of %s must be one of %s, got %q", rule.On, names(allowed[rule.On]), rest[0])
	}
	return rule, rule.parseArguments(rest[1:])
}

func names(actions []Action) string {
	var list []string
	for _, a := range actions {
		list = append(list, string(a))
	}
	return strings.Join(list, ", ")
}

// parseTrigger reads "at report 5", "at 20s" or "from 10s to 12s", and returns the words after it.
func (r *Rule) parseTrigger(words []string) (rest []string, err error) {
	switch {
	case words[0] == "from" && len(words) >= 4 && words[2] == "to":
		r.On = Window
		if r.From, err = parseDuration("from", words[1], 0); err != nil {
			return nil, err
		}
		r.To, err = parseDuration("to", words[3], r.From+1)
		return words[4:], err
	case words[0] == "at" && len(words) >= 3 && isCounted(Trigger(words[1])):
		r.On = Trigger(words[1])
		n, err := parseNumber(words[1], words[2], 1, math.MaxInt64)
		r.N = uint64(n)
		return words[3:], err
	case words[0] == "at" && len(words) >= 2:
		r.On = Time
		r.From, err = parseDuration("at", words[1], 0)
		return words[2:], err
	}
	return nil, fmt.Errorf(`trigger: must be like "at report 5", "at 20s" or "from 10s to 12s", got %q`, strings.Join(words, " "))
}

func isCounted(t Trigger) bool { return allowed[t] != nil && t != Time && t != Window }

func (r *Rule) parseArguments(words []string) (err error) {
	wants := map[Action]string{Delay: "a duration", Disconnect: "a duration", Reorder: "a number", Correct: `"price" and ticks`, FillFirst: `"first"`}
	count := map[Action]int{Delay: 1, Disconnect: 1, Reorder: 1, Correct: 2, FillFirst: 1}
	keyword := map[Action]string{Correct: "price", FillFirst: "first"}
	if len(words) != count[r.Do] || keyword[r.Do] != "" && words[0] != keyword[r.Do] {
		want := wants[r.Do]
		if want == "" {
			want = "nothing more"
		}
		return fmt.Errorf("%s: takes %s, got %q", r.Do, want, strings.Join(words, " "))
	}
	switch r.Do {
	case Delay, Disconnect:
		r.For, err = parseDuration(string(r.Do), words[0], 1)
	case Reorder:
		r.By, err = parseNumber("reorder", words[0], 1, maxReorder)
	case Correct:
		if r.By, err = parseNumber("price", words[1], -maxTicks, maxTicks); err == nil && r.By == 0 {
			err = fmt.Errorf("price: must not be zero ticks, got %q", words[1])
		}
	}
	return err
}

func parseDuration(field, word string, least time.Duration) (time.Duration, error) {
	d, err := time.ParseDuration(word)
	if err != nil || d < least || d > maxDuration {
		return 0, fmt.Errorf("%s: must be a duration from %s to %s, got %q", field, least, maxDuration, word)
	}
	return d, nil
}

func parseNumber(field, word string, least, most int64) (int64, error) {
	n, err := strconv.ParseInt(word, 10, 64)
	if err != nil || n < least || n > most {
		return 0, fmt.Errorf("%s: must be a whole number from %d to %d, got %q", field, least, most, word)
	}
	return n, nil
}

// ParseRates reads "drop=0.01,delay=0.05".
func ParseRates(text string) ([]Rate, error) {
	var rates []Rate
	for _, part := range strings.Split(text, ",") {
		name, number, _ := strings.Cut(strings.TrimSpace(part), "=")
		rule, known := random[name]
		if !known {
			return nil, fmt.Errorf("fault_rates: unknown fault %q", name)
		}
		if slices.ContainsFunc(rates, func(r Rate) bool { return r.Rule == rule }) {
			return nil, fmt.Errorf("fault_rates: %s: must be given once", name)
		}
		chance, err := strconv.ParseFloat(number, 64)
		if err != nil || !(chance >= 0 && chance <= 1) {
			return nil, fmt.Errorf("fault_rates: %s: must be a probability from 0 to 1, got %q", name, number)
		}
		rates = append(rates, Rate{rule, chance})
	}
	return rates, nil
}
