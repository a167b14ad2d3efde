package market

import (
	"fmt"
	"io"

	"github.com/parquet-go/parquet-go"
	"github.com/parquet-go/parquet-go/encoding"
)

// column reads one integer column of a file, a page at a time.
type column struct {
	name     string
	nullable bool
	leaf     int // index among the file's columns
	defined  int // definition level of a value that is there

	pages   parquet.Pages // of the current row group
	values  []int64       // of the current page; a null is 0
	present []bool        // which of them are there; empty: all
}

// newColumn checks that the file has the column in a form that can be read.
func newColumn(schema *parquet.Schema, name string, nullable bool) (*column, error) {
	leaf, found := schema.Lookup(name)
	if !found {
		return nil, fmt.Errorf("column %s: is missing", name)
	}
	kind := leaf.Node.Type().Kind()
	if leaf.MaxRepetitionLevel > 0 || kind != parquet.Int64 && kind != parquet.Int32 {
		return nil, fmt.Errorf("column %s: must hold integers, got %s", name, leaf.Node)
	}
	return &column{name: name, nullable: nullable, leaf: leaf.ColumnIndex, defined: leaf.MaxDefinitionLevel}, nil
}

// open starts with a row group's first page.
func (c *column) open(group parquet.RowGroup) error {
	if err := c.close(); err != nil {
		return err
	}
	c.pages, c.values = group.ColumnChunks()[c.leaf].Pages(), c.values[:0]
	return nil
}

func (c *column) close() error {
	if c.pages == nil {
		return nil
	}
	err := c.pages.Close()
	c.pages = nil
	return err
}

// fill makes sure that there are values, unless the row group is at its end (io.EOF). row is the number of
// the first value that is still to come.
func (c *column) fill(row int64) error {
	for len(c.values) == 0 {
		if c.pages == nil {
			return io.EOF
		}
		page, err := c.pages.ReadPage()
		if err == io.EOF {
			return io.EOF
		}
		if err != nil {
			return fmt.Errorf("row %d: %s: %w", row, c.name, err)
		}
		err = c.load(page)
		parquet.Release(page)
		if err != nil {
			return fmt.Errorf("row %d: %s: %w", row, c.name, err)
		}
		if i := c.firstNull(); i >= 0 && !c.nullable {
			return fmt.Errorf("row %d: %s: must not be null", row+int64(i), c.name)
		}
	}
	return nil
}

// drop gives up the first n values.
func (c *column) drop(n int) {
	c.values = c.values[n:]
	if len(c.present) > 0 {
		c.present = c.present[n:]
	}
}

// within says how many of the next n values are at least 0 and below the bound.
func (c *column) within(n int, row, bound int64) (int, error) {
	for i, value := range c.values[:n] {
		if value < 0 || value >= bound {
			return i, fmt.Errorf("row %d: %s: must be from 0 to %d, got %d", row+int64(i), c.name, bound-1, value)
		}
	}
	return n, nil
}

// has says whether value i of the page is there.
func (c *column) has(i int) bool { return len(c.present) == 0 || c.present[i] }

func (c *column) firstNull() int {
	for i, present := range c.present {
		if !present {
			return i
		}
	}
	return -1
}

func (c *column) load(page parquet.Page) error {
	values, err := integers(page.Data(), page.Dictionary())
	if err != nil {
		return err
	}
	c.present = nil
	if page.NumNulls() == 0 {
		c.values = values
		return nil
	}
	levels := page.DefinitionLevels()
	c.values, c.present = make([]int64, len(levels)), make([]bool, len(levels))
	next := 0
	for i, level := range levels {
		if int(level) != c.defined {
			continue
		}
		if next == len(values) {
			return fmt.Errorf("page has %d values for %d rows that are not null", len(values), next+1)
		}
		c.values[i], c.present[i] = values[next], true
		next++
	}
	return nil
}

// integers copies a page's values out of the memory that the page shares with others.
func integers(data encoding.Values, dictionary parquet.Dictionary) ([]int64, error) {
	if dictionary != nil {
		return lookup(data.Int32(), dictionary)
	}
	switch data.Kind() {
	case encoding.Int64:
		return append([]int64(nil), data.Int64()...), nil
	case encoding.Int32:
		return widened(data.Int32()), nil
	}
	return nil, fmt.Errorf("must hold integers, got %s", data.Kind())
}

func lookup(indexes []int32, dictionary parquet.Dictionary) ([]int64, error) {
	words, err := integers(dictionary.Page().Data(), nil)
	if err != nil {
		return nil, err
	}
	values := make([]int64, len(indexes))
	for i, index := range indexes {
		if int(index) >= len(words) || index < 0 {
			return nil, fmt.Errorf("index %d is out of the dictionary of %d words", index, len(words))
		}
		values[i] = words[index]
	}
	return values, nil
}

func widened(narrow []int32) []int64 {
	values := make([]int64, len(narrow))
	for i, v := range narrow {
		values[i] = int64(v)
	}
	return values
}
