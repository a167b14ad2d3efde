package rpc

import (
	"context"
	"errors"
	"fmt"
	"io"
	"slices"
	"strings"

	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"

	pb "aetherion/trading/gen/aetherion/v1"
	"aetherion/trading/internal/contract"
	"aetherion/trading/internal/engine"
	"aetherion/trading/internal/market"
)

const (
	defaultBatchRows = 4096
	maxBatchRows     = 65_536
)

type marketDataService struct {
	pb.UnimplementedMarketDataServiceServer
	*Server
}

func (s marketDataService) ListInstruments(ctx context.Context, r *pb.ListInstrumentsRequest) (*pb.ListInstrumentsResponse, error) {
	size, err := pageSize(r.GetPageSize())
	if err != nil {
		return nil, err
	}
	var all []engine.Instrument
	if err := s.query(ctx, func(e *engine.Engine) { all = e.Instruments() }); err != nil {
		return nil, err
	}
	// The token is the last id given; ids only ever come in addition.
	first, found := slices.BinarySearchFunc(all, r.GetPageToken(), func(i engine.Instrument, id string) int {
		return strings.Compare(i.InstrumentID, id)
	})
	if found {
		first++
	} else if r.GetPageToken() != "" {
		return nil, invalidf("page_token: must be a next_page_token, got %q", r.GetPageToken())
	}
	response := &pb.ListInstrumentsResponse{}
	page := all[first:min(first+size, len(all))]
	for i := range page {
		response.Instruments = append(response.Instruments, contract.EncodeInstrument(&page[i]))
	}
	if first+len(page) < len(all) {
		response.NextPageToken = page[len(page)-1].InstrumentID
	}
	return response, nil
}

func (s marketDataService) GetInstrument(ctx context.Context, r *pb.GetInstrumentRequest) (*pb.GetInstrumentResponse, error) {
	var instrument engine.Instrument
	var known bool
	if err := s.query(ctx, func(e *engine.Engine) { instrument, known = e.Instrument(r.GetInstrumentId()) }); err != nil {
		return nil, err
	}
	if !known {
		return nil, notFound("instrument_id: there is no instrument %q", r.GetInstrumentId())
	}
	return &pb.GetInstrumentResponse{Instrument: contract.EncodeInstrument(&instrument)}, nil
}

func (s marketDataService) StreamMarketData(stream pb.MarketDataService_StreamMarketDataServer) error {
	if s.session.Replay == nil {
		return status.Errorf(codes.FailedPrecondition,
			"no market data: AETHERION_TRADING_REPLAY_DATA_SET is not set; set it to the name of a data set in %s", s.catalog.Dir)
	}
	wanted, err := s.receiveSubscription(stream)
	if errors.Is(err, io.EOF) {
		return invalidf("request: a subscription must come first")
	}
	if err != nil {
		return err
	}
	replay := s.session.Replay.Subscribe(wanted.batchRows)
	defer replay.Close()
	out := &marketDataSender{server: s.Server, stream: stream, encoder: market.NewEncoder(s.session.Instruments)}
	changes, failed := s.receiveChanges(stream)
	for {
		select {
		case wanted = <-changes:
			replay.Limit(wanted.batchRows)
		case err := <-failed:
			return err
		case rows, more := <-replay.Rows:
			if !more {
				return out.end(replay.Err())
			}
			if err := out.send(wanted, rows); err != nil {
				return err
			}
		case <-stream.Context().Done():
			return unavailable(stream.Context().Err())
		}
	}
}

// receiveChanges gives the subscriptions that replace the first. A client that sends no more still reads.
func (s marketDataService) receiveChanges(stream pb.MarketDataService_StreamMarketDataServer) (<-chan *subscription, <-chan error) {
	changes, failed := make(chan *subscription), make(chan error, 1)
	s.calls.Go(func() {
		for {
			wanted, err := s.receiveSubscription(stream)
			if errors.Is(err, io.EOF) {
				return
			}
			if err != nil {
				failed <- err
				return
			}
			select {
			case changes <- wanted:
			case <-stream.Context().Done():
				return
			}
		}
	})
	return changes, failed
}

