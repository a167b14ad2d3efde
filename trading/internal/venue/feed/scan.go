// Package feed holds what the market data of venues has in common: JSON read without allocating, and the message that
// it becomes.
package feed

import (
	"errors"
	"fmt"
)

// ErrMalformed is what a message that is not the JSON we expect is.
var ErrMalformed = errors.New("malformed message")

// maxNesting bounds what Skip descends into.
const maxNesting = 32

// Scanner reads JSON from left to right. The first error sticks, and every read after it gives nothing.
type Scanner struct {
	data []byte
	at   int
	err  error
}

// Scan starts at the first byte.
func Scan(data []byte) Scanner { return Scanner{data: data} }

// Err is the first error.
func (s *Scanner) Err() error { return s.err }

// Fail makes an error the scanner's, if it has none.
func (s *Scanner) Fail(err error) {
	if s.err == nil {
		s.err = err
	}
}

func (s *Scanner) malformed(want string) {
	s.Fail(fmt.Errorf("%w: byte %d: must be %s", ErrMalformed, s.at, want))
}

// Peek is the next byte that is not blank, 0 at the end.
func (s *Scanner) Peek() byte {
	for s.at < len(s.data) {
		switch c := s.data[s.at]; c {
		case ' ', '\t', '\n', '\r':
			s.at++
		default:
			return c
		}
	}
	return 0
}

// End makes anything but the end of the message an error.
func (s *Scanner) End() {
	if s.err == nil && s.Peek() != 0 {
		s.malformed("the end")
	}
}

func (s *Scanner) take(c byte, want string) bool {
	if s.err != nil {
		return false
	}
	if s.at < len(s.data) && s.data[s.at] == c || s.Peek() == c {
		s.at++
		return true
	}
	s.malformed(want)
	return false
}

// Object calls field with the scanner at the value of each key; field reads or skips exactly that.
func (s *Scanner) Object(field func(key []byte)) {
	if !s.take('{', "an object") || s.closed('}') {
		return
	}
	for {
		key := s.String()
		if !s.take(':', "a colon") {
			return
		}
		field(key)
		if s.err != nil || s.closed('}') || !s.take(',', "a comma or the object's end") {
			return
		}
	}
}

// Array calls element with the scanner at each element.
func (s *Scanner) Array(element func()) {
	if !s.take('[', "an array") || s.closed(']') {
		return
	}
	for {
		element()
		if s.err != nil || s.closed(']') || !s.take(',', "a comma or the array's end") {
			return
		}
	}
}

func (s *Scanner) closed(c byte) bool {
	if s.Peek() == c {
		s.at++
		return true
	}
	return false
}

// String is the bytes of a string as they stand, escapes too: names and numbers have none.
func (s *Scanner) String() []byte {
	if !s.take('"', "a string") {
		return nil
	}
	start := s.at
	for ; s.at < len(s.data); s.at++ {
		switch c := s.data[s.at]; {
		case c == '"':
			s.at++
			return s.data[start : s.at-1]
		case c == '\\':
			s.at++
		case c < ' ':
			s.malformed("a string without control characters")
			return nil
		}
	}
	s.malformed("a string's end")
	return nil
}

// Int reads a whole number.
func (s *Scanner) Int() int64 {
	if s.err != nil {
		return 0
	}
	s.Peek()
	start := s.at
	for s.at < len(s.data) && (s.data[s.at] == '-' || s.data[s.at]-'0' < 10) {
		s.at++
	}
	value, err := Decimal(s.data[start:s.at], 0)
	if err != nil {
		s.at = start
		s.malformed("a whole number of 64 bits")
	}
	return value
}

// Bool reads true or false.
func (s *Scanner) Bool() bool {
	s.Peek()
	switch rest := s.data[s.at:]; {
	case s.err != nil:
	case len(rest) >= 4 && string(rest[:4]) == "true":
		s.at += 4
		return true
	case len(rest) >= 5 && string(rest[:5]) == "false":
		s.at += 5
	default:
		s.malformed("true or false")
	}
	return false
}

// Decimal reads a string that is a decimal number, as an integer of the scale.
func (s *Scanner) Decimal(field string, scale uint32) int64 {
	text := s.String()
	if s.err != nil {
		return 0
	}
	value, err := Decimal(text, scale)
	if err != nil {
		s.Fail(fmt.Errorf("%s: %w", field, err))
	}
	return value
}

// Skip passes over any value.
func (s *Scanner) Skip() { s.skip(maxNesting) }

func (s *Scanner) skip(nesting int) {
	if nesting == 0 {
		s.malformed("nested less deep")
		return
	}
	switch c := s.Peek(); c {
	case '{':
		s.Object(func([]byte) { s.skip(nesting - 1) })
	case '[':
		s.Array(func() { s.skip(nesting - 1) })
	case '"':
		s.String()
	default:
		s.word()
	}
}

// word passes over a number, true, false or null. It does not check a number that nobody reads.
func (s *Scanner) word() {
	start := s.at
	for s.at < len(s.data) {
		c := s.data[s.at]
		if c-'0' >= 10 && c|0x20-'a' >= 26 && c != '.' && c != '-' && c != '+' {
			break
		}
		s.at++
	}
	if s.at == start {
		s.malformed("a value")
	}
}

// Decimal is a decimal number as an integer of the scale. It refuses what is not exact or does not fit.
func Decimal(text []byte, scale uint32) (int64, error) {
	negative := len(text) > 0 && text[0] == '-'
	digits := text
	if negative {
		digits = text[1:]
	}
	var value uint64
	places, point, any := uint32(0), false, false
	for _, c := range digits {
		d := uint64(c - '0')
		switch {
		case c == '.' && !point && any:
			point = true
			continue
		case d > 9:
			return 0, fmt.Errorf("must be a decimal number, got %.40q", text)
		case point && places == scale:
			if d != 0 {
				return 0, fmt.Errorf("must have at most %d places, got %.40q", scale, text)
			}
			continue
		case value > (maxInt64-d)/10:
			return 0, fmt.Errorf("must fit 64 bits at scale %d, got %.40q", scale, text)
		}
		any, value = true, value*10+d
		if point {
			places++
		}
	}
	if !any {
		return 0, fmt.Errorf("must be a decimal number, got %.40q", text)
	}
	for ; places < scale && value != 0; places++ {
		if value > maxInt64/10 {
			return 0, fmt.Errorf("must fit 64 bits at scale %d, got %.40q", scale, text)
		}
		value *= 10
	}
	if negative {
		return -int64(value), nil
	}
	return int64(value), nil
}

const maxInt64 = 1<<63 - 1
