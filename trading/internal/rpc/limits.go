package rpc

import (
	"context"
	"errors"
	"sync"

	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"

	pb "aetherion/trading/gen/aetherion/v1"
	"aetherion/trading/internal/contract"
	"aetherion/trading/internal/engine"
)

// proposal is a change of limits that waits for a second person; nil: there is none.
type proposal struct {
	mu     sync.Mutex
	change *engine.LimitChange
}

func (p *proposal) set(change *engine.LimitChange) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.change = change
}

func (p *proposal) get() *engine.LimitChange {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.change
}

func (s adminService) GetLimits(ctx context.Context, _ *pb.GetLimitsRequest) (*pb.GetLimitsResponse, error) {
	limits, err := s.limits(ctx)
	if err != nil {
		return nil, err
	}
	return &pb.GetLimitsResponse{RiskLimits: contract.EncodeRiskLimits(&limits)}, nil
}

// limits are those in force.
func (s adminService) limits(ctx context.Context) (limits engine.RiskLimits, err error) {
	err = s.query(ctx, func(e *engine.Engine) { limits = e.RiskLimits() })
	return limits, err
}

// SetLimits leaves it to the engine to compare versions, in the one order of all changes. What is proposed
// has the version that it would have, so that only what is looser than the limits it was compared with can
// be approved.
func (s adminService) SetLimits(ctx context.Context, r *pb.SetLimitsRequest) (*pb.SetLimitsResponse, error) {
	change, err := decodeLimitChange(r)
	if err != nil {
		return nil, invalid(err)
	}
	var inForce engine.RiskLimits
	var names limitNames
	if err := s.query(ctx, func(e *engine.Engine) { inForce, names = e.RiskLimits(), namesOf(e) }); err != nil {
		return nil, err
	}
	if err := checkLimitsBind(&change.RiskLimits, names); err != nil {
		return nil, invalid(within("risk_limits", err))
	}
	if s.config.TwoPersonLimits {
		if loosened := loosened(&inForce, &change.RiskLimits); loosened != "" && inForce.Version == r.GetExpectedVersion() {
			s.proposal.set(change)
			return &pb.SetLimitsResponse{RiskLimits: contract.EncodeRiskLimits(&change.RiskLimits), Loosened: loosened}, nil
		}
	}
	result, err := s.change(ctx, change)
	if err != nil {
		return nil, err
	}
	return &pb.SetLimitsResponse{RiskLimits: contract.EncodeRiskLimits(&change.RiskLimits), Sequence: result.Sequence}, nil
}

// ApproveLimits is the second key.
func (s adminService) ApproveLimits(ctx context.Context, r *pb.ApproveLimitsRequest) (*pb.ApproveLimitsResponse, error) {
	if err := checkText("approved_by", r.GetApprovedBy(), maxChangedBy); err != nil {
		return nil, invalid(err)
	}
	proposed := s.proposal.get()
	switch {
	case proposed == nil || proposed.RiskLimits.Version != r.GetVersion():
		return nil, status.Errorf(codes.FailedPrecondition, "version: no limits of version %d are proposed", r.GetVersion())
	case samePerson(proposed.ChangedBy, r.GetApprovedBy()):
		return nil, status.Errorf(codes.FailedPrecondition, "approved_by: must be somebody else than who proposed them, got %q", r.GetApprovedBy())
	}
	change := *proposed
	change.ApprovedBy = r.GetApprovedBy()
	result, err := s.change(ctx, &change)
	if err != nil {
		return nil, err
	}
	s.proposal.set(nil)
	return &pb.ApproveLimitsResponse{RiskLimits: contract.EncodeRiskLimits(&change.RiskLimits), Sequence: result.Sequence}, nil
}

func decodeLimitChange(r *pb.SetLimitsRequest) (*engine.LimitChange, error) {
	if r.GetRiskLimits() == nil {
		return nil, errors.New("risk_limits: is missing")
	}
	limits, err := decodeLimits(r.GetRiskLimits())
	if err == nil {
		err = checkWho(r.GetChangedBy(), r.GetReason())
	}
	if err != nil {
		return nil, err
	}
	limits.Version = r.GetExpectedVersion() + 1
	return &engine.LimitChange{RiskLimits: limits, ChangedBy: r.GetChangedBy(), Reason: r.GetReason()}, nil
}

// loosened names the first limit that allows more than before, or is gone; empty: none does. Limits are
// compared at their own scope.
func loosened(before, after *engine.RiskLimits) string {
	if after.MarketOrderBandBps < before.MarketOrderBandBps {
		return "market_order_band_bps"
	}
	type scope struct{ account, strategyID, instrumentID string }
	now := map[scope]*engine.RiskLimit{}
	for i := range after.Limits {
		l := &after.Limits[i]
		now[scope{l.Account, l.StrategyID, l.InstrumentID}] = l
	}
	for i := range before.Limits {
		old := &before.Limits[i]
		l := now[scope{old.Account, old.StrategyID, old.InstrumentID}]
		if l == nil {
			l = &engine.RiskLimit{}
		}
		if field := loosenedField(old, l); field != "" {
			return field
		}
	}
	return ""
}
