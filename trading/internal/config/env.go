package config

import (
	"bufio"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"strings"
)

// variable is a value and where it was set, for errors.
type variable struct {
	value string
	where string
}

// environment merges a .env file, which may be absent, with the variables of the process, which win.
func environment(path string, process []string) (map[string]variable, error) {
	variables, err := readFile(path)
	if err != nil {
		return nil, err
	}
	for _, line := range process {
		if name, value, ok := strings.Cut(line, "="); ok && isOurs(name) {
			variables[name] = variable{value, ""}
		}
	}
	return variables, nil
}

// isOurs says whether a variable is this service's, or would be if it were spelled right. The other two programs share
// the environment and the file.
func isOurs(name string) bool {
	return strings.HasPrefix(name, "AETHERION_") &&
		!strings.HasPrefix(name, "AETHERION_RISK_") && !strings.HasPrefix(name, "AETHERION_CLIENT_")
}

// readFile reads lines of NAME=VALUE. A value may stand in quotes; a # after a space begins a comment.
func readFile(path string) (map[string]variable, error) {
	variables := map[string]variable{}
	file, err := os.Open(path)
	if errors.Is(err, fs.ErrNotExist) {
		return variables, nil
	}
	if err != nil {
		return nil, err
	}
	defer file.Close()
	lines := bufio.NewScanner(file)
	for number := 1; lines.Scan(); number++ {
		line := strings.TrimSpace(lines.Text())
		if line == "" || line[0] == '#' {
			continue
		}
		name, value, ok := strings.Cut(strings.TrimPrefix(line, "export "), "=")
		if name = strings.TrimSpace(name); !ok || name == "" {
			return nil, fmt.Errorf("%s line %d: must be NAME=VALUE, got %q", path, number, line)
		}
		if value, err = unquote(strings.TrimSpace(value)); err != nil {
			return nil, fmt.Errorf("%s line %d: %s: %w", path, number, name, err)
		}
		if isOurs(name) {
			variables[name] = variable{value, fmt.Sprintf("%s line %d: ", path, number)}
		}
	}
	if err := lines.Err(); err != nil {
		return nil, fmt.Errorf("%s: %w", path, err)
	}
	return variables, nil
}

func unquote(value string) (string, error) {
	if value == "" {
		return "", nil
	}
	if quote := value[0]; quote == '"' || quote == '\'' {
		inner, rest, closed := strings.Cut(value[1:], string(quote))
		rest = strings.TrimSpace(rest)
		if !closed || rest != "" && rest[0] != '#' {
			return "", errors.New("the quotes do not close at the end")
		}
		return inner, nil
	}
	if value[0] == '#' {
		return "", nil
	}
	if at := strings.Index(value, " #"); at >= 0 {
		value = strings.TrimSpace(value[:at])
	}
	return value, nil
}

// nearest is the known name that differs least from one that is unknown.
func nearest(unknown string, known []string) string {
	best, least := "", len(unknown)
	for _, name := range known {
		if d := distance(unknown, name); d < least {
			best, least = name, d
		}
	}
	return best
}

// distance is how many characters must be inserted, deleted or replaced (Levenshtein).
func distance(a, b string) int {
	row := make([]int, len(b)+1)
	for j := range row {
		row[j] = j
	}
	for i := range len(a) {
		diagonal := row[0]
		row[0] = i + 1
		for j := range len(b) {
			replaced := diagonal
			if a[i] != b[j] {
				replaced++
			}
			diagonal = row[j+1]
			row[j+1] = min(replaced, row[j]+1, row[j+1]+1)
		}
	}
	return row[len(b)]
}
