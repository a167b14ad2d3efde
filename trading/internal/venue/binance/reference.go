package binance

import (
	"encoding/json"
	"fmt"

	"aetherion/trading/internal/engine"
	"aetherion/trading/internal/venue/feed"
)

type exchangeInfo struct {
	Symbols []symbolInfo `json:"symbols"`
}

type symbolInfo struct {
	Symbol      string   `json:"symbol"`
	BaseAsset   string   `json:"baseAsset"`
	QuoteAsset  string   `json:"quoteAsset"`
	MarginAsset string   `json:"marginAsset"` // futures only
	BasePlaces  uint32   `json:"baseAssetPrecision"`
	QuotePlaces uint32   `json:"quoteAssetPrecision"`
	Filters     []filter `json:"filters"`
}

type filter struct {
	FilterType string `json:"filterType"`
	TickSize   string `json:"tickSize"`
	StepSize   string `json:"stepSize"`
	MinQty     string `json:"minQty"`
	MaxQty     string `json:"maxQty"`
}

// DecodeExchangeInfo reads the answer to GET exchangeInfo as definitions of the venue. It leaves out contracts that do
// not settle in their quote currency, which ours cannot say. Fees are not in it.
func DecodeExchangeInfo(venue string, data []byte) ([]engine.Instrument, error) {
	var info exchangeInfo
	if err := json.Unmarshal(data, &info); err != nil {
		return nil, fmt.Errorf("exchangeInfo: %w", err)
	}
	var definitions []engine.Instrument
	for _, symbol := range info.Symbols {
		if symbol.MarginAsset != "" && symbol.MarginAsset != symbol.QuoteAsset {
			continue
		}
		definition, err := symbol.definition(venue)
		if err != nil {
			return nil, fmt.Errorf("symbol %.40q: %w", symbol.Symbol, err)
		}
		definitions = append(definitions, definition)
	}
	return definitions, nil
}

func (s *symbolInfo) definition(venue string) (engine.Instrument, error) {
	class := engine.Spot
	if s.MarginAsset != "" {
		class = engine.Future
	}
	grid := feed.Grid{}
	if class == engine.Spot {
		grid.PricePlaces, grid.QtyPlaces = s.QuotePlaces, s.BasePlaces
	}
	for _, f := range s.Filters {
		switch f.FilterType {
		case "PRICE_FILTER":
			grid.Tick = f.TickSize
		case "LOT_SIZE":
			grid.Lot, grid.MinQty, grid.MaxQty = f.StepSize, f.MinQty, f.MaxQty
		}
	}
	return grid.Definition(s.Symbol+"."+venue, class, s.BaseAsset, s.QuoteAsset)
}
