package journal

import (
	"bytes"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"testing"
	"time"
)

// eventSize is about that of an order with its decision.
const eventSize = 200

// times are how long each of many calls took.
type times []time.Duration

func (t *times) add(b *testing.B, run func() error) {
	start := time.Now()
	if err := run(); err != nil {
		b.Fatal(err)
	}
	*t = append(*t, time.Since(start))
}

func (t times) report(b *testing.B, name string) {
	slices.Sort(t)
	b.ReportMetric(float64(t[len(t)/2].Nanoseconds())/1e3, name+"-p50-us")
	b.ReportMetric(float64(t[len(t)*99/100].Nanoseconds())/1e3, name+"-p99-us")
}

// floor is what this host takes to make bytes durable: a write and a fdatasync, into a file of zeros.
type floor struct {
	file *os.File
	at   int64
}

func newFloor(b *testing.B) *floor {
	file, err := os.Create(filepath.Join(b.TempDir(), "zeros"))
	if err != nil {
		b.Fatal(err)
	}
	b.Cleanup(func() { _ = file.Close() })
	if err := writeZeros(file, 0, defaultSegmentSize); err != nil {
		b.Fatal(err)
	}
	if err := file.Sync(); err != nil {
		b.Fatal(err)
	}
	return &floor{file: file}
}

func (f *floor) write(block []byte, sync bool) error {
	if f.at+int64(len(block)) > defaultSegmentSize {
		f.at = 0
	}
	_, err := f.file.WriteAt(block, f.at)
	f.at += int64(len(block))
	if err != nil || !sync {
		return err
	}
	return syncData(f.file)
}

// BenchmarkAppend appends a batch and then, in turn, does the bare writes of as many bytes.
func BenchmarkAppend(b *testing.B) {
	for _, mode := range []struct {
		name string
		sync SyncMode
	}{{"fsync", SyncFsync}, {"os", SyncOS}} {
		for _, n := range []int{1, 16, 256, 1024} {
			b.Run(fmt.Sprintf("%s/batch=%d", mode.name, n), func(b *testing.B) {
				f, err := Open(b.TempDir(), Options{Sync: mode.sync})
				if err != nil {
					b.Fatal(err)
				}
				bare := newFloor(b)
				events := slices.Repeat([][]byte{bytes.Repeat([]byte{7}, eventSize)}, n)
				block := make([]byte, recordSize((eventPrefix+eventSize)*n))
				var appends, floors times
				next := uint64(1)
				for b.Loop() {
					appends.add(b, func() error { return f.Append(next, events) })
					floors.add(b, func() error { return bare.write(block, mode.sync == SyncFsync) })
					next += uint64(n)
				}
				total := time.Duration(0)
				for _, took := range appends {
					total += took
				}
				b.ReportMetric(float64(next-1)/total.Seconds(), "events/s")
				appends.report(b, "append")
				floors.report(b, "floor")
				if err := f.Close(); err != nil {
					b.Fatal(err)
				}
			})
		}
	}
}

// BenchmarkOpen checks a journal of a million events, in batches of 16, then reads it.
func BenchmarkOpen(b *testing.B) {
	const events, batch = 1_000_000, 16
	dir := b.TempDir()
	f, err := Open(dir, Options{Sync: SyncOS})
	if err != nil {
		b.Fatal(err)
	}
	contents := slices.Repeat([][]byte{bytes.Repeat([]byte{7}, eventSize)}, batch)
	for next := uint64(1); next <= events; next += batch {
		if err := f.Append(next, contents); err != nil {
			b.Fatal(err)
		}
	}
	if err := f.Close(); err != nil {
		b.Fatal(err)
	}
	var open, read time.Duration
	for b.Loop() {
		start := time.Now()
		if f, err = Open(dir, Options{Sync: SyncOS}); err != nil {
			b.Fatal(err)
		}
		open += time.Since(start)
		start = time.Now()
		seen := 0
		if err := f.ReadFrom(1, func(uint64, []byte) error { seen++; return nil }); err != nil || seen != events {
			b.Fatalf("%d events read, %v", seen, err)
		}
		read += time.Since(start)
		if err := f.Close(); err != nil {
			b.Fatal(err)
		}
	}
	b.ReportMetric(open.Seconds()*1e3/float64(b.N), "open-ms")
	b.ReportMetric(read.Seconds()*1e3/float64(b.N), "read-ms")
}
