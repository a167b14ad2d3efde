package simtest

import (
	"cmp"
	"container/heap"
	"slices"
	"sync"
	"testing/synctest"
	"time"
)

// world is virtual time and what happens in it. All of it but post belongs to one goroutine.
type world struct {
	seed   uint64
	events eventHeap
	times  map[int64]struct{} // of the events: no two are at the same
	timer  *time.Timer
	links  map[string]*link
	failed error

	mu   sync.Mutex
	mail []mail
	wake chan struct{} // of capacity 1: there is mail
}

// mail is what a goroutine of the session hands to the world.
type mail struct {
	link string // what comes from one goroutine keeps its order; otherwise links are taken by name
	do   func()
}

type event struct {
	at int64
	do func()
}

func newWorld(seed uint64) *world {
	w := &world{seed: seed, times: map[int64]struct{}{}, links: map[string]*link{}, wake: make(chan struct{}, 1)}
	w.timer = time.NewTimer(time.Hour)
	return w
}

// now is virtual time, which no step of a process's clock changes.
func now() int64 { return time.Now().UnixNano() }

// fail keeps the first thing that must not be.
func (w *world) fail(err error) {
	if w.failed == nil {
		w.failed = err
	}
}

// post may be called from any goroutine. It is done once all others wait.
func (w *world) post(link string, do func()) {
	w.mu.Lock()
	w.mail = append(w.mail, mail{link, do})
	w.mu.Unlock()
	select {
	case w.wake <- struct{}{}:
	default:
	}
}

// link carries messages one way, in order. What arrives at the same time arrives together.
type link struct {
	wanted, at int64 // when the newest arrive, as asked for and as it will be
	arriving   *[]func()
}

// at lets something happen at a time, or as soon after as nothing else does, and says when.
func (w *world) at(t int64, do func()) int64 {
	t = max(t, now()+1)
	for _, taken := w.times[t]; taken; _, taken = w.times[t] {
		t++
	}
	w.times[t] = struct{}{}
	heap.Push(&w.events, event{t, do})
	return t
}

func (w *world) after(d time.Duration, do func()) { w.at(now()+int64(d), do) }

// arrive lets something come over a link, behind what came over it before.
func (w *world) arrive(over string, latency time.Duration, do func()) {
	l := w.links[over]
	if l == nil {
		l = &link{}
		w.links[over] = l
	}
	if wanted := now() + int64(latency); wanted > l.wanted || l.at <= now() {
		arriving := &[]func(){}
		l.wanted, l.arriving = wanted, arriving
		l.at = w.at(max(wanted, l.at+1), func() {
			for _, do := range *arriving {
				do()
			}
		})
	}
	*l.arriving = append(*l.arriving, do)
}

// run lets the world go on until a time, or until something failed.
func (w *world) run(until int64) error {
	for w.failed == nil {
		w.settle()
		next := until
		if len(w.events) > 0 {
			next = min(next, w.events[0].at)
		}
		if wait := next - now(); wait > 0 {
			w.timer.Reset(time.Duration(wait))
			select {
			case <-w.timer.C:
			case <-w.wake:
				continue
			}
		}
		if len(w.events) == 0 || w.events[0].at > now() {
			break
		}
		e := heap.Pop(&w.events).(event)
		delete(w.times, e.at)
		e.do()
	}
	return w.failed
}

// settle does what was posted, until all goroutines wait and nothing more was.
func (w *world) settle() {
	for {
		synctest.Wait()
		w.mu.Lock()
		posted := w.mail
		w.mail = nil
		w.mu.Unlock()
		if len(posted) == 0 {
			return
		}
		slices.SortStableFunc(posted, func(a, b mail) int { return cmp.Compare(a.link, b.link) })
		for _, m := range posted {
			m.do()
		}
	}
}

// chance is a number that follows from the seed and what it is for, however much else happened before.
func (w *world) chance(of string, n ...int64) uint64 {
	h := w.seed ^ 0x9E3779B97F4A7C15
	for _, b := range []byte(of) {
		h = mix(h ^ uint64(b))
	}
	for _, v := range n {
		h = mix(h ^ uint64(v))
	}
	return h
}

// mix is the finalizer of SplitMix64.
func mix(x uint64) uint64 {
	x += 0x9E3779B97F4A7C15
	x = (x ^ x>>30) * 0xBF58476D1CE4E5B9
	x = (x ^ x>>27) * 0x94D049BB133111EB
	return x ^ x>>31
}

// eventHeap has the earliest first.
type eventHeap []event

func (h eventHeap) Len() int           { return len(h) }
func (h eventHeap) Less(i, j int) bool { return h[i].at < h[j].at }
func (h eventHeap) Swap(i, j int)      { h[i], h[j] = h[j], h[i] }
func (h *eventHeap) Push(e any)        { *h = append(*h, e.(event)) }
func (h *eventHeap) Pop() any {
	last := (*h)[len(*h)-1]
	*h = (*h)[:len(*h)-1]
	return last
}
