"""Prefix beam search for connectionist temporal classification.

Legend: T time, K classes, W width of the beam.

a. A prefix is a node of a tree: its parent and its last symbol.  A prefix that left the beam and
   comes back is found among the children of its parent, so none is ever in the beam twice.
b. Each prefix has two numbers: log p of all ways to it that end with a blank, and of all others.
   A prefix can stay as it is, or be extended by a symbol; where the extended prefix is in the
   beam itself, both ways are added.
c. The next beam are the W best of all these, ties in the order in which they were found.
"""

from libc.math cimport INFINITY
from libc.stdint cimport int64_t
from libc.string cimport memset

import numpy as np

from seqkit._core.logspace cimport log_add
from seqkit._core.machine cimport Arena, address

cdef struct Node:
    int64_t parent, symbol, child, sibling      # of the first child, of the next child of the same parent; -1 is none
    int64_t place                               # in the beam, or -1

cdef struct Prefix:
    int64_t node, symbol                        # symbol: to be appended to the node, or -1
    double blank, other, score                  # log p: ending with a blank, with a symbol, both

cdef struct Search:
    int64_t classes, blank, width, count, nodes, found
    Node *tree
    Prefix *beam
    Prefix *best                                # of the next step, best first
    char *taken                                 # (W, K): this extension is in the beam


cdef void offer(Search *w, int64_t node, int64_t symbol, double blank, double other) noexcept nogil:
    """Put a prefix among the best, if it belongs there."""
    cdef double score = log_add(blank, other)
    cdef int64_t n = w.found
    if score == -INFINITY or (n == w.width and score <= w.best[n - 1].score):
        return
    if n == w.width:
        n -= 1
    else:
        w.found += 1
    while n > 0 and w.best[n - 1].score < score:
        w.best[n] = w.best[n - 1]
        n -= 1
    w.best[n] = Prefix(node, symbol, blank, other, score)


cdef double extended(const Search *w, const Prefix *prefix, int64_t symbol, const double *log_p) noexcept nogil:
    """log p of a prefix and one more symbol; the same symbol twice needs a blank between."""
    cdef bint repeated = w.tree[prefix.node].symbol == symbol
    return (prefix.blank if repeated else prefix.score) + log_p[symbol]


cdef void offer_all(Search *w, const double *log_p) noexcept nogil:
    cdef int64_t n, k, parent, symbol
    cdef double other
    cdef Prefix *prefix
    memset(w.taken, 0, w.count * w.classes)
    w.found = 0
    for n in range(w.count):
        prefix, symbol = &w.beam[n], w.tree[w.beam[n].node].symbol
        parent = w.tree[w.tree[prefix.node].parent].place if symbol >= 0 else -1
        other = prefix.other + log_p[symbol] if symbol >= 0 else -INFINITY
        if parent >= 0:
            other = log_add(other, extended(w, &w.beam[parent], symbol, log_p))
            w.taken[parent * w.classes + symbol] = 1
        offer(w, prefix.node, -1, prefix.score + log_p[w.blank], other)
    for n in range(w.count):
        for k in range(w.classes):
            if k != w.blank and not w.taken[n * w.classes + k]:
                offer(w, w.beam[n].node, k, -INFINITY, extended(w, &w.beam[n], k, log_p))


cdef int64_t child(Search *w, int64_t parent, int64_t symbol) noexcept nogil:
    """The node of a prefix and one more symbol, made if there is none."""
    cdef int64_t node = w.tree[parent].child
    while node >= 0:
        if w.tree[node].symbol == symbol:
            return node
        node = w.tree[node].sibling
    node = w.nodes
    w.nodes += 1
    w.tree[node] = Node(parent, symbol, -1, w.tree[parent].child, -1)
    w.tree[parent].child = node
    return node


cdef void advance(Search *w, const double *log_p) noexcept nogil:
    """The beam one step later."""
    cdef int64_t n
    offer_all(w, log_p)
    for n in range(w.count):
        w.tree[w.beam[n].node].place = -1
    for n in range(w.found):
        if w.best[n].symbol >= 0:
            w.best[n].node = child(w, w.best[n].node, w.best[n].symbol)
        w.tree[w.best[n].node].place = n
    w.beam, w.best = w.best, w.beam
    w.count = w.found


def beam_search(log_p, int64_t width, int64_t blank):
    """The most probable labels found, and log p of all ways to them that stayed in the beam.

    `log_p` is a C-contiguous float64 array (T, K).
    """
    cdef Search w
    cdef Arena arena = Arena()
    cdef int64_t t, node, steps = log_p.shape[0]
    cdef const double *rows = <double *>address(log_p)
    w.classes, w.blank, w.width = log_p.shape[1], blank, width
    tree, prefixes, taken = (steps * width + 1) * sizeof(Node), width * sizeof(Prefix), width * w.classes
    arena.reserve(tree + 2 * prefixes + taken + 64 * 4)
    w.tree, w.taken = <Node *>arena.take(tree), arena.take(taken)
    w.beam, w.best = <Prefix *>arena.take(prefixes), <Prefix *>arena.take(prefixes)
    w.tree[0] = Node(-1, -1, -1, -1, 0)
    w.beam[0] = Prefix(0, -1, 0.0, -INFINITY, 0.0)
    w.nodes = w.count = 1
    with nogil:
        for t in range(steps):
            advance(&w, rows + t * w.classes)
    node, labels = w.beam[0].node, []
    while w.tree[node].symbol >= 0:
        labels.append(w.tree[node].symbol)
        node = w.tree[node].parent
    return np.array(labels[::-1], np.int64), w.beam[0].score
