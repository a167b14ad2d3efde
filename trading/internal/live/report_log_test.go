package live

import (
	"errors"
	"fmt"
	"math/rand/v2"
	"slices"
	"strings"
	"testing"

	"aetherion/trading/internal/engine"
	"aetherion/trading/internal/testseed"
)

// reports are of accounts in turn: "A2 B3 A3" is one of A at 2, and of B and A at 3.
func reports(text string) []*engine.ExecutionReport {
	var all []*engine.ExecutionReport
	for _, field := range strings.Fields(text) {
		var sequence uint64
		if _, err := fmt.Sscan(field[1:], &sequence); err != nil {
			panic(err)
		}
		all = append(all, &engine.ExecutionReport{Sequence: sequence, NewOrder: &engine.NewOrder{Account: field[:1]}})
	}
	return all
}

func inShort(reports []*engine.ExecutionReport) string {
	var fields []string
	for _, r := range reports {
		fields = append(fields, fmt.Sprint(r.NewOrder.Account, r.Sequence))
	}
	return strings.Join(fields, " ")
}

func TestReportLogHasNoSeam(t *testing.T) {
	log := NewReportLog(100)
	log.Publish(reports("A2 A5 B5 A5"))
	log.Publish(reports("A9 B10"))
	for _, c := range []struct {
		account string
		at      Cursor
		most    int
		want    string
		next    Cursor
		through uint64
	}{
		{"A", Cursor{}, 10, "A2 A5 A5 A9", Cursor{11, 0}, 10},
		{"A", Cursor{2, 0}, 1, "A2", Cursor{2, 1}, 4},
		{"A", Cursor{2, 1}, 1, "A5", Cursor{5, 1}, 4},
		{"A", Cursor{5, 1}, 1, "A5", Cursor{5, 2}, 8},
		{"A", Cursor{5, 2}, 1, "A9", Cursor{11, 0}, 10},
		{"A", Cursor{6, 0}, 9, "A9", Cursor{11, 0}, 10},
		{"A", Cursor{11, 0}, 9, "", Cursor{11, 0}, 10},
		{"B", Cursor{6, 0}, 9, "B10", Cursor{11, 0}, 10},
		{"C", Cursor{1, 0}, 9, "", Cursor{11, 0}, 10},
		{"", Cursor{3, 0}, 2, "A5 B5", Cursor{5, 2}, 4},
		{"", Cursor{5, 2}, 2, "A5 A9", Cursor{9, 1}, 9},
	} {
		page, err := log.From(c.account, c.at, c.most)
		if err != nil || inShort(page.Reports) != c.want || page.Next != c.next || page.Through != c.through {
			t.Errorf("%s from %v, at most %d: got %q, then %v, through %d, %v", c.account, c.at, c.most, inShort(page.Reports), page.Next, page.Through, err)
		}
	}
	page, _ := log.From("A", Cursor{11, 0}, 10)
	drop, _ := log.From("", Cursor{11, 0}, 10)
	log.Publish(reports("B12"))
	<-drop.More
	select {
	case <-page.More:
		t.Error("A has more, though it was of B")
	default:
	}
	log.Publish(reports("A13"))
	<-page.More
	if page, _ := log.From("A", page.Next, 10); inShort(page.Reports) != "A13" {
		t.Errorf("got %q", inShort(page.Reports))
	}
}

// What is too old is forgotten, and whoever still wants it is told; who has all of a quiet account is not.
func TestReportLogIsBounded(t *testing.T) {
	log := NewReportLog(3)
	log.Publish(reports("B1 A2"))
	quiet, _ := log.From("B", Cursor{}, 10)
	log.Publish(reports("A3 A4 A4"))
	for _, c := range []struct {
		account string
		at      Cursor
		first   uint64 // 0: it is there
	}{{"A", Cursor{2, 0}, 3}, {"A", Cursor{3, 0}, 0}, {"", Cursor{2, 0}, 3}, {"", Cursor{}, 0}, {"B", Cursor{1, 0}, 2}, {"B", quiet.Next, 0}} {
		_, err := log.From(c.account, c.at, 10)
		gone := Gone{}
		if errors.As(err, &gone); gone.First != c.first {
			t.Errorf("%s from %v: got %v, want %d", c.account, c.at, err, c.first)
		}
	}
	if page, _ := log.From("", Cursor{}, 10); inShort(page.Reports) != "A3 A4 A4" {
		t.Errorf("got %q", inShort(page.Reports))
	}
	log.Publish(reports("A5 A6"))
	if page, _ := log.From("", Cursor{}, 10); inShort(page.Reports) != "A5 A6" { // one of 4 is gone
		t.Errorf("got %q", inShort(page.Reports))
	}
	log.Since(7)
	if log.first("C") != 8 || log.first("A") != 8 || log.first("") != 8 {
		t.Errorf("first are %d, %d and %d, want 8", log.first("C"), log.first("A"), log.first(""))
	}
}

// Readers at any pace, with pages of any size, get every report after where they began, once, in order, or
// are told that they fell behind.
func TestReportLogAgainstReadersOfAnyPace(t *testing.T) {
	seed := testseed.Of(t)
	random := rand.New(rand.NewPCG(seed, 0))
	log := NewReportLog(200)
	type reader struct {
		account string
		at      Cursor
		got     []*engine.ExecutionReport
		lost    bool
	}
	readers := make([]*reader, 30)
	for i := range readers {
		readers[i] = &reader{account: []string{"", "A", "B"}[i%3], at: Cursor{Sequence: 1}}
	}
	var all []*engine.ExecutionReport
	for sequence := uint64(1); sequence < 3000; sequence++ {
		var more []*engine.ExecutionReport
		for range random.IntN(4) {
			more = append(more, reports(fmt.Sprintf("%c%d", 'A'+random.IntN(2), sequence))...)
		}
		log.Publish(more)
		all = append(all, more...)
		for i, r := range readers {
			if r.lost || random.IntN(1+10*i) > 0 {
				continue
			}
			page, err := log.From(r.account, r.at, 1+random.IntN(40))
			if r.lost = err != nil; !r.lost {
				r.got, r.at = append(r.got, page.Reports...), page.Next
			}
		}
	}
	lost := 0
	for i, r := range readers {
		want := slices.DeleteFunc(slices.Clone(all), func(e *engine.ExecutionReport) bool { return r.account != "" && e.NewOrder.Account != r.account })
		for n, got := range r.got {
			if got.Sequence != want[n].Sequence || got.NewOrder != want[n].NewOrder {
				t.Fatalf("seed %d: reader %d: report %d is %+v, want %+v", seed, i, n, got, want[n])
			}
		}
		if r.lost {
			lost++
		}
	}
	if lost == 0 || lost == len(readers) {
		t.Errorf("seed %d: %d of %d fell behind: the sample is one-sided", seed, lost, len(readers))
	}
}
