package market

import (
	"bytes"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"google.golang.org/protobuf/encoding/protojson"

	pb "aetherion/trading/gen/aetherion/v1"
	"aetherion/trading/internal/contract"
	"aetherion/trading/internal/engine"
)

const (
	manifestName   = "manifest.json"
	manifestFormat = "aetherion.dataset/1"
	manifestBytes  = 64 << 20
)

var (
	// ErrNotFound says that there is no such data set.
	ErrNotFound = errors.New("no such data set")
	// ErrName says that a data set cannot have that name.
	ErrName = errors.New("must be the name of a folder")
)

// Catalog is a folder of data sets.
type Catalog struct{ Dir string }

// List gives the names of the data sets, sorted.
func (c Catalog) List() ([]string, error) {
	manifests, err := filepath.Glob(filepath.Join(c.Dir, "*", manifestName))
	if err != nil {
		return nil, err
	}
	names := make([]string, len(manifests))
	for i, path := range manifests {
		names[i] = filepath.Base(filepath.Dir(path))
	}
	slices.Sort(names)
	return names, nil
}

// Open opens one data set of the catalog. A name is one folder, never a path out of the catalog.
func (c Catalog) Open(name string) (*Dataset, error) {
	if name == "" || strings.HasPrefix(name, ".") || strings.ContainsAny(name, `/\`+"\x00") {
		return nil, fmt.Errorf("data_set: %w in %s, got %q", ErrName, c.Dir, name)
	}
	dataset, err := Open(filepath.Join(c.Dir, name))
	if errors.Is(err, fs.ErrNotExist) {
		return nil, fmt.Errorf("data_set: %w %q in %s", ErrNotFound, name, c.Dir)
	}
	return dataset, err
}

// Dataset is a folder of recorded rows whose manifest and hashes were checked. It is immutable.
type Dataset struct {
	Name        string
	Instruments []engine.Instrument
	Rows        uint64
	SHA256      string // of the hashes of all files and of the instruments, hexadecimal

	dir   string
	files []datafile
}

// Has says whether there are rows of a kind.
func (d *Dataset) Has(kind Kind) bool {
	return slices.ContainsFunc(d.files, func(f datafile) bool { return f.kind == kind && f.rows > 0 })
}

type datafile struct {
	path   string
	kind   Kind
	rows   int64
	sha256 string
}

var kinds = map[string]Kind{"bar": Bar, "quote": Quote, "trade": Trade, "level": BookLevel, "order": BookOrder}

// manifest is the form of manifest.json. Fields that only its writer reads are left alone.
type manifest struct {
	Format      string            `json:"format"`
	Instruments []json.RawMessage `json:"instruments"`
	Files       []struct {
		Path   string `json:"path"`
		Kind   string `json:"kind"`
		Rows   int64  `json:"rows"`
		SHA256 string `json:"sha256"`
	} `json:"files"`
}

// Open reads the manifest and verifies every file against its hash.
func Open(dir string) (*Dataset, error) {
	path := filepath.Join(dir, manifestName)
	text, err := readManifest(path)
	if err != nil {
		return nil, err
	}
	dataset, err := parseManifest(text)
	if err != nil {
		return nil, fmt.Errorf("%s: %w", path, err)
	}
	dataset.Name, dataset.dir = filepath.Base(dir), dir
	for _, file := range dataset.files {
		if err := file.verify(dir); err != nil {
			return nil, fmt.Errorf("%s: %w", filepath.Join(dir, file.path), err)
		}
	}
	return dataset, nil
}

func readManifest(path string) ([]byte, error) {
	file, err := os.Open(path)
	if err != nil {
		return nil, err
	}
	defer file.Close()
	text, err := io.ReadAll(io.LimitReader(file, manifestBytes+1))
	if err != nil {
		return nil, err
	}
	if len(text) > manifestBytes {
		return nil, fmt.Errorf("%s: must have at most %d bytes", path, manifestBytes)
	}
	return text, nil
}

func parseManifest(text []byte) (*Dataset, error) {
	var m manifest
	if err := json.Unmarshal(text, &m); err != nil {
		return nil, fmt.Errorf("not a manifest: %w", err)
	}
	if m.Format != manifestFormat {
		return nil, fmt.Errorf("format: must be %q, got %q", manifestFormat, m.Format)
	}
	dataset := &Dataset{}
	if err := dataset.addInstruments(m.Instruments); err != nil {
		return nil, err
	}
	for i, f := range m.Files {
		file := datafile{path: f.Path, kind: kinds[f.Kind], rows: f.Rows, sha256: f.SHA256}
		if err := file.check(f.Kind); err != nil {
			return nil, fmt.Errorf("files[%d].%w", i, err)
		}
		dataset.files = append(dataset.files, file)
		dataset.Rows += uint64(f.Rows)
	}
	if len(dataset.files) == 0 {
		return nil, errors.New("files: must name at least one file")
	}
	dataset.SHA256 = hashOf(dataset.files, m.Instruments)
	return dataset, nil
}

func (d *Dataset) addInstruments(definitions []json.RawMessage) error {
	seen := make(map[string]bool, len(definitions))
	for i, text := range definitions {
		instrument, err := parseInstrument(text)
		if err != nil {
			return fmt.Errorf("instruments[%d]: %w", i, err)
		}
		if seen[instrument.InstrumentID] {
			return fmt.Errorf("instruments[%d]: instrument_id: must be unique, got %q again", i, instrument.InstrumentID)
		}
		seen[instrument.InstrumentID] = true
		d.Instruments = append(d.Instruments, instrument)
	}
	if len(d.Instruments) == 0 {
		return errors.New("instruments: must name at least one instrument")
	}
	return nil
}

func parseInstrument(text []byte) (engine.Instrument, error) {
	var message pb.Instrument
	if err := protojson.Unmarshal(text, &message); err != nil {
		return engine.Instrument{}, fmt.Errorf("definition: %w", err)
	}
	instrument, err := contract.DecodeInstrument(&message)
	if err != nil {
		return engine.Instrument{}, err
	}
	return instrument, engine.CheckInstrument(&instrument)
}

func (f datafile) check(kind string) error {
	switch {
	case !filepath.IsLocal(f.path):
		return fmt.Errorf("path: must lie in the folder of the manifest, got %q", f.path)
	case f.kind == 0:
		return fmt.Errorf("kind: must be bar, quote, trade, level or order, got %q", kind)
	case f.rows < 0:
		return fmt.Errorf("rows: must not be negative, got %d", f.rows)
	case len(f.sha256) != hex.EncodedLen(sha256.Size):
		return fmt.Errorf("sha256: must have %d hexadecimal digits, got %q", hex.EncodedLen(sha256.Size), f.sha256)
	}
	return nil
}

func (f datafile) verify(dir string) error {
	file, err := os.Open(filepath.Join(dir, f.path))
	if err != nil {
		return fmt.Errorf("named by the manifest, but cannot be opened: %s", reason(err))
	}
	defer file.Close()
	hash := sha256.New()
	if _, err := io.Copy(hash, file); err != nil {
		return err
	}
	if got := hex.EncodeToString(hash.Sum(nil)); got != f.sha256 {
		return fmt.Errorf("sha256: must be %s as in the manifest, got %s", f.sha256, got)
	}
	return nil
}

// hashOf identifies the content of a data set: its files and what their numbers mean.
func hashOf(files []datafile, instruments []json.RawMessage) string {
	hash := sha256.New()
	for _, file := range files {
		fmt.Fprintf(hash, "%s %s\n", file.path, file.sha256)
	}
	var line bytes.Buffer
	for _, text := range instruments {
		line.Reset()
		// The manifest was parsed already, so that each definition is JSON.
		_ = json.Compact(&line, text)
		line.WriteByte('\n')
		hash.Write(line.Bytes())
	}
	return hex.EncodeToString(hash.Sum(nil))
}

// reason is an error of the file system without the path, which the caller names.
func reason(err error) string {
	var path *fs.PathError
	if errors.As(err, &path) {
		return path.Err.Error()
	}
	return err.Error()
}
