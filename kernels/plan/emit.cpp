#include "emit.h"

#include <cmath>

namespace qrealm {
namespace {

uint64_t bit(int w) { return uint64_t(1) << w; }

// Where an element's controls are, once a tile is open.
struct Controls {
    uint64_t rows = 0;          // control wires among the rows
    uint32_t offset = 0;        // position of the rows that must read one
    uint32_t lane_mask = 0, lane_value = 0;
    std::vector<OuterBit> outer;

    Controls(Frame& frame, uint64_t mask, uint64_t value) {
        for (; mask; mask &= mask - 1) {
            const int w = __builtin_ctzll(mask);
            const bool one = value >> w & 1;
            if (frame.rows_mask & bit(w)) {
                rows |= bit(w);
                if (one) offset ^= frame.position(w);
            } else if (const int slot = frame.lane_slot(w); slot >= 0) {
                lane_mask |= 1u << slot;
                if (one) lane_value |= 1u << slot;
            } else {
                outer.push_back({frame.outer_parity(w), one});
            }
        }
    }

    bool lane(uint32_t l) const { return (l & lane_mask) == lane_value; }
};

std::vector<uint32_t> moved(std::vector<uint32_t> positions, uint32_t by) {
    if (by)
        for (uint32_t& p : positions) p ^= by;
    return positions;
}

}  // namespace

template <class T>
MicroOp<T> make_rotate(Frame& frame, const std::vector<const Element*>& group, const std::vector<const Element*>& phases,
                       double* scale) {
    MicroOp<T> op;
    op.type = Micro::rotate;
    op.group = static_cast<uint8_t>(group.size());
    uint64_t mask = 0;
    std::vector<uint32_t> positions;
    for (size_t j = 0; j < group.size(); ++j) {
        const Element& e = *group[j];
        mask |= bit(e.wire);
        positions.push_back(frame.position(e.wire));
        const double c = std::cos(e.angle / 2), s = std::sin(e.angle / 2);
        const bool sine = std::abs(s) > std::abs(c);
        if (sine) op.forms |= 1 << j;
        op.table.push_back(T(sine ? c / s : s / c));
        *scale *= sine ? s : c;
    }
    op.offsets = span(positions);
    op.bases = frame.bases(mask);
    op.shift = frame.shift();
    if (phases.empty()) return op;
    for (size_t row = 0; row < op.offsets.size(); ++row) {
        uint64_t ones = 0;
        for (size_t j = 0; j < group.size(); ++j)
            if (row >> j & 1) ones |= bit(group[j]->wire);
        double angle = 0;
        for (const Element* p : phases)
            if ((ones & p->mask) == p->value) angle += p->angle;
        op.high.push_back(T(std::cos(angle)));
        op.high.push_back(T(std::sin(angle)));
    }
    return op;
}

template <class T>
MicroOp<T> make_dense(Frame& frame, const Element& e, const DenseMatrix& m) {
    constexpr int lanes = Layout<T>::lanes;
    MicroOp<T> op;
    op.type = Micro::dense;
    op.group = e.num_targets;
    const Controls controls(frame, e.mask, e.value);
    uint64_t targets = 0;
    std::vector<uint32_t> positions;
    for (uint8_t w : m.targets) {
        targets |= bit(w);
        positions.push_back(frame.position(w));
    }
    op.offsets = span(positions);
    op.bases = moved(frame.bases(targets | controls.rows), controls.offset);
    op.shift = frame.shift();
    op.conditions = controls.outer;
    const size_t size = size_t(1) << op.group;
    if (op.group <= 2) {  // the whole matrix for every lane
        op.table.resize(size * size * 2 * lanes);
        T* out = op.table.data();
        for (size_t r = 0; r < size; ++r)
            for (size_t c = 0; c < size; ++c, out += 2 * lanes)
                for (int l = 0; l < lanes; ++l) {
                    const complex v = controls.lane(l) ? m.entries[r * size + c] : complex(r == c ? 1.0 : 0.0);
                    out[l] = T(v.real());
                    out[lanes + l] = T(v.imag());
                }
        return op;
    }
    op.table.resize(size * size * 2);
    for (size_t i = 0; i < size * size; ++i) {
        op.table[2 * i] = T(m.entries[i].real());
        op.table[2 * i + 1] = T(m.entries[i].imag());
    }
    op.lane_mask.resize(lanes);
    for (int l = 0; l < lanes; ++l) op.lane_mask[l] = T(controls.lane(l) ? 1 : 0);
    return op;
}

template <class T>
MicroOp<T> make_scale(Frame& frame, double factor) {
    constexpr int lanes = Layout<T>::lanes;
    MicroOp<T> op;
    op.type = Micro::phase;
    op.bases = frame.bases(0);
    op.table.assign(2 * lanes, T(0));
    for (int l = 0; l < lanes; ++l) op.table[l] = T(factor);
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
MicroOp<T> make_inner(Frame& frame, const Element& e, const Inner& inner, int selector, double scale) {
    constexpr int lanes = Layout<T>::lanes;
    const Controls controls(frame, e.mask, e.value);
    MicroOp<T> op;
    op.type = Micro::inner;
    op.slot = inner.slot;
    op.shift = frame.shift();
    op.conditions = controls.outer;
    uint32_t partner = frame.position(selector);
    for (uint64_t m = inner.x; m; m &= m - 1) partner ^= frame.position(__builtin_ctzll(m));
    op.offsets = {partner};
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
    for (int w : frame.outer)
        if (inner.z & bit(w)) op.sign_parity ^= frame.outer_parity(w);
    op.table.resize(lanes);
    for (int l = 0; l < lanes; ++l)
        op.table[l] = T(controls.lane(l) ? (__builtin_parity(l & lane_signs) ? -1 : 1) : 0);
    // P|y> = i^k (-1)^{y.z} |y ^ x>, k the number of Y: its imaginary part is that of i^k times the sum.
    const int power = __builtin_popcountll(inner.x & inner.z) & 3;
    op.real = power & 1;
    op.weight = inner.coefficient * scale * (power & 2 ? -1 : 1);
    return op;
}

namespace {

// The phase of "all these wires match", on the rows that match it.
template <class T>
MicroOp<T> make_phase(Frame& frame, const Element& e) {
    constexpr int lanes = Layout<T>::lanes;
    const Controls controls(frame, e.mask, e.value);
    MicroOp<T> op;
    op.type = Micro::phase;
    op.bases = moved(frame.bases(controls.rows), controls.offset);
    op.shift = frame.shift();
    op.conditions = controls.outer;
    op.table.resize(2 * lanes);
    for (int l = 0; l < lanes; ++l) {
        const complex v = controls.lane(l) ? std::polar(1.0, e.angle) : complex(1.0);
        op.table[l] = T(v.real());
        op.table[lanes + l] = T(v.imag());
    }
    return op;
}

// All phases of one and two wires between two mixings, gathered into one pass over the tile:
// phase(lane, low, high) = low table[low][lane] * high table[high][lane] * cross[high][low].
template <class T>
class DiagonalBuilder {
public:
    explicit DiagonalBuilder(Frame& frame) : frame_(frame), n_(static_cast<int>(frame.columns.size())), single_(n_, 0.0), pair_(size_t(n_) * n_, 0.0) {}

    void add(const Element& e) {
        common_ = empty_ ? e.mask : common_ & e.mask;
        used_ |= e.mask;
        empty_ = false;
        const int a = __builtin_ctzll(e.mask), b = 63 - __builtin_clzll(e.mask);
        if (a == b) {
            single_[a] += e.angle;
        } else {
            pair_[size_t(a) * n_ + b] += e.angle;
            pair_[size_t(b) * n_ + a] += e.angle;
        }
    }

    bool empty() const { return empty_; }
    MicroOp<T> build();

private:
    static constexpr int lanes = Layout<T>::lanes;
    Frame& frame_;
    int n_;
    std::vector<double> single_, pair_;
    uint64_t common_ = 0, used_ = 0;
    bool empty_ = true;
    std::vector<int> local_;  // wires of the tables: lanes, low rows, high rows; -1 where a lane is common

    double pair(int a, int b) const { return pair_[size_t(a) * n_ + b]; }
    void fold_common();
    std::vector<complex> table(const std::vector<int>& wires, bool with_lanes) const;
    static Table<T> blocks(const std::vector<complex>& values);
    Table<T> cross_table(const std::vector<int>& low, const std::vector<int>& high) const;
    void add_outer_phases(MicroOp<T>& op);
};

// With wires that every phase needs, only their ones are visited, and they leave the tables.
template <class T>
void DiagonalBuilder<T>::fold_common() {
    common_ &= ~frame_.lanes_of(common_);
    if (!common_) return;
    const int a = __builtin_ctzll(common_), b = 63 - __builtin_clzll(common_);
    if (a != b) {
        single_[a] = pair(a, b);  // the only phase there is: a constant on the rows where both read one
        pair_[size_t(a) * n_ + b] = pair_[size_t(b) * n_ + a] = 0;
        return;
    }
    for (int w = 0; w < n_; ++w) {
        if (w == a) continue;
        single_[w] = pair(a, w);
        pair_[size_t(a) * n_ + w] = pair_[size_t(w) * n_ + a] = 0;
    }
}

// Phases of all settings of `wires`, for every lane: single and pair phases among them, and with the lanes.
template <class T>
std::vector<complex> DiagonalBuilder<T>::table(const std::vector<int>& wires, bool with_lanes) const {
    const std::vector<int>& slots = frame_.lane_wires;
    std::vector<complex> out(size_t(lanes) << wires.size(), complex(1));
    if (with_lanes)
        for (size_t j = 0, filled = 1; j < slots.size(); ++j, filled *= 2) {
            const complex own = single_[slots[j]] ? std::polar(1.0, single_[slots[j]]) : complex(1);
            for (size_t l = 0; l < filled; ++l) {
                complex v = out[l] * own;
                for (size_t i = 0; i < j; ++i)
                    if ((l >> i & 1) && pair(slots[i], slots[j]) != 0) v *= std::polar(1.0, pair(slots[i], slots[j]));
                out[filled + l] = v;
            }
        }
    std::vector<complex> row(lanes), partner(size_t(1) << wires.size());
    for (size_t i = 0; i < wires.size(); ++i) {
        const int w = wires[i];
        row[0] = single_[w] ? std::polar(1.0, single_[w]) : complex(1);
        for (size_t j = 0, filled = 1; j < slots.size(); ++j, filled *= 2) {
            const double angle = pair(w, slots[j]);
            const complex p = angle ? std::polar(1.0, angle) : complex(1);
            for (size_t l = 0; l < filled; ++l) row[filled + l] = row[l] * p;
        }
        partner[0] = 1;
        for (size_t k = 0, filled = 1; k < i; ++k, filled *= 2) {
            const double angle = pair(w, wires[k]);
            const complex p = angle ? std::polar(1.0, angle) : complex(1);
            for (size_t r = 0; r < filled; ++r) partner[filled + r] = partner[r] * p;
        }
        const size_t half = size_t(1) << i;
        for (size_t r = 0; r < half; ++r)
            for (int l = 0; l < lanes; ++l) out[(half + r) * lanes + l] = out[r * lanes + l] * (partner[r] * row[l]);
    }
    return out;
}

template <class T>
Table<T> DiagonalBuilder<T>::blocks(const std::vector<complex>& values) {
    Table<T> out(values.size() * 2);
    for (size_t b = 0; b < values.size() / lanes; ++b)
        for (int l = 0; l < lanes; ++l) {
            out[b * 2 * lanes + l] = T(values[b * lanes + l].real());
            out[b * 2 * lanes + lanes + l] = T(values[b * lanes + l].imag());
        }
    return out;
}

// Phases between low and high rows, one number for each pair of settings; empty when there are none.
template <class T>
Table<T> DiagonalBuilder<T>::cross_table(const std::vector<int>& low, const std::vector<int>& high) const {
    bool crossing = false;
    for (int a : low)
        for (int b : high) crossing |= pair(a, b) != 0;
    if (!crossing) return {};
    std::vector<complex> line(size_t(1) << low.size()), values(line.size() << high.size(), complex(1));
    for (size_t i = 0; i < high.size(); ++i) {
        line[0] = 1;
        for (size_t k = 0, filled = 1; k < low.size(); ++k, filled *= 2) {
            const complex p = std::polar(1.0, pair(low[k], high[i]));
            for (size_t r = 0; r < filled; ++r) line[filled + r] = line[r] * p;
        }
        const size_t half = size_t(1) << i;
        for (size_t h = 0; h < half; ++h)
            for (size_t r = 0; r < line.size(); ++r) values[(half + h) * line.size() + r] = values[h * line.size() + r] * line[r];
    }
    Table<T> out(values.size() * 2);
    for (size_t i = 0; i < values.size(); ++i) {
        out[2 * i] = T(values[i].real());
        out[2 * i + 1] = T(values[i].imag());
    }
    return out;
}

// Outer wires give phases of their own, with local wires, and with one another.
template <class T>
void DiagonalBuilder<T>::add_outer_phases(MicroOp<T>& op) {
    for (size_t i = 0; i < frame_.outer.size(); ++i) {
        const int o = frame_.outer[i];
        if ((common_ & bit(o)) || !(used_ & bit(o))) continue;
        OuterPhase phase{frame_.outer_parity(o), std::polar(1.0, single_[o]), {}};
        for (int w : local_) phase.local.push_back(pair(o, w) ? std::polar(1.0, pair(o, w)) : complex(1));
        op.outer.push_back(std::move(phase));
    }
    for (size_t i = 0; i < frame_.outer.size(); ++i)
        for (size_t j = i + 1; j < frame_.outer.size(); ++j) {
            const int a = frame_.outer[i], b = frame_.outer[j];
            if ((common_ & (bit(a) | bit(b))) || pair(a, b) == 0) continue;
            // x y = (x + y - (x xor y)) / 2: three phases, each on one parity of the tile's number.
            const double half = pair(a, b) / 2;
            const uint32_t pa = frame_.outer_parity(a), pb = frame_.outer_parity(b);
            op.outer.push_back({pa, std::polar(1.0, half), {}});
            op.outer.push_back({pb, std::polar(1.0, half), {}});
            op.outer.push_back({pa ^ pb, std::polar(1.0, -half), {}});
        }
}

template <class T>
MicroOp<T> DiagonalBuilder<T>::build() {
    fold_common();
    MicroOp<T> op;
    op.type = Micro::diagonal;
    std::vector<int> free;
    uint32_t offset = 0;
    complex constant = 1;
    for (int w : frame_.rows) {
        if (common_ & bit(w)) offset ^= frame_.position(w);
        else free.push_back(w);
    }
    if (common_) {
        constant = std::polar(1.0, single_[__builtin_ctzll(common_)]);
        single_[__builtin_ctzll(common_)] = 0;
        for (uint64_t m = common_ & ~frame_.rows_mask; m; m &= m - 1)
            op.conditions.push_back({frame_.outer_parity(__builtin_ctzll(m)), true});
    }
    // Low rows are those that come first in memory.
    std::stable_sort(free.begin(), free.end(), [&](int a, int b) { return frame_.position(a) < frame_.position(b); });
    const size_t split = (free.size() + 1) / 2;
    const std::vector<int> low(free.begin(), free.begin() + split), high(free.begin() + split, free.end());
    auto positions = [&](const std::vector<int>& wires) {
        std::vector<uint32_t> out;
        for (int w : wires) out.push_back(frame_.position(w));
        return span(out);
    };
    op.bases = moved(positions(low), offset);
    op.offsets = positions(high);
    op.shift = frame_.shift();
    op.table = blocks(table(low, true));
    op.high = blocks(table(high, false));
    op.cross = cross_table(low, high);
    op.constant = constant;
    local_ = frame_.lane_wires;
    local_.insert(local_.end(), low.begin(), low.end());
    local_.insert(local_.end(), high.begin(), high.end());
    op.num_local = static_cast<uint8_t>(local_.size());
    add_outer_phases(op);
    return op;
}

}  // namespace

template <class T>
void make_diagonals(Frame& frame, const std::vector<const Element*>& phases, std::vector<MicroOp<T>>& ops) {
    DiagonalBuilder<T> pooled(frame);
    for (const Element* e : phases) {
        if (e->value == e->mask && __builtin_popcountll(e->mask) <= 2) pooled.add(*e);
        else ops.push_back(make_phase<T>(frame, *e));
    }
    if (!pooled.empty()) ops.push_back(pooled.build());
}

#define INSTANTIATE(T)                                                                                     \
    template MicroOp<T> make_rotate(Frame&, const std::vector<const Element*>&, const std::vector<const Element*>&, double*); \
    template MicroOp<T> make_dense(Frame&, const Element&, const DenseMatrix&);                            \
    template MicroOp<T> make_scale(Frame&, double);                                                        \
    template MicroOp<T> make_transpose(Frame&, const std::vector<int>&, const std::vector<int>&);          \
    template MicroOp<T> make_inner(Frame&, const Element&, const Inner&, int, double);                     \
    template void make_diagonals(Frame&, const std::vector<const Element*>&, std::vector<MicroOp<T>>&);
INSTANTIATE(float)
INSTANTIATE(double)

}  // namespace qrealm
