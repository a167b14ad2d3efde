package rpc

import (
	"encoding/binary"
	"fmt"
	"sync"
	"testing"
	"time"

	"google.golang.org/grpc/codes"

	pb "aetherion/trading/gen/aetherion/v1"
)

// received is what one client read of a market data stream.
type received struct {
	rows    int
	batches []uint32
	ids     map[string]int
	times   []int64
}

// read reads to the end of the data.
func read(stream pb.MarketDataService_StreamMarketDataClient) (received, error) {
	r := received{ids: map[string]int{}}
	for {
		response, err := stream.Recv()
		if err != nil || response.GetEndOfData() {
			return r, err
		}
		batch := response.GetBatch()
		r.rows += int(batch.GetRowCount())
		r.batches = append(r.batches, batch.GetRowCount())
		for _, column := range batch.GetColumns() {
			switch column.GetId() {
			case pb.ColumnId_COLUMN_ID_INSTRUMENT:
				for i := range int(batch.GetRowCount()) {
					r.ids[batch.GetInstrumentIds()[binary.LittleEndian.Uint32(column.GetData()[4*i:])]]++
				}
			case pb.ColumnId_COLUMN_ID_TRANSACT_TIME_NS:
				for i := range int(batch.GetRowCount()) {
					r.times = append(r.times, int64(binary.LittleEndian.Uint64(column.GetData()[8*i:])))
				}
			}
		}
	}
}

