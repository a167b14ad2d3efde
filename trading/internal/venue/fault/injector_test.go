package fault

import (
	"errors"
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	pb "aetherion/trading/gen/aetherion/v1"
	"aetherion/trading/internal/engine"
	"aetherion/trading/internal/market"
)

// venue settles everything but the fill named, and fills the order "open".
type venue struct{ refused string }

func (v venue) Settlement(c *pb.VenueCommand) error {
	if c.GetTradeCancel().GetExecId() == v.refused {
		return errors.New("refused")
	}
	return nil
}

func (venue) FillFirst(_ int64, _, name string) []*pb.VenueCommand {
	if name != "open" {
		return nil
	}
	return []*pb.VenueCommand{{}}
}

func injector(t *testing.T, plan string) *Injector {
	t.Helper()
	rules, err := Parse(plan)
	if err != nil {
		t.Fatal(err)
	}
	return New(Config{Rules: rules, Instruments: []engine.Instrument{{InstrumentID: "AAA-USD.SIM", PriceIncrement: 5}}})
}

func report(n uint64, execType pb.ExecType) *pb.ExecutionReport {
	return &pb.ExecutionReport{
		Sequence: n, PrevSequence: n - 1, ExecId: fmt.Sprint(n), Account: "A", ExecType: execType, InstrumentId: "AAA-USD.SIM", LastPx: 100,
	}
}

// told plays six reports, the even ones fills, one a millisecond, and returns what the client gets and when.
func told(i *Injector) string {
	var told []string
	tell := func(now int64, reports []*pb.ExecutionReport) {
		for _, r := range reports {
			told = append(told, fmt.Sprintf("%d@%d<%d", r.GetSequence(), now, r.GetPrevSequence()))
		}
	}
	for ms := int64(1); ms <= 6; ms++ {
		execType := pb.ExecType_EXEC_TYPE_NEW
		if ms%2 == 0 {
			execType = pb.ExecType_EXEC_TYPE_TRADE
		}
		tell(ms, i.Advance(ms*int64(time.Millisecond)).Reports)
		out, asked := i.Report(ms*int64(time.Millisecond), report(uint64(ms), execType), venue{refused: "4"})
		tell(ms, out)
		for _, c := range asked {
			told = append(told, fmt.Sprintf("bust %s correct %s %d", c.GetTradeCancel().GetExecId(), c.GetTradeCorrect().GetExecId(), c.GetTradeCorrect().GetLastPx()))
		}
	}
	for at, ok := i.Next(); ok; at, ok = i.Next() {
		tell(at/int64(time.Millisecond), i.Advance(at).Reports)
	}
	return strings.Join(told, " ")
}

func TestReportsGoWrongAsPlanned(t *testing.T) {
	for plan, want := range map[string]string{
		"":                               "1@1<0 2@2<1 3@3<2 4@4<3 5@5<4 6@6<5",
		"at report 2 drop":               "1@1<0 3@3<2 4@4<3 5@5<4 6@6<5",
		"at report 2 delay 3ms":          "1@1<0 3@3<2 4@4<3 2@5<1 5@5<4 6@6<5",
		"at report 2 duplicate":          "1@1<0 2@2<1 2@2<1 3@3<2 4@4<3 5@5<4 6@6<5",
		"at report 2 reorder 2":          "1@1<0 3@3<2 4@4<3 2@4<1 5@5<4 6@6<5",
		"at report 6 reorder 2":          "1@1<0 2@2<1 3@3<2 4@4<3 5@5<4 6@1006<5",
		"at fill 1 lose":                 "1@1<0 3@3<1 4@4<3 5@5<4 6@6<5",
		"at fill 1 bust":                 "1@1<0 2@2<1 bust 2 correct  0 3@3<2 4@4<3 5@5<4 6@6<5",
		"at fill 2 bust":                 "1@1<0 2@2<1 3@3<2 4@4<3 5@5<4 6@6<5",
		"at fill 3 correct price -1":     "1@1<0 2@2<1 3@3<2 4@4<3 5@5<4 6@6<5 bust  correct 6 95",
		"at fill 2 lose\nat fill 3 lose": "1@1<0 2@2<1 3@3<2 5@5<3",
	} {
		i := injector(t, plan)
		if got := told(i); got != want {
			t.Errorf("%q:\n got %s\nwant %s", plan, got, want)
		}
		var records []string
		for _, r := range i.Records() {
			records = append(records, r.GetFault())
		}
		if want := plan; plan == "at fill 2 bust" {
			if len(records) > 0 {
				t.Errorf("%q was refused, and recorded: %v", plan, records)
			}
		} else if got := strings.Join(records, "\n"); got != want {
			t.Errorf("%q: recorded %q", plan, got)
		}
	}
}

