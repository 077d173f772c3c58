#include "emit.h"

namespace qrealm {
namespace {

uint64_t bit(int w) { return uint64_t(1) << w; }

// Where an element's controls are, once a tile is open.
struct Controls {
    uint64_t rows = 0;          // control wires among the rows
    uint32_t offset = 0;        // position of the rows that must read one
    uint32_t lane_select = 0, lane_value = 0;
    std::vector<OuterBit> outer;

    Controls(Frame& frame, uint64_t mask, uint64_t value) {
        for (; mask; mask &= mask - 1) {
            const int w = __builtin_ctzll(mask);
            const bool one = value >> w & 1;
            if (frame.rows_mask & bit(w)) {
                rows |= bit(w);
                if (one) offset ^= frame.position(w);
            } else if (const int slot = frame.lane_slot(w); slot >= 0) {
                lane_select |= 1u << slot;
                if (one) lane_value |= 1u << slot;
            } else {
                outer.push_back({frame.outer_parity(w), one});
            }
        }
    }
};

std::vector<uint32_t> moved(std::vector<uint32_t> positions, uint32_t by) {
    if (by)
        for (uint32_t& p : positions) p ^= by;
    return positions;
}

// The controls, and the rest of what an op on `targets` needs.
template <class T>
void place(MicroOp<T>& op, Frame& frame, const Element& e, uint64_t targets) {
    Controls controls(frame, e.mask, e.value);
    op.bases = moved(frame.bases(targets | controls.rows), controls.offset);
    op.shift = frame.shift();
    op.conditions = std::move(controls.outer);
    op.lane_select = controls.lane_select;
    op.lane_value = controls.lane_value;
}

// Rows as a table of low ones, those that come first in memory, times a table of high ones.
template <class T>
void place_rows(MicroOp<T>& op, Frame& frame, std::vector<int> rows, uint32_t offset) {
    std::stable_sort(rows.begin(), rows.end(), [&](int a, int b) { return frame.position(a) < frame.position(b); });
    const size_t split = (rows.size() + 1) / 2;
    DiagonalShape& shape = op.shape;
    shape.lanes = frame.lane_wires;
    shape.low.assign(rows.begin(), rows.begin() + split);
    shape.high.assign(rows.begin() + split, rows.end());
    auto positions = [&](const std::vector<int>& wires) {
        std::vector<uint32_t> out;
        for (int w : wires) out.push_back(frame.position(w));
        return span(out);
    };
    op.bases = moved(positions(shape.low), offset);
    op.offsets = positions(shape.high);
    op.shift = frame.shift();
    op.num_local = static_cast<uint8_t>(shape.lanes.size() + rows.size());
}

}  // namespace

template <class T>
MicroOp<T> make_rotate(Frame& frame, const Elements& e, const std::vector<const Element*>& group,
                       const std::vector<const Element*>& phases) {
    MicroOp<T> op;
    op.type = Micro::rotate;
    op.group = static_cast<uint8_t>(group.size());
    op.sources.reserve(group.size() + phases.size());
    uint64_t mask = 0;
    std::vector<uint32_t> positions;
    for (const Element* x : group) {
        mask |= bit(x->wire);
        positions.push_back(frame.position(x->wire));
        op.sources.push_back(e.index_of(x));
    }
    for (const Element* x : phases) op.sources.push_back(e.index_of(x));
    op.offsets = span(positions);
    op.bases = frame.bases(mask);
    op.shift = frame.shift();
    return op;
}

template <class T>
MicroOp<T> make_dense(Frame& frame, const Elements& e, const Element& x) {
    MicroOp<T> op;
    op.type = Micro::dense;
    op.group = x.num_targets;
    op.sources = {e.index_of(&x)};
    uint64_t targets = 0;
    std::vector<uint32_t> positions;
    for (uint8_t w : e.matrices[x.data].targets) {
        targets |= bit(w);
        positions.push_back(frame.position(w));
    }
    op.offsets = span(positions);
    place(op, frame, x, targets);
    return op;
}

template <class T>
MicroOp<T> make_scale() {
    MicroOp<T> op;
    op.type = Micro::scale;
    return op;
}

template <class T>
MicroOp<T> make_transpose(Frame& frame, const std::vector<int>& in, const std::vector<int>& out) {
    MicroOp<T> op;
    op.type = Micro::transpose;
    op.group = static_cast<uint8_t>(in.size());
    uint64_t mask = 0;
    std::vector<uint32_t> positions;
    for (size_t j = 0; j < in.size(); ++j) {
        op.lane_bit[j] = static_cast<uint8_t>(frame.lane_slot(in[j]));
        positions.push_back(frame.position(out[j]));
        mask |= bit(out[j]);
    }
    op.offsets = span(positions);
    op.bases = frame.bases(mask);
    op.shift = frame.shift();
    for (size_t j = 0; j < in.size(); ++j) {
        frame.lane_wires[op.lane_bit[j]] = out[j];
        frame.columns[in[j]] = frame.columns[out[j]];
        frame.columns[out[j]] = 0;
        for (int& w : frame.rows)
            if (w == out[j]) w = in[j];
        frame.rows_mask ^= bit(in[j]) | bit(out[j]);
    }
    return op;
}

template <class T>
MicroOp<T> make_inner(Frame& frame, const Elements& e, const Element& x, int selector) {
    constexpr int lanes = Layout<T>::lanes;
    const Inner& inner = e.inners[x.data];
    const Controls controls(frame, x.mask, x.value);
    MicroOp<T> op;
    op.type = Micro::inner;
    op.sources = {e.index_of(&x)};
    op.shift = frame.shift();
    op.conditions = controls.outer;
    op.partner = frame.position(selector);
    for (uint64_t m = inner.x; m; m &= m - 1) op.partner ^= frame.position(__builtin_ctzll(m));
    // Rows in the order of their wires, so that the bits of an index are the wires' values.
    std::vector<uint32_t> vectors;
    uint32_t sign_bits = 0;
    for (int w : frame.rows) {
        if (w == selector || (controls.rows & bit(w))) continue;
        if (inner.z & bit(w)) sign_bits |= 1u << vectors.size();
        vectors.push_back(frame.position(w));
    }
    const std::vector<uint32_t> positions = moved(span(vectors), controls.offset);
    for (int negative = 0; negative < 2; ++negative) {
        for (size_t i = 0; i < positions.size(); ++i)
            if (__builtin_parity(uint32_t(i) & sign_bits) == negative) op.bases.push_back(positions[i]);
        if (!negative) op.num_positive = static_cast<uint32_t>(op.bases.size());
    }
    uint32_t lane_signs = 0;
    for (size_t j = 0; j < frame.lane_wires.size(); ++j)
        if (inner.z >> frame.lane_wires[j] & 1) lane_signs |= 1u << j;
    op.readings = {{x.data, inner.slot}};
    for (int w : frame.outer)
        if (inner.z & bit(w)) op.readings[0].sign_parity ^= frame.outer_parity(w);
    op.table.resize(lanes);
    for (uint32_t l = 0; l < lanes; ++l)
        op.table[l] = T((l & controls.lane_select) == controls.lane_value ? (__builtin_parity(l & lane_signs) ? -1 : 1) : 0);
    return op;
}

template <class T>
MicroOp<T> make_rotate_inner(Frame& frame, const Elements& e, const std::vector<const Element*>& group, int selector) {
    MicroOp<T> op = make_rotate<T>(frame, e, group, {});
    op.type = Micro::rotate_inner;
    uint64_t mask = bit(selector);
    for (size_t j = 0; j < group.size(); ++j) {
        const Element& x = *group[j];
        mask |= bit(x.wire);
        auto add = [&](int inner, size_t part) { op.readings.push_back({inner, e.inners[inner].slot, 0, static_cast<uint32_t>(part)}); };
        if (x.data >= 0) add(x.data, j);
        if (x.before >= 0)
            for (int inner : e.befores[x.before].parities) add(inner, group.size() + j);
    }
    op.bases = frame.bases(mask);
    op.partner = frame.position(selector);
    return op;
}

template <class T>
MicroOp<T> make_parities(Frame& frame, const Elements& e, const std::vector<const Element*>& parities, int selector) {
    MicroOp<T> op;
    op.type = Micro::parities;
    op.shift = frame.shift();
    op.partner = frame.position(selector);
    std::vector<int> rows;
    std::vector<uint32_t> vectors;
    for (int w : frame.rows)
        if (w != selector) {
            rows.push_back(w);
            vectors.push_back(frame.position(w));
        }
    op.bases = span(vectors);
    for (const Element* x : parities) {
        Reading reading{x->data, e.inners[x->data].slot};
        RowPair pair{-1, -1};
        for (uint64_t m = x->mask; m; m &= m - 1) {
            const int w = __builtin_ctzll(m);
            if (const int slot = frame.lane_slot(w); slot >= 0) {
                reading.lane_signs |= 1u << slot;
            } else if (frame.rows_mask & bit(w)) {
                const int row = static_cast<int>(std::find(rows.begin(), rows.end(), w) - rows.begin());
                pair = {std::max(pair.high, row), pair.high < 0 ? -1 : std::min(pair.high, row)};
            } else {
                reading.sign_parity ^= frame.outer_parity(w);
            }
        }
        const auto found = std::find(op.row_pairs.begin(), op.row_pairs.end(), pair);
        reading.part = static_cast<uint32_t>(found - op.row_pairs.begin());
        if (found == op.row_pairs.end()) op.row_pairs.push_back(pair);
        op.readings.push_back(reading);
    }
    return op;
}

template <class T>
MicroOp<T> make_contract(Frame& frame, int selector) {
    MicroOp<T> op;
    op.type = Micro::contract;
    std::vector<int> rows(frame.rows);
    std::erase(rows, selector);
    place_rows(op, frame, rows, 0);
    op.partner = frame.position(selector);
    for (int w : frame.outer) op.shape.outer.push_back({w, frame.outer_parity(w)});
    return op;
}

namespace {

// The phase of "all these wires match", on the rows that match it.
template <class T>
MicroOp<T> make_phase(Frame& frame, const Elements& e, const Element& x) {
    MicroOp<T> op;
    op.type = Micro::phase;
    op.sources = {e.index_of(&x)};
    place(op, frame, x, 0);
    return op;
}

// All phases of one and two wires between two mixings, gathered into one pass over the tile.
template <class T>
MicroOp<T> make_diagonal(Frame& frame, const Elements& e, const std::vector<const Element*>& phases, int selector) {
    MicroOp<T> op;
    op.type = Micro::diagonal;
    uint64_t common = ~uint64_t(0), used = 0;
    op.sources.reserve(phases.size());
    for (const Element* x : phases) {
        common &= x->value;  // none with one that acts on zero
        used |= x->mask;
        op.sources.push_back(e.index_of(x));
    }
    common &= ~frame.lanes_of(common);
    DiagonalShape& shape = op.shape;
    shape.common = common;
    std::vector<int> free;
    uint32_t offset = 0;
    for (int w : frame.rows) {
        if (common & bit(w)) offset ^= frame.position(w);
        else if (w == selector) op.partner = frame.position(w);
        else free.push_back(w);
    }
    for (uint64_t m = common & ~frame.rows_mask; m; m &= m - 1)
        op.conditions.push_back({frame.outer_parity(__builtin_ctzll(m)), true});
    place_rows(op, frame, free, offset);
    for (int w : frame.outer)
        if (used & ~common & bit(w)) shape.outer.push_back({w, frame.outer_parity(w)});
    return op;
}

}  // namespace

template <class T>
void make_diagonals(Frame& frame, const Elements& e, const std::vector<const Element*>& phases, int selector, bool reusable,
                    std::vector<MicroOp<T>>& ops) {
    // Tables hold numbers up to e^most: single precision ends at e^88.
    constexpr double most = 40;
    std::vector<const Element*> pooled;
    MicroOp<T> nothing;  // visits no row
    nothing.type = Micro::phase;
    double grown = 0;
    for (const Element* x : phases) {
        if (x->angle == 0 && x->log == 0 && !reusable) {  // a factor of the whole state
            nothing.sources.push_back(e.index_of(x));
            continue;
        }
        const bool zero = x->value == 0 && __builtin_popcountll(x->mask) == 1;  // becomes its inverse on one
        const double growth = std::max(0.0, zero ? -x->log : x->log);
        const bool pools = (x->value == x->mask || zero) && __builtin_popcountll(x->mask) <= 2 && growth < most;
        if (!pools) {
            ops.push_back(make_phase<T>(frame, e, *x));
            continue;
        }
        if (grown + growth > most) {
            ops.push_back(make_diagonal<T>(frame, e, pooled, selector));
            pooled.clear();
            grown = 0;
        }
        pooled.push_back(x);
        grown += growth;
    }
    if (!nothing.sources.empty()) ops.push_back(std::move(nothing));
    if (!pooled.empty()) ops.push_back(make_diagonal<T>(frame, e, pooled, selector));
}

#define INSTANTIATE(T)                                                                                                     \
    template MicroOp<T> make_rotate(Frame&, const Elements&, const std::vector<const Element*>&, const std::vector<const Element*>&); \
    template MicroOp<T> make_dense(Frame&, const Elements&, const Element&);                                               \
    template MicroOp<T> make_scale();                                                                                      \
    template MicroOp<T> make_transpose(Frame&, const std::vector<int>&, const std::vector<int>&);                          \
    template MicroOp<T> make_inner(Frame&, const Elements&, const Element&, int);                                          \
    template MicroOp<T> make_rotate_inner(Frame&, const Elements&, const std::vector<const Element*>&, int);               \
    template MicroOp<T> make_contract(Frame&, int);                                                                        \
    template MicroOp<T> make_parities(Frame&, const Elements&, const std::vector<const Element*>&, int);                   \
    template void make_diagonals(Frame&, const Elements&, const std::vector<const Element*>&, int, bool, std::vector<MicroOp<T>>&);
INSTANTIATE(float)
INSTANTIATE(double)

}  // namespace qrealm
