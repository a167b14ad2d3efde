package rpc

import (
	"context"
	"slices"

	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"

	pb "aetherion/trading/gen/aetherion/v1"
	"aetherion/trading/internal/contract"
	"aetherion/trading/internal/engine"
)

func (s adminService) SetTradingState(ctx context.Context, r *pb.SetTradingStateRequest) (*pb.SetTradingStateResponse, error) {
	change, err := contract.DecodeTradingStateChange(r.GetTradingStateChange())
	if err == nil {
		err = checkWho(change.ChangedBy, change.Reason)
	}
	if err != nil {
		return nil, invalid(within("trading_state_change", err))
	}
	result, err := s.change(ctx, &change)
	return &pb.SetTradingStateResponse{Sequence: result.Sequence}, err
}

// EngageKillSwitch works whatever else does not: see live.Session.
func (s adminService) EngageKillSwitch(ctx context.Context, r *pb.EngageKillSwitchRequest) (*pb.EngageKillSwitchResponse, error) {
	change, err := decodeKillSwitch(r.GetScope(), true, r.GetChangedBy(), r.GetReason())
	if err != nil {
		return nil, invalid(err)
	}
	result := s.session.EngageKillSwitch(ctx, change)
	if result.Err != nil {
		return nil, invalid(result.Err)
	}
	return &pb.EngageKillSwitchResponse{Sequence: result.Sequence, TotalAffectedOrders: result.Ack.TotalAffectedOrders}, nil
}

// ReleaseKillSwitch needs somebody else than who engaged it, so that nobody overrules himself in haste.
func (s adminService) ReleaseKillSwitch(ctx context.Context, r *pb.ReleaseKillSwitchRequest) (*pb.ReleaseKillSwitchResponse, error) {
	change, err := decodeKillSwitch(r.GetScope(), false, r.GetChangedBy(), r.GetReason())
	if err != nil {
		return nil, invalid(err)
	}
	var engaged []engine.KillSwitchChange
	if err := s.query(ctx, func(e *engine.Engine) { engaged = slices.Clone(e.KillSwitches()) }); err != nil {
		return nil, err
	}
	at := slices.IndexFunc(engaged, func(k engine.KillSwitchChange) bool { return k.Scope == change.Scope })
	switch {
	case at < 0:
		return nil, status.Errorf(codes.FailedPrecondition, "scope: no kill switch is engaged for %+v", change.Scope)
	case samePerson(engaged[at].ChangedBy, change.ChangedBy):
		return nil, status.Errorf(codes.FailedPrecondition, "changed_by: must be somebody else than who engaged it, got %q", change.ChangedBy)
	}
	result, err := s.change(ctx, change)
	return &pb.ReleaseKillSwitchResponse{Sequence: result.Sequence}, err
}

func decodeKillSwitch(scope *pb.TradingScope, engaged bool, changedBy, reason string) (*engine.KillSwitchChange, error) {
	decoded, err := contract.DecodeTradingScope(scope)
	if err == nil {
		err = checkWho(changedBy, reason)
	}
	return &engine.KillSwitchChange{Scope: decoded, Engaged: engaged, ChangedBy: changedBy, Reason: reason}, err
}

func (s adminService) GetTradingStates(ctx context.Context, _ *pb.GetTradingStatesRequest) (*pb.GetTradingStatesResponse, error) {
	response := &pb.GetTradingStatesResponse{}
	err := s.query(ctx, func(e *engine.Engine) {
		for _, state := range e.TradingStates() {
			response.TradingStates = append(response.TradingStates, contract.EncodeTradingStateChange(&state))
		}
		for _, engaged := range e.KillSwitches() {
			response.KillSwitches = append(response.KillSwitches, contract.EncodeKillSwitchChange(&engaged))
		}
	})
	for _, latch := range s.session.Gate.Status().Latches {
		response.Latches = append(response.Latches, &pb.PretradeLatch{
			Sequence: latch.Sequence, OrdRejReason: pb.OrdRejReason(latch.Passed.OrdRejReason), Scope: contract.EncodeTradingScope(latch.Scope),
			RiskLimit: latch.Passed.RiskLimit, Value: latch.Passed.Value, TradingState: pb.TradingState(latch.TradingState),
		})
	}
	return response, err
}
