package binance

import (
	"fmt"
	"net/url"
	"strings"

	"aetherion/trading/internal/venue/feed"
)

// Market is where one of Binance's markets is.
type Market struct {
	Stream, Depth string // addresses
	Streams       []string
}

// Spot is the spot market.
func Spot() Market {
	return Market{Stream: "wss://stream.binance.com:9443/stream", Depth: "https://api.binance.com/api/v3/depth",
		Streams: []string{"depth@100ms", "bookTicker", "trade"}}
}

// USDM is the market of futures that settle in their quote currency.
func USDM() Market {
	return Market{Stream: "wss://fstream.binance.com/stream", Depth: "https://fapi.binance.com/fapi/v1/depth",
		Streams: []string{"depth@0ms", "bookTicker", "aggTrade"}}
}

// depthLimit is the number of levels a side of a snapshot, the most that both markets allow.
const depthLimit = 1000

// Venue is a market for a feed.Client.
type Venue struct {
	*Decoder
	market Market
}

// NewVenue streams all instruments of the market.
func NewVenue(market Market, instruments *feed.Instruments) *Venue {
	return &Venue{Decoder: NewDecoder(instruments), market: market}
}

// URL names the streams, so that no subscription is sent.
func (v *Venue) URL() string {
	var streams []string
	for n := range v.instruments.Definitions {
		for _, stream := range v.market.Streams {
			streams = append(streams, strings.ToLower(v.symbol(uint32(n)))+"@"+stream)
		}
	}
	return v.market.Stream + "?streams=" + strings.Join(streams, "/")
}

// Subscriptions are none: the address has them.
func (v *Venue) Subscriptions() [][]byte { return nil }

// SnapshotURL is that of GET depth.
func (v *Venue) SnapshotURL(instrument uint32) string {
	return fmt.Sprintf("%s?symbol=%s&limit=%d", v.market.Depth, url.QueryEscape(v.symbol(instrument)), depthLimit)
}

// DecodeSnapshot reads the answer to GET depth.
func (v *Venue) DecodeSnapshot(instrument uint32, data []byte) (*feed.Message, error) {
	return v.Decoder.DecodeSnapshot(v.symbol(instrument), data)
}

func (v *Venue) symbol(instrument uint32) string { return v.instruments.Symbol(instrument) }
