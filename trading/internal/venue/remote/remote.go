// Package remote trades at a venue in another process, which serves VenueService.
//
// What was sent and not answered when the connection broke is in doubt: the engine hears so at once, keeps
// its exposure, and hears what became of it after the next connection. A send is repeated only where the
// venue keeps names unique for ever, elsewhere the venue is asked (DESIGN section 4, step 6).
package remote

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"log/slog"
	"slices"
	"strconv"
	"strings"
	"sync"
	"time"

	"google.golang.org/grpc"

	pb "aetherion/trading/gen/aetherion/v1"
	"aetherion/trading/internal/contract"
	"aetherion/trading/internal/engine"
	"aetherion/trading/internal/gate"
	"aetherion/trading/internal/router"
)

// Config is what can be set.
type Config struct {
	// Account is ours at the venue.
	Account string
	// Prefix is before our order id in the venue's name for an order. It tells this journal's orders from
	// those of every other one, so it is the journal's id.
	Prefix string
	// Heartbeat is how often the venue is asked for a sign of life; one second when zero. The connection is
	// lost after three without one.
	Heartbeat time.Duration
	// Reconcile is how often orders, fills and balances are compared with what the venue says; two seconds when
	// zero. It is less often where that would take more than half of the queries that the venue allows.
	Reconcile time.Duration
	// FillsFrom is since when fills are asked for, ns UTC: what came before is known, or forgotten.
	FillsFrom int64
	// Receive is how long after it was sent an order may still arrive at a venue that keeps no names unique:
	// only then is "not found" conclusive. Five seconds when zero.
	Receive time.Duration
}

const (
	defaultHeartbeat = time.Second
	defaultReconcile = 2 * time.Second
	defaultReceive   = 5 * time.Second
	missedHeartbeats = 3
	queriesAtOnce    = 4 // of a comparison, where pages do not overflow
	firstBackOff     = 50 * time.Millisecond
	lastBackOff      = 5 * time.Second
	reportsAtOnce    = 1024
	nameBase         = 36 // of the numbers in names, which venues keep short
)

// Report takes what the venue said to the sequencer, in order.
type Report func(ctx context.Context, inputs []engine.Input) error

// Venue is a router.Venue.
type Venue struct {
	client pb.VenueServiceClient
	config Config
	about  *pb.DescribeVenueResponse
	report Report
	audit  Audit // nil: none

	mu     sync.Mutex
	outbox []*command
	wake   chan struct{} // of capacity 1: the outbox holds something
	// unanswered are orders that were sent, until the venue says anything of them.
	unanswered map[uint64]*command
	// requests are the cancels and replaces of each order that the venue did not answer, as they are sent; those of an
	// order that has ended, too.
	requests map[uint64][]*command
	// working are orders that the venue took and did not end, by our id.
	working  map[uint64]*work
	external external
	after    uint64            // sequence of the newest report up to which all were heard
	ahead    map[uint64]uint64 // sequences of later ones, by that of the one before each
	gap      time.Time         // since when one is missing; zero when none is
	fills    string            // exec id of the newest fill that a query gave
	// lastRequest is the newest name of a request, a time.
	lastRequest int64
}

// command is one thing to send.
type command struct {
	orderID uint64
	isNew   bool
	message *pb.VenueCommand
	sent    time.Time
	doubted bool
}

// work is an order that works at the venue.
type work struct {
	venueOrderID string
	missed       int // comparisons in a row in which the venue did not name it
}

// Open asks the venue what it is.
func Open(ctx context.Context, conn grpc.ClientConnInterface, config Config) (*Venue, error) {
	config.Heartbeat = cmp.Or(config.Heartbeat, defaultHeartbeat)
	config.Reconcile = cmp.Or(config.Reconcile, defaultReconcile)
	config.Receive = cmp.Or(config.Receive, defaultReceive)
	v := &Venue{
		client: pb.NewVenueServiceClient(conn), config: config, wake: make(chan struct{}, 1),
		unanswered: map[uint64]*command{}, requests: map[uint64][]*command{}, working: map[uint64]*work{}, ahead: map[uint64]uint64{},
		external: external{map[string]uint64{}, map[string]string{}},
	}
	var err error
	if v.about, err = v.client.DescribeVenue(ctx, &pb.DescribeVenueRequest{}, grpc.WaitForReady(true)); err != nil {
		return nil, fmt.Errorf("describe venue: %w", err)
	}
	v.config.Reconcile = paced(v.config.Reconcile, v.about.GetQueriesPerMinute())
	return v, nil
}

// Simulated says that no real money moves there.
func (v *Venue) Simulated() bool { return v.about.GetSimulated() }

