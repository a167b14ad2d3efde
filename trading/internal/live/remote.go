package live

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"log/slog"
	"math"
	"time"

	"golang.org/x/sync/errgroup"
	"google.golang.org/grpc"

	pb "aetherion/trading/gen/aetherion/v1"
	"aetherion/trading/internal/clock"
	"aetherion/trading/internal/contract"
	"aetherion/trading/internal/engine"
	"aetherion/trading/internal/market"
	"aetherion/trading/internal/venue/remote"
)

const (
	describeTimeout = 10 * time.Second
	marketBackOff   = time.Second
	// fillsKnown is how far before the last event of a journal fills are asked for. What the engine knows of orders
	// that ended is a day of log time.
	fillsKnown = int64(24 * time.Hour)
)

// errSequencing says that the session itself is at its end.
var errSequencing = errors.New("sequencing")

// remoteDesk trades at a venue in another process, and passes on its market data.
type remoteDesk struct {
	core
	venue   *remote.Venue
	client  pb.VenueServiceClient
	decoder *market.Decoder
	market  *market.Replay
	rows    chan []market.Row
	audit   *audit
}

// openRemote connects to a venue. What the journal holds that may be at the venue is told to it.
func (s *Session) openRemote(config Config, now clock.Clock, state *engine.Engine, journalID string) (*remote.Venue, error) {
	ctx, cancel := context.WithTimeout(context.Background(), describeTimeout)
	defer cancel()
	venue, err := remote.Open(ctx, config.Venue, remote.Config{
		Account: config.Account, Prefix: journalID, Reconcile: config.Reconcile, FillsFrom: max(min(state.Now(), now.Now())-fillsKnown, 0),
	})
	if err != nil {
		return nil, err
	}
	if !venue.Simulated() && !config.Durable {
		return nil, fmt.Errorf("venue %s: real money moves there, so the journal's durability must be fsync", venue.Name())
	}
	if s.Instruments, err = venue.Instruments(); err != nil {
		return nil, err
	}
	s.Replay = market.NewBroadcast()
	s.MaxVolumeShareBps = 10_000 // whatever rests in the book is there for all
	desk := &remoteDesk{
		venue: venue, client: pb.NewVenueServiceClient(config.Venue), decoder: market.NewDecoder(s.Instruments),
		market: s.Replay, rows: make(chan []market.Row, batchesWaiting),
	}
	desk.audit = &audit{adoption: cmp.Or(config.Adoption, Refuse), account: config.Account, venue: venue, instruments: s.Instruments, price: desk.middle}
	venue.Audited(desk.audit)
	s.desk = desk
	for _, account := range state.Accounts() {
		state.Orders(account.Account, 0, func(order *engine.Order) bool {
			if order.Open() && !order.Held() || order.Changing() != nil || order.Canceling() {
				venue.Resume(order)
			}
			return true
		})
	}
	return venue, nil
}

// settle brings engine and venue to the same before anybody trades.
func (d *remoteDesk) settle(e *engine.Engine, sequence func([]engine.Input) error) error {
	ctx, cancel := context.WithTimeout(context.Background(), describeTimeout)
	defer cancel()
	state, _ := e.Account(d.audit.account)
	d.audit.fresh = len(state.Balances)+len(state.Positions) == 0
	d.audit.query = func(_ context.Context, read func(*engine.Engine)) error {
		read(e)
		return nil
	}
	d.audit.sequence = func(_ context.Context, inputs []engine.Input) error { return d.unlessRefused(sequence(inputs)) }
	err := d.audit.atStart(ctx)
	d.audit.query, d.audit.sequence = d.query, d.hear
	return err
}

// scaledQty is an amount in 10^-scale, cut off below.
func scaledQty(amount engine.Amount, scale uint32) int64 {
	money := contract.EncodeMoney(engine.Money{Currency: "-", Amount: amount})
	one := int64(math.Pow10(int(scale)))
	return money.GetUnits()*one + money.GetAttos()/(attos/one)
}