func TestAResumeBringsAllButWhatIsLost(t *testing.T) {
	i := injector(t, "at report 1 drop\nat fill 1 lose")
	told(i)
	var got []string
	for n := uint64(1); n <= 3; n++ {
		for _, r := range i.Resumed([]*pb.ExecutionReport{report(n, pb.ExecType_EXEC_TYPE_NEW)}) {
			got = append(got, fmt.Sprintf("%d<%d", r.GetSequence(), r.GetPrevSequence()))
		}
	}
	if want := []string{"1<0", "3<1"}; !slices.Equal(got, want) {
		t.Errorf("got %v, want %v", got, want)
	}
}

func TestCommandsGoWrongAsPlanned(t *testing.T) {
	i := injector(t, "at cancel 1 fill first\nat replace 2 fill first\nat order 2 reject\nfrom 1s to 2s reject")
	order := &pb.VenueCommand{Command: &pb.VenueCommand_NewOrder{NewOrder: &pb.NewOrder{ClOrdId: "n"}}}
	cancel := &pb.VenueCommand{Command: &pb.VenueCommand_CancelOrder{CancelOrder: &pb.CancelOrder{OrigClOrdId: "open"}}}
	replace := &pb.VenueCommand{Command: &pb.VenueCommand_ReplaceOrder{ReplaceOrder: &pb.ReplaceOrder{OrigClOrdId: "closed"}}}
	second := int64(time.Second)
	for n, c := range []struct {
		now      int64
		command  *pb.VenueCommand
		commands int
		refused  bool
	}{
		{0, order, 1, false}, {0, order, 1, true}, {second, order, 1, true}, {2*second - 1, order, 1, true}, {2 * second, order, 1, false},
		{0, cancel, 2, false}, {0, cancel, 1, false}, {0, replace, 1, false}, {0, replace, 1, false},
	} {
		got := i.Command(c.now, c.command, venue{})
		if len(got) != c.commands || got[len(got)-1].GetRefuse() != c.refused {
			t.Errorf("command %d: got %v", n, got)
		}
	}
	if order.GetRefuse() {
		t.Error("the client's own command was changed")
	}
	if n := len(i.Records()); n != 4 {
		t.Errorf("%d faults recorded, want 4: %v", n, i.Records())
	}
}

func TestMarketDataGoesWrongInItsTime(t *testing.T) {
	i := injector(t, "from 1s to 2s stale\nfrom 3s to 4s crossed\nat 5s disconnect 500ms")
	rows := []market.Row{{Kind: market.Quote}, {Kind: market.BookLevel, BookSide: 1}}
	rows[0].BidPx, rows[0].HasBid, rows[0].AskPx, rows[0].HasAsk = 10, true, 11, true
	var got []string
	for at, ok := i.Next(); ok; at, ok = i.Next() {
		passed := i.Advance(at)
		text := fmt.Sprintf("%s %v", time.Duration(at), passed.Books)
		for _, r := range i.Rows(at, rows) {
			text += fmt.Sprintf(" %d/%d/%d", r.BidPx, r.AskPx, r.BookSide)
		}
		if passed.Disconnect > 0 {
			text += fmt.Sprintf(" down until %s", time.Duration(passed.Disconnect))
		}
		got = append(got, text)
	}
	want := []string{
		"1s true", "2s true 10/11/0 0/0/1", "3s true 11/10/0 0/0/2", "4s true 10/11/0 0/0/1", "5s false 10/11/0 0/0/1 down until 5.5s",
	}
	if !slices.Equal(got, want) {
		t.Errorf("got %q, want %q", got, want)
	}
	if rows[0].BidPx != 10 || len(i.Records()) != 3 {
		t.Errorf("the venue's own rows were changed, or records are wrong: %v", i.Records())
	}
}

func TestSameSeedSameFaults(t *testing.T) {
	rates, err := ParseRates("drop=0.1,delay=0.1,duplicate=0.1,reorder=0.1,lose=0.1,bust=0.1,correct=0.1")
	if err != nil {
		t.Fatal(err)
	}
	run := func(seed uint64) string {
		i := New(Config{Rates: rates, Seed: seed})
		for n := range uint64(200) {
			i.Report(int64(n), report(n+1, pb.ExecType_EXEC_TYPE_TRADE), venue{})
		}
		return fmt.Sprint(i.Records())
	}
	first := run(1)
	if again, other := run(1), run(2); again != first || other == first {
		t.Error("faults do not follow from the seed")
	}
	if n := strings.Count(first, "drop"); n < 5 || n > 40 {
		t.Errorf("%d of 200 reports dropped at a rate of 0.1", n)
	}
}
