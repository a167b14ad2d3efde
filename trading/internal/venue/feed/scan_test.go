package feed_test

import (
	"encoding/json"
	"math/big"
	"strings"
	"testing"

	"aetherion/trading/internal/venue/feed"
)

func TestDecimal(t *testing.T) {
	for _, c := range []struct {
		text  string
		scale uint32
		want  int64
	}{
		{"1", 0, 1}, {"1.50", 1, 15}, {"1.5", 3, 1500}, {"-0.25", 2, -25}, {"0.00000000", 0, 0}, {"5.", 1, 50},
		{"9223372036854775807", 0, 1<<63 - 1}, {"0", 18, 0},
	} {
		if got, err := feed.Decimal([]byte(c.text), c.scale); err != nil || got != c.want {
			t.Errorf("%q at scale %d: got %d, %v, want %d", c.text, c.scale, got, err, c.want)
		}
	}
	for _, text := range []string{"", "-", ".", ".5", "1.55", "1e3", "+1", "1.2.3", "0x1", "9223372036854775808", " 1", "1_0"} {
		if got, err := feed.Decimal([]byte(text), 1); err == nil {
			t.Errorf("%q: passes as %d", text, got)
		}
	}
}

// FuzzDecimal holds what passes against rational numbers.
func FuzzDecimal(f *testing.F) {
	f.Add("61800.20", uint32(2))
	f.Add("-0.001", uint32(18))
	f.Fuzz(func(t *testing.T, text string, scale uint32) {
		scale %= 19
		got, err := feed.Decimal([]byte(text), scale)
		if err != nil {
			return
		}
		want, fine := new(big.Rat).SetString(strings.TrimSuffix(text, "."))
		if !fine {
			t.Fatalf("%q passes as %d", text, got)
		}
		power := new(big.Int).Exp(big.NewInt(10), big.NewInt(int64(scale)), nil)
		if want.Mul(want, new(big.Rat).SetInt(power)); want.Cmp(new(big.Rat).SetInt64(got)) != 0 {
			t.Fatalf("%q at scale %d: got %d", text, scale, got)
		}
	})
}

// FuzzSkip: what is JSON is passed over whole, as far as it nests as messages do.
func FuzzSkip(f *testing.F) {
	for _, text := range []string{`{"a":[1,-2.5e+3,null,true,{}],"b":"x\"y"}`, `[]`, ` "a" `, `1`, `{"a"`, ``} {
		f.Add([]byte(text))
	}
	f.Fuzz(func(t *testing.T, data []byte) {
		s := feed.Scan(data)
		s.Skip()
		s.End()
		if json.Valid(data) && s.Err() != nil && !strings.Contains(s.Err().Error(), "nested") {
			t.Fatalf("%q: %v", data, s.Err())
		}
	})
}
