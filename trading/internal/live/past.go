package live

import (
	"context"
	"errors"

	"aetherion/trading/internal/engine"
	"aetherion/trading/internal/journal"
)

// Past gives reports that are no longer kept in memory: the journal's events are applied again, from the
// newest snapshot before them. It ends before the first report that is kept in memory, or when send says no,
// with where the reader stands then. What the journal does not have any more is Gone.
func (s *Session) Past(ctx context.Context, account string, at Cursor, send func(Page) error) (Cursor, error) {
	reader := pastReader{account: account, at: at, send: send}
	for {
		kept := s.Reports.first(account)
		if reader.at.Sequence >= kept {
			return reader.at, nil
		}
		err := s.past.read(ctx, reader.at.Sequence, kept-1, reader.take)
		if errors.Is(err, journal.ErrCompacted) {
			oldest := s.journal.OldestSnapshot()
			if reader.at.Sequence <= oldest {
				return reader.at, Gone{oldest + 1}
			}
			err = nil // Others of its turn asked for what is gone.
		}
		if err == nil {
			err = reader.flush()
		}
		if err != nil {
			return reader.at, err
		}
	}
}

// pastReader collects the reports of an account into pages.
type pastReader struct {
	account string
	at      Cursor // after what was sent
	page    []*engine.ExecutionReport
	through uint64 // up to which it has taken
	send    func(Page) error
}

// take takes the reports of some events up to a sequence.
func (r *pastReader) take(reports []*engine.ExecutionReport, through uint64) error {
	for _, report := range reports {
		switch {
		case report.Sequence < r.at.Sequence || report.Sequence > through:
		case r.account != "" && report.NewOrder.Account != r.account:
		case report.Sequence == r.at.Sequence && r.at.Taken > 0:
			r.at.Taken--
		default:
			r.page = append(r.page, report)
		}
	}
	if r.through = through; len(r.page) < blockOfThePast {
		return nil
	}
	return r.flush()
}

func (r *pastReader) flush() error {
	if r.through < r.at.Sequence {
		return nil
	}
	next := Cursor{Sequence: r.through + 1}
	if len(r.page) > 0 {
		if err := r.send(Page{Reports: r.page, Next: next, Through: r.through}); err != nil {
			return err
		}
	}
	r.page, r.at = nil, next
	return nil
}
