// Package config reads the service's configuration from the environment and a .env file. Whatever is
// unknown or breaks its rule is refused with its name, its value and the rule.
package config

import (
	"errors"
	"fmt"
	"log/slog"
	"maps"
	"math"
	"net"
	"slices"
	"strconv"
	"strings"
	"time"

	"aetherion/trading/internal/contract"
	"aetherion/trading/internal/engine"
)

const prefix = "AETHERION_TRADING_"

// Config is everything that can be set. .env.example documents each variable.
type Config struct {
	Listen     string // host:port; empty: no TCP
	UnixSocket string // path; empty: none
	DataDir    string
	LogLevel   slog.Level

	JournalDir string // empty: in memory
	Durability string // one of those below

	RiskAddress string
	RiskTimeout time.Duration

	ReplayDataSet        string // empty: nothing is replayed
	ReplaySpeed          float64
	ReplayVolumeShareBps uint32
	ReplayOrderLatency   time.Duration
	Synthetic            bool // a market of synthetic order flow instead
	SyntheticSeed        uint64
	VenueAddress         string // of a venue in another process; empty: none
	Adopt                string // what becomes of what that venue has and we do not: one of those below
	Account              string
	InitialCash          engine.Money

	RequestTimeout       time.Duration
	SendTimeout          time.Duration
	MaxMessageBytes      int
	MaxConcurrentStreams uint32
	MaxBatchCommands     int
	MaxBacktests         int
	ReportsInMemory      int
	TwoPersonLimits      bool
}

// Durabilities of the journal: when an acknowledged event is safe.
const (
	DurabilityFsync  = "fsync"  // from the loss of power
	DurabilityOS     = "os"     // from the end of the process
	DurabilityMemory = "memory" // not at all
)

// What becomes of orders and balances that a venue has and we do not.
const (
	AdoptAdopt  = "adopt"  // they are taken for ours
	AdoptCancel = "cancel" // the orders are canceled, the balances taken
	AdoptRefuse = "refuse" // there is no start
)

// setting is one variable: its default and how its value is taken.
type setting struct {
	fallback string
	set      func(*Config, string) error
}

