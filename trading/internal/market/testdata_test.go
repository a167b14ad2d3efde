package market

import (
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"os"
	"path/filepath"
	"testing"

	"github.com/parquet-go/parquet-go"
)

// The rows of Parquet files as the importer writes them.
type (
	barRow struct {
		Instrument   int32 `parquet:"instrument"`
		OpenTime     int64 `parquet:"open_time_ns"`
		TransactTime int64 `parquet:"transact_time_ns"`
		Open         int64 `parquet:"open_px"`
		High         int64 `parquet:"high_px"`
		Low          int64 `parquet:"low_px"`
		Close        int64 `parquet:"close_px"`
		Volume       int64 `parquet:"volume"`
	}
	quoteRow struct {
		Instrument   int32  `parquet:"instrument"`
		TransactTime int64  `parquet:"transact_time_ns"`
		ReceiveTime  int64  `parquet:"receive_time_ns"`
		BidPx        *int64 `parquet:"bid_px,optional"`
		BidQty       *int64 `parquet:"bid_qty,optional"`
		AskPx        *int64 `parquet:"ask_px,optional"`
		AskQty       *int64 `parquet:"ask_qty,optional"`
	}
	tradeRow struct {
		Instrument    int32 `parquet:"instrument"`
		TransactTime  int64 `parquet:"transact_time_ns"`
		ReceiveTime   int64 `parquet:"receive_time_ns"`
		TradePx       int64 `parquet:"trade_px"`
		TradeQty      int64 `parquet:"trade_qty"`
		AggressorSide int32 `parquet:"aggressor_side"`
	}
)

// folder is a data set in the making.
type folder struct {
	t     testing.TB
	dir   string
	files []map[string]any
}

func newFolder(t testing.TB) *folder { return &folder{t: t, dir: t.TempDir()} }

func add[R any](f *folder, path, kind string, rows []R, options ...parquet.WriterOption) *folder {
	f.t.Helper()
	full := filepath.Join(f.dir, path)
	options = append([]parquet.WriterOption{parquet.MaxRowsPerRowGroup(1000), parquet.PageBufferSize(1024), parquet.Compression(&parquet.Zstd)}, options...)
	if err := parquet.WriteFile(full, rows, options...); err != nil {
		f.t.Fatal(err)
	}
	f.files = append(f.files, map[string]any{"path": path, "kind": kind, "rows": len(rows), "sha256": hashFile(f.t, full)})
	return f
}

func (f *folder) manifest() map[string]any {
	return map[string]any{
		"format":      manifestFormat,
		"time_source": "the reader leaves alone what it does not know",
		"instruments": []any{instrument("AAA.XNAS"), instrument("BBB.XNAS")},
		"files":       f.files,
	}
}

func (f *folder) write(manifest map[string]any) string {
	f.t.Helper()
	text, err := json.Marshal(manifest)
	if err != nil {
		f.t.Fatal(err)
	}
	if err := os.WriteFile(filepath.Join(f.dir, manifestName), text, 0o600); err != nil {
		f.t.Fatal(err)
	}
	return f.dir
}

func (f *folder) open() *Dataset {
	f.t.Helper()
	dataset, err := Open(f.write(f.manifest()))
	if err != nil {
		f.t.Fatal(err)
	}
	return dataset
}

func instrument(id string) map[string]any {
	return map[string]any{
		"instrument_id": id, "version": 1, "instrument_class": "INSTRUMENT_CLASS_EQUITY",
		"base_currency": "AAA", "quote_currency": "USD", "price_scale": 2, "price_increment": "1", "qty_increment": "1",
		"multiplier": map[string]any{"mantissa": "1"}, "maker_fee_ratio": map[string]any{}, "taker_fee_ratio": map[string]any{},
	}
}

func hashFile(t testing.TB, path string) string {
	t.Helper()
	content, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	sum := sha256.Sum256(content)
	return hex.EncodeToString(sum[:])
}

func bar(instrument int32, at int64) barRow {
	return barRow{instrument, at - 10, at, 100, 110, 90, 105, 1000}
}

func pointer(v int64) *int64 { return &v }

func readAll(t testing.TB, dataset *Dataset, window Window, batch int) ([]Row, error) {
	t.Helper()
	reader, err := dataset.Read(window)
	if err != nil {
		return nil, err
	}
	defer reader.Close()
	var all []Row
	rows := make([]Row, batch)
	for {
		n, err := reader.Next(rows)
		all = append(all, rows[:n]...)
		if err != nil {
			return all, err
		}
	}
}
