package sim

import "math/bits"

// A ladder finds price levels by price: a trie of 64-way nodes, each with a bitmap of its children. It
// is as deep as the prices in it are far apart (four nodes for a range of 16 million ticks), so its cost
// depends neither on the number of orders nor on the number of levels. Nodes are kept for reuse: in
// steady state nothing is allocated.
type ladder struct {
	nodes  []node
	free   []int32
	root   int32
	depth  uint   // levels of nodes below and including the root
	prefix uint64 // key >> (6*depth), the same for all keys
	count  int

	// The leaf that was used last: most commands touch prices near each other.
	lastKey  uint64 // key >> 6
	lastLeaf int32
}

type node struct {
	bits  uint64
	child [64]int32 // node index, or in a leaf the caller's value
}

const none = int32(-1)

func newLadder() ladder { return ladder{root: none, lastLeaf: none} }

// key maps prices to unsigned numbers in the same order.
func key(price int64) uint64 { return uint64(price) ^ 1<<63 }

func priceOf(key uint64) int64 { return int64(key ^ 1<<63) }

func (l *ladder) alloc() int32 {
	if n := len(l.free); n > 0 {
		index := l.free[n-1]
		l.free = l.free[:n-1]
		return index
	}
	l.nodes = append(l.nodes, node{})
	return int32(len(l.nodes) - 1)
}

// get returns the value at a price, or none.
func (l *ladder) get(price int64) int32 {
	k := key(price)
	leaf := l.leaf(k)
	if leaf == none || l.nodes[leaf].bits>>(k&63)&1 == 0 {
		return none
	}
	return l.nodes[leaf].child[k&63]
}

// leaf returns the leaf that holds a key, or none.
func (l *ladder) leaf(k uint64) int32 {
	if l.lastLeaf != none && l.lastKey == k>>6 {
		return l.lastLeaf
	}
	if l.root == none || shiftRight(k, 6*l.depth) != l.prefix {
		return none
	}
	index := l.root
	for d := l.depth - 1; d > 0; d-- {
		slot := k >> (6 * d) & 63
		if l.nodes[index].bits>>slot&1 == 0 {
			return none
		}
		index = l.nodes[index].child[slot]
	}
	l.lastKey, l.lastLeaf = k>>6, index
	return index
}

// put stores a value at a price that holds none.
func (l *ladder) put(price int64, value int32) {
	k := key(price)
	l.count++
	leaf := l.leaf(k)
	if leaf == none {
		leaf = l.grow(k)
	}
	l.nodes[leaf].bits |= 1 << (k & 63)
	l.nodes[leaf].child[k&63] = value
}

// grow makes the path to a key's leaf, raising the root until it covers the key.
func (l *ladder) grow(k uint64) int32 {
	if l.root == none {
		l.root, l.depth, l.prefix = l.alloc(), 1, k>>6
	}
	for shiftRight(k, 6*l.depth) != l.prefix {
		root := l.alloc()
		slot := l.prefix & 63
		l.nodes[root].bits |= 1 << slot
		l.nodes[root].child[slot] = l.root
		l.root, l.depth, l.prefix = root, l.depth+1, l.prefix>>6
	}
	index := l.root
	for d := l.depth - 1; d > 0; d-- {
		slot := k >> (6 * d) & 63
		if l.nodes[index].bits>>slot&1 == 0 {
			child := l.alloc()
			l.nodes[index].bits |= 1 << slot
			l.nodes[index].child[slot] = child
		}
		index = l.nodes[index].child[slot]
	}
	l.lastKey, l.lastLeaf = k>>6, index
	return index
}

// remove takes out the value at a price that holds one, and the nodes that it leaves empty.
func (l *ladder) remove(price int64) {
	k := key(price)
	l.count--
	leaf := l.leaf(k)
	l.nodes[leaf].bits &^= 1 << (k & 63)
	if l.nodes[leaf].bits != 0 {
		return
	}
	l.lastLeaf = none
	l.prune(k)
}

func (l *ladder) prune(k uint64) {
	var path [11]int32
	index := l.root
	for d := l.depth - 1; d > 0; d-- {
		path[d] = index
		index = l.nodes[index].child[k>>(6*d)&63]
	}
	for d := uint(0); ; d++ {
		l.free = append(l.free, index)
		if d == l.depth-1 {
			l.root, l.depth = none, 0
			return
		}
		index = path[d+1]
		l.nodes[index].bits &^= 1 << (k >> (6 * (d + 1)) & 63)
		if l.nodes[index].bits != 0 {
			return
		}
	}
}

// lowest returns the lowest price and its value.
func (l *ladder) lowest() (price int64, value int32, ok bool) {
	if l.root == none {
		return 0, none, false
	}
	return l.descend(l.root, l.depth-1, l.prefix, false)
}

// highest returns the highest price and its value.
func (l *ladder) highest() (price int64, value int32, ok bool) {
	if l.root == none {
		return 0, none, false
	}
	return l.descend(l.root, l.depth-1, l.prefix, true)
}

// descend follows the lowest or highest child of each node down to a value.
func (l *ladder) descend(index int32, d uint, prefix uint64, high bool) (int64, int32, bool) {
	for ; ; d-- {
		n := &l.nodes[index]
		slot := uint64(bits.TrailingZeros64(n.bits))
		if high {
			slot = uint64(63 - bits.LeadingZeros64(n.bits))
		}
		prefix = prefix<<6 | slot
		index = n.child[slot]
		if d == 0 {
			return priceOf(prefix), index, true
		}
	}
}

// after returns the next price above (up) or below a price that is in the ladder, and its value.
func (l *ladder) after(price int64, up bool) (int64, int32, bool) {
	k := key(price)
	var path [11]int32
	index := l.root
	for d := l.depth - 1; ; d-- {
		path[d] = index
		if d == 0 {
			break
		}
		index = l.nodes[index].child[k>>(6*d)&63]
	}
	for d := uint(0); d < l.depth; d++ {
		n := &l.nodes[path[d]]
		slot := k >> (6 * d) & 63
		rest := n.bits & (1<<slot - 1)
		if up {
			rest = n.bits &^ (1<<slot | (1<<slot - 1))
		}
		if rest == 0 {
			continue
		}
		next := uint64(63 - bits.LeadingZeros64(rest))
		if up {
			next = uint64(bits.TrailingZeros64(rest))
		}
		prefix := shiftRight(k, 6*(d+1))<<6 | next
		if d == 0 {
			return priceOf(prefix), n.child[next], true
		}
		return l.descend(n.child[next], d-1, prefix, !up)
	}
	return 0, none, false
}

// shiftRight is k >> n for n up to 66, where Go's own shift gives 0 past 63 as well, spelled out because
// the deepest trie has 11 levels of 6 bits.
func shiftRight(k uint64, n uint) uint64 {
	if n > 63 {
		return 0
	}
	return k >> n
}
