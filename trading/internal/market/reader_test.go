package market

import (
	"errors"
	"io"
	"math/rand/v2"
	"os"
	"path/filepath"
	"reflect"
	"strings"
	"testing"

	"github.com/parquet-go/parquet-go"

	"aetherion/trading/internal/market/markettest"
)

func TestRowsOfAllKindsInOrder(t *testing.T) {
	f := newFolder(t)
	markettest.Add(f, "bars.parquet", "bar", []markettest.Bar{bar(0, 20), bar(1, 20), bar(0, 30)})
	markettest.Add(f, "quotes.parquet", "quote", []markettest.Quote{
		quote(0, 20, pointer(99), pointer(5), nil, nil),
		quote(1, 25, nil, nil, pointer(101), nil),
	})
	markettest.Add(f, "trades.parquet", "trade", []markettest.Trade{trade(1, 20, 100, 7, 2), trade(0, 31, 100, 1, 0)})
	markettest.Add(f, "orders.parquet", "order", []markettest.Order{order(1, 20, 1, 98, 4, BookTraded, 77)})
	markettest.Add(f, "levels.parquet", "level", []markettest.Level{level(1, 20, 1, 99, 5, BookClear), level(1, 20, 2, 101, 0, BookLastOfEvent)})
	got, err := readAll(t, open(t, f), Window{}, 2)
	if !errors.Is(err, io.EOF) {
		t.Fatal(err)
	}
	want := []Row{
		{Kind: BookOrder, Instrument: 1, MdSequence: 1, TransactTime: 20, ReceiveTime: 23, BookSide: 1, BookPx: 98, BookQty: 4, BookFlags: BookTraded, BookOrderID: 77},
		{Kind: BookLevel, Instrument: 1, MdSequence: 2, TransactTime: 20, ReceiveTime: 23, BookSide: 1, BookPx: 99, BookQty: 5, BookFlags: BookClear},
		{Kind: BookLevel, Instrument: 1, MdSequence: 3, TransactTime: 20, ReceiveTime: 23, BookSide: 2, BookPx: 101, BookFlags: BookLastOfEvent},
		{Kind: Quote, Instrument: 0, MdSequence: 1, TransactTime: 20, ReceiveTime: 21, BidPx: 99, BidQty: 5, HasBid: true},
		{Kind: Trade, Instrument: 1, MdSequence: 4, TransactTime: 20, ReceiveTime: 22, TradePx: 100, TradeQty: 7, AggressorSide: 2},
		{Kind: Bar, Instrument: 0, MdSequence: 2, TransactTime: 20, OpenTime: 10, OpenPx: 100, HighPx: 110, LowPx: 90, ClosePx: 105, Volume: 1000},
		{Kind: Bar, Instrument: 1, MdSequence: 5, TransactTime: 20, OpenTime: 10, OpenPx: 100, HighPx: 110, LowPx: 90, ClosePx: 105, Volume: 1000},
		{Kind: Quote, Instrument: 1, MdSequence: 6, TransactTime: 25, ReceiveTime: 26, AskPx: 101, HasAsk: true},
		{Kind: Bar, Instrument: 0, MdSequence: 3, TransactTime: 30, OpenTime: 20, OpenPx: 100, HighPx: 110, LowPx: 90, ClosePx: 105, Volume: 1000},
		{Kind: Trade, Instrument: 0, MdSequence: 4, TransactTime: 31, ReceiveTime: 33, TradePx: 100, TradeQty: 1},
	}
	if !reflect.DeepEqual(got, want) {
		t.Errorf("got  %+v\nwant %+v", got, want)
	}
}

func TestFilesOfOneKindAreMerged(t *testing.T) {
	f := newFolder(t)
	markettest.Add(f, "a.parquet", "bar", []markettest.Bar{bar(1, 10), bar(1, 20), bar(1, 40)})
	markettest.Add(f, "b.parquet", "bar", []markettest.Bar{bar(0, 10), bar(1, 20), bar(0, 30)})
	got, err := readAll(t, open(t, f), Window{}, 100)
	if !errors.Is(err, io.EOF) {
		t.Fatal(err)
	}
	var order [][2]int64
	for _, row := range got {
		order = append(order, [2]int64{row.TransactTime, int64(row.Instrument)})
	}
	want := [][2]int64{{10, 0}, {10, 1}, {20, 1}, {20, 1}, {30, 0}, {40, 1}}
	if !reflect.DeepEqual(order, want) {
		t.Errorf("got %v, want %v", order, want)
	}
}

