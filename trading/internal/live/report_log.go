package live

import (
	"cmp"
	"slices"
	"sync"

	"aetherion/trading/internal/engine"
)

// ReportLog keeps all execution reports by account, so that a reader may start at any sequence and
// go on as reports come. A reader takes its own time: it delays nobody.
type ReportLog struct {
	mu       sync.Mutex
	accounts map[string][]engine.ExecutionReport
	since    uint64        // up to this sequence reports are gone
	last     uint64        // sequence of the newest report
	changed  chan struct{} // closed when a report comes
}

// NewReportLog is an empty log.
func NewReportLog() *ReportLog {
	return &ReportLog{accounts: map[string][]engine.ExecutionReport{}, changed: make(chan struct{})}
}

// Since says that reports up to a sequence are gone: a snapshot stands in for them.
func (l *ReportLog) Since(sequence uint64) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.since = sequence
}

// First is the first sequence that a reader may ask for.
func (l *ReportLog) First() uint64 {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.since + 1
}

// Publish adds reports in the order of their sequence.
func (l *ReportLog) Publish(reports []engine.ExecutionReport) {
	if len(reports) == 0 {
		return
	}
	l.mu.Lock()
	defer l.mu.Unlock()
	for i := range reports {
		account := reports[i].NewOrder.Account
		l.accounts[account] = append(l.accounts[account], reports[i])
		l.last = reports[i].Sequence
	}
	close(l.changed)
	l.changed = make(chan struct{})
}

// From gives the account's reports of that sequence and after, at most so many, and a channel that is
// closed when there is more than was given. Reports are shared and not to be changed.
func (l *ReportLog) From(account string, sequence uint64, most int) ([]engine.ExecutionReport, <-chan struct{}) {
	l.mu.Lock()
	defer l.mu.Unlock()
	all := l.accounts[account]
	first, _ := slices.BinarySearchFunc(all, sequence, func(r engine.ExecutionReport, s uint64) int {
		return cmp.Compare(r.Sequence, s)
	})
	end := min(len(all), first+most)
	return all[first:end:end], l.changed
}