var settings = map[string]setting{
	"LISTEN": {"127.0.0.1:50051", func(c *Config, v string) error {
		c.Listen = v
		return checkHostPort(v)
	}},
	"UNIX_SOCKET": {"", func(c *Config, v string) error {
		c.UnixSocket = v
		return checkSocketPath(v)
	}},
	"DATA_DIR": {"./data", text("path of a folder", func(c *Config) *string { return &c.DataDir })},
	"LOG_LEVEL": {"info", func(c *Config, v string) error {
		if c.LogLevel.UnmarshalText([]byte(v)) != nil {
			return errors.New("must be debug, info, warn or error")
		}
		return nil
	}},
	"JOURNAL_DIR": {"", func(c *Config, v string) error {
		c.JournalDir = v
		return nil
	}},
	"DURABILITY": {"fsync", func(c *Config, v string) error {
		if c.Durability = v; v != DurabilityFsync && v != DurabilityOS {
			return errors.New("must be fsync or os")
		}
		return nil
	}},
	"RISK_ADDRESS": {"127.0.0.1:50052", func(c *Config, v string) error {
		c.RiskAddress = v
		return checkAddress(v)
	}},
	"RISK_TIMEOUT_MS": {"50", milliseconds(60_000, func(c *Config) *time.Duration { return &c.RiskTimeout })},
	"REPLAY_DATA_SET": {"", func(c *Config, v string) error {
		c.ReplayDataSet = v
		return nil
	}},
	"REPLAY_SPEED": {"0", func(c *Config, v string) (err error) {
		if c.ReplaySpeed, err = strconv.ParseFloat(v, 64); err != nil || !(c.ReplaySpeed >= 0 && c.ReplaySpeed <= 1e9) {
			return errors.New("must be a number from 0 to 1e9")
		}
		return nil
	}},
	"REPLAY_VOLUME_SHARE_BPS": {"1000", whole(1, 10_000, func(c *Config, v int64) { c.ReplayVolumeShareBps = uint32(v) })},
	"REPLAY_ORDER_LATENCY_US": {"0", whole(0, 86_400_000_000, func(c *Config, v int64) { c.ReplayOrderLatency = time.Duration(v) * time.Microsecond })},
	"SYNTHETIC":               {"false", truth(func(c *Config) *bool { return &c.Synthetic })},
	"SYNTHETIC_SEED":          {"1", whole(0, math.MaxInt64, func(c *Config, v int64) { c.SyntheticSeed = uint64(v) })},
	"VENUE_ADDRESS": {"", func(c *Config, v string) error {
		if c.VenueAddress = v; v == "" {
			return nil
		}
		return checkAddress(v)
	}},
	"ADOPT": {AdoptRefuse, func(c *Config, v string) error {
		if c.Adopt = v; v != AdoptAdopt && v != AdoptCancel && v != AdoptRefuse {
			return errors.New("must be adopt, cancel or refuse")
		}
		return nil
	}},
	"ACCOUNT": {"DEMO", func(c *Config, v string) error {
		c.Account = v
		if contract.Name("account", v) != nil {
			return errors.New("must have 1 to 64 printable ASCII characters")
		}
		return nil
	}},
	"INITIAL_CASH": {"1000000 USD", func(c *Config, v string) (err error) {
		c.InitialCash, err = parseMoney(v)
		return err
	}},
	"REQUEST_TIMEOUT_MS":     {"5000", milliseconds(3_600_000, func(c *Config) *time.Duration { return &c.RequestTimeout })},
	"SEND_TIMEOUT_MS":        {"30000", milliseconds(3_600_000, func(c *Config) *time.Duration { return &c.SendTimeout })},
	"MAX_MESSAGE_BYTES":      {"4194304", whole(1024, 1<<30, func(c *Config, v int64) { c.MaxMessageBytes = int(v) })},
	"MAX_CONCURRENT_STREAMS": {"1000", whole(1, 1_000_000, func(c *Config, v int64) { c.MaxConcurrentStreams = uint32(v) })},
	"MAX_BATCH_COMMANDS":     {"1024", whole(1, 1024, func(c *Config, v int64) { c.MaxBatchCommands = int(v) })},
	"MAX_BACKTESTS":          {"16", whole(1, 10_000, func(c *Config, v int64) { c.MaxBacktests = int(v) })},
	"REPORTS_IN_MEMORY":      {"100000", whole(1000, 100_000_000, func(c *Config, v int64) { c.ReportsInMemory = int(v) })},
	"TWO_PERSON_LIMITS":      {"false", truth(func(c *Config) *bool { return &c.TwoPersonLimits })},
}

// Load reads the .env file at path, if there is one, and the process's environment.
func Load(path string, process []string) (Config, error) {
	variables, err := environment(path, process)
	if err != nil {
		return Config{}, err
	}
	names := slices.Sorted(maps.Keys(settings))
	for _, name := range slices.Sorted(maps.Keys(variables)) {
		if short := strings.TrimPrefix(name, prefix); !slices.Contains(names, short) {
			return Config{}, fmt.Errorf("%s%s: unknown variable, did you mean %s%s?",
				variables[name].where, name, prefix, nearest(short, names))
		}
	}
	var config Config
	for _, name := range names {
		v, is := variables[prefix+name]
		if !is {
			v.value = settings[name].fallback
		}
		if err := settings[name].set(&config, v.value); err != nil {
			return Config{}, fmt.Errorf("%s%s: %w, got %q", v.where, prefix+name, err, v.value)
		}
	}
	if config.JournalDir == "" {
		config.Durability = DurabilityMemory
	}
	if config.Synthetic && config.ReplayDataSet != "" {
		return Config{}, fmt.Errorf("%sSYNTHETIC: must be false where %sREPLAY_DATA_SET names one, got \"true\" and %q", prefix, prefix, config.ReplayDataSet)
	}
	if config.VenueAddress != "" && (config.Synthetic || config.ReplayDataSet != "") {
		return Config{}, fmt.Errorf("%sVENUE_ADDRESS: must be empty where %sSYNTHETIC or %sREPLAY_DATA_SET makes a venue here, got %q", prefix, prefix, prefix, config.VenueAddress)
	}
	if config.Listen == "" && config.UnixSocket == "" {
		return Config{}, fmt.Errorf("%sLISTEN, %sUNIX_SOCKET: at least one must be set, got two empty values", prefix, prefix)
	}
	return config, nil
}

