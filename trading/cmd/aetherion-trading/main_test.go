package main

import (
	"bufio"
	"bytes"
	"net"
	"os"
	"os/exec"
	"strings"
	"syscall"
	"testing"
	"time"
)

// The test binary is the service itself when it is started with this variable.
const asService = "TEST_AS_SERVICE"

func TestMain(m *testing.M) {
	if os.Getenv(asService) != "" {
		main()
		return
	}
	os.Exit(m.Run())
}

// service is a process with these settings, in a folder of its own.
func service(t *testing.T, settings ...string) *exec.Cmd {
	t.Helper()
	program, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	command := exec.CommandContext(t.Context(), program)
	command.Dir = t.TempDir()
	command.Env = append([]string{asService + "=1", "AETHERION_TRADING_DATA_DIR=.", "AETHERION_TRADING_LISTEN=127.0.0.1:0"}, settings...)
	return command
}

func TestWhatCannotStartSaysWhyInOneLine(t *testing.T) {
	taken, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer taken.Close()
	for _, c := range []struct {
		name, setting string
		code          int
		want          string
	}{
		{"port", "AETHERION_TRADING_LISTEN=" + taken.Addr().String(), 1, "listen on " + taken.Addr().String() + ": address already in use"},
		{"folder", "AETHERION_TRADING_DATA_DIR=none", 1, `AETHERION_TRADING_DATA_DIR: must be a folder that exists, got "none"`},
		{"data set", "AETHERION_TRADING_REPLAY_DATA_SET=none", 1, `AETHERION_TRADING_REPLAY_DATA_SET: data_set: no such data set "none" in .`},
		{"socket", "AETHERION_TRADING_UNIX_SOCKET=none/socket", 1, "listen on unix:none/socket: no such file or directory"},
		{"unknown", "AETHERION_TRADING_PORT=1", 2, "AETHERION_TRADING_PORT: unknown variable, did you mean"},
		{"bad", "AETHERION_TRADING_REPLAY_SPEED=fast", 2, `AETHERION_TRADING_REPLAY_SPEED: must be a number from 0 to 1e9, got "fast"`},
	} {
		t.Run(c.name, func(t *testing.T) {
			command := service(t, c.setting)
			var stderr bytes.Buffer
			command.Stderr = &stderr
			_ = command.Run() // Its error is the exit code.
			if got := command.ProcessState.ExitCode(); got != c.code {
				t.Errorf("exit code %d, want %d", got, c.code)
			}
			if got := stderr.String(); !strings.HasPrefix(got, "aetherion-trading: "+c.want) || strings.Count(got, "\n") != 1 {
				t.Errorf("got %q, want one line with %q", got, c.want)
			}
		})
	}
}

func TestStopsOnASignal(t *testing.T) {
	for _, signal := range []os.Signal{syscall.SIGTERM, os.Interrupt} {
		command := service(t)
		stderr, err := command.StderrPipe()
		if err != nil {
			t.Fatal(err)
		}
		if err := command.Start(); err != nil {
			t.Fatal(err)
		}
		lines := bufio.NewScanner(stderr)
		var said []string // also that there is no Risk Service
		for listens := false; !listens; listens = strings.Contains(lines.Text(), "msg=listening") {
			if !lines.Scan() {
				t.Fatalf("ended after %q", said)
			}
			said = append(said, lines.Text())
		}
		begun := time.Now()
		if err := command.Process.Signal(signal); err != nil {
			t.Fatal(err)
		}
		for lines.Scan() {
			said = append(said, lines.Text())
		}
		if err := command.Wait(); err != nil || time.Since(begun) > 5*time.Second {
			t.Errorf("%v: %v after %v:\n%s", signal, err, time.Since(begun), strings.Join(said, "\n"))
		}
	}
}