func TestWindow(t *testing.T) {
	f := newFolder(t)
	markettest.Add(f, "bars.parquet", "bar", []markettest.Bar{bar(0, 10), bar(1, 10), bar(0, 20), bar(1, 20), bar(0, 30)})
	dataset := open(t, f)
	for _, c := range []struct {
		name   string
		window Window
		want   []int64 // transact times
	}{
		{"all", Window{}, []int64{10, 10, 20, 20, 30}},
		{"from", Window{StartTime: 20}, []int64{20, 20, 30}},
		{"until", Window{EndTime: 20}, []int64{10, 10}},
		{"one instrument", Window{Instruments: []uint32{1}}, []int64{10, 20}},
		{"nothing", Window{Instruments: []uint32{1}, StartTime: 25}, nil},
	} {
		t.Run(c.name, func(t *testing.T) {
			rows, err := readAll(t, dataset, c.window, 3)
			if !errors.Is(err, io.EOF) {
				t.Fatal(err)
			}
			var got []int64
			sequences := map[uint32]int64{}
			for _, row := range rows {
				got = append(got, row.TransactTime)
				if sequences[row.Instrument]++; row.MdSequence != sequences[row.Instrument] {
					t.Errorf("md_sequence %d, want %d", row.MdSequence, sequences[row.Instrument])
				}
			}
			if !reflect.DeepEqual(got, c.want) {
				t.Errorf("got %v, want %v", got, c.want)
			}
		})
	}
}

// Many pages, row groups and encodings give what was written, in batches of any size.
func TestEveryEncodingReadsTheSame(t *testing.T) {
	const rows = 5_000
	random := rand.New(rand.NewPCG(1, 2))
	var quotes []markettest.Quote
	at := int64(1_700_000_000_000_000_000)
	for range rows {
		at += random.Int64N(3)
		q := markettest.Quote{TransactTime: at, ReceiveTime: at + 7}
		if random.IntN(10) > 0 {
			q.BidPx, q.BidQty = pointer(1+random.Int64N(1000)), pointer(random.Int64())
		}
		if random.IntN(10) > 0 {
			q.AskPx = pointer(1 + random.Int64())
		}
		quotes = append(quotes, q)
	}
	for _, c := range []struct {
		name    string
		options []parquet.WriterOption
	}{
		{"plain", nil},
		{"dictionary", []parquet.WriterOption{parquet.DefaultEncodingFor(parquet.Int64, &parquet.RLEDictionary)}},
		{"delta", []parquet.WriterOption{parquet.DefaultEncodingFor(parquet.Int64, &parquet.DeltaBinaryPacked)}},
		{"data page 2", []parquet.WriterOption{parquet.DataPageVersion(2)}},
		{"snappy", []parquet.WriterOption{parquet.Compression(&parquet.Snappy)}},
	} {
		t.Run(c.name, func(t *testing.T) {
			f := newFolder(t)
			got, err := readAll(t, open(t, markettest.Add(f, "quotes.parquet", "quote", quotes, c.options...)), Window{}, 1+random.IntN(5000))
			if !errors.Is(err, io.EOF) || len(got) != rows {
				t.Fatalf("%d rows, %v", len(got), err)
			}
			for i, q := range quotes {
				want := Row{Kind: Quote, MdSequence: int64(i) + 1, TransactTime: q.TransactTime, ReceiveTime: q.ReceiveTime}
				if want.HasBid = q.BidPx != nil; want.HasBid {
					want.BidPx, want.BidQty = *q.BidPx, *q.BidQty
				}
				if want.HasAsk = q.AskPx != nil; want.HasAsk {
					want.AskPx = *q.AskPx
				}
				if got[i] != want {
					t.Fatalf("row %d: got %+v, want %+v", i, got[i], want)
				}
			}
		})
	}
}

