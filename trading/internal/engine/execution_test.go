package engine

import (
	"errors"
	"fmt"
	"slices"
	"strings"
	"testing"
)

func (w *world) bust(id uint64, execID, refID string) *VenueReport {
	return &VenueReport{Venue: "X", OrderID: id, ExecType: ExecTradeCancel, ExecID: execID, ExecRefID: refID}
}

func (w *world) correct(id uint64, execID, refID string, qty, px int64) *VenueReport {
	return &VenueReport{Venue: "X", OrderID: id, ExecType: ExecTradeCorrect, ExecID: execID, ExecRefID: refID, LastQty: qty, LastPx: px}
}

func (w *world) trade(id uint64, execID string, qty, px int64) *VenueReport {
	return &VenueReport{Venue: "X", OrderID: id, ExecType: ExecTrade, ExecID: execID, LastQty: qty, LastPx: px}
}

// checkMoney holds the order's notional and what its account has of it against "notional net cost realized cash".
func (w *world) checkMoney(id uint64, want string) {
	w.t.Helper()
	state, _ := w.engine.Account("A")
	p := state.Positions[0]
	got := fmt.Sprint(w.engine.Order(id).CumNotional, " ", p.NetQty, " ", p.Cost.Amount, " ", p.RealizedPnl.Amount, " ", state.Balances[0].Amount)
	if got != want {
		w.t.Errorf("got %q, want %q", got, want)
	}
}

// The tables of FIX, order state changes J.1.a and J.1.b.
func TestFilledOrderThatIsCorrectedAndBusted(t *testing.T) {
	w := newWorld(t, stock("ACME.X"))
	id := w.order("X", Buy, 10_000)
	w.must(w.status(id, ExecNew))
	w.must(w.trade(id, "C", 1000, 10))
	w.must(w.trade(id, "D", 9000, 11))
	w.check(id, "FILLED 10000 0")
	w.must(w.bust(id, "E", "C"))
	w.check(id, "PARTIALLY_FILLED 9000 1000")
	w.checkMoney(id, "990 9000 990 0 10")
	w.must(w.correct(id, "F", "D", 9000, 10))
	w.check(id, "PARTIALLY_FILLED 9000 1000")
	w.checkMoney(id, "900 9000 900 0 100")
	w.must(w.trade(id, "G", 1000, 12))
	w.check(id, "FILLED 10000 0")
	w.must(w.correct(id, "H", "F", 9000, 12))
	w.check(id, "FILLED 10000 0")
	w.checkMoney(id, "1200 10000 1200 0 -200")
	w.must(w.correct(id, "K", "H", 9500, 12))
	w.check(id, "FILLED 10500 0")
}

func TestCanceledOrderWhoseFillIsBusted(t *testing.T) {
	w := newWorld(t, stock("ACME.X"))
	id := w.order("X", Buy, 10_000)
	w.must(w.trade(id, "B", 5000, 5))
	w.must(&CancelOrder{ClOrdID: "Y", OrigClOrdID: "X", Account: "A"})
	w.must(w.status(id, ExecCanceled))
	w.must(w.bust(id, "E", "B"))
	w.check(id, "CANCELED 0 0")
	w.checkMoney(id, "0 0 0 0 1000")
	w.must(w.trade(id, "F", 4000, 5))
	w.check(id, "CANCELED 4000 0")
	// Filled to the last by late fills, and busted again, it is as the venue ended it.
	w.must(w.trade(id, "G", 6000, 5))
	w.check(id, "FILLED 10000 0")
	w.must(w.bust(id, "H", "G"))
	w.check(id, "CANCELED 4000 0")
}

// Profit is as if the wrong fill had never been, whatever came after it.
func TestBustUndoesWhatTheFillRealised(t *testing.T) {
	w := newWorld(t, stock("ACME.X"))
	first, second, third := w.order("1", Buy, 10), w.order("2", Buy, 10), w.order("3", Sell, 10)
	w.must(w.trade(first, "a", 10, 1000))
	w.must(w.trade(second, "b", 10, 2000))
	w.must(w.trade(third, "c", 10, 3000))
	w.checkMoney(third, "300 10 150 150 1000")
	w.must(w.bust(second, "d", "b"))
	w.checkMoney(third, "300 0 0 200 1200")
	w.must(w.correct(third, "e", "c", 4, 1500))
	w.checkMoney(third, "60 6 60 20 960")
	if got := w.engine.PretradeSnapshot().Cash[0].Cash.String(); got != "960 USD" {
		t.Errorf("risk is told of %s", got)
	}
}

