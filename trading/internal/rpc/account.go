package rpc

import (
	"context"

	pb "aetherion/trading/gen/aetherion/v1"
	"aetherion/trading/internal/contract"
	"aetherion/trading/internal/engine"
)

type accountService struct {
	pb.UnimplementedAccountServiceServer
	*Server
}

func (s accountService) ListAccounts(ctx context.Context, _ *pb.ListAccountsRequest) (*pb.ListAccountsResponse, error) {
	response := &pb.ListAccountsResponse{}
	err := s.query(ctx, func(e *engine.Engine) {
		for _, account := range e.Accounts() {
			response.Accounts = append(response.Accounts, account.Account)
		}
	})
	return response, err
}

func (s accountService) GetAccount(ctx context.Context, r *pb.GetAccountRequest) (*pb.GetAccountResponse, error) {
	state, err := s.account(ctx, r.GetAccount())
	if err != nil {
		return nil, err
	}
	return &pb.GetAccountResponse{AccountState: contract.EncodeAccountState(&state)}, nil
}

func (s accountService) ListPositions(ctx context.Context, r *pb.ListPositionsRequest) (*pb.ListPositionsResponse, error) {
	state, err := s.account(ctx, r.GetAccount())
	if err != nil {
		return nil, err
	}
	return &pb.ListPositionsResponse{
		Positions: contract.EncodePositions(state.Positions), StrategyPositions: contract.EncodePositions(state.StrategyPositions),
		Sequence: state.Sequence,
	}, nil
}

// account is the state of an account that must be there.
func (s *Server) account(ctx context.Context, name string) (engine.AccountState, error) {
	var state engine.AccountState
	var open bool
	if err := s.query(ctx, func(e *engine.Engine) { state, open = e.Account(name) }); err != nil {
		return engine.AccountState{}, err
	}
	if !open {
		return engine.AccountState{}, notFound("account: there is no account %q", name)
	}
	return state, nil
}