func TestBadRows(t *testing.T) {
	changed := func(change func(*markettest.Bar)) []markettest.Bar {
		rows := []markettest.Bar{bar(0, 20), bar(1, 20), bar(0, 30)}
		change(&rows[2])
		return rows
	}
	quotes := func(q markettest.Quote) []markettest.Quote { q.TransactTime = 1; return []markettest.Quote{q} }
	for _, c := range []struct {
		name string
		add  func(*markettest.Folder)
		want string
	}{
		{"time", bars(changed(func(b *markettest.Bar) { b.OpenTime, b.TransactTime = 1, 19 })),
			"bars.parquet: row 3: transact_time_ns: must not step back, got 19 after 20"},
		{"instrument order", bars(changed(func(b *markettest.Bar) { b.TransactTime = 20 })),
			"bars.parquet: row 3: instrument: must not step back at one transact_time_ns, got 0 after 1"},
		{"instrument", bars(changed(func(b *markettest.Bar) { b.Instrument = 2 })),
			"bars.parquet: row 3: instrument: must be from 0 to 1, got 2"},
		{"negative instrument", bars(changed(func(b *markettest.Bar) { b.Instrument = -1 })),
			"bars.parquet: row 3: instrument: must be from 0 to 1, got -1"},
		{"open time", bars(changed(func(b *markettest.Bar) { b.OpenTime = 30 })),
			"bars.parquet: row 3: open_time_ns: must be before transact_time_ns 30, got 30"},
		{"high", bars(changed(func(b *markettest.Bar) { b.High = 104 })), "row 3: high_px: must not be below open_px 100 or close_px 105, got 104"},
		{"low", bars(changed(func(b *markettest.Bar) { b.Low = 101 })), "row 3: low_px: must not be above open_px 100 or close_px 105, got 101"},
		{"price", bars(changed(func(b *markettest.Bar) { b.Low = 0 })), "row 3: low_px: must be positive, got 0"},
		{"volume", bars(changed(func(b *markettest.Bar) { b.Volume = -1 })), "row 3: volume: must not be negative, got -1"},
		{"bid", func(f *markettest.Folder) {
			markettest.Add(f, "quotes.parquet", "quote", quotes(markettest.Quote{BidPx: pointer(-5)}))
		}, "quotes.parquet: row 1: bid_px: must be positive, got -5"},
		{"ask quantity", func(f *markettest.Folder) {
			markettest.Add(f, "quotes.parquet", "quote", quotes(markettest.Quote{AskPx: pointer(5), AskQty: pointer(-1)}))
		}, "row 1: ask_qty: must not be negative, got -1"},
		{"quantity without price", func(f *markettest.Folder) {
			markettest.Add(f, "quotes.parquet", "quote", quotes(markettest.Quote{BidQty: pointer(1)}))
		}, "row 1: bid_qty: must be null or 0 where bid_px is null, got 1"},
		{"side", func(f *markettest.Folder) {
			markettest.Add(f, "trades.parquet", "trade", []markettest.Trade{trade(0, 1, 1, 1, 3)})
		},
			"trades.parquet: row 1: aggressor_side: must be from 0 to 2, got 3"},
		{"trade price", func(f *markettest.Folder) {
			markettest.Add(f, "trades.parquet", "trade", []markettest.Trade{trade(0, 1, 0, 1, 1)})
		},
			"row 1: trade_px: must be positive, got 0"},
		{"trade quantity", func(f *markettest.Folder) {
			markettest.Add(f, "trades.parquet", "trade", []markettest.Trade{trade(0, 1, 1, -1, 1)})
		},
			"row 1: trade_qty: must not be negative, got -1"},
		{"level side", levels(level(0, 1, 0, 1, 1, 0)), "levels.parquet: row 1: book_side: must be 1 or 2, got 0"},
		{"level unknown side", levels(level(0, 1, 3, 1, 1, 0)), "row 1: book_side: must be from 0 to 2, got 3"},
		{"level price", levels(level(0, 1, 1, 0, 1, 0)), "row 1: book_px: must be positive, got 0"},
		{"level quantity", levels(level(0, 1, 1, 1, -1, 0)), "row 1: book_qty: must not be negative, got -1"},
		{"order flags", orders(order(0, 1, 1, 1, 1, 16, 1)), "orders.parquet: row 1: book_flags: must be from 0 to 15, got 16"},
		{"order quantity", orders(order(0, 1, 1, 1, -1, 0, 1)), "row 1: book_qty: must not be negative, got -1"},
		{"level flags", levels(level(0, 1, 1, 1, 1, 8)), "row 1: book_flags: must be from 0 to 7, got 8"},
		{"null", func(f *markettest.Folder) {
			type loose struct {
				Instrument    int32  `parquet:"instrument"`
				TransactTime  *int64 `parquet:"transact_time_ns,optional"`
				ReceiveTime   int64  `parquet:"receive_time_ns"`
				TradePx       int64  `parquet:"trade_px"`
				TradeQty      int64  `parquet:"trade_qty"`
				AggressorSide int32  `parquet:"aggressor_side"`
			}
			markettest.Add(f, "trades.parquet", "trade", []loose{{0, pointer(1), 1, 1, 1, 1}, {0, nil, 1, 1, 1, 1}})
		}, "trades.parquet: row 2: transact_time_ns: must not be null"},
		{"missing column", func(f *markettest.Folder) {
			markettest.Add(f, "bars.parquet", "bar", []markettest.Trade{trade(0, 1, 1, 1, 1)})
		}, "bars.parquet: column open_time_ns: is missing"},
		{"floating point", func(f *markettest.Folder) {
			type floats struct {
				Instrument   int32   `parquet:"instrument"`
				TransactTime float64 `parquet:"transact_time_ns"`
			}
			markettest.Add(f, "bars.parquet", "bar", []floats{{0, 1}})
		}, "bars.parquet: column transact_time_ns: must hold integers"},
	} {
		t.Run(c.name, func(t *testing.T) {
			f := newFolder(t)
			c.add(f)
			rows, err := readAll(t, open(t, f), Window{}, 10)
			if err == nil || !strings.Contains(err.Error(), c.want) {
				t.Errorf("got %v, want %s", err, c.want)
			}
			if strings.Contains(c.want, "row 3") && len(rows) != 2 {
				t.Errorf("%d rows before the bad one, want 2", len(rows))
			}
		})
	}
}

