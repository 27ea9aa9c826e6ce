package route

import (
	"slices"
	"strings"
)

// node is a node of a radix tree over the routes' literal prefixes: the routes worth trying for a key are found by walking its
// first bytes, however many routes there are.
type node struct {
	label    string // the bytes from the parent to here
	edges    string // the first byte of each child's label
	children []*node
	routes   []*Route // every route whose prefix begins a key that leads here, in file order
}

// add puts a route below n, whose path is already matched; prefix is what is left of the route's.
func (n *node) add(prefix string, r *Route) {
	if prefix == "" {
		n.routes = append(n.routes, r)
		return
	}
	i := strings.IndexByte(n.edges, prefix[0])
	if i < 0 {
		n.edges += prefix[:1]
		n.children = append(n.children, &node{label: prefix, routes: []*Route{r}})
		return
	}
	child := n.children[i]
	common := 0
	for common < len(prefix) && common < len(child.label) && prefix[common] == child.label[common] {
		common++
	}
	if common < len(child.label) {
		upper := &node{label: child.label[:common], edges: child.label[common : common+1], children: []*node{child}}
		child.label = child.label[common:]
		n.children[i] = upper
		child = upper
	}
	child.add(prefix[common:], r)
}

// inherit gives every node the routes of those above it.
func (n *node) inherit(above []*Route) {
	n.routes = append(slices.Clone(above), n.routes...)
	slices.SortFunc(n.routes, func(a, b *Route) int { return a.index - b.index })
	for _, c := range n.children {
		c.inherit(n.routes)
	}
}

// find returns the routes whose literal prefix the key begins with, in file order.
func (n *node) find(key []byte) []*Route {
	for len(key) > 0 {
		i := strings.IndexByte(n.edges, key[0])
		if i < 0 {
			break
		}
		child := n.children[i]
		if !hasPrefix(key, child.label) {
			break
		}
		key = key[len(child.label):]
		n = child
	}
	return n.routes
}
