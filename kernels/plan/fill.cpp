#include "fill.h"

#include <cmath>

namespace qrealm {
namespace {

uint64_t bit(int w) { return uint64_t(1) << w; }

}  // namespace

template <class T>
void Filler<T>::operator()(MicroOp<T>& op) {
    switch (op.type) {
        case Micro::rotate: return rotate(op);
        case Micro::rotate_inner:
            read(op);  // before its own factor
            rotate(op);
            return before(op);
        case Micro::parities: return read(op);
        case Micro::dense: return dense(op);
        case Micro::phase: return phase(op);
        case Micro::diagonal: return diagonal(op);
        case Micro::scale: return limit(op);
        case Micro::inner: return inner(op);
        case Micro::contract:
        case Micro::transpose: return;
    }
}

template <class T>
void Filler<T>::rotate(MicroOp<T>& op) {
    double taken = 1;
    op.forms = 0;
    op.table.resize(op.group);
    for (int j = 0; j < op.group; ++j) {
        const double half = e_.list[op.sources[j]].angle / 2;
        const double c = std::cos(half), s = std::sin(half);
        const bool sine = std::abs(s) > std::abs(c);
        if (sine) op.forms |= 1 << j;
        op.table[j] = T(sine ? c / s : s / c);
        taken *= sine ? s : c;
    }
    scale *= taken;
    log2_growth -= std::log2(std::abs(taken));
    for (uint32_t source : op.sources) take_out(e_.list[source].common);
    if (op.sources.size() == op.group) return;
    // The phase of each row of the group: bit j of a row is the wire of rotation j.
    std::array<complex, 8> rows;
    rows.fill(complex(1));
    for (size_t k = op.group; k < op.sources.size(); ++k) {
        const Element& p = e_.list[op.sources[k]];
        unsigned mask = 0, value = 0;
        for (int j = 0; j < op.group; ++j) {
            const uint64_t wire = bit(e_.list[op.sources[j]].wire);
            if (p.mask & wire) mask |= 1u << j;
            if (p.value & wire) value |= 1u << j;
        }
        const complex by = factor_of(p.angle, p.log);
        for (unsigned row = 0; row < op.offsets.size(); ++row)
            if ((row & mask) == value) rows[row] *= by;
    }
    op.high.resize(2 * op.offsets.size());
    for (size_t row = 0; row < op.offsets.size(); ++row) {
        op.high[2 * row] = T(rows[row].real());
        op.high[2 * row + 1] = T(rows[row].imag());
    }
}

// A factor e^log of the whole state, which stored amplitudes do without.
template <class T>
void Filler<T>::take_out(double log) {
    if (log == 0) return;
    scale *= std::exp(log);
    log2_growth -= log / std::log(2.0);
}

template <class T>
void Filler<T>::dense(MicroOp<T>& op) const {
    const std::vector<complex>& entries = e_.matrices[e_.list[op.sources[0]].data].entries;
    const size_t size = size_t(1) << op.group;
    auto acts = [&op](uint32_t lane) { return (lane & op.lane_select) == op.lane_value; };
    if (op.group <= 2) {  // the whole matrix for every lane
        op.table.resize(size * size * 2 * lanes);
        T* out = op.table.data();
        for (size_t r = 0; r < size; ++r)
            for (size_t c = 0; c < size; ++c, out += 2 * lanes)
                for (int l = 0; l < lanes; ++l) {
                    const complex v = acts(l) ? entries[r * size + c] : complex(r == c ? 1.0 : 0.0);
                    out[l] = T(v.real());
                    out[lanes + l] = T(v.imag());
                }
        return;
    }
    op.table.resize(size * size * 2);
    for (size_t i = 0; i < size * size; ++i) {
        op.table[2 * i] = T(entries[i].real());
        op.table[2 * i + 1] = T(entries[i].imag());
    }
    op.lane_mask.resize(lanes);
    for (int l = 0; l < lanes; ++l) op.lane_mask[l] = T(acts(l) ? 1 : 0);
}

template <class T>
void Filler<T>::phase(MicroOp<T>& op) {
    const Element& e = e_.list[op.sources[0]];
    for (uint32_t source : op.sources) take_out(e_.list[source].common);
    const complex v = factor_of(e.angle, e.log);
    op.table.resize(2 * lanes);
    for (uint32_t l = 0; l < lanes; ++l) {
        const bool acts = (l & op.lane_select) == op.lane_value;
        op.table[l] = T(acts ? v.real() : 1);
        op.table[lanes + l] = T(acts ? v.imag() : 0);
    }
}

template <class T>
void Filler<T>::limit(MicroOp<T>& op) {
    const double factor = std::exp2(-std::floor(log2_growth));
    op.table.assign(1, T(factor));
    scale /= factor;
    log2_growth += std::log2(factor);
}

template <class T>
void Filler<T>::inner(MicroOp<T>& op) const {
    const Inner& inner = e_.inners[e_.list[op.sources[0]].data];
    // P|y> = i^k (-1)^{y.z} |y ^ x>, k the number of Y: its imaginary part is that of i^k times the sum.
    const int power = __builtin_popcountll(inner.x & inner.z) & 3;
    op.real = power & 1;
    op.readings[0].weight = inner.coefficient * std::norm(scale) * (power & 2 ? -1 : 1);
}

template <class T>
void Filler<T>::read(MicroOp<T>& op) const {
    for (Reading& r : op.readings) r.weight = e_.inners[r.inner].coefficient * std::norm(scale);
}

// The phases before the rotations of a group, for each row of it; none when no rotation has one.
template <class T>
void Filler<T>::before(MicroOp<T>& op) const {
    std::array<complex, 8> rows;
    rows.fill(complex(1));
    bool any = false;
    for (int j = 0; j < op.group; ++j) {
        const int index = e_.list[op.sources[j]].before;
        if (index < 0) continue;
        any = true;
        const complex by = factor_of(e_.befores[index].angle, 0);
        for (unsigned row = 0; row < op.offsets.size(); ++row)
            if (row >> j & 1) rows[row] *= by;
    }
    op.high.clear();
    for (size_t row = 0; any && row < op.offsets.size(); ++row) {
        op.high.push_back(T(rows[row].real()));
        op.high.push_back(T(rows[row].imag()));
    }
}

// ---- diagonals: phase(lane, low, high) = low table[low][lane] * high table[high][lane] * cross[high][low]

template <class T>
void Filler<T>::diagonal(MicroOp<T>& op) {
    gather(op);
    op.constant = fold_common(op.shape.common) * factor(all_);
    table(op.shape, op.shape.low, true, op.table);
    table(op.shape, op.shape.high, false, op.high);
    cross_table(op.shape, op.cross);
    outer_phases(op);
}

template <class T>
void Filler<T>::gather(const MicroOp<T>& op) {
    uint64_t used = op.shape.common;
    for (const auto* wires : {&op.shape.lanes, &op.shape.low, &op.shape.high})
        for (int w : *wires) used |= bit(w);
    for (const auto& o : op.shape.outer) used |= bit(o.wire);
    n_ = 64 - __builtin_clzll(used);
    single_.assign(n_, {});
    pair_.assign(size_t(n_) * n_, {});
    all_ = {};
    for (uint32_t source : op.sources) {
        const Element& e = e_.list[source];
        const int a = __builtin_ctzll(e.mask), b = 63 - __builtin_clzll(e.mask);
        const Exponent x{e.angle, e.log};
        take_out(e.common);
        if (a != b) {
            pair_[size_t(a) * n_ + b] += x;
            pair_[size_t(b) * n_ + a] += x;
        } else if (e.value) {
            single_[a] += x;
        } else {  // where the wire reads zero: everywhere, but not where it reads one
            all_ += x;
            single_[a] += {-x.angle, -x.log};
        }
    }
}

// With wires that every phase needs, only their ones are visited, and they leave the tables. Returns what remains of
// them: one phase for all that is visited.
template <class T>
complex Filler<T>::fold_common(uint64_t common) {
    if (!common) return 1;
    const int a = __builtin_ctzll(common), b = 63 - __builtin_clzll(common);
    if (a != b) {  // the only phase there is: a constant on the rows where both read one
        const complex all = factor(pair(a, b));
        pair_[size_t(a) * n_ + b] = pair_[size_t(b) * n_ + a] = {};
        return all;
    }
    for (int w = 0; w < n_; ++w) {
        if (w == a) continue;
        single_[w] = pair(a, w);
        pair_[size_t(a) * n_ + w] = pair_[size_t(w) * n_ + a] = {};
    }
    const complex all = factor(single_[a]);
    single_[a] = {};
    return all;
}

// Phases of all settings of `wires`, for every lane: single and pair phases among them, and with the lanes.
template <class T>
void Filler<T>::table(const DiagonalShape& shape, const std::vector<int>& wires, bool with_lanes, Table<T>& out) {
    const std::vector<int>& slots = shape.lanes;
    const size_t size = size_t(lanes) << wires.size();
    values_.resize(size);
    row_.resize(lanes);
    partner_.resize(size_t(1) << wires.size());
    complex *const v = values_.data(), *const row = row_.data(), *const partner = partner_.data();
    std::fill_n(v, lanes, complex(1));
    if (with_lanes)
        for (size_t j = 0, filled = 1; j < slots.size(); ++j, filled *= 2) {
            const complex own = factor(single_[slots[j]]);
            for (size_t l = 0; l < filled; ++l) v[filled + l] = v[l] * own;
            for (size_t i = 0; i < j; ++i)
                if (const Exponent& x = pair(slots[i], slots[j]); !x.nothing()) {
                    const complex p = factor(x);
                    for (size_t l = 0; l < filled; ++l)
                        if (l >> i & 1) v[filled + l] *= p;
                }
        }
    for (size_t i = 0; i < wires.size(); ++i) {
        const int w = wires[i];
        row[0] = factor(single_[w]);
        for (size_t j = 0, filled = 1; j < slots.size(); ++j, filled *= 2) {
            const complex p = factor(pair(w, slots[j]));
            for (size_t l = 0; l < filled; ++l) row[filled + l] = row[l] * p;
        }
        partner[0] = 1;
        for (size_t k = 0, filled = 1; k < i; ++k, filled *= 2) {
            const complex p = factor(pair(w, wires[k]));
            for (size_t r = 0; r < filled; ++r) partner[filled + r] = partner[r] * p;
        }
        const size_t half = size_t(1) << i;
        for (size_t r = 0; r < half; ++r)
            for (int l = 0; l < lanes; ++l) v[(half + r) * lanes + l] = v[r * lanes + l] * (partner[r] * row[l]);
    }
    out.resize(size * 2);
    T* to = out.data();
    for (const complex* from = v; from < v + size; from += lanes, to += 2 * lanes)
        for (int l = 0; l < lanes; ++l) {
            to[l] = T(from[l].real());
            to[lanes + l] = T(from[l].imag());
        }
}

// Phases between low and high rows, one number for each pair of settings; empty when there are none.
template <class T>
void Filler<T>::cross_table(const DiagonalShape& shape, Table<T>& out) {
    const std::vector<int>&low = shape.low, &high = shape.high;
    bool crossing = false;
    for (int a : low)
        for (int b : high) crossing |= !pair(a, b).nothing();
    out.clear();
    if (!crossing) return;
    std::vector<complex>&line = partner_, &v = values_;
    line.resize(size_t(1) << low.size());
    v.assign(line.size() << high.size(), complex(1));
    for (size_t i = 0; i < high.size(); ++i) {
        line[0] = 1;
        for (size_t k = 0, filled = 1; k < low.size(); ++k, filled *= 2) {
            const complex p = factor(pair(low[k], high[i]));
            for (size_t r = 0; r < filled; ++r) line[filled + r] = line[r] * p;
        }
        const size_t half = size_t(1) << i;
        for (size_t h = 0; h < half; ++h)
            for (size_t r = 0; r < line.size(); ++r) v[(half + h) * line.size() + r] = v[h * line.size() + r] * line[r];
    }
    out.resize(v.size() * 2);
    for (size_t i = 0; i < v.size(); ++i) {
        out[2 * i] = T(v[i].real());
        out[2 * i + 1] = T(v[i].imag());
    }
}

// Outer wires give phases of their own, with local wires, and with one another.
template <class T>
void Filler<T>::outer_phases(MicroOp<T>& op) const {
    op.outer.clear();
    const DiagonalShape& shape = op.shape;
    for (const auto& o : shape.outer) {
        OuterPhase phase{o.parity, 0, factor(single_[o.wire]), {}};
        phase.local.reserve(op.num_local);
        for (const auto* wires : {&shape.lanes, &shape.low, &shape.high})
            for (int w : *wires) phase.local.push_back(factor(pair(o.wire, w)));
        op.outer.push_back(std::move(phase));
    }
    for (size_t i = 0; i < shape.outer.size(); ++i)
        for (size_t j = i + 1; j < shape.outer.size(); ++j) {
            const Exponent& x = pair(shape.outer[i].wire, shape.outer[j].wire);
            if (!x.nothing()) op.outer.push_back({shape.outer[i].parity, shape.outer[j].parity, factor(x), {}});
        }
}

template class Filler<float>;
template class Filler<double>;

bool same_structure(const Elements& a, const Elements& b) {
    if (a.num_wires != b.num_wires || a.list.size() != b.list.size() || a.flipped != b.flipped || a.wire_of_qubit != b.wire_of_qubit)
        return false;
    for (size_t i = 0; i < a.list.size(); ++i) {
        const Element &x = a.list[i], &y = b.list[i];
        if (x.kind != y.kind || x.wire != y.wire || x.num_targets != y.num_targets || x.mask != y.mask || x.value != y.value) return false;
        if (x.kind == Kind::dense && a.matrices[x.data].targets != b.matrices[y.data].targets) return false;
        const bool reads = x.kind == Kind::inner || x.kind == Kind::parity || x.kind == Kind::rotation;
        if (reads && (x.data != y.data || (x.before < 0) != (y.before < 0))) return false;
        if (x.before >= 0 && a.befores[x.before].parities != b.befores[y.before].parities) return false;
    }
    if (a.inners.size() != b.inners.size()) return false;
    for (size_t i = 0; i < a.inners.size(); ++i) {
        const Inner &x = a.inners[i], &y = b.inners[i];
        if (x.x != y.x || x.z != y.z || x.slot != y.slot) return false;
    }
    return true;
}

template <class T>
void refill(Program<T>& program, const Elements& e, const ProductState& start, const Placement* before, const PlanOptions& options) {
    Filler<T> fill(e, std::polar(1.0, e.global_phase), before ? before->log2_growth : 0);
    for (Stage<T>& stage : program.stages)
        for (MicroOp<T>& op : stage.ops) fill(op);
    program.start = start;
    if (options.contract) program.contract = *options.contract;
    program.scale = fill.scale;
    program.placement.log2_growth = fill.log2_growth;
}

template void refill(Program<float>&, const Elements&, const ProductState&, const Placement*, const PlanOptions&);
template void refill(Program<double>&, const Elements&, const ProductState&, const Placement*, const PlanOptions&);

}  // namespace qrealm