func text(rule string, field func(*Config) *string) func(*Config, string) error {
	return func(c *Config, v string) error {
		if v == "" {
			return fmt.Errorf("must be the %s", rule)
		}
		*field(c) = v
		return nil
	}
}

func truth(field func(*Config) *bool) func(*Config, string) error {
	return func(c *Config, v string) error {
		if v != "true" && v != "false" {
			return errors.New("must be true or false")
		}
		*field(c) = v == "true"
		return nil
	}
}

func whole(least, most int64, set func(*Config, int64)) func(*Config, string) error {
	return func(c *Config, v string) error {
		n, err := strconv.ParseInt(v, 10, 64)
		if err != nil || n < least || n > most {
			return fmt.Errorf("must be a whole number from %d to %d", least, most)
		}
		set(c, n)
		return nil
	}
}

func milliseconds(most int64, field func(*Config) *time.Duration) func(*Config, string) error {
	return whole(1, most, func(c *Config, v int64) { *field(c) = time.Duration(v) * time.Millisecond })
}

func checkHostPort(address string) error {
	if address == "" {
		return nil
	}
	_, port, err := net.SplitHostPort(address)
	if err != nil {
		return errors.New("must be host:port")
	}
	if _, err := strconv.ParseUint(port, 10, 16); err != nil {
		return fmt.Errorf("must be host:port with a port from 0 to %d", math.MaxUint16)
	}
	return nil
}

// checkAddress takes what can be connected to.
func checkAddress(address string) error {
	if path, isSocket := strings.CutPrefix(address, "unix:"); isSocket && path != "" {
		return checkSocketPath(path)
	}
	if address == "" || checkHostPort(address) != nil {
		return errors.New("must be host:port or unix:path")
	}
	return nil
}

// checkSocketPath knows that the kernel takes 107 bytes (sun_path).
func checkSocketPath(path string) error {
	if len(path) > 107 {
		return errors.New("must be a path of at most 107 bytes")
	}
	return nil
}

// parseMoney reads "1000000.50 USD".
func parseMoney(v string) (engine.Money, error) {
	rule := errors.New("must be an amount that is not negative and a currency, such as 1000000 USD")
	number, currency, ok := strings.Cut(v, " ")
	currency = strings.TrimSpace(currency)
	if !ok || currency == "" || contract.Name("currency", currency) != nil {
		return engine.Money{}, rule
	}
	units, decimals, _ := strings.Cut(number, ".")
	if len(decimals) > 18 || strings.Trim(units+decimals, "0123456789") != "" || units == "" {
		return engine.Money{}, rule
	}
	u, err := strconv.ParseInt(units, 10, 64)
	if err != nil {
		return engine.Money{}, rule
	}
	a, err := strconv.ParseInt(decimals+strings.Repeat("0", 18-len(decimals)), 10, 64)
	if err != nil {
		return engine.Money{}, rule
	}
	amount, err := engine.NewAmount(u, a)
	if err != nil {
		return engine.Money{}, rule
	}
	return engine.Money{Currency: currency, Amount: amount}, nil
}
