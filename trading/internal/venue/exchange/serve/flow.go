package serve

import (
	"fmt"
	"strings"
	"time"

	pb "aetherion/trading/gen/aetherion/v1"
	"aetherion/trading/internal/venue/flow"
)

const flowPrefix = "flow"

// Enliven lets a synthetic flow trade on the venue. Its accounts are new at each start, since names of
// orders are used once for ever; what older ones left in the books is canceled. Run has not started.
func (v *Venue) Enliven(markets []flow.Market, seed uint64) error {
	now := max(time.Now().UnixNano(), v.last)
	f, err := flow.New(flow.Config{Markets: markets, Seed: seed, Prefix: fmt.Sprintf("%s-%d", flowPrefix, now)})
	if err != nil {
		return fmt.Errorf("flow: %w", err)
	}
	commands, err := f.Start()
	if err != nil {
		return fmt.Errorf("flow: %w", err)
	}
	for _, account := range v.exchange.Accounts() {
		if strings.HasPrefix(account, flowPrefix+"-") {
			cancel := &pb.MassCancel{Account: account}
			commands = append(commands, &pb.VenueCommand{Command: &pb.VenueCommand_MassCancel{MassCancel: cancel}})
		}
	}
	if err := v.perform(now, commands); err != nil {
		return err
	}
	f.See(v.exchange.Snapshot())
	v.flow = f
	return nil
}

// live is what the flow asks for by now.
func (v *Venue) live(now int64) []*pb.VenueCommand {
	if v.flow == nil || now < v.flow.Next() {
		return nil
	}
	return v.flow.Act(now)
}
