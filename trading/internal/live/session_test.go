package live

import (
	"context"
	"errors"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"aetherion/trading/internal/engine"
	"aetherion/trading/internal/gate/gatetest"
	"aetherion/trading/internal/journal"
	"aetherion/trading/internal/market"
	"aetherion/trading/internal/market/markettest"
)

const (
	account = "DEMO"
	aaa     = "AAA.XNAS"
	second  = int64(time.Second)
	day     = 24 * 60 * 60 * second
)

// at is a bar of AAA that closes at a time.
func at(closed, px int64) markettest.Bar {
	return markettest.Bar{OpenTime: closed - second, TransactTime: closed, Open: px, High: px, Low: px, Close: px, Volume: 100}
}

// running is a session that a test steps through, a row at a time.
type running struct {
	*Session
	t    *testing.T
	rows *market.Subscription
}

func start(t *testing.T, latency time.Duration, bars ...markettest.Bar) *running {
	t.Helper()
	f := markettest.Add(markettest.New(t, filepath.Join(t.TempDir(), "bars")), "bars.parquet", "bar", bars)
	f.Write(f.Manifest())
	dataset, err := market.Open(f.Dir)
	if err != nil {
		t.Fatal(err)
	}
	risk, _ := gatetest.Serve(t, gatetest.Approve)
	cash, err := engine.NewAmount(1_000_000, 0)
	if err != nil {
		t.Fatal(err)
	}
	s, err := New(Config{
		Account: account, InitialCash: engine.Money{Currency: "USD", Amount: cash}, MaxVolumeShareBps: 10_000,
		OrderLatency: latency, RiskTimeout: 10 * time.Second,
	}, dataset, risk, journal.NewMemory())
	if err != nil {
		t.Fatal(err)
	}
	ctx, stop := context.WithCancel(context.Background())
	done := make(chan error, 1)
	go func() { done <- s.Run(ctx) }()
	t.Cleanup(func() {
		stop()
		if err := errors.Join(<-done, s.Close()); err != nil {
			t.Error(err)
		}
	})
	if err := s.Gate.Ready(t.Context()); err != nil {
		t.Fatal(err)
	}
	return &running{Session: s, t: t}
}

// step takes the next row. Until it is taken the replay stands still with that row applied.
func (r *running) step() {
	r.t.Helper()
	if r.rows == nil {
		r.rows = r.Replay.Subscribe(1)
		r.t.Cleanup(r.rows.Close)
	}
	if rows, more := <-r.rows.Rows; !more || len(rows) != 1 {
		r.t.Fatalf("got %v, %v, %v", rows, more, r.rows.Err())
	}
}

func (r *running) submit(inputs ...engine.Input) []engine.CommandAck {
	r.t.Helper()
	results, err := r.Sequencer.Submit(r.t.Context(), inputs...)
	if err != nil {
		r.t.Fatal(err)
	}
	var acks []engine.CommandAck
	for _, result := range results {
		acks = append(acks, result.Ack)
	}
	return acks
}

// reportsOf are the first thousand reports of the account.
func reportsOf(s *Session) []*engine.ExecutionReport {
	page, _ := s.Reports.From(account, Cursor{}, 1000) // the beginning of what there is
	return page.Reports
}

// expect waits until the account's reports are these.
func (r *running) expect(want string) []*engine.ExecutionReport {
	r.t.Helper()
	var got string
	for deadline := time.Now().Add(10 * time.Second); time.Now().Before(deadline); time.Sleep(time.Millisecond) {
		reports := reportsOf(r.Session)
		var names []string
		for _, report := range reports {
			names = append(names, execNames[report.ExecType])
		}
		if got = strings.Join(names, " "); got == want {
			return reports
		}
	}
	r.t.Fatalf("reports are %q, want %q", got, want)
	return nil
}

var execNames = map[engine.ExecType]string{
	engine.ExecPendingNew: "pending", engine.ExecNew: "new", engine.ExecTrade: "trade", engine.ExecCanceled: "canceled",
	engine.ExecRejected: "rejected", engine.ExecExpired: "expired", engine.ExecPendingCancel: "pending-cancel",
	engine.ExecCancelRejected: "cancel-rejected", engine.ExecSuspended: "suspended", engine.ExecTriggered: "triggered",
	engine.ExecPendingReplace: "pending-replace", engine.ExecReplaced: "replaced",
}

