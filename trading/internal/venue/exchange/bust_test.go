package exchange

import (
	"math/rand/v2"
	"strconv"
	"strings"
	"testing"

	pb "aetherion/trading/gen/aetherion/v1"
	"aetherion/trading/internal/testseed"
)

func bust(execID string) *pb.VenueCommand {
	return &pb.VenueCommand{Command: &pb.VenueCommand_TradeCancel{TradeCancel: &pb.TradeCancel{ExecId: execID}}}
}

func correct(execID string, px int64) *pb.VenueCommand {
	return &pb.VenueCommand{Command: &pb.VenueCommand_TradeCorrect{TradeCorrect: &pb.TradeCorrect{ExecId: execID, LastPx: px}}}
}

// traded is a venue where A bought 2 AAA of B at 100.00; the reports of both.
func traded(t *testing.T) (x *Exchange, taker, maker *pb.ExecutionReport) {
	t.Helper()
	x = newExchange(t, Config{})
	reports := do(t, x, 1, deposit("A", "USD", 1000), deposit("B", "AAA", 10), deposit("B", "USD", 50),
		command(limit("B", "s", sell, 2000, 10_000)), command(limit("A", "b", buy, 3000, 10_100)))
	return x, reports[2], reports[3]
}

func balances(x *Exchange, account string) string {
	a := x.accounts[account]
	var text []string
	for _, c := range a.total.currencies() {
		text = append(text, c+" "+a.total[c].String()+"/"+a.held[c].String())
	}
	return strings.Join(text, " ")
}

func TestABustUndoesBothSidesAndTheirFees(t *testing.T) {
	x, taker, maker := traded(t)
	reports := do(t, x, 2, bust(maker.GetExecId()))
	if len(reports) != 2 {
		t.Fatalf("reports: %v", reports)
	}
	for n, want := range []*pb.ExecutionReport{taker, maker} {
		r := reports[n]
		if r.GetExecType() != pb.ExecType_EXEC_TYPE_TRADE_CANCEL || r.GetExecRefId() != want.GetExecId() || r.GetCumQty() != 0 || r.GetLastPx() != 10_000 {
			t.Errorf("report %d: %v", n, r)
		}
	}
	if s := [2]pb.OrdStatus{reports[0].GetOrdStatus(), reports[1].GetOrdStatus()}; s != [2]pb.OrdStatus{pb.OrdStatus_ORD_STATUS_NEW, pb.OrdStatus_ORD_STATUS_CANCELED} {
		t.Errorf("statuses: %v", s)
	}
	for account, want := range map[string]string{"A": "AAA 0/0 USD 1000/101.0707", "B": "AAA 10/0 USD 50/0"} {
		if got := balances(x, account); got != want {
			t.Errorf("account %s: got %s, want %s", account, got, want)
		}
	}
	if fees := x.fees["USD"]; fees.Sign() != 0 {
		t.Errorf("fees: %s", fees)
	}
	if again := do(t, x, 3, bust(taker.GetExecId())); len(again) != 0 {
		t.Errorf("a second bust: %v", again)
	}
	check(t, x)
}

func TestACorrectionMovesTheDifference(t *testing.T) {
	x, taker, _ := traded(t)
	reports := do(t, x, 2, correct(taker.GetExecId(), 10_050))
	if len(reports) != 2 || reports[0].GetExecType() != pb.ExecType_EXEC_TYPE_TRADE_CORRECT || reports[0].GetLastPx() != 10_050 ||
		reports[0].GetExecRefId() != taker.GetExecId() || reports[0].GetAvgPx() != 100.5 || reports[0].GetCumQty() != 2000 {
		t.Fatalf("reports: %v", reports)
	}
	// 2 at 100.50: the taker pays 0.1407, the maker gets 0.0201.
	for account, want := range map[string]string{"A": "AAA 2/0 USD 798.8593/101.0707", "B": "AAA 8/0 USD 251.0201/0"} {
		if got := balances(x, account); got != want {
			t.Errorf("account %s: got %s, want %s", account, got, want)
		}
	}
	if got := do(t, x, 3, bust(taker.GetExecId())); len(got) != 2 || balances(x, "B") != "AAA 10/0 USD 50/0" {
		t.Errorf("a bust of a corrected fill: %v, B has %s", got, balances(x, "B"))
	}
	check(t, x)
}