// paced is how often we compare where the venue allows so many queries a minute; 0: it does not say. Half of them
// are left to others.
func paced(interval time.Duration, queriesPerMinute uint32) time.Duration {
	if queriesPerMinute == 0 {
		return interval
	}
	return max(interval, 2*queriesAtOnce*time.Minute/time.Duration(queriesPerMinute))
}

// Name is the venue's.
func (v *Venue) Name() string { return v.about.GetVenue() }

// Instruments are what is traded there.
func (v *Venue) Instruments() ([]engine.Instrument, error) {
	var all []engine.Instrument
	for i, message := range v.about.GetInstruments() {
		instrument, err := contract.DecodeInstrument(message)
		if err != nil {
			return nil, fmt.Errorf("venue %s: instruments[%d]: %w", v.Name(), i, err)
		}
		all = append(all, instrument)
	}
	return all, nil
}

// Balances are what the account has at the venue.
func (v *Venue) Balances(ctx context.Context) ([]engine.Money, error) {
	response, err := v.client.QueryBalances(ctx, &pb.QueryBalancesRequest{Account: v.config.Account})
	if err != nil {
		return nil, fmt.Errorf("balances at %s: %w", v.Name(), err)
	}
	var all []engine.Money
	for _, balance := range response.GetBalances() {
		money, err := contract.DecodeMoney("total", balance.GetTotal())
		if err != nil {
			return nil, fmt.Errorf("balances at %s: %w", v.Name(), err)
		}
		all = append(all, money)
	}
	return all, nil
}

// Resume tells of an order that worked, or may have been sent and is in doubt, when the process before this
// one ended, or that has ended with a request that was not answered. It comes before Run.
func (v *Venue) Resume(order *engine.Order) {
	if order.VenueClOrdID != "" {
		v.adopt(order)
	}
	if order.Changing() != nil { // A replace goes out before a cancel, never after it.
		v.requested(v.replace(order.VenueOrderID, order.OrderID, order.Changing()))
	}
	if order.Canceling() {
		v.requested(v.cancel(order.VenueOrderID, order.OrderID))
	}
	if !order.Open() {
		delete(v.working, order.OrderID)
		return
	}
	if order.VenueOrderID != "" {
		v.working[order.OrderID] = &work{venueOrderID: order.VenueOrderID}
		return
	}
	sent := order.Terms().AtVenue()
	again := v.newOrder(order.OrderID, &sent)
	again.doubted, again.sent = true, time.Now()
	v.unanswered[order.OrderID] = again
}

// Submit is router.Venue's.
func (v *Venue) Submit(approved gate.Approved) {
	order := approved.NewOrder()
	v.put(v.newOrder(approved.OrderID(), &order))
}

// Cancel is router.Venue's.
func (v *Venue) Cancel(cancel router.Cancel) { v.put(v.cancel(cancel.VenueOrderID, cancel.OrderID)) }

func (v *Venue) cancel(venueOrderID string, orderID uint64) *command {
	return &command{orderID: orderID, message: &pb.VenueCommand{Command: &pb.VenueCommand_CancelOrder{
		CancelOrder: &pb.CancelOrder{ClOrdId: v.request(orderID), OrigClOrdId: v.nameAt(venueOrderID, orderID), Account: v.config.Account},
	}}}
}

// Replace is router.Venue's.
func (v *Venue) Replace(replace router.Replace) {
	order := replace.Approved.NewOrder()
	v.put(v.replace(replace.VenueOrderID, replace.Approved.OrderID(), &order))
}

func (v *Venue) replace(venueOrderID string, orderID uint64, terms *engine.NewOrder) *command {
	message := contract.EncodeReplaceOrder(&engine.ReplaceOrder{
		ClOrdID: v.request(orderID), OrigClOrdID: v.nameAt(venueOrderID, orderID), Account: v.config.Account,
		OrderQty: terms.OrderQty, Price: terms.Price, HasPrice: terms.HasPrice,
	})
	return &command{orderID: orderID, message: &pb.VenueCommand{Command: &pb.VenueCommand_ReplaceOrder{ReplaceOrder: message}}}
}

// Settles says what becomes of an order in doubt.
func (v *Venue) Settles() string {
	if v.about.GetUniqueClOrdId() {
		return "it is sent again under its name, to which the venue answers as it did the first time"
	}
	return fmt.Sprintf("the venue is asked, and has it not once it can no longer arrive, after %v", v.config.Receive)
}

// Capabilities is router.Venue's: what the venue says of itself.
func (v *Venue) Capabilities() router.Capabilities {
	has := router.Capabilities{DisplayQty: v.about.GetDisplayQty(), PostOnly: v.about.GetPostOnly(), Replace: v.about.GetReplace()}
	for _, mode := range v.about.GetSelfTradePreventions() {
		has.STP |= 1 << mode
	}
	return has
}

