package fault

import (
	"slices"

	pb "aetherion/trading/gen/aetherion/v1"
	"aetherion/trading/internal/market"
)

// Passed is what came due by itself.
type Passed struct {
	Reports    []*pb.ExecutionReport // that were late
	Disconnect int64                 // until when no stream may be; 0: none is cut
	Books      bool                  // market data starts or stops to be wrong: readers get the books anew, through Rows
}

// Advance lets time go on.
func (i *Injector) Advance(now int64) Passed {
	var p Passed
	for _, r := range i.config.Rules {
		from, to := i.config.Start+int64(r.From), i.config.Start+int64(r.To)
		begins, ends := i.now < from && from <= now, i.now < to && to <= now
		switch {
		case r.On == Time && begins:
			p.Disconnect = max(p.Disconnect, now+int64(r.For))
			i.record(now, r, "", "")
		case r.On == Window && r.Do != Reject && (begins || ends):
			p.Books = true
			if begins {
				i.record(now, r, "", "")
			}
		}
	}
	i.now = max(i.now, now)
	slices.SortStableFunc(i.held, func(a, b held) int { return int(min(1, max(-1, a.due-b.due))) })
	p.Reports = i.release(func(h *held) bool { return h.due <= now })
	return p
}

// Next is when Advance has something to do.
func (i *Injector) Next() (at int64, ok bool) {
	sooner := func(t int64) {
		if t > i.now && (!ok || t < at) {
			at, ok = t, true
		}
	}
	for _, r := range i.config.Rules {
		if r.On == Time || r.On == Window {
			sooner(i.config.Start + int64(r.From))
		}
		if r.On == Window {
			sooner(i.config.Start + int64(r.To))
		}
	}
	for _, h := range i.held {
		sooner(h.due)
	}
	return at, ok
}

// windows are the rules of an action whose time it is.
func (i *Injector) windows(now int64, do Action) (found []Rule) {
	for _, r := range i.config.Rules {
		if r.On == Window && r.Do == do && i.config.Start+int64(r.From) <= now && now < i.config.Start+int64(r.To) {
			found = append(found, r)
		}
	}
	return found
}

// Rows are what readers see of market data: nothing while it is stale, bids as offers while it is crossed.
func (i *Injector) Rows(now int64, rows []market.Row) []market.Row {
	if len(i.windows(now, Stale)) > 0 {
		return nil
	}
	if len(i.windows(now, Crossed)) == 0 {
		return rows
	}
	rows = slices.Clone(rows)
	for n := range rows {
		switch r := &rows[n]; r.Kind {
		case market.Quote:
			r.BidPx, r.BidQty, r.HasBid, r.AskPx, r.AskQty, r.HasAsk = r.AskPx, r.AskQty, r.HasAsk, r.BidPx, r.BidQty, r.HasBid
		case market.BookLevel:
			r.BookSide = 3 - r.BookSide
		}
	}
	return rows
}
