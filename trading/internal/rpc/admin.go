package rpc

import (
	"context"
	"errors"
	"fmt"
	"unicode/utf8"

	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"

	pb "aetherion/trading/gen/aetherion/v1"
	"aetherion/trading/internal/contract"
	"aetherion/trading/internal/engine"
)

const (
	maxChangedBy = 64
	maxReason    = 1000
)

type adminService struct {
	pb.UnimplementedAdminServiceServer
	*Server
}

func (s adminService) GetLimits(ctx context.Context, _ *pb.GetLimitsRequest) (*pb.GetLimitsResponse, error) {
	var limits engine.RiskLimits
	if err := s.query(ctx, func(e *engine.Engine) { limits = e.RiskLimits() }); err != nil {
		return nil, err
	}
	return &pb.GetLimitsResponse{RiskLimits: contract.EncodeRiskLimits(&limits)}, nil
}

// SetLimits leaves it to the engine to compare versions, in the one order of all changes.
func (s adminService) SetLimits(ctx context.Context, r *pb.SetLimitsRequest) (*pb.SetLimitsResponse, error) {
	change, err := decodeLimitChange(r)
	if err != nil {
		return nil, invalid(err)
	}
	results, err := s.session.Sequencer.Submit(ctx, change)
	if err != nil {
		return nil, unavailable(err)
	}
	switch err := results[0].Err; {
	case errors.Is(err, engine.ErrVersion):
		return nil, status.Errorf(codes.FailedPrecondition,
			"expected_version: other limits than those of version %d are in force: %v", r.GetExpectedVersion(), err)
	case err != nil:
		return nil, invalid(err)
	}
	return &pb.SetLimitsResponse{RiskLimits: contract.EncodeRiskLimits(&change.RiskLimits), Sequence: results[0].Sequence}, nil
}

func decodeLimitChange(r *pb.SetLimitsRequest) (*engine.LimitChange, error) {
	if r.GetRiskLimits() == nil {
		return nil, errors.New("risk_limits: is missing")
	}
	limits, err := decodeLimits(r.GetRiskLimits())
	if err != nil {
		return nil, err
	}
	for _, check := range []error{
		checkText("changed_by", r.GetChangedBy(), maxChangedBy),
		checkText("reason", r.GetReason(), maxReason),
	} {
		if check != nil {
			return nil, check
		}
	}
	limits.Version = r.GetExpectedVersion() + 1
	return &engine.LimitChange{RiskLimits: limits, ChangedBy: r.GetChangedBy(), Reason: r.GetReason()}, nil
}

func checkText(field, value string, most int) error {
	if n := utf8.RuneCountInString(value); n < 1 || n > most {
		return fmt.Errorf("%s: must have 1 to %d characters, got %d", field, most, n)
	}
	return nil
}

func (s adminService) GetStatus(ctx context.Context, _ *pb.GetStatusRequest) (*pb.GetStatusResponse, error) {
	names, err := s.catalog.List()
	if err != nil {
		return nil, err
	}
	response := &pb.GetStatusResponse{
		Version: s.config.Version, Epoch: s.config.Epoch, RiskAvailable: s.session.Gate.Status().Available,
		Durability: s.config.Durability, DataSets: names,
	}
	err = s.query(ctx, func(e *engine.Engine) { response.Sequence = e.Sequence() })
	return response, err
}
