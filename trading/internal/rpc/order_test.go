package rpc

import (
	"fmt"
	"io"
	"slices"
	"strings"
	"testing"

	"google.golang.org/grpc/codes"
	"google.golang.org/protobuf/proto"

	pb "aetherion/trading/gen/aetherion/v1"
)

// An order from its acknowledgement over the fill to the account, through every RPC that shows it.
func TestOrderFromEndToEnd(t *testing.T) {
	checkNoLeaks(t)
	s := start(t, options{bars: 100, speed: 100})
	orders, accounts := pb.NewOrderServiceClient(s), pb.NewAccountServiceClient(s)
	reports, err := orders.StreamExecutionReports(t.Context(), &pb.StreamExecutionReportsRequest{Account: account})
	if err != nil {
		t.Fatal(err)
	}
	quotes, err := pb.NewMarketDataServiceClient(s).StreamMarketData(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	if err := quotes.Send(&pb.StreamMarketDataRequest{}); err != nil {
		t.Fatal(err)
	}
	if _, err := quotes.Recv(); err != nil {
		t.Fatal(err)
	}
	submitted, err := orders.SubmitOrder(t.Context(), &pb.SubmitOrderRequest{NewOrder: buy("a", aaa, 10)})
	if err != nil {
		t.Fatal(err)
	}
	ack := submitted.GetAck()
	if ack.GetExecType() != pb.ExecType_EXEC_TYPE_PENDING_NEW || ack.GetOrderId() != ack.GetSequence() {
		t.Fatalf("got %v", ack)
	}

	var types []pb.ExecType
	var fill *pb.ExecutionReport
	for previous := uint64(0); fill == nil; {
		response, err := reports.Recv()
		if err != nil {
			t.Fatal(err)
		}
		for _, r := range response.GetReports() {
			if r.GetPrevSequence() != previous {
				t.Errorf("prev_sequence %d, want %d", r.GetPrevSequence(), previous)
			}
			previous = r.GetSequence()
			types = append(types, r.GetExecType())
			if r.GetExecType() == pb.ExecType_EXEC_TYPE_TRADE {
				fill = r
			}
		}
	}
	if want := []pb.ExecType{pb.ExecType_EXEC_TYPE_PENDING_NEW, pb.ExecType_EXEC_TYPE_NEW, pb.ExecType_EXEC_TYPE_TRADE}; !slices.Equal(types, want) {
		t.Errorf("got %v, want %v", types, want)
	}
	if fill.GetCumQty() != 10 || fill.GetOrdStatus() != pb.OrdStatus_ORD_STATUS_FILLED {
		t.Errorf("got %v", fill)
	}

	byName, err := orders.GetOrder(t.Context(), &pb.GetOrderRequest{Account: account, Id: &pb.GetOrderRequest_ClOrdId{ClOrdId: "a"}})
	if err != nil || !proto.Equal(byName.GetOrder().GetLastReport(), fill) || !proto.Equal(byName.GetOrder().GetNewOrder(), buy("a", aaa, 10)) {
		t.Errorf("got %v, %v", byName, err)
	}
	byID, err := orders.GetOrder(t.Context(), &pb.GetOrderRequest{Account: account, Id: &pb.GetOrderRequest_OrderId{OrderId: ack.GetOrderId()}})
	if err != nil || !proto.Equal(byID, byName) {
		t.Errorf("got %v, %v", byID, err)
	}
	fills, err := orders.ListFills(t.Context(), &pb.ListFillsRequest{Account: account})
	if err != nil || len(fills.GetFills()) != 1 || !proto.Equal(fills.GetFills()[0], fill) || fills.GetNextSequence() != 0 {
		t.Errorf("got %v, %v", fills, err)
	}
	positions, err := accounts.ListPositions(t.Context(), &pb.ListPositionsRequest{Account: account})
	if err != nil || len(positions.GetPositions()) != 1 || positions.GetPositions()[0].GetNetQty() != 10 {
		t.Errorf("got %v, %v", positions, err)
	}
	state, err := accounts.GetAccount(t.Context(), &pb.GetAccountRequest{Account: account})
	if err != nil {
		t.Fatal(err)
	}
	// Ten shares at last_px cents.
	paid := 10 * fill.GetLastPx()
	cash := state.GetAccountState().GetBalances()[0].GetCash()
	if got := cash.GetUnits()*100 + cash.GetAttos()/1e16; got != 1_000_000_00-paid {
		t.Errorf("cash of %d cents after paying %d", got, paid)
	}
	if all, err := accounts.ListAccounts(t.Context(), &pb.ListAccountsRequest{}); err != nil || !slices.Equal(all.GetAccounts(), []string{account}) {
		t.Errorf("got %v, %v", all, err)
	}
}

// A report stream resumed at any sequence is the rest of the whole one, with new reports behind it.
func TestReportsResumeWithoutGapOrDuplicate(t *testing.T) {
	s := start(t, options{bars: 10})
	orders := pb.NewOrderServiceClient(s)
	submit := func(n int) {
		stream, err := orders.SubmitOrders(t.Context())
		if err != nil {
			t.Fatal(err)
		}
		request := &pb.SubmitOrdersRequest{}
		for i := range 500 {
			request.Commands = append(request.Commands, newOrder(buy(fmt.Sprintf("%d-%d", n, i), aaa, 1)))
		}
		if err := stream.Send(request); err != nil {
			t.Fatal(err)
		}
		if _, err := stream.Recv(); err != nil {
			t.Fatal(err)
		}
	}
	read := func(from uint64, last uint64, started func()) []uint64 {
		stream, err := orders.StreamExecutionReports(t.Context(), &pb.StreamExecutionReportsRequest{Account: account, FromSequence: from})
		if err != nil {
			t.Fatal(err)
		}
		var sequences []uint64
		for len(sequences) == 0 || sequences[len(sequences)-1] < last {
			response, err := stream.Recv()
			if err != nil {
				t.Fatal(err)
			}
			for _, r := range response.GetReports() {
				sequences = append(sequences, r.GetSequence())
			}
			if started != nil {
				started()
				started = nil
			}
		}
		return sequences
	}
	sequence := func() uint64 {
		response, err := pb.NewAdminServiceClient(s).GetStatus(t.Context(), &pb.GetStatusRequest{})
		if err != nil {
			t.Fatal(err)
		}
		return response.GetSequence()
	}
	// No market data is asked for, so that the replay stands still and orders wait at the venue. The
	// reports of their arrival come by themselves.
	arrived := func(total int) {
		eventually(t, "all orders at the venue", func() bool {
			response, err := orders.ListOrders(t.Context(), &pb.ListOrdersRequest{Account: account, PageSize: 1, PageToken: ""})
			if err != nil {
				t.Fatal(err)
			}
			return len(response.GetOrders()) == 1 && len(s.reports(t)) == 2*total
		})
	}
	for n := range 3 {
		submit(n)
	}
	arrived(1500)
	first := sequence()
	whole := read(0, first, nil)
	for _, from := range []uint64{0, 1, whole[0], whole[1], whole[700], whole[1023], whole[1024], whole[len(whole)-1], first} {
		want := whole[slices.IndexFunc(whole, func(s uint64) bool { return s >= from }):]
		if got := read(from, first, nil); !slices.Equal(got, want) {
			t.Errorf("from %d: %d reports, want %d", from, len(got), len(want))
		}
	}
	// More come while a reader is on its way.
	got := read(whole[1400], first+1000, func() { submit(3); arrived(2000) })
	if !slices.Equal(got[:len(whole)-1400], whole[1400:]) || len(got) != len(whole)-1400+1000 || !slices.IsSorted(got) {
		t.Errorf("%d reports after resuming, want %d", len(got), len(whole)-1400+1000)
	}
	last := sequence()
	for _, c := range []struct {
		request *pb.StreamExecutionReportsRequest
		code    codes.Code
		text    string
	}{
		{&pb.StreamExecutionReportsRequest{Account: "other"}, codes.NotFound, `account: there is no account "other"`},
		{&pb.StreamExecutionReportsRequest{Account: account, FromSequence: last + 2}, codes.FailedPrecondition,
			fmt.Sprintf("from_sequence: must be at most %d, which comes next in the journal, got %d", last+1, last+2)},
	} {
		stream, err := orders.StreamExecutionReports(t.Context(), c.request)
		if err == nil {
			_, err = stream.Recv()
		}
		checkStatus(t, err, c.code, c.text)
	}
}

func TestCommandsArePipelinedAndAnsweredInOrder(t *testing.T) {
	checkNoLeaks(t)
	s := start(t, options{bars: 10})
	stream, err := pb.NewOrderServiceClient(s).SubmitOrders(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	const messages = 300
	go func() {
		for i := range messages {
			name := fmt.Sprint(i)
			// A cancel that follows its order in the same message finds it, and a repeated order does nothing.
			err := stream.Send(&pb.SubmitOrdersRequest{Commands: []*pb.OrderCommand{
				newOrder(buy(name, aaa, 1)), newOrder(buy(name, aaa, 1)), newOrder(buy(name, aaa, 2)), cancelOf("c"+name, name),
			}})
			if err != nil {
				t.Error(err)
			}
		}
		if err := stream.CloseSend(); err != nil {
			t.Error(err)
		}
	}()
	for i := range messages {
		response, err := stream.Recv()
		if err != nil {
			t.Fatal(err)
		}
		acks := response.GetAcks()
		if len(acks) != 4 || acks[0].GetClOrdId() != fmt.Sprint(i) || acks[3].GetClOrdId() != "c"+fmt.Sprint(i) {
			t.Fatalf("message %d: got %v", i, acks)
		}
		if acks[1].GetOrderId() != acks[0].GetOrderId() || acks[2].GetOrdRejReason() != pb.OrdRejReason_ORD_REJ_REASON_DUPLICATE_ORDER ||
			acks[3].GetExecType() != pb.ExecType_EXEC_TYPE_PENDING_CANCEL || acks[3].GetOrderId() != acks[0].GetOrderId() {
			t.Fatalf("message %d: got %v", i, acks)
		}
	}
	if _, err := stream.Recv(); err != io.EOF {
		t.Errorf("got %v, want the end", err)
	}
}

func TestRefusedOrderIsAnAnswer(t *testing.T) {
	s := start(t, options{bars: 10, decide: func(c *pb.PretradeCheck) *pb.CheckFailure {
		if c.GetNewOrder().GetOrderQty() < 100 {
			return nil
		}
		return &pb.CheckFailure{OrdRejReason: pb.OrdRejReason_ORD_REJ_REASON_MAX_ORDER_QTY, Scope: "account:DEMO", RiskLimit: "99", Value: "100"}
	}})
	orders := pb.NewOrderServiceClient(s)
	for name, c := range map[string]struct {
		order *pb.NewOrder
		want  pb.OrdRejReason
		by    pb.RejectedBy
	}{
		"risk":       {buy("1", aaa, 100), pb.OrdRejReason_ORD_REJ_REASON_MAX_ORDER_QTY, pb.RejectedBy_REJECTED_BY_RISK},
		"instrument": {buy("2", "ZZZ.XNAS", 1), pb.OrdRejReason_ORD_REJ_REASON_UNKNOWN_INSTRUMENT, pb.RejectedBy_REJECTED_BY_ENGINE},
		"quantity":   {buy("3", aaa, 0), pb.OrdRejReason_ORD_REJ_REASON_INVALID_QTY, pb.RejectedBy_REJECTED_BY_ENGINE},
	} {
		t.Run(name, func(t *testing.T) {
			response, err := orders.SubmitOrder(t.Context(), &pb.SubmitOrderRequest{NewOrder: c.order})
			if err != nil {
				t.Fatal(err)
			}
			if ack := response.GetAck(); ack.GetOrdRejReason() != c.want || ack.GetRejectedBy() != c.by || ack.GetText() == "" {
				t.Errorf("got %v", ack)
			}
		})
	}
	cancel, err := orders.CancelOrder(t.Context(), &pb.CancelOrderRequest{CancelOrder: cancelOf("c", "none").GetCancelOrder()})
	if err != nil || cancel.GetAck().GetCxlRejReason() != pb.CxlRejReason_CXL_REJ_REASON_UNKNOWN_ORDER {
		t.Errorf("got %v, %v", cancel, err)
	}
	s.risk.Stop(t, s.session.Gate)
	down, err := orders.SubmitOrder(t.Context(), &pb.SubmitOrderRequest{NewOrder: buy("4", aaa, 1)})
	if err != nil || down.GetAck().GetOrdRejReason() != pb.OrdRejReason_ORD_REJ_REASON_RISK_UNAVAILABLE {
		t.Errorf("with risk down: got %v, %v", down, err)
	}
}

func TestUnreadableCommandsAreRefused(t *testing.T) {
	s := start(t, options{bars: 10})
	with := func(change func(*pb.NewOrder)) *pb.NewOrder {
		o := buy("a", aaa, 1)
		change(o)
		return o
	}
	for _, c := range []struct {
		name  string
		order *pb.NewOrder
		want  string
	}{
		{"no order", nil, "new_order: is missing"},
		{"no name", with(func(o *pb.NewOrder) { o.ClOrdId = "" }), "new_order.cl_ord_id: must have 1 to 64 characters, got 0"},
		{"long name", with(func(o *pb.NewOrder) { o.ClOrdId = strings.Repeat("x", 65) }), "new_order.cl_ord_id: must have 1 to 64 characters, got 65"},
		{"odd name", with(func(o *pb.NewOrder) { o.ClOrdId = "a\n" }), `new_order.cl_ord_id: must be printable ASCII, got "a\n"`},
		{"no account", with(func(o *pb.NewOrder) { o.Account = "" }), "new_order.account: must have 1 to 64 characters, got 0"},
		{"strategy", with(func(o *pb.NewOrder) { o.StrategyId = strings.Repeat("x", 65) }), "new_order.strategy_id: must have at most 64"},
		{"side", with(func(o *pb.NewOrder) { o.Side = 0 }), "new_order.side: must be specified"},
		{"unknown side", with(func(o *pb.NewOrder) { o.Side = 3 }), "new_order.side: unknown value 3"},
		{"type", with(func(o *pb.NewOrder) { o.OrdType = 0 }), "new_order.ord_type: must be specified"},
		{"wide type", with(func(o *pb.NewOrder) { o.OrdType = 257 }), "new_order.ord_type: unknown value 257"},
		{"time in force", with(func(o *pb.NewOrder) { o.TimeInForce = -1 }), "new_order.time_in_force: unknown value -1"},
	} {
		t.Run(c.name, func(t *testing.T) {
			_, err := pb.NewOrderServiceClient(s).SubmitOrder(t.Context(), &pb.SubmitOrderRequest{NewOrder: c.order})
			checkStatus(t, err, codes.InvalidArgument, c.want)
		})
	}
	if reports := s.reports(t); len(reports) != 0 {
		t.Errorf("%d reports of commands that cannot be read", len(reports))
	}
}

// Names of orders that did not come from us are not to be had, each by its own answer.
func TestNamesOfExternalOrdersAreReserved(t *testing.T) {
	s := start(t, options{bars: 10})
	const name, text = "external-7", ` must not begin with "external-", which orders have that did not come from us, got "external-7"`
	replace := &pb.ReplaceOrder{ClOrdId: name, OrigClOrdId: "a", Account: account, OrderQty: 1}
	list := func(listID, second string) *pb.OrderCommand {
		return &pb.OrderCommand{Command: &pb.OrderCommand_NewOrderList{NewOrderList: &pb.NewOrderList{
			ListId: listID, Account: account, ContingencyType: pb.ContingencyType_CONTINGENCY_TYPE_OCO,
			Orders: []*pb.NewOrder{buy("l1", aaa, 1), buy(second, aaa, 1)},
		}}}
	}
	for _, c := range []struct {
		command *pb.OrderCommand
		want    string
	}{
		{newOrder(buy(name, aaa, 1)), "new_order.cl_ord_id:" + text},
		{&pb.OrderCommand{Command: &pb.OrderCommand_ReplaceOrder{ReplaceOrder: replace}}, "replace_order.cl_ord_id:" + text},
		{cancelOf(name, "a"), "cancel_order.cl_ord_id:" + text},
		{list(name, "l2"), "new_order_list.list_id:" + text},
		{list("l", name), "new_order_list.orders[1].cl_ord_id:" + text},
		{cancelOf("c", name), ""},
	} {
		stream, err := pb.NewOrderServiceClient(s).SubmitOrders(t.Context())
		if err == nil {
			err = stream.Send(&pb.SubmitOrdersRequest{Commands: []*pb.OrderCommand{c.command}})
		}
		if err != nil {
			t.Fatal(err)
		}
		response, err := stream.Recv()
		if err != nil {
			t.Fatal(err)
		}
		if got := response.GetAcks()[0]; c.want != "" && got.GetText() != c.want || c.want == "" && strings.Contains(got.GetText(), "must not begin") {
			t.Errorf("got  %v\nwant %s", got, c.want)
		}
	}
	_, err := pb.NewOrderServiceClient(s).PreviewOrder(t.Context(), &pb.PreviewOrderRequest{NewOrder: buy(name, aaa, 1)})
	checkStatus(t, err, codes.InvalidArgument, "new_order.cl_ord_id:"+text)
}

// A command that cannot be read has its own answer, and the others of its message go their way.
func TestAStreamOutlivesABadCommand(t *testing.T) {
	s := start(t, options{bars: 10, change: func(c *Config) { c.MaxBatchCommands = 6 }})
	stream, err := pb.NewOrderServiceClient(s).SubmitOrders(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	ask := func(commands ...*pb.OrderCommand) []*pb.CommandAck {
		t.Helper()
		if err := stream.Send(&pb.SubmitOrdersRequest{Commands: commands}); err != nil {
			t.Fatal(err)
		}
		response, err := stream.Recv()
		if err != nil {
			t.Fatal(err)
		}
		return response.GetAcks()
	}
	sideless := buy("b", aaa, 1)
	sideless.Side = 0
	const rejected, cancelRejected = pb.ExecType_EXEC_TYPE_REJECTED, pb.ExecType_EXEC_TYPE_CANCEL_REJECTED
	acks := ask(
		newOrder(buy("a", aaa, 1)), newOrder(sideless), &pb.OrderCommand{}, cancelOf("c", ""), newOrder(buy("d", aaa, 1)),
		&pb.OrderCommand{Command: &pb.OrderCommand_NewOrderList{NewOrderList: &pb.NewOrderList{ListId: "e", Account: account}}},
	)
	for i, want := range []struct {
		name string
		exec pb.ExecType
		text string
	}{
		{"a", pb.ExecType_EXEC_TYPE_PENDING_NEW, ""},
		{"b", rejected, "new_order.side: must be specified"},
		{"", rejected, "command: must be set"},
		{"c", cancelRejected, "cancel_order.orig_cl_ord_id: must have 1 to 64 characters, got 0"},
		{"d", pb.ExecType_EXEC_TYPE_PENDING_NEW, ""},
		{"e", rejected, "new_order_list.contingency_type: must be specified"},
	} {
		ack := acks[i]
		if ack.GetClOrdId() != want.name || ack.GetExecType() != want.exec || ack.GetText() != want.text || (ack.GetSequence() == 0) != (want.text != "") {
			t.Errorf("command %d: got %v", i, ack)
		}
		if want.text != "" && (ack.GetOrdRejReason() != pb.OrdRejReason_ORD_REJ_REASON_INVALID_FIELD || ack.GetRejectedBy() != pb.RejectedBy_REJECTED_BY_ENGINE) {
			t.Errorf("command %d: got %v", i, ack)
		}
	}
	if acks := ask(&pb.OrderCommand{}); len(acks) != 1 || acks[0].GetText() == "" {
		t.Errorf("a message of nothing that can be read: got %v", acks)
	}
	if again := ask(newOrder(buy("a", aaa, 1)))[0]; again.GetOrderId() != acks[0].GetOrderId() {
		t.Errorf("got %v, want the order that there is", again)
	}
	// Only more than is allowed ends the stream.
	commands := make([]*pb.OrderCommand, 7)
	for i := range commands {
		commands[i] = newOrder(buy(fmt.Sprint(i), aaa, 1))
	}
	if err := stream.Send(&pb.SubmitOrdersRequest{Commands: commands}); err != nil {
		t.Fatal(err)
	}
	_, err = stream.Recv()
	checkStatus(t, err, codes.InvalidArgument, "commands: must be at most 6, got 7")
}

func TestPagesOfOrders(t *testing.T) {
	s := start(t, options{bars: 10})
	orders := pb.NewOrderServiceClient(s)
	for i := range 7 {
		if _, err := orders.SubmitOrder(t.Context(), &pb.SubmitOrderRequest{NewOrder: buy(fmt.Sprint(i), aaa, int64(i%2))}); err != nil {
			t.Fatal(err)
		}
	}
	// Every second order has no quantity, and is refused.
	for _, c := range []struct {
		open bool
		size uint32
		want string
	}{{false, 0, "0123456"}, {false, 7, "0123456"}, {false, 3, "012 345 6"}, {true, 1, "1 3 5"}, {true, 3, "135"}} {
		var pages []string
		request := &pb.ListOrdersRequest{Account: account, OpenOnly: c.open, PageSize: c.size}
		for first := true; first || request.PageToken != ""; first = false {
			response, err := orders.ListOrders(t.Context(), request)
			if err != nil {
				t.Fatal(err)
			}
			page := ""
			for _, o := range response.GetOrders() {
				page += o.GetNewOrder().GetClOrdId()
			}
			pages = append(pages, page)
			request.PageToken = response.GetNextPageToken()
		}
		if got := strings.Join(pages, " "); got != c.want {
			t.Errorf("open %v, size %d: got %q, want %q", c.open, c.size, got, c.want)
		}
	}
	_, err := orders.ListOrders(t.Context(), &pb.ListOrdersRequest{Account: account, PageSize: 1001})
	checkStatus(t, err, codes.InvalidArgument, "page_size: must be at most 1000, got 1001")
	_, err = orders.ListOrders(t.Context(), &pb.ListOrdersRequest{Account: account, PageToken: "x"})
	checkStatus(t, err, codes.InvalidArgument, `page_token: must be a next_page_token, got "x"`)
	_, err = orders.ListOrders(t.Context(), &pb.ListOrdersRequest{Account: "other"})
	checkStatus(t, err, codes.NotFound, `account: there is no account "other"`)
	_, err = orders.GetOrder(t.Context(), &pb.GetOrderRequest{Account: account})
	checkStatus(t, err, codes.InvalidArgument, "id: order_id or cl_ord_id must be set")
	_, err = orders.GetOrder(t.Context(), &pb.GetOrderRequest{Account: "other", Id: &pb.GetOrderRequest_OrderId{OrderId: 5}})
	checkStatus(t, err, codes.NotFound, `order_id 5: account "other" has no such order`)
}
