package gate

import (
	aetherionv1 "aetherion/trading/gen/aetherion/v1"
	"aetherion/trading/internal/engine"
)

// saveEvery is how many events come between two askings for the memory: it bounds what a new stream has to
// be told again.
const saveEvery = 4096

// history is what a new stream is told: a state, with what the Risk Service remembered of it, and every
// event since, with what was decided then. So a new stream holds all that the last one held, its latches,
// windows and buckets too, though not what was never decided.
type history struct {
	base    *aetherionv1.PretradeEvent // the state, a snapshot
	events  []*past                    // after it
	dropped uint64                     // events that came before those
	saves   []*save                    // that are asked for, oldest first
	tried   uint64                     // events that had come when the last was asked for
}

// past is an event and, of a check, what was decided on it.
type past struct {
	event   *aetherionv1.PretradeEvent
	check   bool
	decided []*aetherionv1.PretradeDecision // of a check; none: it was never decided
}

// save is a state whose memory is asked for.
type save struct {
	snapshot engine.PretradeSnapshot
	events   uint64                      // that came before it
	done     chan *engine.PretradeMemory // closed without one when there will be none
}

func (h *history) add(events ...*past) { h.events = append(h.events, events...) }

func (h *history) count() uint64 { return h.dropped + uint64(len(h.events)) }

// grown says that it is time to ask for the memory. A large state is asked for less often, so that it costs
// the same share of the time.
func (h *history) grown() bool {
	size := len(h.base.GetSnapshot().GetHolds()) + len(h.base.GetSnapshot().GetPositions())
	return h.count()-max(h.tried, h.dropped) >= uint64(max(saveEvery, 16*size))
}

// begin notes that the memory of a state is asked for.
func (h *history) begin(snapshot engine.PretradeSnapshot) *save {
	asked := &save{snapshot: snapshot, events: h.count(), done: make(chan *engine.PretradeMemory, 1)}
	h.saves, h.tried = append(h.saves, asked), h.count()
	return asked
}

// asked is what asked for the memory of a sequence; nil: nobody did.
func (h *history) asked(sequence uint64) *save {
	for _, asked := range h.saves {
		if asked.snapshot.Sequence == sequence {
			return asked
		}
	}
	return nil
}

// remember makes a state whose memory came the new base.
func (h *history) remember(base *aetherionv1.PretradeEvent, asked *save) {
	for h.saves[0] != asked {
		close(h.saves[0].done)
		h.saves = h.saves[1:]
	}
	h.saves = h.saves[1:]
	h.rebase(base, asked.events)
	memory := base.GetSnapshot().GetMemory()
	asked.done <- &engine.PretradeMemory{Sequence: memory.GetSequence(), Memory: memory.GetMemory(), StateHash: memory.GetStateHash()}
	close(asked.done)
}

// rebase forgets the first so many of all events: the base holds them.
func (h *history) rebase(base *aetherionv1.PretradeEvent, events uint64) {
	rest := h.events[events-h.dropped:]
	h.base, h.events, h.dropped = base, append(make([]*past, 0, len(rest)+saveEvery), rest...), events
}

// forsake gives up what is asked for: the stream has ended.
func (h *history) forsake() {
	for _, asked := range h.saves {
		close(asked.done)
	}
	h.saves = nil
}

// messages are what a new stream is told.
func (h *history) messages() []*aetherionv1.PretradeEvent {
	told := append(make([]*aetherionv1.PretradeEvent, 0, len(h.events)+1), h.base)
	for _, event := range h.events {
		if event.check && event.decided == nil {
			continue
		}
		told = append(told, &aetherionv1.PretradeEvent{
			Sequence: event.event.GetSequence(), TransactTimeNs: event.event.GetTransactTimeNs(), Event: event.event.Event, Decided: event.decided,
		})
	}
	return told
}
