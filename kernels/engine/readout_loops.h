// Loops that read a state: inner products, weights to sample from, Pauli strings.
#include "simd.h"

namespace qrealm::QREALM_ISA {

template <class T>
void inner(const T* tile, const uint32_t* bases, size_t count, uint32_t shift, uint32_t partner, const T* lane_signs, double* out) {
    using V = typename Simd<T>::V;
    constexpr int lanes = Simd<T>::lanes;
    double re = 0, im = 0;
    for (size_t i = 0; i < count;) {
        const size_t end = i + 64 < count ? i + 64 : count;  // short sums in T, long ones in double
        V sr{}, si{};
        for (; i < end; ++i) {
            const T* psi = tile + size_t(bases[i] ^ shift) * Simd<T>::block;
            const T* lambda = tile + size_t(bases[i] ^ shift ^ partner) * Simd<T>::block;
            UNROLL for (int h = 0; h < lanes; h += Simd<T>::width) {
                const V sign = load(lane_signs + h);
                const V pr = load(psi + h) * sign, pi = load(psi + lanes + h) * sign;
                const V lr = load(lambda + h), li = load(lambda + lanes + h);
                sr = sr + (lr * pr + li * pi);
                si = si + (lr * pi - li * pr);
            }
        }
        for (int l = 0; l < Simd<T>::width; ++l) {
            re += double(sr[l]);
            im += double(si[l]);
        }
    }
    out[0] = re;
    out[1] = im;
}

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

template <class T>
void pauli_sums(const T* memory, size_t begin, size_t end, uint64_t block_move, int lane_move, size_t terms,
                const uint64_t* block_signs, const T* lane_signs, double* sums) {
    using V = typename Simd<T>::V;
    constexpr int lanes = Simd<T>::lanes, block = Simd<T>::block, width = Simd<T>::width, parts = lanes / width;
    constexpr size_t at_once = 16;
    const Moved<T> moved(lane_move);
    for (size_t first = 0; first < terms; first += at_once) {
        const size_t count = terms - first < at_once ? terms - first : at_once;
        for (size_t t = 0; t < 2 * count; ++t) sums[2 * first + t] = 0;
        for (size_t b = begin; b < end;) {
            const size_t stop = b + 64 < end ? b + 64 : end;  // short sums in T, long ones in double
            V real[at_once]{}, imaginary[at_once]{};
            for (; b < stop; ++b) {
                const T* p = memory + b * block;
                const T* q = memory + (b ^ block_move) * block;
                V re[parts], im[parts];
                UNROLL for (int k = 0; k < parts; ++k) {
                    const V pr = load(p + k * width), pi = load(p + lanes + k * width);
                    const V qr = moved(q, k), qi = moved(q + lanes, k);
                    re[k] = qr * pr + qi * pi;
                    im[k] = qr * pi - qi * pr;
                }
                for (size_t t = 0; t < count; ++t) {
                    const T sign = __builtin_parityll(b & block_signs[first + t]) ? T(-1) : T(1);
                    UNROLL for (int k = 0; k < parts; ++k) {
                        const V s = load(lane_signs + (first + t) * lanes + k * width) * sign;
                        real[t] = real[t] + s * re[k];
                        imaginary[t] = imaginary[t] + s * im[k];
                    }
                }
            }
            for (size_t t = 0; t < count; ++t)
                for (int l = 0; l < width; ++l) {
                    sums[2 * (first + t)] += double(real[t][l]);
                    sums[2 * (first + t) + 1] += double(imaginary[t][l]);
                }
        }
    }
}

template <class T>
void pauli_add(const T* memory, T* out, size_t begin, size_t end, uint64_t block_move, int lane_move, size_t terms,
               const uint64_t* block_signs, const T* coefficients) {
    using V = typename Simd<T>::V;
    constexpr int lanes = Simd<T>::lanes, block = Simd<T>::block, width = Simd<T>::width, parts = lanes / width;
    const Moved<T> moved(lane_move);
    for (size_t b = begin; b < end; ++b) {
        alignas(64) T product[block];
        UNROLL for (int k = 0; k < parts; ++k) {
            V cr{}, ci{};
            for (size_t t = 0; t < terms; ++t) {
                const T sign = __builtin_parityll(b & block_signs[t]) ? T(-1) : T(1);
                cr = cr + load(coefficients + t * block + k * width) * sign;
                ci = ci + load(coefficients + t * block + lanes + k * width) * sign;
            }
            const V re = load(memory + b * block + k * width), im = load(memory + b * block + lanes + k * width);
            store(product + k * width, V(cr * re - ci * im));
            store(product + lanes + k * width, V(cr * im + ci * re));
        }
        T* to = out + (b ^ block_move) * block;
        UNROLL for (int k = 0; k < parts; ++k) {
            store(to + k * width, V(load(to + k * width) + moved(product, k)));
            store(to + lanes + k * width, V(load(to + lanes + k * width) + moved(product + lanes, k)));
        }
    }
}

}  // namespace qrealm::QREALM_ISA
