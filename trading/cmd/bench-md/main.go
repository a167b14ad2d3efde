// Command bench-md reads captures of real venues: -check decodes all of them and holds the books against the venue's
// own quotes; without it, it measures decoding and book updates beside encoding/json.
package main

import (
	"encoding/json"
	"flag"
	"fmt"
	"os"
)

func main() {
	data := flag.String("data", "../shared/data", "folder of the captures")
	checks := flag.Bool("check", false, "check instead of measure")
	rounds := flag.Int("rounds", 5, "times that each measurement is done")
	flag.Parse()
	var result any
	var err error
	if *checks {
		result, err = check(*data)
	} else {
		result, err = measureAll(*data, *rounds)
	}
	if err == nil {
		encoder := json.NewEncoder(os.Stdout)
		encoder.SetIndent("", "  ")
		err = encoder.Encode(result)
	}
	if err != nil {
		fmt.Fprintln(os.Stderr, "bench-md:", err)
		os.Exit(1)
	}
}

// checked is what all captures held.
type checked struct {
	Captures []counts    `json:"captures"`
	Orders   orderCounts `json:"orders"`
}

func check(data string) (all checked, err error) {
	if all.Captures, err = checkAll(data); err != nil {
		return all, err
	}
	all.Orders, err = checkOrders(data)
	return all, err
}
