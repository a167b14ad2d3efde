package main

import (
	"fmt"
	"os"

	"aetherion/trading/internal/engine"
	"aetherion/trading/internal/venue/exchange"
	"aetherion/trading/internal/venue/exchange/serve"
	"aetherion/trading/internal/venue/fault"
	"aetherion/trading/internal/venue/flow"
)

// misbehaviour is the faults that the flags ask for.
type misbehaviour struct {
	file, rates string
	rules       []fault.Rule
	random      []fault.Rate
}

func (m *misbehaviour) read() (err error) {
	if m.rates != "" {
		if m.random, err = fault.ParseRates(m.rates); err != nil {
			return err
		}
	}
	if m.file == "" {
		return nil
	}
	text, err := os.ReadFile(m.file)
	if err != nil {
		return fmt.Errorf("faults: %w", err)
	}
	if m.rules, err = fault.Parse(string(text)); err != nil {
		return fmt.Errorf("faults: %s: %w", m.file, err)
	}
	return nil
}

// startPrices are where the flow begins, in the quote currency; other instruments begin at 100.
var startPrices = map[string]int64{"BTC-USDT.SIM": 60_000, "ETH-USDT.SIM": 3_000}

const (
	startPrice = 100
	usualOrder = 1_000 // a usual order of the flow, in the quote currency
)

func enliven(venue *serve.Venue, config exchange.Config) error {
	var markets []flow.Market
	for _, i := range config.Instruments {
		markets = append(markets, opening(i))
	}
	return venue.Enliven(markets, config.Seed)
}

// opening is where the flow begins in an instrument, on its grid.
func opening(i engine.Instrument) flow.Market {
	price := startPrices[i.InstrumentID]
	if price == 0 {
		price = startPrice
	}
	size := usualOrder * power(i.QtyScale) / price
	price *= power(i.PriceScale)
	return flow.Market{
		Instrument: i,
		Price:      max(price/i.PriceIncrement, 100) * i.PriceIncrement,
		Size:       max(size/i.QtyIncrement*i.QtyIncrement, i.QtyIncrement, (i.MinQty+i.QtyIncrement-1)/i.QtyIncrement*i.QtyIncrement),
	}
}

func power(scale uint32) int64 {
	p := int64(1)
	for range scale {
		p *= 10
	}
	return p
}
