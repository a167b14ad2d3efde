package simtest

// add sums runs up.
func (r *Result) add(one *Result) {
	r.Lives += one.Lives
	r.Commands += one.Commands
	r.Orders += one.Orders
	r.Fills += one.Fills
	r.Reports += one.Reports
	r.Events += one.Events
	r.Virtual += one.Virtual
	r.Real += one.Real
	r.Hash = one.Hash
	for what, n := range one.Faults {
		r.Faults[what] += n
	}
	for what, n := range one.Met {
		r.Met[what] += n
	}
}

// unmet names what of the faults and of the order path never happened: nothing is shown of that.
func (r *Result) unmet() (names []string) {
	for _, f := range faults {
		if r.Faults[string(f.kind)] == 0 {
			names = append(names, string(f.kind))
		}
	}
	for _, what := range refusals {
		if r.Met[what] == 0 {
			names = append(names, what)
		}
	}
	for _, what := range reported {
		if r.Met[what] == 0 {
			names = append(names, what)
		}
	}
	return names
}
