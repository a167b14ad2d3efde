package live

import (
	"cmp"
	"fmt"
	"slices"
	"sync"

	"aetherion/trading/internal/engine"
)

// ReportLog keeps the newest execution reports, so that a reader may start at any sequence that is still
// there and go on as reports come. A reader takes its own time: it delays nobody, and one that falls
// behind what is kept is told so.
type ReportLog struct {
	mu     sync.Mutex
	most   int // reports kept
	since  uint64
	all    *series
	owners []*series          // of the reports of all, one each
	of     map[string]*series // by account
	newest uint64             // sequence of the newest report
}

// series are reports in their order.
type series struct {
	reports []*engine.ExecutionReport
	since   uint64        // up to this sequence reports are gone
	changed chan struct{} // closed when one is added
}

// Cursor is where a reader stands. The zero value is before the first report that there is.
type Cursor struct {
	Sequence uint64 // of the next report
	Taken    int    // reports of that sequence that the reader has already
}

// Gone says that reports are no longer kept in memory.
type Gone struct{ First uint64 } // the first sequence that can be asked for

func (g Gone) Error() string { return fmt.Sprintf("reports before sequence %d are gone", g.First) }

// NewReportLog is an empty log of at most so many reports.
func NewReportLog(most int) *ReportLog {
	return &ReportLog{most: most, all: &series{changed: make(chan struct{})}, of: map[string]*series{}}
}

// Since says that there never were reports up to a sequence here: a snapshot stands in for them.
func (l *ReportLog) Since(sequence uint64) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.since, l.all.since = sequence, max(l.all.since, sequence)
	for _, s := range l.of {
		s.since = max(s.since, sequence)
	}
}

// first is the first sequence of which all reports of an account are kept.
func (l *ReportLog) first(account string) uint64 {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.series(account).since + 1
}

// Publish adds the reports of whole events in the order of their sequence. They are kept.
func (l *ReportLog) Publish(reports []*engine.ExecutionReport) {
	if len(reports) == 0 {
		return
	}
	l.mu.Lock()
	defer l.mu.Unlock()
	changed := map[*series]struct{}{l.all: {}}
	l.all.reports = append(l.all.reports, reports...)
	var own *series
	for i, report := range reports {
		if account := report.NewOrder.Account; i == 0 || account != reports[i-1].NewOrder.Account {
			own = l.account(account)
			changed[own] = struct{}{}
		}
		own.reports, l.owners = append(own.reports, report), append(l.owners, own)
	}
	l.newest = reports[len(reports)-1].Sequence
	for range len(l.all.reports) - l.most {
		l.all.pop()
		l.owners[0].pop() // Found without a look at a report, which is long out of the processor's cache.
		l.owners = l.owners[1:]
	}
	for s := range changed {
		close(s.changed)
		s.changed = make(chan struct{})
	}
}

func (l *ReportLog) account(name string) *series {
	s := l.of[name]
	if s == nil {
		s = &series{since: l.since, changed: make(chan struct{})}
		l.of[name] = s
	}
	return s
}

// series are those of an account, or of all where it is empty.
func (l *ReportLog) series(account string) *series {
	if account == "" {
		return l.all
	}
	return l.account(account)
}

// pop forgets the oldest report.
func (s *series) pop() *engine.ExecutionReport {
	oldest := s.reports[0]
	s.reports[0] = nil // The array lives until append moves to a new one.
	s.reports, s.since = s.reports[1:], oldest.Sequence
	return oldest
}

// Page is what a reader gets.
type Page struct {
	Reports []*engine.ExecutionReport // shared, not to be changed
	Next    Cursor
	Through uint64          // every report up to this sequence is in this page or before it
	More    <-chan struct{} // closed when there is more than was given
}

// From gives reports from a cursor on, at most so many, of one account or, where it is empty, of all.
func (l *ReportLog) From(account string, at Cursor, most int) (Page, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	s := l.series(account)
	switch {
	case at.Sequence == 0:
		at.Sequence = s.since + 1 // Of an event all reports are given, or none.
	case at.Sequence <= s.since:
		return Page{}, Gone{s.since + 1}
	}
	first, _ := slices.BinarySearchFunc(s.reports, at.Sequence, func(r *engine.ExecutionReport, sequence uint64) int {
		return cmp.Compare(r.Sequence, sequence)
	})
	first = min(first+at.Taken, len(s.reports))
	end := min(first+most, len(s.reports))
	page := Page{Reports: slices.Clone(s.reports[first:end]), More: s.changed}
	if end == len(s.reports) {
		page.Next, page.Through = Cursor{Sequence: max(at.Sequence, l.newest+1)}, l.newest
		return page, nil
	}
	page.Next, page.Through = behind(s.reports[:end]), s.reports[end].Sequence-1
	return page, nil
}

// behind is the cursor after the last of these reports.
func behind(reports []*engine.ExecutionReport) Cursor {
	next := Cursor{Sequence: reports[len(reports)-1].Sequence}
	for next.Taken < len(reports) && reports[len(reports)-1-next.Taken].Sequence == next.Sequence {
		next.Taken++
	}
	return next
}