func TestFeesAreCorrectedInTheirCurrency(t *testing.T) {
	w := newWorld(t, stock("ACME.X"))
	id := w.order("1", Buy, 10)
	trade := w.trade(id, "a", 10, 1000)
	trade.Commission = Money{"BNB", usd(t, 3).Amount}
	w.must(trade)
	cash := func(want string) {
		t.Helper()
		state, _ := w.engine.Account("A")
		if got := fmt.Sprint(state.Balances, " ", state.Positions[0].Fees); got != want {
			t.Errorf("got %s, want %s", got, want)
		}
	}
	cash("[-3 BNB 900 USD] 0 USD")
	w.must(w.correct(id, "b", "a", 10, 900)) // names no fee: it stays
	cash("[-3 BNB 910 USD] 0 USD")
	correction := w.correct(id, "c", "b", 10, 900)
	correction.Commission = usd(t, 2)
	w.must(correction)
	cash("[0 BNB 908 USD] 2 USD")
	w.must(w.bust(id, "d", "c"))
	cash("[0 BNB 1000 USD] 0 USD")
}

// A fill that is too old to be replayed is undone where what is remembered begins: quantity, cash, and cost less
// profit are exact; how they split is by the average that the wrong fill was part of.
func TestBustOfAnOldFill(t *testing.T) {
	w := newWorld(t, stock("ACME.X"))
	first, second := w.order("1", Buy, 30), w.order("2", Buy, 10)
	w.must(w.trade(first, "a", 10, 1000))
	w.must(w.trade(first, "b", 10, 2000))
	w.later(correctable + 1)
	w.must(w.trade(second, "c", 5, 1000))
	w.checkMoney(first, "300 25 350 0 650")
	w.must(w.bust(first, "d", "a"))
	w.checkMoney(first, "200 15 200 -50 750") // 10 of 20 that cost 300 went at 10.00, then 5 came at 10.00
}

func TestRevisionsThatAreRefused(t *testing.T) {
	w := newWorld(t, stock("ACME.X"))
	first, second := w.order("1", Buy, 10), w.order("2", Buy, 10)
	w.must(w.trade(first, "a", 4, 1000))
	w.must(w.correct(first, "b", "a", 3, 1000))
	for want, report := range map[string]*VenueReport{
		`exec_ref_id: "a" is of order 4`:                                w.bust(second, "c", "a"),
		`exec_id, exec_ref_id: must be set and differ, got "c" and ""`:  w.bust(first, "c", ""),
		`exec_id, exec_ref_id: must be set and differ, got "c" and "c"`: w.bust(first, "c", "c"),
		`last_qty: must be positive, got 0`:                             w.correct(first, "c", "a", 0, 1),
		`last_px: must be positive, got 0`:                              w.correct(first, "c", "a", 1, 0),
		`order_id: unknown order 77`:                                    w.bust(77, "c", "a"),
		`exec_type: a venue does not say 1`:                             {Venue: "X", OrderID: first, ExecType: ExecPendingNew},
		`commission: 1 has no currency`:                                 {Venue: "X", OrderID: first, ExecType: ExecTradeCorrect, ExecID: "c", ExecRefID: "a", LastQty: 1, LastPx: 1, Commission: Money{"", usd(t, 1).Amount}},
	} {
		before := w.engine.StateHash()
		if err := w.try(report); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("got %v, want %q in it", err, want)
		}
		if w.engine.StateHash() != before {
			t.Errorf("%s: changed the state", want)
		}
	}
	if err := w.try(w.bust(99, "c", "a")); !errors.Is(err, ErrUnknownOrder) {
		t.Errorf("an unknown order: %v", err)
	}
	for _, again := range []*VenueReport{w.trade(first, "a", 4, 1000), w.correct(first, "b", "a", 3, 1000), w.trade(first, "b", 1, 1)} {
		if err := w.try(again); !errors.Is(err, ErrNothingNew) {
			t.Errorf("%q again: %v", again.ExecID, err)
		}
	}
	// A ring of revisions that no trade begins changes nothing.
	w.must(w.correct(second, "y", "x", 1, 1))
	w.must(w.correct(second, "x", "y", 1, 1))
	w.check(second, "NEW 0 10")
}