func levels(rows ...markettest.Level) func(*markettest.Folder) {
	return func(f *markettest.Folder) { markettest.Add(f, "levels.parquet", "level", rows) }
}

func orders(rows ...markettest.Order) func(*markettest.Folder) {
	return func(f *markettest.Folder) { markettest.Add(f, "orders.parquet", "order", rows) }
}

func bars(rows []markettest.Bar) func(*markettest.Folder) {
	return func(f *markettest.Folder) { markettest.Add(f, "bars.parquet", "bar", rows) }
}

func TestBadManifests(t *testing.T) {
	first := func(m map[string]any) map[string]any { return m["files"].([]map[string]any)[0] }
	for _, c := range []struct {
		name   string
		change func(map[string]any)
		want   string
	}{
		{"format", func(m map[string]any) { m["format"] = "x" }, `format: must be "aetherion.dataset/1", got "x"`},
		{"no instruments", func(m map[string]any) { m["instruments"] = nil }, "instruments: must name at least one"},
		{"same instrument", func(m map[string]any) {
			m["instruments"] = []any{markettest.Instrument("A.B"), markettest.Instrument("A.B")}
		},
			`instruments[1]: instrument_id: must be unique, got "A.B" again`},
		{"unknown field", func(m map[string]any) { m["instruments"] = []any{map[string]any{"tick": 1}} }, "instruments[0]: definition"},
		{"bad definition", func(m map[string]any) { m["instruments"] = []any{markettest.Instrument("AB")} },
			`instruments[0]: instrument_id: must be SYMBOL.VENUE, got "AB"`},
		{"no files", func(m map[string]any) { m["files"] = nil }, "files: must name at least one"},
		{"path out of the folder", func(m map[string]any) { first(m)["path"] = "../bars.parquet" },
			`files[0].path: must lie in the folder of the manifest, got "../bars.parquet"`},
		{"kind", func(m map[string]any) { first(m)["kind"] = "book" }, `files[0].kind: must be bar, quote, trade, level or order, got "book"`},
		{"rows", func(m map[string]any) { first(m)["rows"] = -1 }, "files[0].rows: must not be negative, got -1"},
		{"hash", func(m map[string]any) { first(m)["sha256"] = "ab" }, `files[0].sha256: must have 64 hexadecimal digits, got "ab"`},
		{"missing file", func(m map[string]any) { first(m)["path"] = "other.parquet" },
			"other.parquet: named by the manifest, but cannot be opened: no such file or directory"},
		{"other content", func(m map[string]any) { first(m)["sha256"] = strings.Repeat("0", 64) }, "bars.parquet: sha256: must be 0000"},
	} {
		t.Run(c.name, func(t *testing.T) {
			f := newFolder(t)
			manifest := markettest.Add(f, "bars.parquet", "bar", []markettest.Bar{bar(0, 20)}).Manifest()
			c.change(manifest)
			f.Write(manifest)
			if _, err := Open(f.Dir); err == nil || !strings.Contains(err.Error(), c.want) {
				t.Errorf("got %v, want %s", err, c.want)
			}
		})
	}
}

