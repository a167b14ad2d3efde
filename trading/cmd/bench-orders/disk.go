package main

import (
	"context"
	"errors"
	"flag"
	"os"
	"syscall"
	"time"

	"aetherion/trading/internal/engine"
	"aetherion/trading/internal/journal"
)

// synced is a floor of durability: a write of so many bytes behind the last one, and its fdatasync.
type synced struct {
	Bytes int     `json:"bytes"`
	P50   float64 `json:"p50_us"`
	P99   float64 `json:"p99_us"`
}

func disk(_ context.Context, args []string) (any, error) {
	flags := flag.NewFlagSet("disk", flag.ExitOnError)
	path := flags.String("file", "", "to write to, on the disk of the journal; is removed")
	batch := flags.Int("batch", 1, "orders in a record")
	writes := flags.Int("writes", 500, "how many")
	_ = flags.Parse(args) // It exits on an error.
	bytes, err := recordBytes(*batch)
	if err != nil {
		return nil, err
	}
	file, err := os.Create(*path)
	if err != nil {
		return nil, err
	}
	defer os.Remove(*path)
	defer file.Close()
	took, err := syncWrites(file, bytes, *writes)
	if err != nil {
		return nil, err
	}
	measured := percentiles(took)
	return synced{bytes, measured.P50, measured.P99}, nil
}

// recordBytes is the size of the journal's record of so many orders: a header, and each after its length.
func recordBytes(orders int) (int, error) {
	const header, prefix = 88, 4
	decision := &engine.OrderDecision{Approved: true, NewOrder: engine.NewOrder{
		ClOrdID: "order-1000000", Account: "DEMO", StrategyID: "bench", InstrumentID: "AAPL.XNAS", Side: engine.Buy, OrdType: engine.Limit,
		TimeInForce: engine.GTC, OrderQty: 10, Price: 100, HasPrice: true,
	}}
	encoded, err := journal.Encode(&engine.Event{Sequence: 1_000_000, TransactTime: time.Now().UnixNano(), Input: decision})
	return header + orders*(prefix+len(encoded)), err
}

// syncWrites writes into zeros that are on the disk, as a segment of the journal is.
func syncWrites(file *os.File, bytes, writes int) (took []time.Duration, err error) {
	if _, err := file.Write(make([]byte, bytes*writes)); err != nil {
		return nil, err
	}
	if err := file.Sync(); err != nil {
		return nil, err
	}
	record := make([]byte, bytes)
	for i := range record {
		record[i] = byte(i)
	}
	for i := range writes {
		begin := time.Now()
		_, err := file.WriteAt(record, int64(i*bytes))
		if err = errors.Join(err, syscall.Fdatasync(int(file.Fd()))); err != nil {
			return nil, err
		}
		took = append(took, time.Since(begin))
	}
	return took, nil
}
