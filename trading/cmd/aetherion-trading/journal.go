package main

import (
	"bufio"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"os"
	"strconv"

	"google.golang.org/protobuf/encoding/protojson"
	"google.golang.org/protobuf/proto"

	pb "aetherion/trading/gen/aetherion/v1"
	"aetherion/trading/internal/config"
	"aetherion/trading/internal/contract"
	"aetherion/trading/internal/engine"
	"aetherion/trading/internal/journal"
	"aetherion/trading/internal/live"
	"aetherion/trading/internal/recovery"
)

// keptJournal is the journal of the live session.
type keptJournal struct {
	live.Journal
	io.Closer
	epoch uint64
}

// Low says whether the disk of the journal is full.
func (k *keptJournal) Low() bool {
	kept, durable := k.Journal.(interface{ Low() bool })
	return durable && kept.Low()
}

// Room is what the journal has of its disk; one in memory has none.
func (k *keptJournal) Room() (journal.Room, error) {
	kept, durable := k.Journal.(*journal.File)
	if !durable {
		return journal.Room{}, nil
	}
	return kept.Room()
}

// openJournal recovers the journal that the settings name, and says what was found.
func openJournal(settings config.Config) (*keptJournal, error) {
	if settings.JournalDir == "" {
		memory := journal.NewMemory()
		return &keptJournal{memory, memory, 1}, nil // it begins anew with each process
	}
	sync := journal.SyncFsync
	if settings.Durability == config.DurabilityOS {
		sync = journal.SyncOS
	}
	if err := os.MkdirAll(settings.JournalDir, 0o700); err != nil {
		return nil, fmt.Errorf("AETHERION_TRADING_JOURNAL_DIR: %w", err)
	}
	file, err := journal.Open(settings.JournalDir, journal.Options{Sync: sync, Headroom: headroom})
	if err != nil {
		return nil, fmt.Errorf("AETHERION_TRADING_JOURNAL_DIR: %s: %w", settings.JournalDir, err)
	}
	found := file.Recovery()
	slog.Info("journal opened", "id", file.ID(), "epoch", found.Epoch, "last_sequence", file.LastSequence(), "notes", found.Notes)
	if found.Torn != nil {
		slog.Warn("an unacknowledged tail was cut off the journal", "where", found.Torn.Error(), "copy", found.Broken)
	}
	return &keptJournal{file, file, found.Epoch}, nil
}

// headroom is how much of a disk that fills up is left for cancels and kill switches.
const headroom = 256 << 20

const journalUsage = "usage: aetherion-trading journal verify FOLDER | journal state FOLDER [SEQUENCE] | journal cut FOLDER HASH"

// journalCommand reads or cuts a journal that no process has open and prints JSON, a line each.
func journalCommand(args []string, to io.Writer) error {
	out := bufio.NewWriter(to)
	var err error
	switch {
	case len(args) == 2 && args[0] == "verify":
		err = verifyJournal(args[1], out)
	case len(args) == 2 && args[0] == "state":
		err = printState(args[1], 0, out)
	case len(args) == 3 && args[0] == "state":
		sequence, parseErr := strconv.ParseUint(args[2], 10, 64)
		if parseErr != nil || sequence == 0 {
			return fmt.Errorf("sequence: must be a whole number from 1 on, got %q", args[2])
		}
		err = printState(args[1], sequence, out)
	case len(args) == 3 && args[0] == "cut":
		err = cutJournal(args[1], args[2], out)
	default:
		return fmt.Errorf("%s", journalUsage)
	}
	// What was printed before an error is whole lines.
	return errors.Join(err, out.Flush())
}

// verifyJournal prints each event, and then what was checked.
func verifyJournal(path string, out io.Writer) error {
	verified, err := journal.Verify(path, func(batch journal.Batch) error {
		for _, event := range batch.Events {
			m := &pb.JournalEvent{}
			if err := proto.Unmarshal(event, m); err != nil {
				return fmt.Errorf("%s offset %d: %w", batch.Segment, batch.Offset, err)
			}
			if err := writeLine(out, "event", m); err != nil {
				return err
			}
		}
		return nil
	})
	if err != nil {
		return err
	}
	summary := struct {
		ID            string   `json:"id"`
		Segments      int      `json:"segments"`
		Snapshots     int      `json:"snapshots"`
		Records       int      `json:"records"`
		Epoch         uint64   `json:"epoch"`
		FirstSequence uint64   `json:"firstSequence"`
		LastSequence  uint64   `json:"lastSequence"`
		Head          string   `json:"head"`
		TornTail      string   `json:"tornTail,omitempty"`
		Notes         []string `json:"notes,omitempty"`
	}{verified.ID, verified.Segments, verified.Snapshots, verified.Records, verified.Epoch, verified.FirstSequence,
		verified.LastSequence, verified.Head, "", verified.Notes}
	if verified.Torn != nil {
		summary.TornTail = verified.Torn.Error()
	}
	return json.NewEncoder(out).Encode(map[string]any{"verified": summary})
}

// cutJournal ends a journal where the operator says, and prints what is left and where the rest is.
func cutJournal(path, head string, out io.Writer) error {
	cut, err := journal.CutAfter(path, head)
	if err != nil {
		return err
	}
	return json.NewEncoder(out).Encode(map[string]any{"cut": map[string]any{
		"record": cut.Index, "lastSequence": cut.LastSequence, "broken": cut.Broken,
	}})
}

// printState prints the state after the event of a sequence: accounts, open orders, limits.
func printState(path string, sequence uint64, out io.Writer) error {
	e, err := recovery.StateAt(path, sequence)
	if err != nil {
		return err
	}
	for _, instrument := range e.Instruments() {
		if err := writeLine(out, "instrument", contract.EncodeInstrument(&instrument)); err != nil {
			return err
		}
	}
	for _, opened := range e.Accounts() {
		state, _ := e.Account(opened.Account)
		if err := writeLine(out, "account", contract.EncodeAccountState(&state)); err != nil {
			return err
		}
		if err := printOpenOrders(e, opened.Account, out); err != nil {
			return err
		}
	}
	limits := e.RiskLimits()
	if err := writeLine(out, "riskLimits", contract.EncodeRiskLimits(&limits)); err != nil {
		return err
	}
	return json.NewEncoder(out).Encode(map[string]any{"state": map[string]any{
		"sequence": e.Sequence(), "transactTimeNs": e.Now(), "openOrders": e.OpenOrders(), "hash": fmt.Sprintf("%x", e.StateHash()),
	}})
}

func printOpenOrders(e *engine.Engine, account string, out io.Writer) (err error) {
	e.Orders(account, 0, func(order *engine.Order) bool {
		if order.Open() {
			err = writeLine(out, "order", contract.EncodeExecutionReport(order.LastReport))
		}
		return err == nil
	})
	return err
}

// writeLine writes {"name": message}.
func writeLine(out io.Writer, name string, message proto.Message) error {
	encoded, err := protojson.Marshal(message)
	if err != nil {
		return err
	}
	return json.NewEncoder(out).Encode(map[string]json.RawMessage{name: encoded})
}