func (v *Venue) newOrder(orderID uint64, order *engine.NewOrder) *command {
	message := contract.EncodeNewOrder(order)
	message.ClOrdId, message.Account = v.name(orderID), v.config.Account
	return &command{orderID: orderID, isNew: true, message: &pb.VenueCommand{Command: &pb.VenueCommand_NewOrder{NewOrder: message}}}
}

func (v *Venue) put(c *command) {
	v.mu.Lock()
	v.outbox = append(v.outbox, c)
	v.mu.Unlock()
	v.rouse()
}

func (v *Venue) rouse() {
	select {
	case v.wake <- struct{}{}:
	default:
	}
}

// nameAt is the venue's for an order that may not have come from us.
func (v *Venue) nameAt(venueOrderID string, orderID uint64) string {
	v.mu.Lock()
	defer v.mu.Unlock()
	return cmp.Or(v.external.names[venueOrderID], v.name(orderID))
}

// name is the venue's for an order that came from us.
func (v *Venue) name(orderID uint64) string {
	return v.config.Prefix + "-" + strconv.FormatUint(orderID, nameBase)
}

// request names a request that is no order, after the time: apart from those of a process before. With a
// journal's id of 32 digits, an order id of 13 and a time of 13 that makes at most 60 characters.
func (v *Venue) request(orderID uint64) string {
	v.mu.Lock()
	defer v.mu.Unlock()
	v.lastRequest = max(v.lastRequest+1, time.Now().UnixNano())
	return v.name(orderID) + "-" + strconv.FormatInt(v.lastRequest, nameBase)
}

// orderID finds our id of the order that a report is of; false for what is not ours. The lock is held.
func (v *Venue) orderID(r *pb.ExecutionReport) (uint64, bool) {
	if id, adopted := v.external.ids[r.GetVenueOrderId()]; adopted {
		return id, true
	}
	return v.ownID(r.GetClOrdId())
}

// ownID finds our id in the venue's name for an order or a request.
func (v *Venue) ownID(name string) (uint64, bool) {
	rest, ours := strings.CutPrefix(name, v.config.Prefix+"-")
	if !ours {
		return 0, false
	}
	digits, _, _ := strings.Cut(rest, "-")
	id, err := strconv.ParseUint(digits, nameBase, 64)
	return id, err == nil && id != 0
}

// Audited lets an audit hear what the venue has. It comes before Compare and Run.
func (v *Venue) Audited(audit Audit) { v.audit = audit }

// Compare compares once, before Run.
func (v *Venue) Compare(ctx context.Context, report Report) error {
	v.report = report
	err := v.compare(ctx)
	var final *finalError
	if errors.As(err, &final) {
		return final.error
	}
	return err
}

// Run trades until ctx ends, or what the venue said cannot be sequenced. It is called once.
func (v *Venue) Run(ctx context.Context, report Report) error {
	v.report = report
	backOff := firstBackOff
	for {
		heard := v.heard()
		err := v.connect(ctx)
		if ctx.Err() != nil {
			return nil
		}
		var final *finalError
		if errors.As(err, &final) {
			return final.error
		}
		slog.Warn("venue disconnected", "venue", v.Name(), "error", err)
		if err := v.doubt(ctx); err != nil {
			return err
		}
		if v.heard() > heard {
			backOff = firstBackOff
		}
		select {
		case <-ctx.Done():
			return nil
		case <-time.After(backOff):
		}
		backOff = min(2*backOff, lastBackOff)
	}
}

func (v *Venue) heard() uint64 {
	v.mu.Lock()
	defer v.mu.Unlock()
	return v.after
}

// finalError is one that connecting again does not mend.
type finalError struct{ error }

func (v *Venue) tell(ctx context.Context, inputs []engine.Input) error {
	if len(inputs) == 0 {
		return nil
	}
	if err := v.report(ctx, inputs); err != nil {
		return &finalError{err}
	}
	return nil
}

// doubt tells the engine of the orders that were sent and not answered.
func (v *Venue) doubt(ctx context.Context) error {
	v.mu.Lock()
	var inputs []engine.Input
	for _, id := range sortedKeys(v.unanswered) {
		if c := v.unanswered[id]; !c.doubted {
			c.doubted = true
			inputs = append(inputs, &engine.OrderInDoubt{OrderID: id, Text: "the venue did not answer before the connection was lost; " + v.Settles()})
		}
	}
	v.mu.Unlock()
	if len(inputs) == 0 {
		return nil
	}
	return v.report(ctx, inputs)
}

func sortedKeys[V any](m map[uint64]V) []uint64 {
	keys := make([]uint64, 0, len(m))
	for k := range m {
		keys = append(keys, k)
	}
	slices.Sort(keys)
	return keys
}
