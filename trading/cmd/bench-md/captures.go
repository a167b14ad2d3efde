package main

import (
	"bytes"
	"compress/gzip"
	"fmt"
	"io"
	"os"
	"path/filepath"

	"aetherion/trading/internal/engine"
	"aetherion/trading/internal/venue/binance"
	"aetherion/trading/internal/venue/coinbase"
	"aetherion/trading/internal/venue/feed"
)

// capture is one recorded stream; files of one stream follow each other without a gap.
type capture struct {
	name        string
	files       []string
	instruments []engine.Instrument
	decode      func(*feed.Instruments) decoder
}

type decoder interface {
	Decode(data []byte) (*feed.Message, error)
}

func newBinance(i *feed.Instruments) decoder  { return binance.NewDecoder(i) }
func newCoinbase(i *feed.Instruments) decoder { return coinbase.NewDecoder(i) }

// bitcoin is the instrument of the long captures, whose reference data was not recorded.
func bitcoin(id string, priceScale, qtyScale uint32) []engine.Instrument {
	return []engine.Instrument{{InstrumentID: id, PriceScale: priceScale, QtyScale: qtyScale}}
}

// captures are the long ones of one instrument, and the short ones with their own reference data.
func captures(folder string) ([]capture, error) {
	spot, err := reference(folder, "BINANCE.0.txt.gz", binance.DecodeExchangeInfo)
	if err != nil {
		return nil, err
	}
	products, err := reference(folder, "COINBASE.0.txt.gz", coinbase.DecodeProducts)
	if err != nil {
		return nil, err
	}
	return []capture{
		{"binance_usdm", []string{"captures_binance/binance_usdm_btcusdt_20240808.raw.gz"}, bitcoin("BTCUSDT.BINANCE_USDM", 2, 3), newBinance},
		{"binance_spot", []string{"captures_binance/binance_spot_btcusdt_20240808.raw.gz",
			"captures_binance/binance_spot_btcusdt_20240809.raw.gz"}, bitcoin("BTCUSDT.BINANCE", 2, 8), newBinance},
		{"binance_coinm", []string{"captures_binance/binance_cm_btcusd_perp_20240808.raw.gz",
			"captures_binance/binance_cm_btcusd_perp_20240809.raw.gz"}, bitcoin("BTCUSD_PERP.BINANCE_COINM", 1, 0), newBinance},
		{"binance_many", []string{"captures_exchanges/BINANCE.http.0.0.txt.gz", "captures_exchanges/BINANCE.ws.1.0.txt.gz"}, spot, newBinance},
		{"coinbase_many", []string{"captures_exchanges/COINBASE.ws.28.0.partA.txt.gz"}, products, newCoinbase},
	}, nil
}

func reference(folder, name string, decode func(string, []byte) ([]engine.Instrument, error)) ([]engine.Instrument, error) {
	lines, err := readLines(filepath.Join(folder, "captures_exchanges", name))
	if err != nil {
		return nil, err
	}
	for _, line := range lines {
		if line.answer != "" {
			return decode("VENUE", line.payload)
		}
	}
	return nil, fmt.Errorf("%s: must hold an answer", name)
}

// line is one payload; answer is the address that it answers, if it is one.
type line struct {
	answer  string
	payload []byte
}

// readLines reads `<ns> <json>`, `<s>: <json>` and `<url> -> <s>: <json>`; what was sent is left out.
func readLines(path string) ([]line, error) {
	file, err := os.Open(path)
	if err != nil {
		return nil, err
	}
	defer func() { _ = file.Close() }()
	unzipped, err := gzip.NewReader(file)
	if err != nil {
		return nil, fmt.Errorf("%s: %w", path, err)
	}
	data, err := io.ReadAll(unzipped)
	if err != nil {
		return nil, fmt.Errorf("%s: %w", path, err)
	}
	var lines []line
	for text := range bytes.Lines(data) {
		answer, rest, answered := bytes.Cut(text, []byte(" -> "))
		if !answered {
			answer, rest = nil, text
		}
		stamp, payload, _ := bytes.Cut(rest, []byte(" "))
		if len(stamp) > 0 && stamp[0]-'0' < 10 && len(bytes.TrimSpace(payload)) > 0 {
			lines = append(lines, line{answer: string(answer), payload: bytes.TrimSpace(payload)})
		}
	}
	return lines, nil
}
