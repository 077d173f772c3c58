// The engine's loops, compiled once for each instruction set; those that read a state are in readout_loops.h.
#include "gradient_loops.h"
#include "readout_loops.h"
#include "simd.h"

namespace qrealm::QREALM_ISA {

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
            butterflies<group, forms>(x, t);
            UNROLL for (int j = 0; j < size; ++j) store(p[j] + h, x[j]);
        }
    }
}

template <class T, int group, int forms>
void rotate_phased(T* tile, const uint32_t* bases, size_t count, const uint32_t* offsets, uint32_t shift, const T* tangents,
                   const T* phases) {
    using V = typename Simd<T>::V;
    constexpr int size = 1 << group, lanes = Simd<T>::lanes;
    V t[group];
    UNROLL for (int b = 0; b < group; ++b) t[b] = broadcast<T>(tangents[b]);
    uint32_t offset[size];
    UNROLL for (int j = 0; j < size; ++j) offset[j] = offsets[j];
    for (size_t i = 0; i < count; ++i) {
        const uint32_t base = bases[i] ^ shift;
        T* p[size];
        UNROLL for (int j = 0; j < size; ++j) p[j] = at(tile, base ^ offset[j]);
        for (int h = 0; h < lanes; h += Simd<T>::width) {
            V re[size], im[size];
            UNROLL for (int j = 0; j < size; ++j) {
                re[j] = load(p[j] + h);
                im[j] = load(p[j] + lanes + h);
            }
            butterflies<group, forms>(re, t);
            butterflies<group, forms>(im, t);
            UNROLL for (int j = 0; j < size; ++j) {
                const T c = phases[2 * j], s = phases[2 * j + 1];
                store(p[j] + h, V(re[j] * c - im[j] * s));
                store(p[j] + lanes + h, V(re[j] * s + im[j] * c));
            }
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

template <class T, bool crossed, bool two>
inline void diagonal_line(T* __restrict__ tile, const uint32_t* __restrict__ low, size_t num_low, uint32_t base, uint32_t partner,
                          const T* __restrict__ low_table, const T* __restrict__ high, const T* __restrict__ cross) {
    using V = typename Simd<T>::V;
    constexpr int lanes = Simd<T>::lanes, block = Simd<T>::block, parts = lanes / Simd<T>::width;
    V hr[parts], hi[parts];
    UNROLL for (int k = 0; k < parts; ++k) {
        hr[k] = load(high + k * Simd<T>::width);
        hi[k] = load(high + lanes + k * Simd<T>::width);
    }
    for (size_t j = 0; j < num_low; ++j) {
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
            UNROLL for (int state = 0; state < (two ? 2 : 1); ++state) {
                T* p = at(tile, base ^ low[j] ^ (state ? partner : 0)) + h;
                const V re = load(p), im = load(p + lanes);
                store(p, V(re * wr - im * wi));
                store(p + lanes, V(re * wi + im * wr));
            }
        }
    }
}

template <class T>
void diagonal(T* tile, const uint32_t* low, size_t num_low, const uint32_t* high, size_t num_high, uint32_t shift, uint32_t partner,
              const T* low_table, const T* high_table, const T* cross) {
    for (size_t i = 0; i < num_high; ++i) {
        const T* line = high_table + i * Simd<T>::block;
        const T* crossing = cross ? cross + 2 * i * num_low : nullptr;
        const uint32_t base = high[i] ^ shift;
        if (partner) {
            if (cross) diagonal_line<T, true, true>(tile, low, num_low, base, partner, low_table, line, crossing);
            else diagonal_line<T, false, true>(tile, low, num_low, base, partner, low_table, line, nullptr);
        } else {
            if (cross) diagonal_line<T, true, false>(tile, low, num_low, base, 0, low_table, line, crossing);
            else diagonal_line<T, false, false>(tile, low, num_low, base, 0, low_table, line, nullptr);
        }
    }
}

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
                    x[j] = V(choose_lanes(a, first[b], c));
                    x[j | 1 << b] = V(choose_lanes(a, second[b], c));
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
void scale(T* memory, size_t blocks, T factor) {
    using V = typename Simd<T>::V;
    for (size_t k = 0; k < blocks * Simd<T>::block; k += Simd<T>::width) store(memory + k, V(load(memory + k) * factor));
}

template <class T, int group, int... forms>
constexpr void fill_rotate(Engine<T>& e) {
    ((e.rotate[group][forms] = rotate<T, group, forms>), ...);
    ((e.rotate_phased[group][forms] = rotate_phased<T, group, forms>), ...);
    ((e.rotate_inner[group][forms] = rotate_inner<T, group, forms>), ...);
    ((e.rotate_inner_phased[group][forms] = rotate_inner_phased<T, group, forms>), ...);
}

template <class T>
constexpr Engine<T> make_engine() {
    Engine<T> e{};
    fill_rotate<T, 1, 0, 1>(e);
    fill_rotate<T, 2, 0, 1, 2, 3>(e);
    fill_rotate<T, 3, 0, 1, 2, 3, 4, 5, 6, 7>(e);
    e.dense[1] = dense<T, 1>;
    e.dense[2] = dense<T, 2>;
    e.dense_wide = dense_wide<T>;
    e.phase = phase<T>;
    e.diagonal = diagonal<T>;
    e.transpose = transpose<T>;
    e.inner = inner<T>;
    e.imaginary = imaginary<T>;
    e.total = total<T>;
    e.difference = difference<T>;
    e.fold = fold<T>;
    e.contract = contract<T>;
    e.gather = gather<T>;
    e.scatter = scatter<T>;
    e.scatter_past_cache = scatter_past_cache<T>;
    e.product = product<T>;
    e.norms = norms<T>;
    e.pauli_sums[int(PauliPart::norm)] = pauli_sums<T, PauliPart::norm>;
    e.pauli_sums[int(PauliPart::real)] = pauli_sums<T, PauliPart::real>;
    e.pauli_sums[int(PauliPart::imaginary)] = pauli_sums<T, PauliPart::imaginary>;
    e.pauli_apply = pauli_apply<T>;
    e.dot = dot<T>;
    e.scale = scale<T>;
    e.multiply_add = multiply_add<T>;
    e.multiply_adds_per_round = size_t(independent_sums) * Simd<T>::width;
    return e;
}

}  // namespace qrealm::QREALM_ISA
