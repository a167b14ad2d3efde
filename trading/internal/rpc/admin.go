package rpc

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"unicode"
	"unicode/utf8"

	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"

	pb "aetherion/trading/gen/aetherion/v1"
	"aetherion/trading/internal/contract"
	"aetherion/trading/internal/engine"
	"aetherion/trading/internal/sequencer"
)

const (
	maxChangedBy = 64
	maxReason    = 1000
)

type adminService struct {
	pb.UnimplementedAdminServiceServer
	*Server
}

// change sequences a change that an engine takes or refuses.
func (s adminService) change(ctx context.Context, change engine.Input) (sequencer.Result, error) {
	results, err := s.session.Sequencer.Submit(ctx, change)
	switch conflict := (engine.VersionConflict{}); {
	case err != nil:
		return sequencer.Result{}, unavailable(err)
	case errors.As(results[0].Err, &conflict):
		return sequencer.Result{}, status.Error(codes.FailedPrecondition, conflict.Error())
	case results[0].Err != nil:
		return sequencer.Result{}, invalid(results[0].Err)
	}
	return results[0], nil
}

// checkWho says whether a change names who made it and why.
func checkWho(changedBy, reason string) error {
	if err := checkText("changed_by", changedBy, maxChangedBy); err != nil {
		return err
	}
	return checkText("reason", reason, maxReason)
}

func checkText(field, value string, most int) error {
	if n := utf8.RuneCountInString(value); n < 1 || n > most {
		return fmt.Errorf("%s: must have 1 to %d characters, got %d", field, most, n)
	}
	if strings.TrimSpace(value) != value || strings.ContainsFunc(value, unicode.IsControl) {
		return fmt.Errorf("%s: must have no control character and no space at its ends, got %q", field, value)
	}
	return nil
}

// samePerson compares names as people read them.
func samePerson(a, b string) bool { return strings.EqualFold(a, b) }

func (s adminService) SetFxRates(ctx context.Context, r *pb.SetFxRatesRequest) (*pb.SetFxRatesResponse, error) {
	rates, err := contract.DecodeFxRates(r.GetFxRates())
	if err == nil && len(rates.Rates) == 0 {
		err = errors.New("rates: must not be empty, got none")
	}
	if err != nil {
		return nil, invalid(within("fx_rates", err))
	}
	result, err := s.change(ctx, &rates)
	return &pb.SetFxRatesResponse{Sequence: result.Sequence}, err
}

// SetPretradeModel leaves it to the engine to compare versions, in the one order of all changes.
func (s adminService) SetPretradeModel(ctx context.Context, r *pb.SetPretradeModelRequest) (*pb.SetPretradeModelResponse, error) {
	model, err := contract.DecodePretradeModel(r.GetPretradeModel())
	if err != nil {
		return nil, invalid(within("pretrade_model", err))
	}
	model.Version = r.GetExpectedVersion() + 1
	result, err := s.change(ctx, &model)
	return &pb.SetPretradeModelResponse{Sequence: result.Sequence, Version: model.Version}, err
}

func (s adminService) AdjustAccount(ctx context.Context, r *pb.AdjustAccountRequest) (*pb.AdjustAccountResponse, error) {
	adjustment, err := decodeAdjustment(r.GetAdjustment())
	if err != nil {
		return nil, invalid(within("adjustment", err))
	}
	if err := s.checkCurrency(ctx, adjustment.Cash.Currency); err != nil {
		return nil, err
	}
	result, err := s.change(ctx, adjustment)
	return &pb.AdjustAccountResponse{Sequence: result.Sequence}, err
}

// checkCurrency refuses a currency that nothing else is in: a slip of the pen would make a balance without a value.
func (s adminService) checkCurrency(ctx context.Context, currency string) error {
	known := currency == ""
	err := s.query(ctx, func(e *engine.Engine) { known = known || e.KnowsCurrency(currency) })
	if err == nil && !known {
		err = invalidf("adjustment.cash.currency: no account, instrument or exchange rate is in %q", currency)
	}
	return err
}

func decodeAdjustment(a *pb.Adjustment) (*engine.Adjustment, error) {
	if a == nil {
		return nil, errors.New("adjustment: is missing")
	}
	cash, err := contract.DecodeMoney("cash", a.GetCash())
	switch {
	case err != nil:
		return nil, err
	case contract.Name("account", a.GetAccount()) != nil:
		return nil, contract.Name("account", a.GetAccount())
	case a.GetCash() == nil && a.GetInstrumentId() == "":
		return nil, errors.New("cash, instrument_id: at least one must be set, got neither")
	case a.GetInstrumentId() == "" && a.GetQty() != 0:
		return nil, fmt.Errorf("qty: must be 0 without an instrument_id, got %d", a.GetQty())
	}
	if err := checkText("reason", a.GetReason(), maxReason); err != nil {
		return nil, err
	}
	return &engine.Adjustment{Account: a.GetAccount(), Cash: cash, InstrumentID: a.GetInstrumentId(), Qty: a.GetQty(),
		Price: a.GetPrice(), Reason: a.GetReason()}, nil
}

func (s adminService) GetStatus(ctx context.Context, _ *pb.GetStatusRequest) (*pb.GetStatusResponse, error) {
	names, err := s.catalog.List()
	if err != nil {
		return nil, err
	}
	watched, err := s.watch(ctx)
	if err != nil {
		return nil, err
	}
	risk := s.session.Gate.Status()
	response := &pb.GetStatusResponse{
		Version: s.config.Version, Epoch: s.config.Epoch, RiskAvailable: risk.Available, RiskReason: risk.Reason,
		Durability: s.config.Durability, DataSets: names, TotalAlarms: risk.TotalAlarms,
		Sequence: watched.sequence, PretradeModelVersion: watched.model, JournalRoom: watched.room, Warnings: watched.warnings,
	}
	for i := range risk.Alarms {
		alarm := &risk.Alarms[i]
		response.Alarms = append(response.Alarms, &pb.PretradeAlarm{
			Sequence: alarm.Sequence, OrdRejReason: pb.OrdRejReason(alarm.Passed.OrdRejReason), Scope: alarm.Passed.Scope,
			RiskLimit: alarm.Passed.RiskLimit, Value: alarm.Passed.Value, TradingState: pb.TradingState(alarm.TradingState),
		})
	}
	return response, nil
}
