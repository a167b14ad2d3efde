package coinbase

import (
	"encoding/json"
	"fmt"

	"aetherion/trading/internal/engine"
	"aetherion/trading/internal/venue/feed"
)

type product struct {
	ID             string `json:"id"`
	BaseCurrency   string `json:"base_currency"`
	QuoteCurrency  string `json:"quote_currency"`
	BaseMinSize    string `json:"base_min_size"`
	BaseMaxSize    string `json:"base_max_size"`
	QuoteIncrement string `json:"quote_increment"`
	BaseIncrement  string `json:"base_increment"`
}

// DecodeProducts reads the answer to GET products as definitions of the venue. Fees are not in it.
func DecodeProducts(venue string, data []byte) ([]engine.Instrument, error) {
	var products []product
	if err := json.Unmarshal(data, &products); err != nil {
		return nil, fmt.Errorf("products: %w", err)
	}
	definitions := make([]engine.Instrument, len(products))
	for n, p := range products {
		grid := feed.Grid{Tick: p.QuoteIncrement, Lot: p.BaseIncrement, MinQty: p.BaseMinSize, MaxQty: p.BaseMaxSize}
		if p.BaseMinSize == "" { // no longer named: a lot is the least
			grid.MinQty, grid.MaxQty = p.BaseIncrement, "0"
		}
		var err error
		if definitions[n], err = grid.Definition(p.ID+"."+venue, engine.Spot, p.BaseCurrency, p.QuoteCurrency); err != nil {
			return nil, fmt.Errorf("product %.40q: %w", p.ID, err)
		}
	}
	return definitions, nil
}
