package rpc

import (
	"context"

	pb "aetherion/trading/gen/aetherion/v1"
	"aetherion/trading/internal/engine"
	"aetherion/trading/internal/journal"
)

// watched is what an operator should see of a service that runs.
type watched struct {
	sequence uint64
	model    uint64 // version of the pre-trade model; 0: none
	room     *pb.JournalRoom
	warnings []string
}

func (s *Server) watch(ctx context.Context) (watched, error) {
	var w watched
	var limits engine.RiskLimits
	err := s.query(ctx, func(e *engine.Engine) {
		w.sequence, limits = e.Sequence(), e.RiskLimits()
		if model := e.PretradeModel(); model != nil {
			w.model = model.Version
		}
	})
	if err != nil {
		return watched{}, err // The query may still run.
	}
	room := s.journalRoom()
	w.room = &pb.JournalRoom{FreeBytes: uint64(room.Free), HeadroomBytes: uint64(room.Headroom), Low: room.Low}
	if !limited(&limits) {
		w.warnings = append(w.warnings, "no limits are set: orders of any size, price and number are approved, up to what their instruments allow; set some with SetLimits")
	}
	if room.Low {
		w.warnings = append(w.warnings, "the disk of the journal is full: only cancels, reductions and kill switches are taken until there is room")
	}
	if differs := s.session.VenueDiffers(); differs != "" {
		w.warnings = append(w.warnings, differs+"; cancel or adjust it there, or start with AETHERION_TRADING_ADOPT=adopt or cancel")
	}
	return w, nil
}

// journalRoom is zero where it is not known: the journal itself says when its disk fails.
func (s *Server) journalRoom() journal.Room {
	if s.config.JournalRoom == nil {
		return journal.Room{}
	}
	room, err := s.config.JournalRoom()
	if err != nil {
		room.Free = 0
	}
	return room
}

// limited says whether there is any limit.
func limited(limits *engine.RiskLimits) bool {
	for i := range limits.Limits {
		if len(limits.Limits[i].Values()) > 0 {
			return true
		}
	}
	return false
}

// Warnings are what should not stay so.
func (s *Server) Warnings(ctx context.Context) ([]string, error) {
	w, err := s.watch(ctx)
	return w.warnings, err
}
