// Package markettest writes data sets for tests, in the layout of the importer.
package markettest

import (
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"os"
	"path/filepath"
	"testing"

	"github.com/parquet-go/parquet-go"
)

// Folder is a data set in the making.
type Folder struct {
	Dir   string
	Files []map[string]any // as the manifest names them
	t     testing.TB
}

// New is a folder at dir, which is made.
func New(t testing.TB, dir string) *Folder {
	t.Helper()
	if err := os.MkdirAll(dir, 0o700); err != nil {
		t.Fatal(err)
	}
	return &Folder{Dir: dir, t: t}
}

// Bar is a row of bars.parquet.
type Bar struct {
	Instrument   int32 `parquet:"instrument"`
	OpenTime     int64 `parquet:"open_time_ns"`
	TransactTime int64 `parquet:"transact_time_ns"`
	Open         int64 `parquet:"open_px"`
	High         int64 `parquet:"high_px"`
	Low          int64 `parquet:"low_px"`
	Close        int64 `parquet:"close_px"`
	Volume       int64 `parquet:"volume"`
}

// Quote is a row of quotes.parquet.
type Quote struct {
	Instrument   int32  `parquet:"instrument"`
	TransactTime int64  `parquet:"transact_time_ns"`
	ReceiveTime  int64  `parquet:"receive_time_ns"`
	BidPx        *int64 `parquet:"bid_px,optional"`
	BidQty       *int64 `parquet:"bid_qty,optional"`
	AskPx        *int64 `parquet:"ask_px,optional"`
	AskQty       *int64 `parquet:"ask_qty,optional"`
}

// Trade is a row of trades.parquet.
type Trade struct {
	Instrument    int32 `parquet:"instrument"`
	TransactTime  int64 `parquet:"transact_time_ns"`
	ReceiveTime   int64 `parquet:"receive_time_ns"`
	TradePx       int64 `parquet:"trade_px"`
	TradeQty      int64 `parquet:"trade_qty"`
	AggressorSide int32 `parquet:"aggressor_side"`
}

// Level is a row of levels.parquet.
type Level struct {
	Instrument   int32 `parquet:"instrument"`
	TransactTime int64 `parquet:"transact_time_ns"`
	ReceiveTime  int64 `parquet:"receive_time_ns"`
	BookSide     int32 `parquet:"book_side"`
	BookPx       int64 `parquet:"book_px"`
	BookQty      int64 `parquet:"book_qty"`
	BookFlags    int32 `parquet:"book_flags"`
}

// Order is a row of orders.parquet.
type Order struct {
	Level
	BookOrderID int64 `parquet:"book_order_id"`
}

// Add writes a file of rows, in small pages and row groups unless the options say otherwise.
func Add[R any](f *Folder, path, kind string, rows []R, options ...parquet.WriterOption) *Folder {
	f.t.Helper()
	full := filepath.Join(f.Dir, path)
	small := []parquet.WriterOption{
		parquet.MaxRowsPerRowGroup(1000), parquet.PageBufferSize(1024), parquet.Compression(&parquet.Zstd),
	}
	if err := parquet.WriteFile(full, rows, append(small, options...)...); err != nil {
		f.t.Fatal(err)
	}
	f.Files = append(f.Files, map[string]any{"path": path, "kind": kind, "rows": len(rows), "sha256": Hash(f.t, full)})
	return f
}

// Manifest is what belongs into manifest.json, with two instruments.
func (f *Folder) Manifest() map[string]any {
	return map[string]any{
		"format":      "aetherion.dataset/1",
		"time_source": "the reader leaves alone what it does not know",
		"instruments": []any{Instrument("AAA.XNAS"), Instrument("BBB.XNAS")},
		"files":       f.Files,
	}
}

// Write writes manifest.json.
func (f *Folder) Write(manifest map[string]any) {
	f.t.Helper()
	text, err := json.Marshal(manifest)
	if err != nil {
		f.t.Fatal(err)
	}
	if err := os.WriteFile(filepath.Join(f.Dir, "manifest.json"), text, 0o600); err != nil {
		f.t.Fatal(err)
	}
}

// Instrument is a definition with cents and whole shares, as it stands in a manifest.
func Instrument(id string) map[string]any {
	return map[string]any{
		"instrument_id": id, "version": 1, "instrument_class": "INSTRUMENT_CLASS_EQUITY",
		"base_currency": "AAA", "quote_currency": "USD", "price_scale": 2, "price_increment": "1", "qty_increment": "1",
		"multiplier": map[string]any{"mantissa": "1"}, "maker_fee_ratio": map[string]any{}, "taker_fee_ratio": map[string]any{},
	}
}

// Hash is the SHA-256 of a file, hexadecimal.
func Hash(t testing.TB, path string) string {
	t.Helper()
	content, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	sum := sha256.Sum256(content)
	return hex.EncodeToString(sum[:])
}