// What a venue says of one order: whatever order it comes in, and however often, the order and the account
// end alike.
func TestReportsInAnyOrder(t *testing.T) {
	const qty = 10
	type life struct {
		name    string
		reports []*VenueReport
		want    string  // status cum leaves, notional net cost realized cash
		before  []Input // what came of us after the order
	}
	w := &world{t: t}
	id := uint64(4)
	status := func(execType ExecType) *VenueReport {
		return &VenueReport{Venue: "X", OrderID: id, ExecType: execType, VenueOrderID: "V"}
	}
	lapsed := func(r *VenueReport, qty int64) *VenueReport { r.Lapsed, r.LastQty = true, qty; return r }
	timed := func(r *VenueReport, at int64) *VenueReport { r.TransactTime = at; return r }
	cancel := []Input{&CancelOrder{ClOrdID: "c", OrigClOrdID: "1", Account: "A"}}
	doubt := []Input{&OrderInDoubt{OrderID: id}}
	replace := []Input{&ReplaceDecision{Approved: true, Replace: ReplaceOrder{ClOrdID: "2", OrigClOrdID: "1", Account: "A", OrderQty: 15, Price: 5000, HasPrice: true}}}
	replaced := &VenueReport{Venue: "X", OrderID: id, ExecType: ExecReplaced, ExecID: "r", OrderQty: 15}
	for _, l := range []life{
		{"filled in three", []*VenueReport{status(ExecNew), w.trade(id, "a", 4, 1000), w.trade(id, "b", 5, 1000), w.trade(id, "c", 1, 900)},
			"FILLED 10 0, 99 10 99 0 901", nil},
		{"canceled after a fill", []*VenueReport{status(ExecNew), w.trade(id, "a", 4, 1000), w.trade(id, "b", 5, 900), status(ExecCanceled)},
			"CANCELED 9 0, 85 9 85 0 915", nil},
		{"expired", []*VenueReport{status(ExecNew), status(ExecTriggered), w.trade(id, "a", 4, 1000), status(ExecExpired)},
			"EXPIRED 4 0, 40 4 40 0 960", nil},
		{"refused, and filled all the same", []*VenueReport{w.trade(id, "a", 4, 1000), status(ExecRejected)},
			"REJECTED 4 0, 40 4 40 0 960", nil},
		{"filled beyond its quantity", []*VenueReport{status(ExecNew), w.trade(id, "a", 4, 1000), w.trade(id, "b", 9, 1000)},
			"FILLED 13 0, 130 13 130 0 870", nil},
		{"canceled as the last fill came", []*VenueReport{status(ExecNew), w.trade(id, "a", 4, 1000), w.trade(id, "b", 6, 1000), status(ExecCanceled)},
			"FILLED 10 0, 100 10 100 0 900", nil},
		{"a fill busted", []*VenueReport{status(ExecNew), w.trade(id, "a", 4, 1000), w.trade(id, "b", 6, 900), w.bust(id, "x", "a")},
			"PARTIALLY_FILLED 6 4, 54 6 54 0 946", nil},
		{"the only fill busted", []*VenueReport{w.trade(id, "a", 10, 1000), w.bust(id, "x", "a"), status(ExecNew)},
			"NEW 0 10, 0 0 0 0 1000", nil},
		{"busted, and not put back", []*VenueReport{status(ExecNew), w.trade(id, "a", 10, 1000), w.bust(id, "x", "a"), status(ExecCanceled)},
			"CANCELED 0 0, 0 0 0 0 1000", nil},
		{"busted, and it lapsed", []*VenueReport{status(ExecNew), w.trade(id, "a", 4, 1000), w.trade(id, "b", 6, 900), lapsed(w.bust(id, "x", "a"), 4)},
			"FILLED 6 0, 54 6 54 0 946", nil},
		{"all busted, and it lapsed", []*VenueReport{status(ExecNew), w.trade(id, "a", 4, 1000), w.trade(id, "b", 6, 900), lapsed(w.bust(id, "x", "a"), 4),
			lapsed(w.bust(id, "y", "b"), 6)}, "CANCELED 0 0, 0 0 0 0 1000", nil},
		{"busted while it works, and it lapsed", []*VenueReport{status(ExecNew), w.trade(id, "a", 4, 1000), lapsed(w.bust(id, "x", "a"), 4),
			w.trade(id, "b", 5, 900)}, "PARTIALLY_FILLED 5 1, 45 5 45 0 955", nil},
		{"corrected over two steps, and filled", []*VenueReport{status(ExecNew), w.trade(id, "a", 4, 1000), w.correct(id, "x", "a", 5, 900),
			w.correct(id, "y", "x", 3, 800), w.trade(id, "b", 7, 1000)}, "FILLED 10 0, 94 10 94 0 906", nil},
		{"corrected twice from the trade", []*VenueReport{w.trade(id, "a", 4, 1000), timed(w.correct(id, "x", "a", 5, 900), 2),
			timed(w.correct(id, "y", "a", 3, 800), 1)}, "PARTIALLY_FILLED 5 5, 45 5 45 0 955", nil},
		{"corrected, then busted", []*VenueReport{status(ExecNew), w.trade(id, "a", 4, 1000), w.correct(id, "x", "a", 5, 900), w.bust(id, "y", "x"),
			w.trade(id, "b", 2, 700), status(ExecCanceled)}, "CANCELED 2 0, 14 2 14 0 986", nil},
		{"all of it", []*VenueReport{status(ExecNew), w.trade(id, "a", 4, 1000), w.trade(id, "b", 3, 1000), w.correct(id, "x", "a", 3, 900),
			w.bust(id, "y", "b"), w.trade(id, "c", 1, 800), status(ExecExpired)}, "EXPIRED 4 0, 35 4 35 0 965", nil},
		{"canceled at our request", []*VenueReport{status(ExecNew), w.trade(id, "a", 4, 1000), w.trade(id, "b", 5, 900), status(ExecCanceled)},
			"CANCELED 9 0, 85 9 85 0 915", cancel},
		{"not canceled at our request", []*VenueReport{status(ExecNew), w.trade(id, "a", 4, 1000), status(ExecCancelRejected)},
			"PARTIALLY_FILLED 4 6, 40 4 40 0 960", cancel},
		{"filled before our cancel", []*VenueReport{status(ExecNew), w.trade(id, "a", 4, 1000), w.trade(id, "b", 6, 1000), status(ExecCancelRejected)},
			"FILLED 10 0, 100 10 100 0 900", cancel},
		{"in doubt, and there", []*VenueReport{status(ExecNew), w.trade(id, "a", 4, 1000)}, "PARTIALLY_FILLED 4 6, 40 4 40 0 960", doubt},
		{"in doubt, and refused", []*VenueReport{status(ExecRejected)}, "REJECTED 0 0, 0 0 0 0 1000", doubt},
		{"replaced at our request", []*VenueReport{status(ExecNew), w.trade(id, "a", 4, 1000), replaced}, "PARTIALLY_FILLED 4 11, 40 4 40 0 960", replace},
		{"replaced as it was filled", []*VenueReport{status(ExecNew), w.trade(id, "a", 10, 1000), replaced, w.trade(id, "b", 5, 1000)},
			"FILLED 15 0, 150 15 150 0 850", replace},
		{"replaced after it was filled", []*VenueReport{w.trade(id, "a", 10, 1000), replaced}, "PARTIALLY_FILLED 10 5, 100 10 100 0 900", replace},
		{"not replaced, for it was filled", []*VenueReport{status(ExecNew), w.trade(id, "a", 4, 1000), w.trade(id, "b", 6, 1000), status(ExecCancelRejected)},
			"FILLED 10 0, 100 10 100 0 900", replace},
	} {
		permutations := 0
		permute(l.reports, func(reports []*VenueReport) {
			permutations++
			w := newWorld(t, stock("ACME.X"))
			if w.order("1", Buy, qty) != id {
				t.Fatal("the reports are of another order")
			}
			for _, input := range l.before {
				w.must(input)
			}
			for _, r := range append(slices.Clone(reports), reports...) { // and all of it again
				if err := w.try(r); err != nil && !errors.Is(err, ErrNothingNew) {
					t.Fatalf("%s: %+v: %v", l.name, r, err)
				}
			}
			state, _ := w.engine.Account("A")
			p, o := state.Positions, w.engine.Order(id)
			if p == nil {
				p = []Position{{}}
			}
			got := fmt.Sprint(statusNames[o.OrdStatus()], " ", o.CumQty, " ", o.LeavesQty(), ", ", o.CumNotional, " ", p[0].NetQty, " ",
				p[0].Cost.Amount, " ", p[0].RealizedPnl.Amount, " ", state.Balances[0].Amount)
			if got != l.want {
				var order []string
				for _, r := range reports {
					order = append(order, fmt.Sprint(r.ExecType, r.ExecID))
				}
				t.Fatalf("%s, as %v: got %q, want %q", l.name, order, got, l.want)
			}
		})
		if want := factorial(len(l.reports)); permutations != want {
			t.Errorf("%s: %d permutations of %d reports, want %d", l.name, permutations, len(l.reports), want)
		}
	}
}