// subscription is what a client wants. What is nil or zero is not narrowed down.
type subscription struct {
	instruments []bool
	kinds       [market.BookOrder + 1]bool
	batchRows   int
}

func (s marketDataService) receiveSubscription(stream pb.MarketDataService_StreamMarketDataServer) (*subscription, error) {
	r, err := stream.Recv()
	if err != nil {
		return nil, err
	}
	wanted := &subscription{}
	if wanted.batchRows, err = batchRows(r.GetMaxBatchRows()); err != nil {
		return nil, invalid(err)
	}
	for i, kind := range r.GetKinds() {
		if kind <= 0 || int(kind) >= len(wanted.kinds) {
			return nil, invalidf("kinds[%d]: unknown value %d", i, kind)
		}
		wanted.kinds[kind] = true
	}
	if len(r.GetKinds()) == 0 {
		wanted.kinds = [...]bool{market.Bar: true, market.Quote: true, market.Trade: true, market.BookLevel: true, market.BookOrder: true}
	}
	if len(r.GetInstrumentIds()) == 0 {
		return wanted, nil
	}
	wanted.instruments = make([]bool, len(s.session.Instruments))
	indexes, err := indexesOf(s.session.Instruments, "instrument_ids", r.GetInstrumentIds())
	for _, index := range indexes {
		wanted.instruments[index] = true
	}
	return wanted, err
}

// indexesOf finds instruments by their ids; nil when none are named.
func indexesOf(instruments []engine.Instrument, field string, ids []string) ([]uint32, error) {
	if len(ids) == 0 {
		return nil, nil
	}
	byID := make(map[string]uint32, len(instruments))
	for i := range instruments {
		byID[instruments[i].InstrumentID] = uint32(i)
	}
	indexes := make([]uint32, len(ids))
	for i, id := range ids {
		index, known := byID[id]
		if !known {
			return nil, notFound("%s[%d]: there is no instrument %q", field, i, id)
		}
		indexes[i] = index
	}
	return indexes, nil
}

func (w *subscription) all() bool {
	return w.instruments == nil && !slices.Contains(w.kinds[1:], false)
}

func (w *subscription) wants(row *market.Row) bool {
	return w.kinds[row.Kind] && (w.instruments == nil || w.instruments[row.Instrument])
}

// marketDataSender sends what of the rows is wanted.
type marketDataSender struct {
	server  *Server
	stream  pb.MarketDataService_StreamMarketDataServer
	encoder *market.Encoder
	wanted  []market.Row
}

func (m *marketDataSender) send(wanted *subscription, rows []market.Row) error {
	if !wanted.all() {
		m.wanted = m.wanted[:0]
		for i := range rows {
			if wanted.wants(&rows[i]) {
				m.wanted = append(m.wanted, rows[i])
			}
		}
		rows = m.wanted
	}
	for batch := range slices.Chunk(rows, wanted.batchRows) {
		if err := m.sendOne(&pb.StreamMarketDataResponse{Batch: m.encoder.Encode(batch)}); err != nil {
			return err
		}
	}
	return nil
}

// end tells that the data is at its end, or why it ended before.
func (m *marketDataSender) end(err error) error {
	switch {
	case errors.Is(err, market.ErrBehind):
		return status.Errorf(codes.ResourceExhausted, "%v; subscribe again to go on with the newest rows", err)
	case err != nil:
		return status.Errorf(codes.FailedPrecondition, "the replay has ended: %v", err)
	}
	return m.sendOne(&pb.StreamMarketDataResponse{EndOfData: true})
}

func (m *marketDataSender) sendOne(response *pb.StreamMarketDataResponse) error {
	return send(m.server, m.stream, response, func() string { return "subscribe again to go on with the newest rows" })
}

// batchRows is the most rows of a batch that a client asks for.
func batchRows(asked uint32) (int, error) {
	switch {
	case asked > maxBatchRows:
		return 0, fmt.Errorf("max_batch_rows: must be at most %d, got %d", maxBatchRows, asked)
	case asked == 0:
		return defaultBatchRows, nil
	}
	return int(asked), nil
}
