package config

import (
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
)

const example = "../../../.env.example"

func load(t *testing.T, file string, process ...string) (Config, error) {
	t.Helper()
	path := filepath.Join(t.TempDir(), ".env")
	if err := os.WriteFile(path, []byte(file), 0o600); err != nil {
		t.Fatal(err)
	}
	return Load(path, process)
}

// The example is the documentation: all variables are in it, each with its default and a comment.
func TestExampleHoldsEveryDefault(t *testing.T) {
	defaults, err := Load("no such file", nil)
	if err != nil {
		t.Fatal(err)
	}
	if got, err := Load(example, nil); err != nil || got != defaults {
		t.Errorf("got %+v, %v\nwant %+v", got, err, defaults)
	}
	content, err := os.ReadFile(example)
	if err != nil {
		t.Fatal(err)
	}
	for name, s := range settings {
		line := regexp.MustCompile(`(?m)^# .+\n` + prefix + name + `=` + regexp.QuoteMeta(s.fallback) + `$`)
		if !line.Match(content) {
			t.Errorf("%s%s=%s with a comment before it is not in .env.example", prefix, name, s.fallback)
		}
	}
}

func TestEnvironmentWinsOverFile(t *testing.T) {
	config, err := load(t, `
# a comment
export AETHERION_TRADING_ACCOUNT = "A 1" # quoted
AETHERION_TRADING_DATA_DIR=/data # folder
AETHERION_TRADING_LISTEN='[::1]:1'
AETHERION_RISK_LISTEN=not ours
OTHER=1
`, "AETHERION_TRADING_LISTEN=localhost:2", "AETHERION_CLIENT_X=1", "PATH=/bin")
	if err != nil {
		t.Fatal(err)
	}
	if config.Account != "A 1" || config.DataDir != "/data" || config.Listen != "localhost:2" {
		t.Errorf("got %+v", config)
	}
}

func TestRefused(t *testing.T) {
	for _, c := range []struct{ name, variable, want string }{
		{"unknown", "LISTN=x", "AETHERION_TRADING_LISTN: unknown variable, did you mean AETHERION_TRADING_LISTEN?"},
		{"port", "LISTEN=localhost", `AETHERION_TRADING_LISTEN: must be host:port, got "localhost"`},
		{"port number", "LISTEN=localhost:x", `must be host:port with a port from 0 to 65535, got "localhost:x"`},
		{"nowhere to listen", "LISTEN=", "AETHERION_TRADING_LISTEN, AETHERION_TRADING_UNIX_SOCKET: at least one must be set"},
		{"socket", "UNIX_SOCKET=" + strings.Repeat("x", 108), "UNIX_SOCKET: must be a path of at most 107 bytes"},
		{"folder", "DATA_DIR=", `DATA_DIR: must be the path of a folder, got ""`},
		{"level", "LOG_LEVEL=loud", `LOG_LEVEL: must be debug, info, warn or error, got "loud"`},
		{"risk address", "RISK_ADDRESS=", `RISK_ADDRESS: must be host:port or unix:path, got ""`},
		{"risk socket", "RISK_ADDRESS=unix:", `RISK_ADDRESS: must be host:port or unix:path, got "unix:"`},
		{"timeout", "RISK_TIMEOUT_MS=0", `RISK_TIMEOUT_MS: must be a whole number from 1 to 60000, got "0"`},
		{"not a number", "RISK_TIMEOUT_MS=1.5", `RISK_TIMEOUT_MS: must be a whole number from 1 to 60000, got "1.5"`},
		{"speed", "REPLAY_SPEED=NaN", `REPLAY_SPEED: must be a number from 0 to 1e9, got "NaN"`},
		{"two people", "TWO_PERSON_LIMITS=1", `TWO_PERSON_LIMITS: must be true or false, got "1"`},
		{"reports", "REPORTS_IN_MEMORY=999", `REPORTS_IN_MEMORY: must be a whole number from 1000 to 100000000, got "999"`},
		{"synthetic", "SYNTHETIC=yes", `SYNTHETIC: must be true or false, got "yes"`},
		{"seed", "SYNTHETIC_SEED=-1", `SYNTHETIC_SEED: must be a whole number from 0 to 9223372036854775807, got "-1"`},
		{"negative speed", "REPLAY_SPEED=-1", `REPLAY_SPEED: must be a number from 0 to 1e9, got "-1"`},
		{"share", "REPLAY_VOLUME_SHARE_BPS=10001", "REPLAY_VOLUME_SHARE_BPS: must be a whole number from 1 to 10000"},
		{"account", "ACCOUNT=", `ACCOUNT: must have 1 to 64 printable ASCII characters, got ""`},
		{"cash", "INITIAL_CASH=100", `INITIAL_CASH: must be an amount that is not negative and a currency, such as 1000000 USD, got "100"`},
		{"negative cash", "INITIAL_CASH=-1 USD", `got "-1 USD"`},
		{"huge cash", "INITIAL_CASH=9999999999999999999 USD", `got "9999999999999999999 USD"`},
	} {
		t.Run(c.name, func(t *testing.T) {
			if _, err := load(t, "", prefix+c.variable); err == nil || !strings.Contains(err.Error(), c.want) {
				t.Errorf("got %v, want %s", err, c.want)
			}
			if _, err := load(t, "\n"+prefix+c.variable); err == nil || !strings.Contains(err.Error(), c.want) {
				t.Errorf("in the file: got %v, want %s", err, c.want)
			}
		})
	}
}

func TestFileErrorsNameTheLine(t *testing.T) {
	for file, want := range map[string]string{
		"A=1\nwhat\n":                             `line 2: must be NAME=VALUE, got "what"`,
		"\nAETHERION_TRADING_ACCOUNT=\"x":         "line 2: AETHERION_TRADING_ACCOUNT: the quotes do not close at the end",
		"A=1\nAETHERION_TRADING_LISTEN=x":         `line 2: AETHERION_TRADING_LISTEN: must be host:port, got "x"`,
		"AETHERION_TRADING_ACOUNT=x":              "line 1: AETHERION_TRADING_ACOUNT: unknown variable, did you mean AETHERION_TRADING_ACCOUNT?",
		strings.Repeat("x", 100_000) + "=" + "\n": "token too long",
	} {
		if _, err := load(t, file); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("got %v, want %s", err, want)
		}
	}
}

func TestInitialCashIsExact(t *testing.T) {
	for value, want := range map[string]string{
		"1000000 USD":             "1000000 USD",
		"0 USD":                   "0 USD",
		"0.000000000000000001 X":  "0.000000000000000001 X",
		"9223372036854775807.9 X": "9223372036854775807.9 X",
	} {
		config, err := load(t, "", prefix+"INITIAL_CASH="+value)
		if err != nil || config.InitialCash.String() != want {
			t.Errorf("got %s, %v, want %s", config.InitialCash, err, want)
		}
	}
}