func permute(reports []*VenueReport, visit func([]*VenueReport)) {
	var rest func(n int)
	rest = func(n int) {
		if n == len(reports) {
			visit(reports)
			return
		}
		for i := n; i < len(reports); i++ {
			reports[n], reports[i] = reports[i], reports[n]
			rest(n + 1)
			reports[n], reports[i] = reports[i], reports[n]
		}
	}
	rest(0)
}

func factorial(n int) int {
	if n < 2 {
		return 1
	}
	return n * factorial(n-1)
}

func TestOrderInDoubt(t *testing.T) {
	w := newWorld(t, stock("ACME.X"))
	doubt := func(id uint64) *OrderInDoubt { return &OrderInDoubt{OrderID: id, Text: "no answer"} }
	for name, c := range map[string]struct {
		settles *VenueReport
		want    string
	}{
		"acknowledged": {w.status(0, ExecNew), "NEW 0 10"},
		"filled":       {w.trade(0, "", 4, 1000), "PARTIALLY_FILLED 4 6"},
		"refused":      {w.status(0, ExecRejected), "REJECTED 0 0"},
		"gone":         {w.status(0, ExecCanceled), "CANCELED 0 0"},
	} {
		id := w.order(name, Buy, 10)
		w.must(doubt(id))
		w.check(id, "IN_DOUBT 0 10")
		if !slices.Contains(w.engine.Unanswered(), id) || !slices.ContainsFunc(w.engine.PretradeSnapshot().Holds, func(h PretradeHold) bool { return h.OrderID == id }) {
			t.Errorf("%s: an order in doubt is unanswered, and held", name)
		}
		c.settles.OrderID, c.settles.ExecID = id, name
		w.must(c.settles)
		w.check(id, c.want)
		if err := w.try(doubt(id)); !errors.Is(err, ErrNothingNew) {
			t.Errorf("%s: in doubt after the venue spoke: %v", name, err)
		}
	}
	id := w.order("1", Buy, 10)
	w.must(doubt(id))
	w.must(&CancelOrder{ClOrdID: "c", OrigClOrdID: "1", Account: "A"})
	w.check(id, "PENDING_CANCEL 0 10")
	if len(w.effects.Routes) != 1 || w.effects.Routes[0].OrderID != id {
		t.Errorf("the cancel of an order in doubt must be sent on, got %+v", w.effects.Routes)
	}
	w.must(w.status(id, ExecCancelRejected)) // The venue does not know it yet, or no longer.
	w.check(id, "IN_DOUBT 0 10")
	if err := w.try(doubt(99)); !errors.Is(err, ErrUnknownOrder) {
		t.Errorf("an unknown order: %v", err)
	}
}

