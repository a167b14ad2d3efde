package remote

import (
	"testing"
	"time"

	pb "aetherion/trading/gen/aetherion/v1"
	"aetherion/trading/internal/engine"
)

// An answer may be lost while the connection lives (simulation, seed 2).
func TestWhatIsNotAnsweredIsSentAgain(t *testing.T) {
	now := time.Now()
	for name, c := range map[string]struct {
		unique bool // the venue's names
		sent   time.Time
		want   int
	}{
		"long ago":                  {true, now.Add(-time.Minute), 2},
		"only requests":             {false, now.Add(-time.Minute), 1},
		"just now":                  {true, now, 0},
		"waits in the outbox still": {true, time.Time{}, 0},
	} {
		order, request := &command{orderID: 1, isNew: true, sent: c.sent}, &command{orderID: 2, sent: c.sent}
		v := &Venue{
			about: &pb.DescribeVenueResponse{UniqueClOrdId: c.unique}, config: Config{Receive: time.Second}, wake: make(chan struct{}, 1),
			unanswered: map[uint64]*command{1: order}, requests: map[uint64][]*command{2: {request}},
		}
		v.sendAgain(now)
		if v.sendAgain(now); len(v.outbox) != c.want {
			t.Errorf("%s: %d commands are sent again, want %d", name, len(v.outbox), c.want)
		}
	}
}

// Nor is the order settled that it was to cancel (simulation, seed 5025).
func TestARefusedCancelIsNoAnswerAboutTheOrder(t *testing.T) {
	v := &Venue{
		about: &pb.DescribeVenueResponse{}, config: Config{Prefix: "j"}, working: map[uint64]*work{},
		unanswered: map[uint64]*command{1: {}}, requests: map[uint64][]*command{1: {{}}},
	}
	for _, step := range []struct {
		exec       pb.ExecType
		unanswered int
	}{{pb.ExecType_EXEC_TYPE_CANCEL_REJECTED, 1}, {pb.ExecType_EXEC_TYPE_NEW, 0}} {
		report := &pb.ExecutionReport{Sequence: 1, ClOrdId: "j-1", VenueOrderId: "7", ExecId: "e", ExecType: step.exec, LeavesQty: 5, OrderQty: 5}
		if _, err := v.decode(report); err != nil {
			t.Fatal(err)
		}
		if len(v.unanswered) != step.unanswered || len(v.requests) != 0 {
			t.Errorf("after %v %d orders and %d requests are unanswered, want %d and 0", step.exec, len(v.unanswered), len(v.requests), step.unanswered)
		}
	}
}

// What is left of an order after a fill says whether a replace came before it (simulation, seed 7968).
func TestAFillAsReplacedSaysThatItWasReplaced(t *testing.T) {
	price := int64(90)
	for name, c := range map[string]struct {
		qty, leaves, price int64
		replaced           bool
	}{
		"as asked for":         {6, 0, 90, true},
		"as it was before":     {10, 0, 90, false},
		"at another price":     {6, 0, 91, false},
		"with something to go": {6, 1, 90, false},
	} {
		v := &Venue{
			about: &pb.DescribeVenueResponse{}, config: Config{Prefix: "j"}, working: map[uint64]*work{},
			requests: map[uint64][]*command{1: {replacing(&pb.ReplaceOrder{ClOrdId: "j-1-r", OrderQty: 6, Price: &price})}},
		}
		report := &pb.ExecutionReport{Sequence: 1, ClOrdId: "j-1", VenueOrderId: "7", ExecId: "e", ExecType: pb.ExecType_EXEC_TYPE_TRADE,
			OrderQty: c.qty, LeavesQty: c.leaves, Price: &c.price}
		told, err := v.decode(report)
		if err != nil {
			t.Fatal(err)
		}
		first := told[0].(*engine.VenueReport)
		if replaced := first.ExecType == engine.ExecReplaced; replaced != c.replaced || replaced && first.OrderQty != 6 {
			t.Errorf("%s: told %d reports, the first %+v", name, len(told), first)
		}
		if kept := len(v.requests) == 1; kept == c.replaced {
			t.Errorf("%s: the replace is still awaited: %t", name, kept)
		}
	}
}

