package rpc

import (
	"fmt"
	"math"

	pb "aetherion/trading/gen/aetherion/v1"
	"aetherion/trading/internal/contract"
	"aetherion/trading/internal/engine"
	"aetherion/trading/internal/market"
	"aetherion/trading/internal/simulation"
	"aetherion/trading/internal/venue/queue"
)

const (
	maxSpeed = 1e9
	// queuePower is the exponent of QUEUE_MODEL_POWER.
	queuePower = 3
)

// decodeBacktestConfig finds the instruments in the data set; the rest is the simulation's to judge.
func decodeBacktestConfig(c *pb.BacktestConfig, dataset *market.Dataset) (simulation.Config, market.Window, error) {
	if err := checkBacktestConfig(c); err != nil {
		return simulation.Config{}, market.Window{}, invalid(within("config", err))
	}
	used, err := indexesOf(dataset.Instruments, "config.instrument_ids", c.GetInstrumentIds())
	if err != nil {
		return simulation.Config{}, market.Window{}, err
	}
	config, err := simulationConfig(c)
	if err != nil {
		return simulation.Config{}, market.Window{}, invalid(within("config", err))
	}
	if config.Queue, err = decodeQueueModel(c.GetQueueModel(), dataset); err != nil {
		return simulation.Config{}, market.Window{}, invalid(within("config", err))
	}
	names := limitNames{accounts: map[string]bool{config.Account: true}, instruments: map[string]bool{}}
	for i := range dataset.Instruments {
		names.instruments[dataset.Instruments[i].InstrumentID] = true
	}
	if err := checkLimitsBind(&config.RiskLimits, names); err != nil {
		return simulation.Config{}, market.Window{}, invalid(within("config", within("risk_limits", err)))
	}
	config.Instruments, config.Used = dataset.Instruments, used
	window := market.Window{Instruments: used, StartTime: c.GetStartTimeNs(), EndTime: c.GetEndTimeNs()}
	return config, window, nil
}

func checkBacktestConfig(c *pb.BacktestConfig) error {
	start, end := c.GetStartTimeNs(), c.GetEndTimeNs()
	switch speed := c.GetSpeed(); {
	case math.IsNaN(speed) || speed < 0 || speed > maxSpeed:
		return fmt.Errorf("speed: must be from 0 to %g, got %g", maxSpeed, speed)
	case end != 0 && end <= start:
		return fmt.Errorf("end_time_ns: must be after start_time_ns %d, got %d", start, end)
	}
	return contract.Name("account", c.GetAccount())
}

func simulationConfig(c *pb.BacktestConfig) (simulation.Config, error) {
	rows, err := batchRows(c.GetMaxBatchRows())
	if err != nil {
		return simulation.Config{}, err
	}
	cash, err := contract.DecodeMoney("initial_cash", c.GetInitialCash())
	if err != nil {
		return simulation.Config{}, err
	}
	limits, err := decodeLimits(c.GetRiskLimits())
	if err != nil {
		return simulation.Config{}, err
	}
	return simulation.Config{
		Account:           c.GetAccount(),
		InitialCash:       cash,
		RiskLimits:        limits,
		MaxVolumeShareBps: c.GetMaxVolumeShareBps(),
		OrderLatency:      c.GetOrderLatencyNs(),
		MaxBatchRows:      rows,
	}, nil
}

// decodeQueueModel refuses a choice that would change nothing.
func decodeQueueModel(model pb.QueueModel, dataset *market.Dataset) (queue.Choice, error) {
	var choice queue.Choice
	switch model {
	case pb.QueueModel_QUEUE_MODEL_UNSPECIFIED:
		return nil, nil
	case pb.QueueModel_QUEUE_MODEL_RISK_AVERSE:
	case pb.QueueModel_QUEUE_MODEL_LOG:
		choice = func(unit int64) queue.Model { return queue.Probabilistic(queue.Log(unit)) }
	case pb.QueueModel_QUEUE_MODEL_POWER:
		choice = func(int64) queue.Model { return queue.Probabilistic(queue.Power(queuePower)) }
	default:
		return nil, fmt.Errorf("queue_model: must be one of the contract, got %d", model)
	}
	if !dataset.Has(market.BookLevel) {
		return nil, fmt.Errorf("queue_model: must be left out where the data has no levels, got %s", model)
	}
	return choice, nil
}

// decodeLimits gives no limits where there are none.
func decodeLimits(limits *pb.RiskLimits) (engine.RiskLimits, error) {
	if limits == nil {
		return engine.RiskLimits{}, nil
	}
	decoded, err := contract.DecodeRiskLimits(limits)
	if err == nil {
		err = engine.CheckRiskLimits(&decoded)
	}
	if err != nil {
		return engine.RiskLimits{}, within("risk_limits", err)
	}
	return decoded, nil
}
