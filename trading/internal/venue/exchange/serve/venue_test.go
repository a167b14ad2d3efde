package serve

import (
	"context"
	"strconv"
	"strings"
	"testing"
	"time"

	pb "aetherion/trading/gen/aetherion/v1"
	"aetherion/trading/internal/engine"
	"aetherion/trading/internal/market"
	"aetherion/trading/internal/venue/exchange"
)

func config() exchange.Config {
	return exchange.Config{
		Seed: 5, CommandLatency: exchange.Latency{Median: 20 * time.Microsecond, Sigma: 1},
		Instruments: []engine.Instrument{{
			InstrumentID: "AAA-USD.SIM", Version: 1, Class: engine.Spot, BaseCurrency: "AAA", QuoteCurrency: "USD",
			PriceIncrement: 1, QtyIncrement: 1, MinQty: 1, Multiplier: engine.Decimal{Mantissa: 1},
		}},
	}
}

// running opens a venue and lets it run until the end of the function that it returns.
func running(t *testing.T, dir string) (*Venue, func()) {
	t.Helper()
	v, err := Open(config(), dir)
	if err != nil {
		t.Fatal(err)
	}
	ctx, stop := context.WithCancel(context.Background())
	ended := make(chan error, 1)
	go func() { ended <- v.Run(ctx) }()
	return v, func() {
		stop()
		if err := <-ended; err != nil {
			t.Error(err)
		}
		if err := v.Close(); err != nil {
			t.Error(err)
		}
	}
}

func do(t *testing.T, v *Venue, c *pb.VenueCommand) {
	t.Helper()
	if err := v.Do(t.Context(), c); err != nil {
		t.Fatal(err)
	}
}

func order(name string, side pb.Side, price int64) *pb.VenueCommand {
	return &pb.VenueCommand{Command: &pb.VenueCommand_NewOrder{NewOrder: &pb.NewOrder{
		Account: "A", ClOrdId: name, InstrumentId: "AAA-USD.SIM", Side: side, OrdType: pb.OrdType_ORD_TYPE_LIMIT,
		TimeInForce: pb.TimeInForce_TIME_IN_FORCE_GTC, OrderQty: 1, Price: &price,
		SelfTradePrevention: pb.SelfTradePrevention_SELF_TRADE_PREVENTION_NONE,
	}}}
}

func deposit(currency string) *pb.VenueCommand {
	return &pb.VenueCommand{Command: &pb.VenueCommand_Deposit{Deposit: &pb.Deposit{
		Account: "A", Amount: &pb.Money{Currency: currency, Units: 100_000},
	}}}
}

// settled waits until all commands have arrived, and returns the state.
func settled(t *testing.T, v *Venue, orders int) [32]byte {
	t.Helper()
	for range 1000 {
		v.mu.Lock()
		known, hash := len(v.exchange.Orders("A", 0, false, orders+1)), v.exchange.Hash()
		v.mu.Unlock()
		if known == orders {
			return hash
		}
		time.Sleep(5 * time.Millisecond)
	}
	t.Fatalf("the venue never had %d orders", orders)
	return [32]byte{}
}

func TestARestartIsTheSameState(t *testing.T) {
	dir := t.TempDir()
	v, stop := running(t, dir)
	do(t, v, deposit("USD"))
	do(t, v, deposit("AAA"))
	const orders = 200
	for i := range orders {
		do(t, v, order(strconv.Itoa(i), pb.Side(1+i%2), int64(100+i*7%13)))
	}
	before := settled(t, v, orders)
	stop()
	v, stop = running(t, dir)
	defer stop()
	if after := settled(t, v, orders); after != before {
		t.Errorf("state %x before, %x after", before, after)
	}
}

func TestALogOfAnotherVenueIsRefused(t *testing.T) {
	dir := t.TempDir()
	_, stop := running(t, dir)
	stop()
	other := config()
	other.Seed++
	if _, err := Open(other, dir); err == nil || !strings.Contains(err.Error(), "other instruments, seed or latencies") {
		t.Errorf("got %v", err)
	}
}

func TestAReaderThatFallsBehindIsCutOff(t *testing.T) {
	r := &reader{batches: make(chan []market.Row, maxBatches)}
	for range maxBatches + 2 {
		r.tell([]market.Row{{Kind: market.Trade}})
	}
	read := 0
	for range r.batches {
		read++
	}
	if read != maxBatches || !r.cut {
		t.Errorf("read %d batches, cut off: %v", read, r.cut)
	}
}
