package lineprotocol

import (
	"bytes"
	"strings"

	"github.com/zeebo/xxh3"
)

// maxOrderedTags bounds the tags of a key whose order is remembered: their
// positions are bytes.
const maxOrderedTags = 64

// tagOrders is the orders in which the tags of raw keys make canonical ones,
// numbered from firstOrder: clients write the tags of all their series in one
// order, or few. An order is the positions of the tags as written.
type tagOrders struct {
	list   []string
	byText map[string]uint16
	last   uint16 // the one that came last, or canonicalText
}

// maxTagOrders bounds the orders, which a client that is out for it makes
// many of.
const maxTagOrders = 1 << 10

// number gives an order its number; ok is false when there are too many.
func (o *tagOrders) number(order []byte) (spelling uint16, ok bool) {
	if spelling, ok = o.byText[string(order)]; ok {
		return spelling, true
	}
	if len(o.list) == maxTagOrders {
		return 0, false
	}
	if o.byText == nil {
		o.byText = make(map[string]uint16)
	}
	spelling = firstOrder + uint16(len(o.list))
	o.list = append(o.list, string(order))
	o.byText[o.list[len(o.list)-1]] = spelling
	return spelling, true
}

// of gives an order by its number.
func (o *tagOrders) of(spelling uint16) string { return o.list[spelling-firstOrder] }

// rawTag is a tag of a plain key: where it begins, with its comma, where its
// name ends, and where it does.
type rawTag struct {
	start, equals, end int
}

// learn adds a key that the memo does not have, with this hash. It gives false
// for a key that is not written in the usual way: with a backslash, an equal
// sign in a value, or what is not allowed. What it accepts, the reference
// decoder accepts with the same canonical key.
func (w *worker) learn(key []byte, h xxh3.Uint128) (raw uint32, ok bool) {
	if strings.IndexByte(" \t\x00#,", key[0]) >= 0 || bytes.IndexByte(key, '\\') >= 0 {
		return 0, false
	}
	if !w.cut(key) {
		return 0, false
	}
	spelling, ok := w.orderTags(key)
	if !ok {
		return 0, false
	}
	measurement, canonical := key, key
	if len(w.cuts) > 0 {
		measurement = key[:w.cuts[0].start]
	}
	if spelling != canonicalText {
		w.key = appendOrdered(w.key[:0], key, w.memo.orders.of(spelling))
		canonical = w.key
	}
	of := w.memo.seriesOf(canonical, w.cfg.HashSeed, w.memo.measurement(measurement))
	return w.memo.addRaw(h, len(key), of, spelling), true
}

// cut finds the tags of a key without backslashes. It gives false when one of
// them is not written as it should be, and for one that is never stored.
func (w *worker) cut(key []byte) bool {
	w.cuts = w.cuts[:0]
	i := bytes.IndexByte(key, ',')
	for i >= 0 && i < len(key) {
		t := rawTag{start: i, end: len(key)}
		if n := bytes.IndexByte(key[i+1:], ','); n >= 0 {
			t.end = i + 1 + n
		}
		tag := key[i+1 : t.end]
		n := bytes.IndexByte(tag, '=')
		if n <= 0 || n+1 == len(tag) || bytes.IndexByte(tag[n+1:], '=') >= 0 || string(tag[:n]) == "time" {
			return false
		}
		t.equals = i + 1 + n
		if len(w.cuts) == maxOrderedTags {
			return false
		}
		w.cuts = append(w.cuts, t)
		i = t.end
	}
	return true
}

// orderTags finds the order that makes w.cuts canonical. It gives false when
// two of them have one name.
func (w *worker) orderTags(key []byte) (spelling uint16, ok bool) {
	n := len(w.cuts)
	name := func(i int) []byte { t := w.cuts[i]; return key[t.start+1 : t.equals] }
	inOrder := func(order string) bool {
		for i := 1; i < n; i++ {
			if bytes.Compare(name(int(order[i-1])), name(int(order[i]))) >= 0 {
				return false
			}
		}
		return true
	}
	if inOrder(identity[:n]) {
		return canonicalText, true
	}
	orders := &w.memo.orders
	if orders.last >= firstOrder {
		if order := orders.of(orders.last); len(order) == n && inOrder(order) {
			return orders.last, true
		}
	}
	order := append(make([]byte, 0, maxOrderedTags), identity[:n]...)
	for i := 1; i < n; i++ { // they are few
		for j := i; j > 0 && bytes.Compare(name(int(order[j-1])), name(int(order[j]))) > 0; j-- {
			order[j-1], order[j] = order[j], order[j-1]
		}
	}
	if !inOrder(text(order)) {
		return 0, false
	}
	if spelling, ok = orders.number(order); ok {
		orders.last = spelling
	}
	return spelling, ok
}

// identity is the order in which tags are written.
var identity = func() string {
	var b [maxOrderedTags]byte
	for i := range b {
		b[i] = byte(i)
	}
	return string(b[:])
}()

// appendOrdered adds the canonical key of a plain key with tags of this order.
func appendOrdered(dst, key []byte, order string) []byte {
	var starts [maxOrderedTags + 1]int
	at := bytes.IndexByte(key, ',')
	dst = append(dst, key[:at]...)
	for i := range len(order) {
		starts[i] = at
		n := bytes.IndexByte(key[at+1:], ',')
		if n < 0 {
			n = len(key) - at - 1
		}
		at += 1 + n
	}
	starts[len(order)] = at
	for i := range len(order) {
		tag := order[i]
		dst = append(dst, key[starts[tag]:starts[tag+1]]...)
	}
	return dst
}
