package simtest

import "time"

// Shrink looks for the shortest script that still fails, by leaving out ever smaller parts (delta debugging,
// Zeller and Hildebrandt 2002), until no step can be left out or time is up.
func Shrink(script Script, fails func(Script) bool, within time.Duration) Script {
	end := time.Now().Add(within)
	over := func() bool { return time.Now().After(end) }
	if script.Kept == nil {
		for i := range script.Steps {
			script.Kept = append(script.Kept, i)
		}
	}
	for part := len(script.Kept) / 2; part > 0 && !over(); {
		shrunk := false
		// From the end: what comes after the failure goes at once.
		for at := (len(script.Kept) - 1) / part * part; at >= 0 && !over(); at -= part {
			less := script
			less.Kept = append(append([]int(nil), script.Kept[:at]...), script.Kept[min(at+part, len(script.Kept)):]...)
			if len(less.Kept) > 0 && fails(less) {
				script, shrunk = less, true
			}
		}
		switch {
		case part == 1 && !shrunk:
			return script
		case part > 1:
			part /= 2
		}
	}
	return script
}
