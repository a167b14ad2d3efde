package main

import (
	"cmp"
	"compress/gzip"
	"encoding/csv"
	"errors"
	"fmt"
	"io"
	"os"
	"slices"
	"strconv"
	"strings"

	"aetherion/trading/internal/engine"
	"aetherion/trading/internal/venue/queue"
)

// fields are the values of one line by the names of their columns; err is the first that was wrong.
type fields struct {
	place   string
	columns map[string]int
	values  []string
	err     error
}

// eachLine calls with every line of a CSV file, which may be compressed.
func eachLine(path string, each func(f *fields)) error {
	file, err := os.Open(path)
	if err != nil {
		return err
	}
	defer file.Close()
	var source io.Reader = file
	if strings.HasSuffix(path, ".gz") {
		if source, err = gzip.NewReader(file); err != nil {
			return fmt.Errorf("%s: %w", path, err)
		}
	}
	reader := csv.NewReader(source)
	header, err := reader.Read()
	if err != nil {
		return fmt.Errorf("%s: header: %w", path, err)
	}
	f := &fields{columns: map[string]int{}}
	for i, name := range header {
		f.columns[name] = i
	}
	for {
		f.values, err = reader.Read()
		if errors.Is(err, io.EOF) {
			return nil
		}
		if err != nil {
			return fmt.Errorf("%s: %w", path, err)
		}
		line, _ := reader.FieldPos(0)
		f.place = fmt.Sprintf("%s: line %d", path, line)
		if each(f); f.err != nil {
			return f.err
		}
	}
}

func (f *fields) fail(name, rule string) {
	if f.err == nil {
		f.err = fmt.Errorf("%s: %s: %s, got %q", f.place, name, rule, f.text(name))
	}
}

func (f *fields) text(name string) string {
	if i, there := f.columns[name]; there {
		return f.values[i]
	}
	return ""
}

func (f *fields) integer(name string) int64 {
	value, err := strconv.ParseInt(f.text(name), 10, 64)
	if err != nil {
		f.fail(name, "must be a whole number")
	}
	return value
}

// scaled reads a decimal as an integer of 10^-scale.
func (f *fields) scaled(name string, scale int) int64 {
	whole, decimals, _ := strings.Cut(f.text(name), ".")
	decimals = strings.TrimRight(decimals, "0")
	if len(decimals) > scale {
		f.fail(name, fmt.Sprintf("must have at most %d decimals", scale))
		return 0
	}
	value, err := strconv.ParseInt(whole+decimals+strings.Repeat("0", scale-len(decimals)), 10, 64)
	if err != nil {
		f.fail(name, "must be a decimal number")
	}
	return value
}

func (f *fields) side(name string) engine.Side {
	switch f.text(name) {
	case "B":
		return engine.Buy
	case "A", "S":
		return engine.Sell
	}
	f.fail(name, "must be B, A or S")
	return 0
}

func readMarket(o options) ([]row, error) {
	if o.model == "fifo" {
		return readOrders(o)
	}
	rows, err := readLevels(o)
	if err != nil {
		return nil, err
	}
	err = eachLine(o.trades, func(f *fields) {
		rows = append(rows, row{time: f.integer("ts_event_ns"), what: trade, side: f.side("aggressor"),
			px: f.scaled("price", o.priceScale), qty: f.scaled("size", o.qtyScale)})
	})
	// Levels come first at one time, as everywhere (market.Reader).
	slices.SortStableFunc(rows, func(a, b row) int { return cmp.Compare(a.time, b.time) })
	return rows, err
}

// readLevels begins at the snapshot and leaves out changes that are older than it.
func readLevels(o options) (rows []row, err error) {
	var snapshot int64
	err = eachLine(o.book, func(f *fields) {
		time, update := f.integer("ts_event_ns"), f.integer("last_update_id")
		if f.text("is_snapshot") == "1" && update != snapshot {
			snapshot = update
			rows = append(rows, row{time: time, what: clearBook})
		}
		if snapshot == 0 || update < snapshot {
			return
		}
		if len(rows) > 0 && time < rows[len(rows)-1].time {
			f.fail("ts_event_ns", "must not step back")
		}
		rows = append(rows, row{time: time, what: level, side: f.side("side"),
			px: f.scaled("price", o.priceScale), qty: f.scaled("size", o.qtyScale)})
	})
	return rows, err
}

// readOrders reads a book of orders. An order that is gone with nothing left has traded; one that is gone
// with something left was canceled.
func readOrders(o options) (rows []row, err error) {
	err = eachLine(o.book, func(f *fields) {
		r := row{time: f.integer("ts_recv_ns"), what: change, id: f.integer("order_id"), side: f.side("side"),
			px: f.scaled("price", o.priceScale), qty: f.scaled("size", o.qtyScale)}
		switch action := f.text("action"); {
		case action == "add":
		case action == "modify" || action == "delete" && r.qty == 0:
			r.what = changeByATrade
		case action == "delete":
			r.qty = 0
		default:
			f.fail("action", "must be add, modify or delete")
		}
		rows = append(rows, r)
	})
	return rows, err
}

// readCommands reads what to send, in the order in which it is decided.
func readCommands(o options) (commands []command, err error) {
	err = eachLine(o.orders, func(f *fields) {
		c := command{arrival: f.integer("decided_ns") + o.latency, order: queue.Order{ID: uint64(f.integer("order_id"))}}
		switch f.text("action") {
		case "cancel":
			c.cancel = true
		case "new":
			c.order.Side = f.side("side")
			c.order.Px, c.order.Qty = f.scaled("price", o.priceScale), f.scaled("size", o.qtyScale)
			if c.order.Qty <= 0 {
				f.fail("size", "must be positive")
			}
		default:
			f.fail("action", "must be new or cancel")
		}
		if n := len(commands); n > 0 && c.arrival < commands[n-1].arrival {
			f.fail("decided_ns", "must not step back")
		}
		commands = append(commands, c)
	})
	return commands, err
}

func pow10(n int) int64 {
	power := int64(1)
	for range n {
		power *= 10
	}
	return power
}
