// The engine's loops, compiled once for each instruction set: the including file defines QREALM_ISA (a namespace)
// and QREALM_VECTOR_BYTES. Only built-in types and vector extensions are used here, so that no library template
// compiled for a newer processor can end up in code for an older one.
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include "engine.h"

#define UNROLL _Pragma("GCC unroll 16")

namespace qrealm::QREALM_ISA {

template <class T>
struct Simd {
    static constexpr int width = QREALM_VECTOR_BYTES / sizeof(T);
    static constexpr int lanes = 64 / sizeof(T);
    static constexpr int block = 2 * lanes;
    typedef T V __attribute__((vector_size(QREALM_VECTOR_BYTES), may_alias));
};

template <class T>
inline T* at(T* tile, uint32_t position) { return tile + size_t(position) * Simd<T>::block; }

template <class T>
inline typename Simd<T>::V load(const T* p) { return *reinterpret_cast<const typename Simd<T>::V*>(p); }
template <class T>
inline void store(T* p, typename Simd<T>::V v) { *reinterpret_cast<typename Simd<T>::V*>(p) = v; }
template <class T>
inline typename Simd<T>::V broadcast(T x) { return x - typename Simd<T>::V{}; }

template <class T, int group, int forms>
void rotate(T* tile, const uint32_t* bases, size_t count, const uint32_t* offsets, uint32_t shift, const T* tangents) {
    using V = typename Simd<T>::V;
    constexpr int size = 1 << group;
    V t[group];
    UNROLL for (int b = 0; b < group; ++b) t[b] = broadcast<T>(tangents[b]);
    uint32_t offset[size];
    UNROLL for (int j = 0; j < size; ++j) offset[j] = offsets[j];
    for (size_t i = 0; i < count; ++i) {
        const uint32_t base = bases[i] ^ shift;
        T* p[size];
        UNROLL for (int j = 0; j < size; ++j) p[j] = at(tile, base ^ offset[j]);
        for (int h = 0; h < Simd<T>::block; h += Simd<T>::width) {
            V x[size];
            UNROLL for (int j = 0; j < size; ++j) x[j] = load(p[j] + h);
            UNROLL for (int b = 0; b < group; ++b) {
                UNROLL for (int j = 0; j < size; ++j) {
                    if (j >> b & 1) continue;
                    const V a = x[j], c = x[j | 1 << b];
                    if (forms >> b & 1) {
                        x[j] = t[b] * a - c;
                        x[j | 1 << b] = t[b] * c + a;
                    } else {
                        x[j] = a - t[b] * c;
                        x[j | 1 << b] = c + t[b] * a;
                    }
                }
            }
            UNROLL for (int j = 0; j < size; ++j) store(p[j] + h, x[j]);
        }
    }
}

// Two bases at a time and two rows of the matrix at a time: each number of the matrix that is loaded serves four
// multiply-adds, and eight sums grow side by side. 16 inputs, 8 sums and the numbers fill 32 registers.
template <class T, int group, int bases_at_once>
inline void dense_step(T* const (&p)[bases_at_once][1 << group], const T* matrix, int h) {
    using V = typename Simd<T>::V;
    constexpr int size = 1 << group, lanes = Simd<T>::lanes, block = Simd<T>::block;
    V re[bases_at_once][size], im[bases_at_once][size];
    UNROLL for (int j = 0; j < size; ++j) {
        UNROLL for (int k = 0; k < bases_at_once; ++k) {
            re[k][j] = load(p[k][j] + h);
            im[k][j] = load(p[k][j] + lanes + h);
        }
    }
    UNROLL for (int r = 0; r < size; r += 2) {
        V sr[2][bases_at_once], si[2][bases_at_once];
        UNROLL for (int c = 0; c < size; ++c) {
            UNROLL for (int d = 0; d < 2; ++d) {
                const T* m = matrix + size_t((r + d) * size + c) * block + h;
                const V mr = load(m), mi = load(m + lanes);
                UNROLL for (int k = 0; k < bases_at_once; ++k) {
                    sr[d][k] = c ? sr[d][k] + mr * re[k][c] : mr * re[k][c];
                    si[d][k] = c ? si[d][k] + mr * im[k][c] : mr * im[k][c];
                    sr[d][k] = sr[d][k] - mi * im[k][c];
                    si[d][k] = si[d][k] + mi * re[k][c];
                }
            }
        }
        UNROLL for (int d = 0; d < 2; ++d) {
            UNROLL for (int k = 0; k < bases_at_once; ++k) {
                store(p[k][r + d] + h, sr[d][k]);
                store(p[k][r + d] + lanes + h, si[d][k]);
            }
        }
    }
}

template <class T, int group>
void dense(T* tile, const uint32_t* bases, size_t count, const uint32_t* offsets, uint32_t shift, const T* matrix) {
    constexpr int size = 1 << group, at_once = QREALM_VECTOR_BYTES == 64 ? 2 : 1;
    uint32_t offset[size];
    UNROLL for (int j = 0; j < size; ++j) offset[j] = offsets[j];
    size_t i = 0;
    for (; i + at_once <= count; i += at_once) {
        T* p[at_once][size];
        UNROLL for (int k = 0; k < at_once; ++k) {
            UNROLL for (int j = 0; j < size; ++j) p[k][j] = at(tile, bases[i + k] ^ shift ^ offset[j]);
        }
        for (int h = 0; h < Simd<T>::lanes; h += Simd<T>::width) dense_step<T, group, at_once>(p, matrix, h);
    }
    for (; i < count; ++i) {
        T* p[1][size];
        UNROLL for (int j = 0; j < size; ++j) p[0][j] = at(tile, bases[i] ^ shift ^ offset[j]);
        for (int h = 0; h < Simd<T>::lanes; h += Simd<T>::width) dense_step<T, group, 1>(p, matrix, h);
    }
}

template <class T>
void dense_wide(T* tile, const uint32_t* bases, size_t count, const uint32_t* offsets, uint32_t shift, int group,
                const T* matrix, const T* lane_mask) {
    using V = typename Simd<T>::V;
    constexpr int lanes = Simd<T>::lanes;
    const int size = 1 << group;
    V re[64], im[64];
    for (size_t i = 0; i < count; ++i) {
        const uint32_t base = bases[i] ^ shift;
        for (int h = 0; h < lanes; h += Simd<T>::width) {
            const V acts = load(lane_mask + h), keeps = T(1) - acts;
            for (int j = 0; j < size; ++j) {
                re[j] = load(at(tile, base ^ offsets[j]) + h);
                im[j] = load(at(tile, base ^ offsets[j]) + lanes + h);
            }
            for (int r = 0; r < size; r += 2) {
                const T* m = matrix + size_t(r) * size * 2;
                const T* n = m + size_t(size) * 2;
                V ar{}, ai{}, br{}, bi{};
                for (int c = 0; c < size; ++c) {
                    ar = ar + m[2 * c] * re[c];
                    ai = ai + m[2 * c] * im[c];
                    br = br + n[2 * c] * re[c];
                    bi = bi + n[2 * c] * im[c];
                    ar = ar - m[2 * c + 1] * im[c];
                    ai = ai + m[2 * c + 1] * re[c];
                    br = br - n[2 * c + 1] * im[c];
                    bi = bi + n[2 * c + 1] * re[c];
                }
                T* pa = at(tile, base ^ offsets[r]) + h;
                T* pb = at(tile, base ^ offsets[r + 1]) + h;
                store(pa, acts * ar + keeps * re[r]);
                store(pa + lanes, acts * ai + keeps * im[r]);
                store(pb, acts * br + keeps * re[r + 1]);
                store(pb + lanes, acts * bi + keeps * im[r + 1]);
            }
        }
    }
}

template <class T>
inline void multiply_block(T* p, const T* by) {
    using V = typename Simd<T>::V;
    constexpr int lanes = Simd<T>::lanes;
    UNROLL for (int h = 0; h < lanes; h += Simd<T>::width) {
        const V re = load(p + h), im = load(p + lanes + h), c = load(by + h), s = load(by + lanes + h);
        store(p + h, V(re * c - im * s));
        store(p + lanes + h, V(re * s + im * c));
    }
}

template <class T>
void phase(T* tile, const uint32_t* bases, size_t count, uint32_t shift, const T* block) {
    for (size_t i = 0; i < count; ++i) multiply_block(at(tile, bases[i] ^ shift), block);
}

template <class T, bool crossed>
inline void diagonal_line(T* __restrict__ tile, const uint32_t* __restrict__ low, size_t num_low, uint32_t base,
                          const T* __restrict__ low_table, const T* __restrict__ high, const T* __restrict__ cross) {
    using V = typename Simd<T>::V;
    constexpr int lanes = Simd<T>::lanes, block = Simd<T>::block, parts = lanes / Simd<T>::width;
    V hr[parts], hi[parts];
    UNROLL for (int k = 0; k < parts; ++k) {
        hr[k] = load(high + k * Simd<T>::width);
        hi[k] = load(high + lanes + k * Simd<T>::width);
    }
    for (size_t j = 0; j < num_low; ++j) {
        T* p = at(tile, base ^ low[j]);
        const T* line = low_table + j * block;
        UNROLL for (int k = 0; k < parts; ++k) {
            const int h = k * Simd<T>::width;
            const V lr = load(line + h), li = load(line + lanes + h);
            V wr = hr[k] * lr - hi[k] * li, wi = hr[k] * li + hi[k] * lr;
            if (crossed) {
                const V r = wr * cross[2 * j] - wi * cross[2 * j + 1];
                wi = wr * cross[2 * j + 1] + wi * cross[2 * j];
                wr = r;
            }
            const V re = load(p + h), im = load(p + lanes + h);
            store(p + h, V(re * wr - im * wi));
            store(p + lanes + h, V(re * wi + im * wr));
        }
    }
}

template <class T>
void diagonal(T* tile, const uint32_t* low, size_t num_low, const uint32_t* high, size_t num_high, uint32_t shift,
              const T* low_table, const T* high_table, const T* cross) {
    for (size_t i = 0; i < num_high; ++i) {
        const T* line = high_table + i * Simd<T>::block;
        if (cross) diagonal_line<T, true>(tile, low, num_low, high[i] ^ shift, low_table, line, cross + 2 * i * num_low);
        else diagonal_line<T, false>(tile, low, num_low, high[i] ^ shift, low_table, line, nullptr);
    }
}

// Integers as wide as T, to index lanes.
template <class T>
struct LaneIndex;
template <>
struct LaneIndex<float> { typedef int32_t V __attribute__((vector_size(QREALM_VECTOR_BYTES))); };
template <>
struct LaneIndex<double> { typedef int64_t V __attribute__((vector_size(QREALM_VECTOR_BYTES))); };

#if QREALM_VECTOR_BYTES == 64

// Two registers a (wire reads 0) and c (wire reads 1): element l of a with lane bit 1 trades places with
// element l - bit of c.
template <class T, int group>
void transpose_group(T* tile, const uint32_t* bases, size_t count, const uint32_t* offsets, uint32_t shift, const uint8_t* lane_bits) {
    using V = typename Simd<T>::V;
    constexpr int size = 1 << group, lanes = Simd<T>::lanes;
    typename LaneIndex<T>::V first[group], second[group];
    for (int b = 0; b < group; ++b)
        for (int l = 0; l < lanes; ++l) {
            const int bit = 1 << lane_bits[b];
            first[b][l] = l & bit ? lanes + (l ^ bit) : l;
            second[b][l] = l & bit ? lanes + l : (l | bit);
        }
    for (size_t i = 0; i < count; ++i) {
        const uint32_t base = bases[i] ^ shift;
        for (int half = 0; half < 2; ++half) {
            V x[size];
            UNROLL for (int j = 0; j < size; ++j) x[j] = load(at(tile, base ^ offsets[j]) + half * lanes);
            UNROLL for (int b = 0; b < group; ++b) {
                UNROLL for (int j = 0; j < size; ++j) {
                    if (j >> b & 1) continue;
                    const V a = x[j], c = x[j | 1 << b];
                    x[j] = __builtin_shuffle(a, c, first[b]);
                    x[j | 1 << b] = __builtin_shuffle(a, c, second[b]);
                }
            }
            UNROLL for (int j = 0; j < size; ++j) store(at(tile, base ^ offsets[j]) + half * lanes, x[j]);
        }
    }
}

template <class T>
void transpose(T* tile, const uint32_t* bases, size_t count, const uint32_t* offsets, uint32_t shift, int group, const uint8_t* lane_bits) {
    switch (group) {
        case 1: return transpose_group<T, 1>(tile, bases, count, offsets, shift, lane_bits);
        case 2: return transpose_group<T, 2>(tile, bases, count, offsets, shift, lane_bits);
        case 3: return transpose_group<T, 3>(tile, bases, count, offsets, shift, lane_bits);
        default: return transpose_group<T, 4>(tile, bases, count, offsets, shift, lane_bits);
    }
}
#else
template <class T>
void transpose(T* tile, const uint32_t* bases, size_t count, const uint32_t* offsets, uint32_t shift, int group, const uint8_t* lane_bits) {
    constexpr int lanes = Simd<T>::lanes;
    const int size = 1 << group;
    for (size_t i = 0; i < count; ++i) {
        const uint32_t base = bases[i] ^ shift;
        for (int b = 0; b < group; ++b) {
            const int bit = 1 << lane_bits[b];
            for (int j = 0; j < size; ++j) {
                if (j >> b & 1) continue;
                T* a = at(tile, base ^ offsets[j]);
                T* c = at(tile, base ^ offsets[j | 1 << b]);
                for (int half = 0; half < 2; ++half, a += lanes, c += lanes)
                    for (int l = 0; l < lanes; ++l) {
                        if (!(l & bit)) continue;
                        const T kept = a[l];
                        a[l] = c[l ^ bit];
                        c[l ^ bit] = kept;
                    }
            }
        }
    }
}
#endif

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
inline void copy_block(T* to, const T* from) {
    UNROLL for (int h = 0; h < Simd<T>::block; h += Simd<T>::width) store(to + h, load(from + h));
}

template <class T>
void gather(T* tile, const T* memory, const uint32_t* offsets, size_t count, uint32_t base) {
    constexpr size_t ahead = 6;  // blocks; more would push one another out of the sets that they share
    for (size_t i = 0; i < count; ++i) {
        if (i + ahead < count) {
            const T* next = memory + size_t(offsets[i + ahead] ^ base) * Simd<T>::block;
            __builtin_prefetch(next);
            __builtin_prefetch(next + Simd<T>::lanes);
        }
        copy_block(tile + i * Simd<T>::block, memory + size_t(offsets[i] ^ base) * Simd<T>::block);
    }
}

template <class T>
void scatter(const T* tile, T* memory, const uint32_t* offsets, size_t count, uint32_t base) {
    for (size_t i = 0; i < count; ++i) copy_block(memory + size_t(offsets[i] ^ base) * Simd<T>::block, tile + i * Simd<T>::block);
}

// Whole lines straight to memory, for states larger than the caches: reading them first would cost a third pass.
template <class T>
void scatter_past_cache(const T* tile, T* memory, const uint32_t* offsets, size_t count, uint32_t base) {
#if defined(__SSE2__)
    for (size_t i = 0; i < count; ++i) {
        T* to = memory + size_t(offsets[i] ^ base) * Simd<T>::block;
        const T* from = tile + i * Simd<T>::block;
        UNROLL for (int h = 0; h < Simd<T>::block; h += Simd<T>::width) stream(to + h, load(from + h));
    }
    _mm_sfence();
#else
    scatter(tile, memory, offsets, count, base);
#endif
}

template <class T>
void product(T* tile, const T* scalars, size_t count, const T* lane_block) {
    using V = typename Simd<T>::V;
    constexpr int lanes = Simd<T>::lanes;
    for (size_t i = 0; i < count; ++i) {
        const T r = scalars[2 * i], s = scalars[2 * i + 1];
        T* p = tile + i * Simd<T>::block;
        UNROLL for (int h = 0; h < lanes; h += Simd<T>::width) {
            const V re = load(lane_block + h), im = load(lane_block + lanes + h);
            store(p + h, V(re * r - im * s));
            store(p + lanes + h, V(re * s + im * r));
        }
    }
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

template <class T>
void scale(T* memory, size_t blocks, T factor) {
    using V = typename Simd<T>::V;
    for (size_t k = 0; k < blocks * Simd<T>::block; k += Simd<T>::width) store(memory + k, V(load(memory + k) * factor));
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
    V operator()(const T* half, int part) const { return __builtin_shuffle(load(half + (part ^ part_move) * width), index); }
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

template <class T, int group, int... forms>
constexpr void fill_rotate(Engine<T>& e) { ((e.rotate[group][forms] = rotate<T, group, forms>), ...); }

template <class T>
constexpr Engine<T> make_engine() {
    Engine<T> e{};
    fill_rotate<T, 1, 0, 1>(e);
    fill_rotate<T, 2, 0, 1, 2, 3>(e);
    fill_rotate<T, 3, 0, 1, 2, 3, 4, 5, 6, 7>(e);
    fill_rotate<T, 4, 0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15>(e);
    e.dense[1] = dense<T, 1>;
    e.dense[2] = dense<T, 2>;
    e.dense_wide = dense_wide<T>;
    e.phase = phase<T>;
    e.diagonal = diagonal<T>;
    e.transpose = transpose<T>;
    e.inner = inner<T>;
    e.gather = gather<T>;
    e.scatter = scatter<T>;
    e.scatter_past_cache = scatter_past_cache<T>;
    e.product = product<T>;
    e.norms = norms<T>;
    e.pauli_sums = pauli_sums<T>;
    e.pauli_add = pauli_add<T>;
    e.scale = scale<T>;
    return e;
}

}  // namespace qrealm::QREALM_ISA