func subscribe(t testing.TB, s *service, request *pb.StreamMarketDataRequest) pb.MarketDataService_StreamMarketDataClient {
	t.Helper()
	stream, err := pb.NewMarketDataServiceClient(s).StreamMarketData(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	if err := stream.Send(request); err != nil {
		t.Fatal(err)
	}
	return stream
}

func TestSubscriptions(t *testing.T) {
	const bars = 5000
	for _, c := range []struct {
		name      string
		request   *pb.StreamMarketDataRequest
		rows      int
		ids       map[string]int
		batchRows uint32
	}{
		{"all", &pb.StreamMarketDataRequest{}, 2 * bars, map[string]int{aaa: bars, bbb: bars}, 4096},
		{"one instrument", &pb.StreamMarketDataRequest{InstrumentIds: []string{bbb}, MaxBatchRows: 100}, bars, map[string]int{bbb: bars}, 100},
		{"bars", &pb.StreamMarketDataRequest{Kinds: []pb.MarketDataKind{pb.MarketDataKind_MARKET_DATA_KIND_BAR}}, 2 * bars, map[string]int{aaa: bars, bbb: bars}, 4096},
		{"quotes", &pb.StreamMarketDataRequest{Kinds: []pb.MarketDataKind{pb.MarketDataKind_MARKET_DATA_KIND_QUOTE}}, 0, map[string]int{}, 0},
	} {
		t.Run(c.name, func(t *testing.T) {
			checkNoLeaks(t)
			got, err := read(subscribe(t, start(t, options{bars: bars}), c.request))
			if err != nil {
				t.Fatal(err)
			}
			if got.rows != c.rows || fmt.Sprint(got.ids) != fmt.Sprint(c.ids) {
				t.Errorf("%d rows of %v, want %d of %v", got.rows, got.ids, c.rows, c.ids)
			}
			for i, rows := range got.batches {
				if rows > c.batchRows {
					t.Errorf("batch %d has %d rows, want at most %d", i, rows, c.batchRows)
				}
			}
		})
	}
}

func TestEachRequestReplacesTheSubscription(t *testing.T) {
	s := start(t, options{bars: 50, speed: 100})
	stream := subscribe(t, s, &pb.StreamMarketDataRequest{InstrumentIds: []string{aaa}})
	if _, err := stream.Recv(); err != nil {
		t.Fatal(err)
	}
	if err := stream.Send(&pb.StreamMarketDataRequest{InstrumentIds: []string{bbb}}); err != nil {
		t.Fatal(err)
	}
	if err := stream.CloseSend(); err != nil { // A client that asks for no more still reads.
		t.Fatal(err)
	}
	got, err := read(stream)
	if err != nil {
		t.Fatal(err)
	}
	if got.ids[bbb] == 0 || got.ids[aaa]+got.ids[bbb] > 50 {
		t.Errorf("got %v after changing from one instrument to the other", got.ids)
	}
}

func TestClientsThatLeaveOrStallDelayNobodyForLong(t *testing.T) {
	checkNoLeaks(t)
	const bars = 100_000
	s := start(t, options{bars: bars, change: func(c *Config) { c.SendTimeout = 200 * time.Millisecond }})
	stalled := subscribe(t, s, &pb.StreamMarketDataRequest{})
	left := subscribe(t, s, &pb.StreamMarketDataRequest{})
	if _, err := left.Recv(); err != nil {
		t.Fatal(err)
	}
	if err := left.CloseSend(); err != nil {
		t.Fatal(err)
	}
	reading := subscribe(t, s, &pb.StreamMarketDataRequest{})
	if got, err := read(reading); err != nil || got.rows == 0 {
		t.Errorf("%d rows, %v", got.rows, err)
	}
	_, err := read(stalled)
	checkStatus(t, err, codes.ResourceExhausted, "the client took nothing for 200ms and was cut off; subscribe again")
	_, err = read(left)
	checkStatus(t, err, codes.ResourceExhausted, "the client took nothing for 200ms")
}

func TestAllClientsGetAllRows(t *testing.T) {
	const bars = 20_000
	s := start(t, options{bars: bars, speed: 1_000_000})
	var wait sync.WaitGroup
	for range 5 {
		stream := subscribe(t, s, &pb.StreamMarketDataRequest{MaxBatchRows: 1000})
		wait.Go(func() {
			got, err := read(stream)
			if err != nil || got.rows > 2*bars {
				t.Errorf("%d rows, %v", got.rows, err)
			}
			// Who comes a little later misses the beginning, and nothing after it.
			first := int64(bars - (got.rows+1)/2 + 1)
			for i, at := range got.times {
				if want := (first + int64(i+got.rows%2)/2) * second; at != want {
					t.Fatalf("row %d of %d is of %d, want %d", i, got.rows, at, want)
				}
			}
		})
	}
	wait.Wait()
}

func TestMarketDataErrors(t *testing.T) {
	s := start(t, options{bars: 10})
	for _, c := range []struct {
		name    string
		request *pb.StreamMarketDataRequest
		code    codes.Code
		want    string
	}{
		{"instrument", &pb.StreamMarketDataRequest{InstrumentIds: []string{aaa, "X"}}, codes.NotFound, `instrument_ids[1]: there is no instrument "X"`},
		{"kind", &pb.StreamMarketDataRequest{Kinds: []pb.MarketDataKind{0}}, codes.InvalidArgument, "kinds[0]: unknown value 0"},
		{"unknown kind", &pb.StreamMarketDataRequest{Kinds: []pb.MarketDataKind{1, 6}}, codes.InvalidArgument, "kinds[1]: unknown value 6"},
		{"rows", &pb.StreamMarketDataRequest{MaxBatchRows: 65_537}, codes.InvalidArgument, "max_batch_rows: must be at most 65536, got 65537"},
	} {
		t.Run(c.name, func(t *testing.T) {
			_, err := subscribe(t, s, c.request).Recv()
			checkStatus(t, err, c.code, c.want)
		})
	}
	client := pb.NewMarketDataServiceClient(s)
	empty, err := client.StreamMarketData(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	if err := empty.CloseSend(); err != nil {
		t.Fatal(err)
	}
	_, err = empty.Recv()
	checkStatus(t, err, codes.InvalidArgument, "request: a subscription must come first")
	_, err = client.GetInstrument(t.Context(), &pb.GetInstrumentRequest{InstrumentId: "X"})
	checkStatus(t, err, codes.NotFound, `instrument_id: there is no instrument "X"`)
}

func TestInstrumentsComeInPages(t *testing.T) {
	client := pb.NewMarketDataServiceClient(start(t, options{bars: 10}))
	first, err := client.ListInstruments(t.Context(), &pb.ListInstrumentsRequest{PageSize: 1})
	if err != nil || len(first.GetInstruments()) != 1 || first.GetInstruments()[0].GetInstrumentId() != aaa || first.GetNextPageToken() == "" {
		t.Fatalf("got %v, %v", first, err)
	}
	second, err := client.ListInstruments(t.Context(), &pb.ListInstrumentsRequest{PageSize: 1, PageToken: first.GetNextPageToken()})
	if err != nil || len(second.GetInstruments()) != 1 || second.GetInstruments()[0].GetInstrumentId() != bbb || second.GetNextPageToken() != "" {
		t.Fatalf("got %v, %v", second, err)
	}
	_, err = client.ListInstruments(t.Context(), &pb.ListInstrumentsRequest{PageToken: "X"})
	checkStatus(t, err, codes.InvalidArgument, `page_token: must be a next_page_token, got "X"`)
}

func TestWithoutALiveMarket(t *testing.T) {
	s := start(t, options{})
	_, err := subscribe(t, s, &pb.StreamMarketDataRequest{}).Recv()
	checkStatus(t, err, codes.FailedPrecondition, "AETHERION_TRADING_REPLAY_DATA_SET is not set; set it to the name of a data set in")
	response, err := pb.NewOrderServiceClient(s).SubmitOrder(t.Context(), &pb.SubmitOrderRequest{NewOrder: buy("a", aaa, 1)})
	if err != nil || response.GetAck().GetOrdRejReason() != pb.OrdRejReason_ORD_REJ_REASON_UNKNOWN_INSTRUMENT {
		t.Errorf("got %v, %v", response, err)
	}
	_, err = pb.NewVenueServiceClient(s).DescribeVenue(t.Context(), &pb.DescribeVenueRequest{Venue: "XNAS"})
	checkStatus(t, err, codes.NotFound, `venue: there is no venue "XNAS"`)
}
