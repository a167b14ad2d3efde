package engine

import "fmt"

// Session is one that has begun and is not lost.
type Session struct {
	ID       string
	Grace    int64 // ns that it may be away, meant when HasGrace
	HasGrace bool  // false: only orders that are to be canceled with it tell of it
}

// Sessions are those that have begun and are not lost, sorted.
func (e *Engine) Sessions() []Session {
	known := map[string]Session{}
	for _, order := range e.open.All() {
		if order.session != "" && order.NewOrder.ExecInsts&CancelOnDisconnect != 0 {
			known[order.session] = Session{ID: order.session}
		}
	}
	for id, grace := range e.sessions {
		known[id] = Session{ID: id, Grace: grace, HasGrace: true}
	}
	sessions := make([]Session, 0, len(known))
	for _, id := range sortedKeys(known) {
		sessions = append(sessions, known[id])
	}
	return sessions
}

func (e *Engine) applySessionBegan(began *SessionBegan) error {
	if began.SessionID == "" || began.Grace < 0 {
		return fmt.Errorf("session_id, cancel_grace_ns: must be set and not negative, got %q and %d", began.SessionID, began.Grace)
	}
	if grace, known := e.sessions[began.SessionID]; known && grace == began.Grace {
		return ErrNothingNew
	}
	e.sessions[began.SessionID] = began.Grace
	return nil
}

func (e *Engine) applySessionLost(event *Event, lost *SessionLost, effects *Effects) error {
	if lost.SessionID == "" {
		return fmt.Errorf("session_id: must be set")
	}
	delete(e.sessions, lost.SessionID)
	e.cancelOpen(event, e.openOrders(func(o *Order) bool {
		return o.session == lost.SessionID && o.NewOrder.ExecInsts&CancelOnDisconnect != 0
	}), "exec_insts: the session was lost", effects)
	return nil
}