func TestCountOfRowsMustBeThatOfTheManifest(t *testing.T) {
	f := newFolder(t)
	manifest := markettest.Add(f, "bars.parquet", "bar", []markettest.Bar{bar(0, 20)}).Manifest()
	f.Files[0]["rows"] = 2
	f.Write(manifest)
	dataset, err := Open(f.Dir)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := dataset.Read(Window{}); err == nil || !strings.Contains(err.Error(), "rows: must be 2 as in the manifest, got 1") {
		t.Errorf("got %v", err)
	}
}

// A file that is damaged in one byte gives an error or rows that keep to the rules, and no panic.
func TestDamagedFiles(t *testing.T) {
	f := newFolder(t)
	markettest.Add(f, "quotes.parquet", "quote", []markettest.Quote{quote(0, 1, pointer(1), nil, nil, nil), quote(0, 2, nil, nil, pointer(3), nil)})
	path := filepath.Join(f.Dir, "quotes.parquet")
	whole, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	for i := 0; i < len(whole); i += 1 + i%7 {
		damaged := append([]byte(nil), whole...)
		damaged[i] ^= byte(1 + i%255)
		if err := os.WriteFile(path, damaged, 0o600); err != nil {
			t.Fatal(err)
		}
		f.Files[0]["sha256"] = markettest.Hash(t, path)
		if _, err := readAll(t, open(t, f), Window{}, 10); err == nil {
			t.Fatalf("byte %d: neither an error nor the end", i)
		}
	}
}

func TestCatalog(t *testing.T) {
	dir := t.TempDir()
	if err := os.MkdirAll(filepath.Join(dir, "empty"), 0o700); err != nil {
		t.Fatal(err)
	}
	f := markettest.New(t, filepath.Join(dir, "demo"))
	open(t, markettest.Add(f, "bars.parquet", "bar", []markettest.Bar{bar(0, 20)}))
	catalog := Catalog{dir}
	if names, err := catalog.List(); err != nil || !reflect.DeepEqual(names, []string{"demo"}) {
		t.Errorf("got %v, %v", names, err)
	}
	if dataset, err := catalog.Open("demo"); err != nil || dataset.Name != "demo" || dataset.Rows != 1 || len(dataset.SHA256) != 64 {
		t.Errorf("got %+v, %v", dataset, err)
	}
	for _, name := range []string{"other", "empty"} {
		if _, err := catalog.Open(name); !errors.Is(err, ErrNotFound) {
			t.Errorf("%s: got %v", name, err)
		}
	}
	for _, name := range []string{"", "..", ".", "a/b", "../demo", `a\b`, "a\x00"} {
		if _, err := catalog.Open(name); !errors.Is(err, ErrName) {
			t.Errorf("%q: got %v", name, err)
		}
	}
}