// A change that the venue tells of again undoes no later one, be one on its way or done.
func TestChangesAreToldOnce(t *testing.T) {
	w := newWorld(t, stock("ACME.X"))
	id := w.order("1", Buy, 10)
	replace := func(name, orig string, qty int64) {
		w.must(&ReplaceDecision{Approved: true, Replace: ReplaceOrder{ClOrdID: name, OrigClOrdID: orig, Account: "A", OrderQty: qty, Price: 5000, HasPrice: true}})
	}
	replaced := func(execID string, qty int64) *VenueReport {
		r := w.status(id, ExecReplaced)
		r.ExecID, r.OrderQty = execID, qty
		return r
	}
	replace("2", "1", 15)
	w.must(replaced("r1", 15))
	replace("3", "2", 20)
	again := func(want string) {
		t.Helper()
		if err := w.try(replaced("r1", 15)); !errors.Is(err, ErrNothingNew) {
			t.Errorf("the first change told again: %v", err)
		}
		w.check(id, want)
	}
	again("PENDING_REPLACE 0 15")
	w.must(replaced("r2", 20))
	again("NEW 0 20")
	// The venue takes off what would have traded with the account's own order.
	restated := replaced("r3", 4)
	restated.ExecType = ExecRestated
	w.must(w.trade(id, "a", 4, 5000))
	w.must(restated)
	w.check(id, "FILLED 4 0")
}

func TestFillsOfAQuietPositionAreForgotten(t *testing.T) {
	w := newWorld(t, stock("ACME.X"))
	id := w.order("1", Buy, 10)
	w.must(w.trade(id, "a", 10, 1000))
	moves := func() int { return len(w.engine.accounts["A"].positions["ACME.X"].moves) }
	w.later(remembered - 2)
	w.must(&Mark{InstrumentID: "ACME.X", MarkPx: 1000})
	if moves() != 1 {
		t.Errorf("%d fills may be corrected within the day, want 1", moves())
	}
	w.later(1)
	w.must(&Mark{InstrumentID: "ACME.X", MarkPx: 1000})
	if moves() != 0 || w.engine.Order(id) != nil || len(w.engine.execs["X"]) != 0 {
		t.Errorf("after a day %d fills are kept, and order %v", moves(), w.engine.Order(id))
	}
}
