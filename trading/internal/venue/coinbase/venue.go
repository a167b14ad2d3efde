package coinbase

import (
	"encoding/json"
	"errors"

	"aetherion/trading/internal/venue/feed"
)

// Stream is the address of the public feed.
const Stream = "wss://ws-feed.exchange.coinbase.com"

// Venue is Coinbase for a feed.Client. Its deltas have no numbers, and its snapshots come on the stream: after anything
// doubtful the client subscribes again, on a new connection.
type Venue struct {
	*Decoder
	stream string
}

// NewVenue streams all instruments from an address.
func NewVenue(stream string, instruments *feed.Instruments) *Venue {
	return &Venue{Decoder: NewDecoder(instruments), stream: stream}
}

// URL is the feed's address.
func (v *Venue) URL() string { return v.stream }

// Subscriptions ask for all channels of all products. A heartbeat comes every second, so that silence is a fault.
func (v *Venue) Subscriptions() [][]byte {
	var products []string
	for n := range v.instruments.Definitions {
		products = append(products, v.instruments.Symbol(uint32(n)))
	}
	message, _ := json.Marshal(map[string]any{ // strings always encode
		"type": "subscribe", "product_ids": products, "channels": []string{"level2_batch", "matches", "ticker", "heartbeat"},
	})
	return [][]byte{message}
}

// SnapshotURL is none: the stream brings snapshots.
func (v *Venue) SnapshotURL(uint32) string { return "" }

// DecodeSnapshot is never asked for.
func (v *Venue) DecodeSnapshot(uint32, []byte) (*feed.Message, error) {
	return nil, errors.New("coinbase: snapshots come on the stream")
}
