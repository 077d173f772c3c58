// Loops over two states: psi, and lambda `partner` away. Inner products between them, and rotations of both.
#pragma once
#include "simd.h"

namespace qrealm::QREALM_ISA {

template <int group, int forms, class V>
inline void butterflies(V (&x)[1 << group], const V (&t)[group]) {
    UNROLL for (int b = 0; b < group; ++b) {
        UNROLL for (int j = 0; j < 1 << group; ++j) {
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
}

// sums[wire] += Im <lambda| Y |psi>, of real or of imaginary parts: the products are the same.
template <int group, class V>
inline void add_y(const V (&x)[1 << group], const V (&y)[1 << group], V (&sums)[group]) {
    UNROLL for (int b = 0; b < group; ++b) {
        UNROLL for (int j = 0; j < 1 << group; ++j) {
            if (j >> b & 1) sums[b] = sums[b] + y[j] * x[j ^ 1 << b];
            else sums[b] = sums[b] - y[j] * x[j ^ 1 << b];
        }
    }
}

template <class T, int group, int forms>
void rotate_inner(T* tile, const uint32_t* bases, size_t count, const uint32_t* offsets, uint32_t shift, uint32_t partner,
                  const T* tangents, double* sums) {
    using V = typename Simd<T>::V;
    constexpr int size = 1 << group, block = Simd<T>::block;
    V t[group];
    UNROLL for (int b = 0; b < group; ++b) {
        t[b] = broadcast<T>(tangents[b]);
        sums[b] = 0;
    }
    uint32_t offset[size];
    UNROLL for (int j = 0; j < size; ++j) offset[j] = offsets[j];
    for (size_t i = 0; i < count;) {
        const size_t stop = i + 32 < count ? i + 32 : count;  // short sums in T, long ones in double
        V sum[group]{};
        for (; i < stop; ++i) {
            const uint32_t base = bases[i] ^ shift;
            T *p[size], *q[size];
            UNROLL for (int j = 0; j < size; ++j) {
                p[j] = at(tile, base ^ offset[j]);
                q[j] = at(tile, base ^ offset[j] ^ partner);
            }
            for (int h = 0; h < block; h += Simd<T>::width) {
                V x[size], y[size];
                UNROLL for (int j = 0; j < size; ++j) {
                    x[j] = load(p[j] + h);
                    y[j] = load(q[j] + h);
                }
                add_y<group>(x, y, sum);
                butterflies<group, forms>(x, t);
                butterflies<group, forms>(y, t);
                UNROLL for (int j = 0; j < size; ++j) {
                    store(p[j] + h, x[j]);
                    store(q[j] + h, y[j]);
                }
            }
        }
        UNROLL for (int b = 0; b < group; ++b) {
            for (int l = 0; l < Simd<T>::width; ++l) sums[b] += double(sum[b][l]);
        }
    }
}

// The imaginary parts go through memory: rows of both states in both parts would fill more registers than there are.
template <class T, int group, int forms>
void rotate_inner_phased(T* tile, const uint32_t* bases, size_t count, const uint32_t* offsets, uint32_t shift, uint32_t partner,
                         const T* tangents, const T* phases, double* sums) {
    using V = typename Simd<T>::V;
    constexpr int size = 1 << group, lanes = Simd<T>::lanes;
    V t[group];
    UNROLL for (int b = 0; b < group; ++b) {
        t[b] = broadcast<T>(tangents[b]);
        sums[b] = sums[group + b] = 0;
    }
    uint32_t offset[size];
    UNROLL for (int j = 0; j < size; ++j) offset[j] = offsets[j];
    for (size_t i = 0; i < count;) {
        const size_t stop = i + 32 < count ? i + 32 : count;  // short sums in T, long ones in double
        V sum[group]{}, rows[size]{};
        for (; i < stop; ++i) {
            const uint32_t base = bases[i] ^ shift;
            T *p[size], *q[size];
            UNROLL for (int j = 0; j < size; ++j) {
                p[j] = at(tile, base ^ offset[j]);
                q[j] = at(tile, base ^ offset[j] ^ partner);
            }
            for (int h = 0; h < lanes; h += Simd<T>::width) {
                V x[size], y[size];
                UNROLL for (int j = 0; j < size; ++j) {
                    const T c = phases[2 * j], s = phases[2 * j + 1];
                    const V pr = load(p[j] + h), pi = load(p[j] + lanes + h), qr = load(q[j] + h), qi = load(q[j] + lanes + h);
                    rows[j] = rows[j] + qr * pi;
                    rows[j] = rows[j] - qi * pr;
                    x[j] = pr * c - pi * s;
                    y[j] = qr * c - qi * s;
                    store(p[j] + lanes + h, V(pr * s + pi * c));
                    store(q[j] + lanes + h, V(qr * s + qi * c));
                }
                add_y<group>(x, y, sum);
                butterflies<group, forms>(x, t);
                butterflies<group, forms>(y, t);
                UNROLL for (int j = 0; j < size; ++j) {
                    store(p[j] + h, x[j]);
                    store(q[j] + h, y[j]);
                    x[j] = load(p[j] + lanes + h);
                    y[j] = load(q[j] + lanes + h);
                }
                add_y<group>(x, y, sum);
                butterflies<group, forms>(x, t);
                butterflies<group, forms>(y, t);
                UNROLL for (int j = 0; j < size; ++j) {
                    store(p[j] + lanes + h, x[j]);
                    store(q[j] + lanes + h, y[j]);
                }
            }
        }
        UNROLL for (int b = 0; b < group; ++b) {
            V z{};
            UNROLL for (int j = 0; j < size; ++j) z = j >> b & 1 ? z - rows[j] : z + rows[j];
            for (int l = 0; l < Simd<T>::width; ++l) {
                sums[b] += double(sum[b][l]);
                sums[group + b] += double(z[l]);
            }
        }
    }
}

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
void imaginary(const T* tile, const uint32_t* bases, size_t count, uint32_t shift, uint32_t partner, T* out) {
    constexpr int lanes = Simd<T>::lanes;
    for (size_t i = 0; i < count; ++i) {
        const T* psi = tile + size_t(bases[i] ^ shift) * Simd<T>::block;
        const T* lambda = tile + size_t(bases[i] ^ shift ^ partner) * Simd<T>::block;
        UNROLL for (int h = 0; h < lanes; h += Simd<T>::width)
            store(out + i * lanes + h, typename Simd<T>::V(load(lambda + h) * load(psi + lanes + h) - load(lambda + lanes + h) * load(psi + h)));
    }
}

template <class T>
void total(const T* rows, size_t count, double* lane_totals) {
    using V = typename Simd<T>::V;
    constexpr int lanes = Simd<T>::lanes, width = Simd<T>::width, parts = lanes / width;
    for (int l = 0; l < lanes; ++l) lane_totals[l] = 0;
    for (size_t i = 0; i < count;) {
        const size_t stop = i + 64 < count ? i + 64 : count;  // short sums in T, long ones in double
        V sum[2 * parts]{};  // two chains: one would wait for itself
        for (; i + 1 < stop; i += 2) {
            UNROLL for (int k = 0; k < 2 * parts; ++k) sum[k] = sum[k] + load(rows + i * lanes + k * width);
        }
        for (; i < stop; ++i) {
            UNROLL for (int k = 0; k < parts; ++k) sum[k] = sum[k] + load(rows + i * lanes + k * width);
        }
        UNROLL for (int k = 0; k < parts; ++k) {
            const V both = sum[k] + sum[parts + k];
            for (int l = 0; l < width; ++l) lane_totals[k * width + l] += double(both[l]);
        }
    }
}

template <class T>
void difference(const T* rows, size_t count, T* out) {
    const size_t numbers = count * Simd<T>::lanes;
    for (size_t k = 0; k < numbers; k += Simd<T>::width) store(out + k, typename Simd<T>::V(load(rows + k) - load(rows + numbers + k)));
}

template <class T>
void fold(T* rows, size_t count) {
    const size_t numbers = count * Simd<T>::lanes;
    for (size_t k = 0; k < numbers; k += Simd<T>::width) store(rows + k, typename Simd<T>::V(load(rows + k) + load(rows + numbers + k)));
}

template <class T>
double dot(const T* a, const T* b, size_t blocks) {
    using V = typename Simd<T>::V;
    V sum{}, more{};
    for (size_t k = 0; k < blocks * Simd<T>::block; k += 2 * Simd<T>::width) {
        sum = sum + load(a + k) * load(b + k);
        more = more + load(a + k + Simd<T>::width) * load(b + k + Simd<T>::width);
    }
    double total = 0;
    for (int l = 0; l < Simd<T>::width; ++l) total += double(sum[l]) + double(more[l]);
    return total;
}

template <class T>
void contract(const T* tile, const uint32_t* low, size_t num_low, const uint32_t* high, size_t num_high, uint32_t shift,
              const T* low_factors, const T* high_factors, T* by_high, T* by_low) {
    using V = typename Simd<T>::V;
    constexpr int lanes = Simd<T>::lanes, block = Simd<T>::block, width = Simd<T>::width;
    for (int k = 0; k < lanes; k += width) {
        for (size_t i = 0; i < num_high; ++i) {
            const T hc = high_factors[2 * i], hs = high_factors[2 * i + 1];
            V sr{}, si{};
            for (size_t j = 0; j < num_low; ++j) {
                const T* p = tile + size_t(low[j] ^ high[i] ^ shift) * block + k;
                const V re = load(p), im = load(p + lanes);
                const T lc = low_factors[2 * j], ls = low_factors[2 * j + 1];
                sr = sr + re * lc;
                sr = sr - im * ls;
                si = si + re * ls;
                si = si + im * lc;
                T* to = by_low + j * block + k;
                V tr = load(to), ti = load(to + lanes);
                tr = tr + re * hc;
                tr = tr - im * hs;
                ti = ti + re * hs;
                ti = ti + im * hc;
                store(to, tr);
                store(to + lanes, ti);
            }
            store(by_high + i * block + k, sr);
            store(by_high + i * block + lanes + k, si);
        }
    }
}

}  // namespace qrealm::QREALM_ISA