func order(name string, tif engine.TimeInForce, price int64) *engine.OrderDecision {
	return &engine.OrderDecision{NewOrder: engine.NewOrder{
		ClOrdID: name, Account: account, InstrumentID: aaa, Side: engine.Buy, OrdType: engine.Limit,
		TimeInForce: tif, OrderQty: 10, Price: price, HasPrice: true,
	}}
}

func TestFillsAreOfTheRecordedTime(t *testing.T) {
	r := start(t, 0, at(10*second, 100), at(20*second, 101), at(30*second, 102), at(40*second, 103))
	r.step()
	for r.desk.(*replayDesk).clock.Now() < 20*second { // The second bar is on its way: the order is to come after it.
		time.Sleep(time.Millisecond)
	}
	r.submit(order("a", engine.GTC, 200))
	r.expect("pending new")
	r.step()
	r.step()
	reports := r.expect("pending new trade")
	fill := reports[2]
	if fill.LastPx != 102 && fill.LastPx != 103 || fill.TransactTime != (fill.LastPx-99)*10*second {
		t.Errorf("filled at %d at %d", fill.LastPx, fill.TransactTime)
	}
}

func TestLatencyDelaysArrivalAndFill(t *testing.T) {
	r := start(t, 15*time.Second, at(10*second, 100), at(20*second, 101), at(30*second, 102), at(40*second, 103), at(50*second, 104), at(60*second, 105))
	r.step()
	r.submit(order("a", engine.GTC, 200)) // At 20 s, if the second bar was applied, or else at 10 s.
	r.expect("pending")
	for range 4 {
		r.step()
	}
	fill := r.expect("pending new trade")[2]
	if fill.TransactTime < 30*second || fill.TransactTime > 40*second {
		t.Errorf("filled at %d s", fill.TransactTime/second)
	}
}

func TestCancelWhileTheMarketStandsStill(t *testing.T) {
	r := start(t, 0, at(10*second, 100), at(20*second, 101), at(30*second, 102))
	r.step()
	acks := r.submit(order("a", engine.GTC, 1), &engine.CancelOrder{ClOrdID: "c", OrigClOrdID: "a", Account: account})
	if acks[0].ExecType != engine.ExecPendingNew || acks[1].ExecType != engine.ExecPendingCancel {
		t.Errorf("got %+v", acks)
	}
	r.expect("pending pending-cancel new canceled")
}

func TestDayOrdersExpireWithTheRecordedDay(t *testing.T) {
	r := start(t, 0, at(10*second, 100), at(20*second, 101), at(day+10*second, 102), at(day+20*second, 103))
	r.step()
	r.submit(order("day", engine.Day, 1), order("gtc", engine.GTC, 1))
	r.step()
	r.step()
	reports := r.expect("pending pending new new expired")
	if last := reports[4]; last.NewOrder.ClOrdID != "day" || last.TransactTime != day {
		t.Errorf("got %+v", last)
	}
}

func TestAccountIsValuedAtTheDayEnd(t *testing.T) {
	r := start(t, 0, at(10*second, 100), at(20*second, 100), at(30*second, 100), at(40*second, 110), at(day+10*second, 120), at(day+20*second, 130))
	r.step()
	r.submit(order("a", engine.GTC, 200))
	for range 3 {
		r.step()
	}
	// The bar of the second day has been applied, and before it the first day was closed.
	var marks []int64
	var state engine.AccountState
	for deadline := time.Now().Add(10 * time.Second); time.Now().Before(deadline); time.Sleep(time.Millisecond) {
		if err := r.Sequencer.Query(t.Context(), func(e *engine.Engine) { state, _ = e.Account(account) }); err != nil {
			t.Fatal(err)
		}
		if len(state.Positions) == 1 && state.Positions[0].MarkPx >= 110 {
			marks = append(marks, state.Positions[0].MarkPx)
			break
		}
	}
	if len(marks) == 0 || !state.HasEquity {
		t.Errorf("never valued at the day's last price: %+v", state)
	}
}

func TestNewRefusesWhatTheEngineDoes(t *testing.T) {
	risk, _ := gatetest.Serve(t, gatetest.Approve)
	if _, err := New(Config{}, nil, risk, journal.NewMemory()); err == nil {
		t.Error("opened an account without a name")
	}
}
