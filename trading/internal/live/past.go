package live

import (
	"context"
	"errors"

	"aetherion/trading/internal/engine"
	"aetherion/trading/internal/journal"
	"aetherion/trading/internal/recovery"
)

// pastReaders is how many readers may replay the journal at a time: each holds an engine of its own.
const pastReaders = 2

// Past gives reports that are no longer kept in memory: the journal's events are applied again, from the
// newest snapshot before them. It ends before the first report that is kept in memory, or when send says no,
// with where the reader stands then. What the journal does not have any more is Gone.
func (s *Session) Past(ctx context.Context, account string, at Cursor, send func(Page) error) (Cursor, error) {
	select {
	case s.past <- struct{}{}:
		defer func() { <-s.past }()
	case <-ctx.Done():
		return at, ctx.Err()
	}
	kept := s.Reports.first(account)
	if at.Sequence >= kept {
		return at, nil
	}
	reader := pastReader{account: account, at: at, send: send}
	err := recovery.Reports(s.journal, at.Sequence, kept-1, func(reports []*engine.ExecutionReport) bool {
		return reader.take(reports) && ctx.Err() == nil
	})
	switch {
	case errors.Is(err, journal.ErrCompacted):
		return at, Gone{s.journal.OldestSnapshot() + 1}
	case err == nil:
		reader.through = kept - 1
		err = errors.Join(reader.err, ctx.Err())
	}
	if err == nil {
		err = reader.flush(Cursor{Sequence: kept})
	}
	return reader.at, err
}

// pastReader collects the reports of an account into pages.
type pastReader struct {
	account string
	at      Cursor
	page    []*engine.ExecutionReport
	through uint64
	send    func(Page) error
	err     error
}

// pageOfThePast is how many reports are sent at once, and a little more: an event's stay together.
const pageOfThePast = 1024

// take takes the reports of one event.
func (r *pastReader) take(reports []*engine.ExecutionReport) bool {
	for _, report := range reports {
		if r.account != "" && report.NewOrder.Account != r.account {
			continue
		}
		if report.Sequence == r.at.Sequence && r.at.Taken > 0 {
			r.at.Taken--
			continue
		}
		order, own := *report.NewOrder, *report // The engine that holds it goes on.
		own.NewOrder = &order
		r.page = append(r.page, &own)
	}
	r.through = reports[0].Sequence
	if len(r.page) < pageOfThePast {
		return true
	}
	r.err = r.flush(Cursor{Sequence: r.through + 1})
	return r.err == nil
}

func (r *pastReader) flush(next Cursor) error {
	if len(r.page) > 0 {
		if err := r.send(Page{Reports: r.page, Next: next, Through: r.through}); err != nil {
			return err
		}
	}
	r.page, r.at = nil, next
	return nil
}
