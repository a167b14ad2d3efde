package contract

import (
	"errors"
	"fmt"
	"reflect"
	"strings"

	pb "aetherion/trading/gen/aetherion/v1"
	"aetherion/trading/internal/engine"
)

// EncodeRiskLimits gives the contract's form.
func EncodeRiskLimits(l *engine.RiskLimits) *pb.RiskLimits {
	encoded := &pb.RiskLimits{
		Version: l.Version, MarketOrderBandBps: l.MarketOrderBandBps, Limits: make([]*pb.RiskLimit, len(l.Limits)),
	}
	for i := range l.Limits {
		encoded.Limits[i] = encodeRiskLimit(&l.Limits[i])
	}
	return encoded
}

// DecodeRiskLimits gives the domain's form. Whether the limits make sense is the engine's to say.
func DecodeRiskLimits(l *pb.RiskLimits) (engine.RiskLimits, error) {
	if l == nil {
		return engine.RiskLimits{}, errors.New("risk_limits: is missing")
	}
	decoded := engine.RiskLimits{
		Version: l.GetVersion(), MarketOrderBandBps: l.GetMarketOrderBandBps(),
		Limits: make([]engine.RiskLimit, len(l.GetLimits())),
	}
	for i, limit := range l.GetLimits() {
		one, err := decodeRiskLimit(limit)
		if err != nil {
			return engine.RiskLimits{}, fmt.Errorf("limits[%d].%w", i, err)
		}
		decoded.Limits[i] = one
	}
	return decoded, nil
}

func encodeRiskLimit(l *engine.RiskLimit) *pb.RiskLimit {
	encoded := &pb.RiskLimit{}
	pairLimits(l, encoded, func(_ string, domain, sent reflect.Value) {
		if decimal, is := domain.Interface().(*engine.Decimal); is {
			domain = reflect.ValueOf(encodeCeiling(decimal))
		}
		sent.Set(domain)
	})
	return encoded
}

func decodeRiskLimit(l *pb.RiskLimit) (engine.RiskLimit, error) {
	var decoded engine.RiskLimit
	var faults []error
	pairLimits(&decoded, l, func(name string, domain, sent reflect.Value) {
		if decimal, is := sent.Interface().(*pb.Decimal); is {
			ceiling, err := decodeCeiling(name, decimal)
			faults, sent = append(faults, err), reflect.ValueOf(ceiling)
		}
		domain.Set(sent)
	})
	return decoded, first(faults...)
}

// pairLimits pairs the fields of the domain with those of the contract, which are called alike.
func pairLimits(l *engine.RiskLimit, m *pb.RiskLimit, pair func(name string, domain, sent reflect.Value)) {
	domain, sent := reflect.ValueOf(l).Elem(), reflect.ValueOf(m).Elem()
	for i := range domain.NumField() {
		field := domain.Type().Field(i).Name
		pair(engine.ContractName(field), domain.Field(i), sent.FieldByName(strings.Replace(field, "ID", "Id", 1)))
	}
}

func encodeCeiling(d *engine.Decimal) *pb.Decimal {
	if d == nil {
		return nil
	}
	return EncodeDecimal(*d)
}

func decodeCeiling(field string, d *pb.Decimal) (*engine.Decimal, error) {
	if d == nil {
		return nil, nil
	}
	decoded, err := DecodeDecimal(field, d)
	return &decoded, err
}