// A process before this one asked for the same, under another name; its answer is not that to what was asked for since.
func TestOnlyTheNewestReplaceIsAnswered(t *testing.T) {
	v := &Venue{
		about: &pb.DescribeVenueResponse{}, config: Config{Prefix: "j"}, working: map[uint64]*work{},
		requests: map[uint64][]*command{1: {replacing(&pb.ReplaceOrder{ClOrdId: "j-1-new", OrderQty: 6})}},
	}
	for _, step := range []struct {
		name string
		want engine.ExecType
	}{{"j-1-old", engine.ExecRestated}, {"j-1-new", engine.ExecReplaced}} {
		report := &pb.ExecutionReport{Sequence: 1, ClOrdId: step.name, VenueOrderId: "7", ExecId: step.name, ExecType: pb.ExecType_EXEC_TYPE_REPLACED,
			OrderQty: 6, LeavesQty: 6}
		told, err := v.decode(report)
		if err != nil {
			t.Fatal(err)
		}
		if got := told[0].(*engine.VenueReport).ExecType; got != step.want {
			t.Errorf("%s: %d, want %d", step.name, got, step.want)
		}
	}
}

func replacing(r *pb.ReplaceOrder) *command {
	return &command{orderID: 1, message: &pb.VenueCommand{Command: &pb.VenueCommand_ReplaceOrder{ReplaceOrder: r}}}
}

func canceling(name string) *command {
	return &command{orderID: 1, message: &pb.VenueCommand{Command: &pb.VenueCommand_CancelOrder{CancelOrder: &pb.CancelOrder{ClOrdId: name}}}}
}

// Each request is answered once, by its name, also when the order has ended; what others are told counts for none.
func TestEachRequestIsAnsweredByItsName(t *testing.T) {
	const (
		refused  = pb.ExecType_EXEC_TYPE_CANCEL_REJECTED
		canceled = pb.ExecType_EXEC_TYPE_CANCELED
		filled   = pb.ExecType_EXEC_TYPE_TRADE
	)
	type said struct {
		name string
		exec pb.ExecType
		told int // inputs for the engine
		left int // requests that are not answered
	}
	for name, reports := range map[string][]said{
		"canceled, and too late for the replace": {{"j-1", canceled, 1, 1}, {"j-1-r", refused, 1, 0}, {"j-1-r", refused, 0, 0}, {"j-1-c", refused, 0, 0}},
		"replaced, as the end says":              {{"j-1-r", canceled, 2, 0}},
		"too late for both":                      {{"j-1", filled, 1, 2}, {"j-1-r", refused, 1, 1}, {"j-1-c", refused, 1, 0}},
		"refused to a process before":            {{"j-1-before", refused, 0, 2}, {"j-1-r", refused, 1, 1}},
		"by a venue that names no requests":      {{"j-1", refused, 1, 1}, {"j-1", refused, 1, 0}},
	} {
		v := &Venue{
			about: &pb.DescribeVenueResponse{}, config: Config{Prefix: "j"}, working: map[uint64]*work{},
			requests: map[uint64][]*command{1: {replacing(&pb.ReplaceOrder{ClOrdId: "j-1-r", OrderQty: 6}), canceling("j-1-c")}},
		}
		for i, r := range reports {
			told, err := v.decode(&pb.ExecutionReport{Sequence: 1, ClOrdId: r.name, VenueOrderId: "7", ExecId: "e", ExecType: r.exec, OrderQty: 10, LastQty: 10})
			if err != nil {
				t.Fatal(err)
			}
			if left := len(v.requests[1]); len(told) != r.told || left != r.left {
				t.Errorf("%s, report %d: %d inputs and %d requests left, want %d and %d", name, i, len(told), left, r.told, r.left)
			}
		}
	}
}

// What was asked before the end of a process is asked again in its order.
func TestRequestsAreSentAgainInTheirOrder(t *testing.T) {
	first, second := replacing(&pb.ReplaceOrder{ClOrdId: "j-1-r"}), canceling("j-1-c")
	v := &Venue{about: &pb.DescribeVenueResponse{}, wake: make(chan struct{}, 1), ahead: map[uint64]uint64{},
		unanswered: map[uint64]*command{}, requests: map[uint64][]*command{1: {first, second}}}
	v.restart()
	for range 2 { // To send is not to ask once more.
		if sent := v.take(); len(sent) != 2 || sent[0] != first || sent[1] != second || len(v.requests[1]) != 2 {
			t.Errorf("%d commands are sent, and %d await an answer", len(sent), len(v.requests[1]))
		}
		v.restart()
	}
	v.refused(1, "j-1-c") // while it waits to be sent again
	if v.take(); len(v.requests[1]) != 1 {
		t.Errorf("%d requests await an answer, want the one that was not answered", len(v.requests[1]))
	}
}