const attos = 1_000_000_000_000_000_000 // of one

// amountOf is a quantity in 10^-scale as an amount.
func amountOf(qty int64, scale uint32) (engine.Amount, error) {
	one := int64(math.Pow10(int(scale)))
	return engine.NewAmount(qty/one, qty%one*(attos/one))
}

func (d *remoteDesk) middle(ctx context.Context, instrumentID string) (int64, error) {
	book, err := d.client.QueryBook(ctx, &pb.QueryBookRequest{InstrumentId: instrumentID})
	if err != nil {
		return 0, fmt.Errorf("book of %s: %w", instrumentID, err)
	}
	if len(book.GetBids()) == 0 || len(book.GetAsks()) == 0 {
		return 0, nil
	}
	return (book.GetBids()[0].GetPrice() + book.GetAsks()[0].GetPrice()) / 2, nil
}

func (d *remoteDesk) run(ctx context.Context) error {
	group, ctx := errgroup.WithContext(ctx)
	group.Go(func() error { return d.venue.Run(ctx, d.hear) })
	group.Go(func() error {
		d.market.Broadcast(ctx, d.rows)
		return nil
	})
	group.Go(func() error { return d.follow(ctx) })
	return group.Wait()
}

// hear sequences what the venue said. What the engine refuses is the venue's fault: it is said, and does
// not end the session.
func (d *remoteDesk) hear(ctx context.Context, inputs []engine.Input) error {
	return d.unlessRefused(d.report(ctx, inputs))
}

func (d *remoteDesk) unlessRefused(err error) error {
	if errors.Is(err, errRefused) {
		slog.Error("the venue said what cannot be", "venue", d.venue.Name(), "error", err)
		return nil
	}
	return err
}

// follow reads the venue's market data, again and again.
func (d *remoteDesk) follow(ctx context.Context) error {
	for {
		err := d.stream(ctx)
		if ctx.Err() != nil {
			return nil
		}
		if errors.Is(err, errSequencing) {
			return err
		}
		slog.Warn("market data ended", "venue", d.venue.Name(), "error", err)
		select {
		case <-ctx.Done():
			return nil
		case <-time.After(marketBackOff):
		}
	}
}

func (d *remoteDesk) stream(ctx context.Context) error {
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	stream, err := d.client.StreamMarketData(ctx, &pb.VenueServiceStreamMarketDataRequest{}, grpc.WaitForReady(true))
	if err != nil {
		return err
	}
	batches, ended := make(chan []market.Row), make(chan error, 1)
	go func() { ended <- d.receive(ctx, stream, batches) }()
	marks := time.NewTicker(markInterval)
	defer marks.Stop()
	for {
		select {
		case err := <-ended:
			return err
		case rows := <-batches:
			if err := d.see(ctx, rows); err != nil {
				return fmt.Errorf("%w: %w", errSequencing, err)
			}
		case <-marks.C:
			if err := d.markMoved(ctx); err != nil {
				return fmt.Errorf("%w: %w", errSequencing, err)
			}
		}
	}
}

func (d *remoteDesk) receive(ctx context.Context, stream grpc.ServerStreamingClient[pb.VenueServiceStreamMarketDataResponse], batches chan<- []market.Row) error {
	for {
		response, err := stream.Recv()
		if err != nil {
			return err
		}
		rows, err := d.decoder.Decode(response.GetBatch())
		if err != nil {
			return err
		}
		select {
		case batches <- rows:
		case <-ctx.Done():
			return ctx.Err()
		}
	}
}

// see lets marks and triggers see rows before anyone can act on them.
func (d *remoteDesk) see(ctx context.Context, rows []market.Row) error {
	var seen []engine.Input
	for i := range rows {
		seen = append(seen, d.sampler.Observe(&rows[i])...)
		d.moved = true
	}
	if err := d.report(ctx, seen); err != nil {
		return err
	}
	select {
	case d.rows <- rows:
	case <-ctx.Done():
	}
	return nil
}
