package live

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"math"
	"slices"
	"time"

	"golang.org/x/sync/errgroup"
	"google.golang.org/grpc"

	pb "aetherion/trading/gen/aetherion/v1"
	"aetherion/trading/internal/contract"
	"aetherion/trading/internal/engine"
	"aetherion/trading/internal/market"
	"aetherion/trading/internal/venue/remote"
)

const (
	describeTimeout = 10 * time.Second
	marketBackOff   = time.Second
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
}

// openRemote connects to a venue. What the journal holds that may be at the venue is told to it.
func (s *Session) openRemote(config Config, state *engine.Engine, journalID string) (*remote.Venue, error) {
	ctx, cancel := context.WithTimeout(context.Background(), describeTimeout)
	defer cancel()
	venue, err := remote.Open(ctx, config.Venue, remote.Config{Account: config.Account, Prefix: journalID})
	if err != nil {
		return nil, err
	}
	if s.Instruments, err = venue.Instruments(); err != nil {
		return nil, err
	}
	s.Replay = market.NewBroadcast()
	s.MaxVolumeShareBps = 10_000 // whatever rests in the book is there for all
	s.desk = &remoteDesk{
		venue: venue, client: pb.NewVenueServiceClient(config.Venue), decoder: market.NewDecoder(s.Instruments),
		market: s.Replay, rows: make(chan []market.Row, batchesWaiting),
	}
	for _, account := range state.Accounts() {
		state.Orders(account.Account, 0, func(order *engine.Order) bool {
			if order.Open() && !order.Held() {
				venue.Resume(order)
			}
			return true
		})
	}
	return venue, nil
}

// adopted is what an account has that traded before it was ours: cash, and of each asset a position in the
// first instrument that has it as base, at the middle of the book.
func (d *remoteDesk) adopted(account string, instruments []engine.Instrument) ([]engine.Input, error) {
	ctx, cancel := context.WithTimeout(context.Background(), describeTimeout)
	defer cancel()
	balances, err := d.venue.Balances(ctx)
	if err != nil {
		return nil, err
	}
	var inputs []engine.Input
	for _, balance := range balances {
		adjustment := &engine.Adjustment{Account: account, Cash: balance, Reason: "adopted from the venue"}
		if i := slices.IndexFunc(instruments, func(i engine.Instrument) bool { return i.BaseCurrency == balance.Currency }); i >= 0 {
			adjustment.Cash, adjustment.InstrumentID = engine.Money{}, instruments[i].InstrumentID
			adjustment.Qty = scaledQty(balance.Amount, instruments[i].QtyScale)
			if adjustment.Price, err = d.middle(ctx, instruments[i].InstrumentID); err != nil {
				return nil, err
			}
		}
		inputs = append(inputs, adjustment)
	}
	return inputs, nil
}

// scaledQty is an amount in 10^-scale, cut off below.
func scaledQty(amount engine.Amount, scale uint32) int64 {
	money := contract.EncodeMoney(engine.Money{Currency: "-", Amount: amount})
	one := int64(math.Pow10(int(scale)))
	return money.GetUnits()*one + money.GetAttos()/(1_000_000_000_000_000_000/one)
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
	err := d.report(ctx, inputs)
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
