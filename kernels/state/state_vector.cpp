#include "state_vector.h"

#include <algorithm>
#include <cmath>
#include <cstring>

#include "counts.h"
#include "pauli.h"
#include "pieces.h"
#include "readout.h"
#include "sample.h"

namespace qrealm {
namespace {

double sum(const std::vector<double>& values) {
    double total = 0;
    for (double v : values) total += v;
    return total;
}

}  // namespace

template <class T>
StateVector<T>::StateVector(int num_qubits, InstructionSet set) : num_qubits_(num_qubits), set_(set) {
    state_.num_wires = wires_for<T>(num_qubits);
}

template <class T>
void StateVector<T>::adopt(const Elements& e) {
    // Wires take the names of the qubits that they carry.
    Placement named = placement_;
    std::vector<int> new_name(state_.num_wires);
    for (int w = 0; w < state_.num_wires; ++w) new_name[w] = w;
    for (int q = 0; q < num_qubits_; ++q) new_name[e.wire_of_qubit[q]] = q;
    for (int w = 0; w < state_.num_wires; ++w) named.columns[new_name[w]] = placement_.columns[w];
    for (uint8_t& w : named.lane_wires) w = static_cast<uint8_t>(new_name[w]);
    placement_ = named;
    flipped_ = 0;
    for (int q = 0; q < num_qubits_; ++q)
        if (e.flipped >> e.wire_of_qubit[q] & 1) flipped_ |= uint64_t(1) << q;
    fresh_ = false;
}

template <class T>
void StateVector<T>::apply(const OpArrays& ops, const PlanOptions& options, int threads, const Poll& poll) {
    ProductState start(state_.num_wires);
    const Elements e = simplified(lower(ops, flipped_), options.passes, fresh_ ? &start : nullptr);
    const Placement before = placement_;
    try {
        for_portions<T>(e, start, fresh_ ? nullptr : &before, options, [&](const Program<T>& program) {
            execute(program, state_, engine<T>(set_), threads, poll);
            scale_ *= program.scale;
            placement_ = program.placement;
        });
    } catch (...) {  // half a circuit is no state
        restart();
        throw;
    }
    adopt(e);
}

template <class T>
void StateVector<T>::restart() {
    fresh_ = true;
    flipped_ = 0;
    scale_ = 1;
}

template <class T>
void StateVector<T>::start_with(const Elements& e, const Program<T>& program, int threads, const Poll& poll) {
    restart();
    execute(program, state_, engine<T>(set_), threads, poll);
    scale_ = program.scale;
    placement_ = program.placement;
    adopt(e);
}

template <class T>
void StateVector<T>::materialise(int threads, const Poll& poll) {
    if (!fresh_) return;
    const int32_t zero = 0;
    OpArrays none;
    none.num_qubits = num_qubits_;
    none.qubit_offsets = none.param_offsets = &zero;
    apply(none, {}, threads, poll);
}

template <class T>
void StateVector<T>::load(const T* amplitudes, int threads, const Poll& poll) {
    restart();
    materialise(threads, poll);
    if (state_.num_wires > num_qubits_) std::memset(static_cast<void*>(state_.data()), 0, state_.bytes());
    const BitMap map(physical_columns(placement_, lane_bits));
    const uint64_t count = uint64_t(1) << num_qubits_;
    const size_t units = std::max<uint64_t>(1, count / lanes), step = count / units;
    for_pieces(units, threads, poll, [&](size_t, size_t begin, size_t end) {
        for (uint64_t y = begin * step; y < end * step; ++y) {
            T* p = state_.data() + offset_of(map(y));
            p[0] = amplitudes[2 * y];
            p[lanes] = amplitudes[2 * y + 1];
        }
    });
    scale_ = 1;
    placement_.log2_growth = 0;
}

template <class T>
void StateVector<T>::store(T* amplitudes, int threads, const Poll& poll) const {
    const uint64_t count = uint64_t(1) << num_qubits_;
    if (fresh_) {
        std::fill_n(amplitudes, 2 * count, T(0));
        amplitudes[0] = 1;
        return;
    }
    const BitMap map(physical_columns(placement_, lane_bits));
    const size_t units = std::max<uint64_t>(1, count / lanes), step = count / units;
    for_pieces(units, threads, poll, [&](size_t, size_t begin, size_t end) {
        for (uint64_t y = begin * step; y < end * step; ++y) {
            const T* p = state_.data() + offset_of(map(y ^ flipped_));
            const complex v = scale_ * complex(p[0], p[lanes]);
            amplitudes[2 * y] = T(v.real());
            amplitudes[2 * y + 1] = T(v.imag());
        }
    });
}

template <class T>
complex StateVector<T>::amplitude(uint64_t basis) const {
    if (fresh_) return basis == 0 ? 1 : 0;
    uint64_t physical = 0;
    const std::vector<uint64_t> columns = physical_columns(placement_, lane_bits);
    for (uint64_t y = basis ^ flipped_; y; y &= y - 1) physical ^= columns[__builtin_ctzll(y)];
    const T* p = state_.data() + offset_of(physical);
    return scale_ * complex(p[0], p[lanes]);
}

template <class T>
std::vector<double> StateVector<T>::probabilities(const std::vector<int>& qubits, int threads, const Poll& poll) const {
    const size_t size = size_t(1) << qubits.size();
    std::vector<double> out(size, 0.0);
    if (fresh_) {
        out[0] = 1;
        return out;
    }
    // Which bits of the answer's index one bit of a physical index flips.
    std::vector<uint64_t> keys = wires_of_physical(placement_, lane_bits);
    uint64_t start = 0;
    for (uint64_t& k : keys) {
        uint64_t v = 0;
        for (size_t i = 0; i < qubits.size(); ++i) v |= (k >> qubits[i] & 1) << i;
        k = v;
    }
    for (size_t i = 0; i < qubits.size(); ++i) start |= (flipped_ >> qubits[i] & 1) << i;
    const BitMap map(keys);
    const size_t pieces = pieces_of(state_.blocks());
    const bool parallel = pieces > 1 && size <= 4096;
    std::vector<std::vector<double>> partial(parallel ? pieces : 1, std::vector<double>(size, 0.0));
    const double factor = std::norm(scale_);
    for_pieces(state_.blocks(), parallel ? threads : 1, poll, [&](size_t piece, size_t begin, size_t end) {
        std::vector<double>& mine = partial[parallel ? piece : 0];
        uint64_t lane_key[lanes];
        for (int l = 0; l < lanes; ++l) lane_key[l] = map(l) ^ start;
        for (size_t b = begin; b < end; ++b) {
            const uint64_t key = map(uint64_t(b) << lane_bits);
            const T* p = state_.data() + b * block;
            for (int l = 0; l < lanes; ++l) mine[key ^ lane_key[l]] += double(p[l]) * p[l] + double(p[lanes + l]) * p[lanes + l];
        }
    });
    for (const auto& mine : partial)
        for (size_t i = 0; i < size; ++i) out[i] += mine[i];
    for (double& v : out) v *= factor;
    return out;
}

template <class T>
std::vector<uint64_t> StateVector<T>::sample(uint64_t shots, uint64_t seed, int threads, const Poll& poll) const {
    std::vector<uint64_t> out(shots, 0);
    if (fresh_) return out;
    const BitMap map(wires_of_physical(placement_, lane_bits));
    for (const Draw& d : draw(state_, weigh(state_, engine<T>(set_), threads, poll), shots, seed, 0, poll)) out[d.shot] = map(d.index) ^ flipped_;
    return out;
}

template <class T>
std::vector<double> StateVector<T>::expectations(const std::vector<PauliString>& terms, int threads, const Poll& poll) const {
    std::vector<double> out(terms.size(), 0.0);
    if (fresh_) {
        for (size_t t = 0; t < terms.size(); ++t) out[t] = terms[t].x ? 0.0 : 1.0;
        return out;
    }
    expectations(prepare(terms), out.data(), threads, poll);
    return out;
}

template <class T>
PauliReadout<T> StateVector<T>::prepare(const std::vector<PauliString>& terms) const {
    PauliReadout<T> out;
    out.num_terms = terms.size();
    out.groups = group_by_move(terms, placement_, flipped_, lane_bits);
    for (const PauliGroup& g : out.groups) {
        Table<T> signs;
        for (unsigned s : g.lane_signs)
            for (unsigned l = 0; l < lanes; ++l) signs.push_back(T(__builtin_parity(l & s) ? -1 : 1));
        out.lane_signs.push_back(std::move(signs));
    }
    return out;
}

template <class T>
void StateVector<T>::expectations(const PauliReadout<T>& readout, double* out, int threads, const Poll& poll) const {
    const size_t pieces = pieces_of(state_.blocks()), count = readout.num_terms;
    std::vector<double> sums(pieces * count);
    for_pieces(state_.blocks(), threads, poll, [&](size_t piece, size_t begin, size_t end) {
        double* to = sums.data() + piece * count;
        for (size_t i = 0; i < readout.groups.size(); ++i) {
            const PauliGroup& g = readout.groups[i];
            const PauliPart part = g.phases[0].real() == 0 ? PauliPart::imaginary
                                   : g.block_move || g.lane_move ? PauliPart::real
                                                                 : PauliPart::norm;
            engine<T>(set_).pauli_sums[int(part)](state_.data(), begin, end, g.block_move, g.lane_move, g.terms.size(), g.block_signs.data(),
                                                  readout.lane_signs[i].data(), to);
            to += g.terms.size();
        }
    });
    const double factor = std::norm(scale_);
    size_t column = 0;
    for (const PauliGroup& g : readout.groups) {
        // Of two blocks that trade places one was summed; both add the same.
        const double weight = g.block_move ? 2 * factor : factor;
        for (size_t t = 0; t < g.terms.size(); ++t, ++column) {
            double total = 0;
            for (size_t p = 0; p < pieces; ++p) total += sums[p * count + column];
            const complex phase = g.phases[t];
            out[g.terms[t]] = (phase.real() != 0 ? phase.real() : -phase.imag()) * total * weight;
        }
    }
}

template <class T>
double StateVector<T>::collapse(int qubit, bool outcome, int threads, const Poll& poll) {
    materialise(threads, poll);
    const std::vector<double> p = probabilities({qubit}, threads, poll);
    const double kept = p[outcome];
    if (!(kept > 0)) return 0;
    const std::vector<uint64_t> wires = wires_of_physical(placement_, lane_bits);
    uint64_t mask = 0;
    for (size_t b = 0; b < wires.size(); ++b) mask |= (wires[b] >> qubit & 1) << b;
    const T grow = T(1 / std::sqrt(kept));
    const bool stored = outcome != bool(flipped_ >> qubit & 1);
    bool keep[2][lanes];  // by parity of the block
    for (int l = 0; l < lanes; ++l)
        for (int odd = 0; odd < 2; ++odd) keep[odd][l] = (bool(__builtin_parityll(uint64_t(l) & mask)) != bool(odd)) == stored;
    for_pieces(state_.blocks(), threads, poll, [&](size_t, size_t begin, size_t end) {
        for (size_t b = begin; b < end; ++b) {
            T* q = state_.data() + b * block;
            const bool* k = keep[__builtin_parityll(b & (mask >> lane_bits))];
            for (int l = 0; l < lanes; ++l)
                if (!k[l]) q[l] = q[lanes + l] = 0;
            // At once, or a thousand measurements would leave numbers too small to store.
            for (int l = 0; l < 2 * lanes; ++l) q[l] *= grow;
        }
    });
    return kept / (p[0] + p[1]);
}

template <class T>
double StateVector<T>::norm(int threads, const Poll& poll) const {
    if (fresh_) return 1;
    return sum(weigh(state_, engine<T>(set_), threads, poll).sums) * std::norm(scale_);
}

template <class T>
StateVector<T> StateVector<T>::copy(int threads, const Poll& poll) const {
    StateVector out(num_qubits_, set_);
    out.placement_ = placement_;
    out.flipped_ = flipped_;
    out.scale_ = scale_;
    out.fresh_ = fresh_;
    if (fresh_) return out;
    out.state_.memory = Memory(state_.bytes());
    for_pieces(state_.blocks(), threads, poll, [&](size_t, size_t begin, size_t end) {
        std::memcpy(out.state_.data() + begin * block, state_.data() + begin * block, (end - begin) * block * sizeof(T));
    });
    return out;
}

template class StateVector<float>;
template class StateVector<double>;

}  // namespace qrealm
