// Loops that read a state: inner products, weights to sample from, Pauli strings.
#include "simd.h"

namespace qrealm::QREALM_ISA {

template <class T>
void norms(const T* memory, size_t blocks, size_t count, double* sums) {
    using V = typename Simd<T>::V;
    for (size_t i = 0; i < count; ++i) {
        V sum{}, more{};
        const T* p = memory + i * blocks * Simd<T>::block;
        for (size_t k = 0; k < blocks * Simd<T>::block; k += 2 * Simd<T>::width) {
            const V a = load(p + k), b = load(p + k + Simd<T>::width);
            sum = sum + a * a;
            more = more + b * b;
        }
        sum = sum + more;
        double total = 0;
        for (int l = 0; l < Simd<T>::width; ++l) total += double(sum[l]);
        sums[i] = total;
    }
}

inline constexpr int independent_sums = 12;  // more than latency times units of any processor of today

template <class T>
void multiply_add(size_t rounds, T* out) {
    using V = typename Simd<T>::V;
    V sums[independent_sums];
    for (int k = 0; k < independent_sums; ++k) sums[k] = broadcast<T>(out[0] + T(k));  // unequal, or one would do for all
    const V factor = broadcast<T>(T(0.999)), term = broadcast<T>(T(1e-3));
    for (size_t r = 0; r < rounds; ++r) {
        UNROLL for (int k = 0; k < independent_sums; ++k) sums[k] = sums[k] * factor + term;
    }
    V total{};
    for (int k = 0; k < independent_sums; ++k) total = total + sums[k];
    out[0] = total[0];
}

// Half a block with its lanes moved by an XOR.
template <class T>
struct Moved {
    using V = typename Simd<T>::V;
    static constexpr int width = Simd<T>::width, parts = Simd<T>::lanes / width;
    typename LaneIndex<T>::V index;
    int part_move;
    explicit Moved(int lane_move) : part_move(lane_move / width) {
        for (int l = 0; l < width; ++l) index[l] = l ^ (lane_move & (width - 1));
    }
    V operator()(const T* half, int part) const { return permute<T>(load(half + (part ^ part_move) * width), index); }
};

// One to four Pauli strings over blocks of which none is the partner of another, or which are their own partners.
template <class T, PauliPart part, int terms>
inline void pauli_batch(const T* memory, uint64_t begin, uint64_t end, uint64_t skip, uint64_t block_move, const Moved<T>& moved,
                        const uint64_t* block_signs, const T* lane_signs, double* sums) {
    using V = typename Simd<T>::V;
    constexpr int lanes = Simd<T>::lanes, block = Simd<T>::block, width = Simd<T>::width, parts = lanes / width;
    V total[terms]{};
    for (uint64_t b = begin; b < end; ++b) {
        b += b & skip;  // blocks that read one there are partners of those that read zero
        if (b >= end) break;
        const T* p = memory + b * block;
        const T* q = memory + (b ^ block_move) * block;
        V found[parts];
        UNROLL for (int k = 0; k < parts; ++k) {
            const V pr = load(p + k * width), pi = load(p + lanes + k * width);
            if (part == PauliPart::norm) {
                found[k] = pr * pr + pi * pi;
            } else {
                const V qr = moved(q, k), qi = moved(q + lanes, k);
                found[k] = part == PauliPart::real ? qr * pr + qi * pi : qr * pi - qi * pr;
            }
        }
        UNROLL for (int t = 0; t < terms; ++t) {
            const T sign = __builtin_parityll(b & block_signs[t]) ? T(-1) : T(1);
            UNROLL for (int k = 0; k < parts; ++k) total[t] = total[t] + load(lane_signs + t * lanes + k * width) * sign * found[k];
        }
    }
    UNROLL for (int t = 0; t < terms; ++t) {
        for (int l = 0; l < width; ++l) sums[t] += double(total[t][l]);
    }
}

template <class T, PauliPart part>
void pauli_sums(const T* memory, size_t begin, size_t end, uint64_t block_move, int lane_move, size_t terms,
                const uint64_t* block_signs, const T* lane_signs, double* sums) {
    constexpr int lanes = Simd<T>::lanes;
    constexpr uint64_t segment = 64;  // short sums in T, long ones in double; and the blocks stay in the first cache
    const Moved<T> moved(lane_move);
    const uint64_t skip = block_move & (~block_move + 1);
    for (size_t t = 0; t < terms; ++t) sums[t] = 0;
    for (uint64_t b = begin; b < end; b += segment) {
        if (skip >= segment && (b & skip)) continue;
        const uint64_t stop = b + segment < end ? b + segment : end, within = skip < segment ? skip : 0;
        for (size_t t = 0; t < terms; t += 4) {
            const uint64_t* signs = block_signs + t;
            const T* lane = lane_signs + t * lanes;
            switch (terms - t) {
                case 1: pauli_batch<T, part, 1>(memory, b, stop, within, block_move, moved, signs, lane, sums + t); break;
                case 2: pauli_batch<T, part, 2>(memory, b, stop, within, block_move, moved, signs, lane, sums + t); break;
                case 3: pauli_batch<T, part, 3>(memory, b, stop, within, block_move, moved, signs, lane, sums + t); break;
                default: pauli_batch<T, part, 4>(memory, b, stop, within, block_move, moved, signs, lane, sums + t);
            }
        }
    }
}

template <class T>
void pauli_apply(const T* memory, T* out, size_t begin, size_t count, uint64_t block_move, int lane_move, size_t patterns,
                 const T* lane_signs, const T* factors, bool imaginary) {
    using V = typename Simd<T>::V;
    constexpr int lanes = Simd<T>::lanes, block = Simd<T>::block, width = Simd<T>::width, parts = lanes / width;
    const Moved<T> moved(lane_move);
    for (size_t i = 0; i < count; ++i) {
        const uint64_t from = (begin + i) ^ block_move;
        const T* p = memory + from * block;
        const T* factor = factors + (from & (pauli_segment - 1));
        alignas(64) T product[block];
        UNROLL for (int k = 0; k < parts; ++k) {
            V c{};
            for (size_t t = 0; t < patterns; ++t) c = c + load(lane_signs + t * lanes + k * width) * factor[t * pauli_segment];
            const V re = load(p + k * width), im = load(p + lanes + k * width);
            store(product + k * width, imaginary ? V(-c * im) : V(c * re));
            store(product + lanes + k * width, imaginary ? V(c * re) : V(c * im));
        }
        T* to = out + i * block;
        UNROLL for (int k = 0; k < parts; ++k) {
            store(to + k * width, V(load(to + k * width) + moved(product, k)));
            store(to + lanes + k * width, V(load(to + lanes + k * width) + moved(product + lanes, k)));
        }
    }
}

}  // namespace qrealm::QREALM_ISA
