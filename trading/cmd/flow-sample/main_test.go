package main

import (
	"bytes"
	"strings"
	"testing"
)

func TestTheSameSeedPrintsTheSame(t *testing.T) {
	var first, again, other bytes.Buffer
	for out, seed := range map[*bytes.Buffer]uint64{&first: 3, &again: 3, &other: 4} {
		if err := sample("ACME.SIM", seed, 120, out); err != nil {
			t.Fatal(err)
		}
	}
	if !bytes.Equal(first.Bytes(), again.Bytes()) || bytes.Equal(first.Bytes(), other.Bytes()) {
		t.Error("the output must follow from the seed")
	}
	for _, kind := range []string{header + "\n", "\nquote,", "\ntrade,", "\ndepth,"} {
		if !strings.Contains(first.String(), kind) {
			t.Errorf("there is no %q", kind)
		}
	}
	if err := sample("NONE.SIM", 1, 1, &first); err == nil || err.Error() != `instrument: there is no "NONE.SIM"` {
		t.Errorf("got %v", err)
	}
}