func TestWhatCannotBeSettledSaysWhy(t *testing.T) {
	x, taker, maker := traded(t)
	do(t, x, 2, command(limit("B", "spend", buy, 2400, 10_000)))
	for _, c := range []struct {
		command *pb.VenueCommand
		want    string
	}{
		{bust("1"), `exec_id: must be a fill that stands, got "1"`},
		{bust("x"), `exec_id: must be a fill that stands, got "x"`},
		{bust(maker.GetExecId()), `exec_id: account "B" has not free what the settlement takes: 200.02 USD`},
		{correct(taker.GetExecId(), 7), "last_px: must be a positive multiple of 5, got 7"},
		{correct(taker.GetExecId(), 1_000_000), `exec_id: account "A" has not free what the settlement takes`},
	} {
		before := balances(x, "A") + balances(x, "B")
		if err := x.Settlement(c.command); err == nil || !strings.HasPrefix(err.Error(), c.want) {
			t.Errorf("got %v, want %s", err, c.want)
		}
		if r := do(t, x, 3, c.command); len(r) > 0 || balances(x, "A")+balances(x, "B") != before {
			t.Errorf("%v changed something", c.command)
		}
	}
}

func TestARefusedOrderIsRejectedWhateverItAsksFor(t *testing.T) {
	x := newExchange(t, Config{})
	c := command(limit("A", "b", buy, 1000, 10_000))
	c.Refuse = true
	r := do(t, x, 1, deposit("A", "USD", 1000), c)
	if len(r) != 1 || r[0].GetOrdRejReason() != pb.OrdRejReason_ORD_REJ_REASON_VENUE || x.accounts["A"].held["USD"].Sign() != 0 {
		t.Fatalf("reports: %v", r)
	}
}

func TestMoneyIsConservedWhileTradesAreBustedAndCorrected(t *testing.T) {
	x := newExchange(t, Config{})
	open(t, x)
	random := rand.New(rand.NewPCG(testseed.Of(t), 2))
	g := generator{Rand: random}
	counts := map[pb.ExecType]int{}
	for i := range 20_000 {
		now := int64(i * 1000)
		commands := []*pb.VenueCommand{g.command(i)}
		if n := len(x.trades); n > 0 && random.IntN(5) == 0 {
			old := x.trades[max(0, n-1-random.IntN(50))]
			id := strconv.FormatUint(old.first+uint64(random.IntN(2)), 10)
			commands = append(commands, bust(id), correct(id, max(5, old.px+5*int64(random.IntN(21)-10))))
			random.Shuffle(len(commands), func(i, j int) { commands[i], commands[j] = commands[j], commands[i] })
		}
		for _, r := range do(t, x, now, commands...) {
			counts[r.GetExecType()]++
		}
		check(t, x)
	}
	t.Logf("reports by type: %v", counts)
	if counts[pb.ExecType_EXEC_TYPE_TRADE_CANCEL] < 100 || counts[pb.ExecType_EXEC_TYPE_TRADE_CORRECT] < 100 {
		t.Errorf("too few busts or corrections: %v", counts)
	}
	for _, a := range x.accounts {
		for _, o := range a.orders {
			if o.status == pb.OrdStatus_ORD_STATUS_REJECTED {
				continue
			}
			sum := int64(0)
			for _, tr := range x.trades {
				if !tr.busted && (tr.taker == o || tr.maker == o) {
					sum += tr.qty
				}
			}
			if sum != o.cum {
				t.Fatalf("order %d: cum_qty %d, its fills that stand %d", o.number, o.cum, sum)
			}
		}
	}
}
