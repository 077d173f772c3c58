// The loops of qaoa.h, written once and compiled for each instruction set; `LOOPS` names the table they fill, vectors have
// `VECTOR_BYTES`. Real and imaginary parts lie in arrays of their own.
#include <cmath>
#include <utility>

#include "qaoa.h"
#if defined(__AVX512F__)
#include <immintrin.h>
#endif

namespace qrealm::qaoa {
namespace {

#define ALWAYS_INLINE inline __attribute__((always_inline))

template <class T>
struct Of;
template <>
struct Of<double> {
    typedef double V __attribute__((vector_size(VECTOR_BYTES)));
    typedef int64_t I __attribute__((vector_size(VECTOR_BYTES)));
    static constexpr int LOG = VECTOR_BYTES == 64 ? 3 : VECTOR_BYTES == 32 ? 2 : 1;
    static constexpr double MAGIC = 0x1.8p52;  // added to a number, it leaves its nearest integer in the lowest bits
};
template <>
struct Of<float> {
    typedef float V __attribute__((vector_size(VECTOR_BYTES)));
    typedef int32_t I __attribute__((vector_size(VECTOR_BYTES)));
    static constexpr int LOG = Of<double>::LOG + 1;
    static constexpr float MAGIC = 0x1.8p23f;
};
template <class T>
using V = typename Of<T>::V;

template <class T>
ALWAYS_INLINE V<T>& at(T* p) {
    return *reinterpret_cast<V<T>*>(p);
}

template <class T>
ALWAYS_INLINE void spread(T value, V<T>& out) {
    out = V<T>{} + value;
}

template <class T>
ALWAYS_INLINE double total(const V<T>& v) {
    double sum = 0;
    for (int l = 0; l < 1 << Of<T>::LOG; ++l) sum += double(v[l]);
    return sum;
}

// Exchanges lanes whose numbers differ in one bit.
template <int MASK, class Vec, size_t... L>
ALWAYS_INLINE void exchange(const Vec& in, Vec& out, std::index_sequence<L...>) {
#if defined(__clang__) || __GNUC__ >= 12
    out = __builtin_shufflevector(in, in, int(L ^ MASK)...);
#else
    using Numbers = decltype(in < in);
    out = __builtin_shuffle(in, Numbers{int(L ^ MASK)...});
#endif
}

// (a, b) becomes (a - i t b, b - i t a).
template <class Vec>
ALWAYS_INLINE void cross(Vec& ar, Vec& ai, Vec& br, Vec& bi, const Vec& t) {
    const Vec r = ar, i = ai;
    ar += t * bi;
    ai -= t * br;
    br += t * i;
    bi -= t * r;
}

// What is mixed: psi, or psi and lambda.
template <class T>
struct Parts {
    T *r, *i, *lr, *li;
};

// Four rows that differ in two qubits, `count` amplitudes of each.
template <class T, bool BOTH>
ALWAYS_INLINE void quad(const Parts<T>& p, size_t first, size_t s, size_t count, const V<T>& t, size_t flip, V<T>& acc) {
    const size_t o[4] = {first, first + s, first + 2 * s, first + 3 * s};
    for (size_t k = 0; k < count; k += size_t(1) << Of<T>::LOG) {
        V<T> r0 = at(p.r + o[0] + k), r1 = at(p.r + o[1] + k), r2 = at(p.r + o[2] + k), r3 = at(p.r + o[3] + k);
        V<T> i0 = at(p.i + o[0] + k), i1 = at(p.i + o[1] + k), i2 = at(p.i + o[2] + k), i3 = at(p.i + o[3] + k);
        if constexpr (BOTH) {
            V<T> q0 = at(p.lr + o[0] + k), q1 = at(p.lr + o[1] + k), q2 = at(p.lr + o[2] + k), q3 = at(p.lr + o[3] + k);
            V<T> j0 = at(p.li + o[0] + k), j1 = at(p.li + o[1] + k), j2 = at(p.li + o[2] + k), j3 = at(p.li + o[3] + k);
            acc += (q0 + q3) * (i1 + i2) + (q1 + q2) * (i0 + i3);
            acc -= (j0 + j3) * (r1 + r2) + (j1 + j2) * (r0 + r3);
            cross(q0, j0, q1, j1, t);
            cross(q2, j2, q3, j3, t);
            cross(q0, j0, q2, j2, t);
            cross(q1, j1, q3, j3, t);
            at(p.lr + o[0 ^ flip] + k) = q0, at(p.lr + o[1 ^ flip] + k) = q1;
            at(p.lr + o[2 ^ flip] + k) = q2, at(p.lr + o[3 ^ flip] + k) = q3;
            at(p.li + o[0 ^ flip] + k) = j0, at(p.li + o[1 ^ flip] + k) = j1;
            at(p.li + o[2 ^ flip] + k) = j2, at(p.li + o[3 ^ flip] + k) = j3;
        }
        cross(r0, i0, r1, i1, t);
        cross(r2, i2, r3, i3, t);
        cross(r0, i0, r2, i2, t);
        cross(r1, i1, r3, i3, t);
        at(p.r + o[0 ^ flip] + k) = r0, at(p.r + o[1 ^ flip] + k) = r1;
        at(p.r + o[2 ^ flip] + k) = r2, at(p.r + o[3 ^ flip] + k) = r3;
        at(p.i + o[0 ^ flip] + k) = i0, at(p.i + o[1 ^ flip] + k) = i1;
        at(p.i + o[2 ^ flip] + k) = i2, at(p.i + o[3 ^ flip] + k) = i3;
    }
}

// Two rows that differ in one qubit.
template <class T, bool BOTH>
ALWAYS_INLINE void pair(const Parts<T>& p, size_t first, size_t s, size_t count, const V<T>& t, size_t flip, V<T>& acc) {
    const size_t o[2] = {first, first + s};
    for (size_t k = 0; k < count; k += size_t(1) << Of<T>::LOG) {
        V<T> r0 = at(p.r + o[0] + k), r1 = at(p.r + o[1] + k), i0 = at(p.i + o[0] + k), i1 = at(p.i + o[1] + k);
        if constexpr (BOTH) {
            V<T> q0 = at(p.lr + o[0] + k), q1 = at(p.lr + o[1] + k), j0 = at(p.li + o[0] + k), j1 = at(p.li + o[1] + k);
            acc += q0 * i1 + q1 * i0 - j0 * r1 - j1 * r0;
            cross(q0, j0, q1, j1, t);
            at(p.lr + o[flip & 1] + k) = q0, at(p.lr + o[1 ^ (flip & 1)] + k) = q1;
            at(p.li + o[flip & 1] + k) = j0, at(p.li + o[1 ^ (flip & 1)] + k) = j1;
        }
        cross(r0, i0, r1, i1, t);
        at(p.r + o[flip & 1] + k) = r0, at(p.r + o[1 ^ (flip & 1)] + k) = r1;
        at(p.i + o[flip & 1] + k) = i0, at(p.i + o[1 ^ (flip & 1)] + k) = i1;
    }
}

// One qubit inside a vector.
template <int MASK, bool SWAPPED, class T>
ALWAYS_INLINE void lane(V<T>& r, V<T>& i, const V<T>& t) {
    constexpr auto LANES = std::make_index_sequence<size_t(1) << Of<T>::LOG>{};
    V<T> other_r, other_i;
    exchange<MASK>(r, other_r, LANES);
    exchange<MASK>(i, other_i, LANES);
    if constexpr (SWAPPED) {
        const V<T> old = r;
        r = other_r + t * i;
        i = other_i - t * old;
    } else {
        r += t * other_i;
        i -= t * other_r;
    }
}

template <int MASK, class T>
ALWAYS_INLINE void add_exchanged(const V<T>& in, V<T>& sum) {
    V<T> other;
    exchange<MASK>(in, other, std::make_index_sequence<size_t(1) << Of<T>::LOG>{});
    sum += other;
}

// All qubits inside vectors.
template <class T, bool BOTH, bool SWAPPED>
ALWAYS_INLINE void lanes(const Parts<T>& p, size_t first, size_t count, const V<T>& t, V<T>& acc) {
    constexpr int LOG = Of<T>::LOG;
    for (size_t k = first; k < first + count; k += size_t(1) << LOG) {
        V<T> r = at(p.r + k), i = at(p.i + k);
        const auto all = [&t](V<T>& x, V<T>& y) __attribute__((always_inline)) {
            lane<1, SWAPPED, T>(x, y, t);
            if constexpr (LOG > 1) lane<2, SWAPPED, T>(x, y, t);
            if constexpr (LOG > 2) lane<4, SWAPPED, T>(x, y, t);
            if constexpr (LOG > 3) lane<8, SWAPPED, T>(x, y, t);
        };
        if constexpr (BOTH) {
            V<T> q = at(p.lr + k), j = at(p.li + k), sum_r{}, sum_i{};
            add_exchanged<1, T>(r, sum_r), add_exchanged<1, T>(i, sum_i);
            if constexpr (LOG > 1) add_exchanged<2, T>(r, sum_r), add_exchanged<2, T>(i, sum_i);
            if constexpr (LOG > 2) add_exchanged<4, T>(r, sum_r), add_exchanged<4, T>(i, sum_i);
            if constexpr (LOG > 3) add_exchanged<8, T>(r, sum_r), add_exchanged<8, T>(i, sum_i);
            acc += q * sum_i - j * sum_r;
            all(q, j);
            at(p.lr + k) = q, at(p.li + k) = j;
        }
        all(r, i);
        at(p.r + k) = r, at(p.i + k) = i;
    }
}

// What is mixed without its factor grows: sums of a later qubit count less.
struct Sum {
    double weight, shrink, value = 0;
    template <class T>
    ALWAYS_INLINE void take(V<T>& acc, int qubits) {
        value += weight * total<T>(acc);
        acc = V<T>{};
        for (; qubits; --qubits) weight *= shrink;
    }
};

// The qubits with strides from `s` up to `end`, in `count` amplitudes from `first`.
template <class T, bool BOTH>
ALWAYS_INLINE void strides(const Parts<T>& p, size_t first, size_t count, size_t s, size_t end, const V<T>& t, size_t flip,
                           Sum& sum) {
    V<T> acc{};
    for (; 2 * s < end; s *= 4) {
        for (size_t base = first; base < first + count; base += 4 * s) quad<T, BOTH>(p, base, s, s, t, flip, acc);
        if constexpr (BOTH) sum.take<T>(acc, 2);
    }
    if (s < end) {
        for (size_t base = first; base < first + count; base += 2 * s) pair<T, BOTH>(p, base, s, s, t, flip, acc);
        if constexpr (BOTH) sum.take<T>(acc, 1);
    }
}

template <class T, bool BOTH, bool SWAPPED>
void mix(const Tile<T>& tile, const Step<T>& step, double* sums) {
    const Parts<T> p{tile.psi_re, tile.psi_im, tile.lambda_re, tile.lambda_im};
    constexpr size_t flip = SWAPPED ? 3 : 0;
    V<T> t, acc{};
    spread<T>(T(step.tangent), t);
    Sum sum{step.weight, step.shrink};
    if (tile.low) {
        // Qubits of small strides first, a part at a time that fits the smallest cache.
        const size_t part = size_t(1) << (Of<T>::LOG + 6), inner = part < tile.run ? part : tile.run;
        for (size_t first = 0; first < tile.run; first += inner) {
            sum.weight = step.weight;
            lanes<T, BOTH, SWAPPED>(p, first, inner, t, acc);
            if constexpr (BOTH) sum.take<T>(acc, Of<T>::LOG);
            strides<T, BOTH>(p, first, inner, size_t(1) << Of<T>::LOG, inner, t, flip, sum);
        }
        strides<T, BOTH>(p, 0, tile.run, inner, tile.run, t, flip, sum);
    } else {
        size_t s = 1;
        for (; 2 * s < tile.rows; s *= 4) {
            for (size_t base = 0; base < tile.rows; base += 4 * s)
                for (size_t row = base; row < base + s; ++row)
                    quad<T, BOTH>(p, row * tile.pitch, s * tile.pitch, tile.run, t, flip, acc);
            if constexpr (BOTH) sum.take<T>(acc, 2);
        }
        if (s < tile.rows) {
            for (size_t row = 0; row < s; ++row)
                pair<T, BOTH>(p, row * tile.pitch, s * tile.pitch, tile.run, t, flip, acc);
            if constexpr (BOTH) sum.take<T>(acc, 1);
        }
    }
    if constexpr (BOTH) sums[step.slot] += sum.value;
}

// Each string with its complement: a low tile with its mirror, or the lower half of the only tile with the upper one.
template <class T, bool BOTH, bool SWAPPED>
void mix_mirrored(const Tile<T>& tile, const Step<T>& step, double* sums) {
    constexpr size_t W = size_t(1) << Of<T>::LOG;
    constexpr auto LANES = std::make_index_sequence<W>{};
    constexpr int BACKWARDS = int(W) - 1;
    const Parts<T> p{tile.psi_re, tile.psi_im, tile.lambda_re, tile.lambda_im};
    const ptrdiff_t last = (tile.mirrored ? tile.mirror : 0) + ptrdiff_t(tile.run - W);
    const size_t count = tile.mirrored ? tile.run : tile.run / 2;
    V<T> t, acc{};
    spread<T>(T(step.tangent), t);
    const auto put = [](T* near, T* far, const V<T>& a, const V<T>& b) __attribute__((always_inline)) {
        exchange<BACKWARDS>(SWAPPED ? a : b, at(far), LANES);
        at(near) = SWAPPED ? b : a;
    };
    for (size_t k = 0; k < count; k += W) {
        const ptrdiff_t far = last - ptrdiff_t(k);
        V<T> r0 = at(p.r + k), i0 = at(p.i + k), r1, i1;
        exchange<BACKWARDS>(at(p.r + far), r1, LANES);
        exchange<BACKWARDS>(at(p.i + far), i1, LANES);
        if constexpr (BOTH) {
            V<T> q0 = at(p.lr + k), j0 = at(p.li + k), q1, j1;
            exchange<BACKWARDS>(at(p.lr + far), q1, LANES);
            exchange<BACKWARDS>(at(p.li + far), j1, LANES);
            acc += q0 * i1 + q1 * i0 - j0 * r1 - j1 * r0;
            cross(q0, j0, q1, j1, t);
            put(p.lr + k, p.lr + far, q0, q1);
            put(p.li + k, p.li + far, j0, j1);
        }
        cross(r0, i0, r1, i1, t);
        put(p.r + k, p.r + far, r0, r1);
        put(p.i + k, p.i + far, i0, i1);
    }
    if constexpr (BOTH) sums[step.slot] += step.weight * total<T>(acc);
}

// Costs of one vector of amplitudes.
template <class T>
ALWAYS_INLINE void costs_at(const Costs& costs, size_t index, V<T>& out) {
    for (int l = 0; l < 1 << Of<T>::LOG; ++l)
        out[l] = T(costs.levels ? costs.of_level[costs.levels[index + l]] : costs.values[index + l]);
}

// Cosine and sine of 2 pi times what is left of `turns`, at most half a turn either way: by their series around the nearest
// quarter.
template <class T>
ALWAYS_INLINE void cos_sin(const V<T>& turns, V<T>& cosine, V<T>& sine) {
    typedef typename Of<T>::I I;
    const V<T> marked = turns * T(4) + Of<T>::MAGIC;
    const V<T> x = (turns - (marked - Of<T>::MAGIC) * T(0.25)) * T(6.283185307179586476925), x2 = x * x;
    const I quarter = (I)marked;
    V<T> s, c;
    if constexpr (sizeof(T) == 8) {
        s = x2 * T(-1.0 / 1307674368000) + T(1.0 / 6227020800);
        s = s * x2 - T(1.0 / 39916800);
        s = s * x2 + T(1.0 / 362880);
        c = x2 * T(1.0 / 20922789888000) - T(1.0 / 87178291200);
        c = c * x2 + T(1.0 / 479001600);
        c = c * x2 - T(1.0 / 3628800);
        c = c * x2 + T(1.0 / 40320);
    } else {
        spread<T>(T(1.0 / 362880), s);
        spread<T>(T(1.0 / 40320), c);
    }
    s = s * x2 - T(1.0 / 5040);
    s = s * x2 + T(1.0 / 120);
    s = s * x2 - T(1.0 / 6);
    s = s * x2 * x + x;
    c = c * x2 - T(1.0 / 720);
    c = c * x2 + T(1.0 / 24);
    c = c * x2 - T(0.5);
    c = c * x2 + T(1);
    const I odd = (quarter & 1) != 0;
    const V<T> a = odd ? s : c, b = odd ? c : s;
    cosine = ((quarter + 1) & 2) != 0 ? -a : a;
    sine = (quarter & 2) != 0 ? -b : b;
}

// factor exp(i angle cost) of one vector of amplitudes.
template <class T>
ALWAYS_INLINE void phases_at(const Costs& costs, const Step<T>& step, size_t index, V<T>& cosine, V<T>& sine) {
    constexpr int W = 1 << Of<T>::LOG;
    if (costs.levels) {
#if defined(__AVX512F__)
        if constexpr (sizeof(T) == 8) {
            const __m256i level = _mm256_cvtepu16_epi32(*reinterpret_cast<const __m128i*>(costs.levels + index));
            cosine = (V<T>)_mm512_i32gather_pd(level, step.cosines.data(), 8);
            sine = (V<T>)_mm512_i32gather_pd(level, step.sines.data(), 8);
        } else {
            const __m512i level = _mm512_cvtepu16_epi32(*reinterpret_cast<const __m256i*>(costs.levels + index));
            cosine = (V<T>)_mm512_i32gather_ps(level, step.cosines.data(), 4);
            sine = (V<T>)_mm512_i32gather_ps(level, step.sines.data(), 4);
        }
#else
        for (int l = 0; l < W; ++l) {
            const uint16_t level = costs.levels[index + l];
            cosine[l] = step.cosines[level];
            sine[l] = step.sines[level];
        }
#endif
        return;
    }
    const double turns = step.angle * 0.15915494309189533577;
    V<T> rest;
    for (int l = 0; l < W; ++l) {
        const double x = costs.values[index + l] * turns;
        rest[l] = T(x - ((x + 0x1.8p52) - 0x1.8p52));
    }
    cos_sin<T>(rest, cosine, sine);
    cosine *= T(step.factor);
    sine *= T(step.factor);
}

template <class Vec>
ALWAYS_INLINE void rotate(Vec& re, Vec& im, const Vec& cosine, const Vec& sine) {
    const Vec old = re;
    re = old * cosine - im * sine;
    im = old * sine + im * cosine;
}

// The steps that go through a tile's amplitudes one by one.
template <class T, Do WHAT, bool BOTH>
void touch(const Tile<T>& tile, const Step<T>& step, double* sums) {
    double sum = 0, norm = 0;
    for (size_t row = 0; row < tile.rows; ++row) {
        V<T> acc{}, acc_norm{};
        for (size_t k = 0; k < tile.run; k += size_t(1) << Of<T>::LOG) {
            const size_t place = row * tile.pitch + k, index = tile.cost_first + row * tile.cost_pitch + k;
            V<T>&re = at(tile.psi_re + place), &im = at(tile.psi_im + place);
            V<T> a, b;
            if constexpr (WHAT == Do::fill) {
                phases_at<T>(tile.costs, step, index, a, b);
                re = a, im = b;
            } else if constexpr (WHAT == Do::phase) {
                phases_at<T>(tile.costs, step, index, a, b);
                V<T> x = re, y = im;
                rotate(x, y, a, b);
                re = x, im = y;
                if constexpr (BOTH) {
                    x = at(tile.lambda_re + place), y = at(tile.lambda_im + place);
                    rotate(x, y, a, b);
                    at(tile.lambda_re + place) = x, at(tile.lambda_im + place) = y;
                }
            } else if constexpr (WHAT == Do::turn) {
                costs_at<T>(tile.costs, index, a);
                const V<T> chance = re * re + im * im;
                acc += a * chance;
                acc_norm += chance;
                at(tile.lambda_re + place) = a * re;
                at(tile.lambda_im + place) = a * im;
            } else {
                costs_at<T>(tile.costs, index, a);
                acc += a * (at(tile.lambda_re + place) * im - at(tile.lambda_im + place) * re);
            }
        }
        sum += total<T>(acc);
        norm += total<T>(acc_norm);
    }
    if constexpr (WHAT == Do::turn || WHAT == Do::slope) sums[step.slot] += step.weight * sum;
    if constexpr (WHAT == Do::turn) sums[step.slot + 1] += step.weight * norm;
}

template <class T, bool BOTH>
void take_step(const Tile<T>& tile, const Step<T>& step, double* sums) {
    switch (step.what) {
        case Do::fill: touch<T, Do::fill, false>(tile, step, sums); break;
        case Do::phase: touch<T, Do::phase, BOTH>(tile, step, sums); break;
        case Do::mix: step.swapped ? mix<T, BOTH, true>(tile, step, sums) : mix<T, BOTH, false>(tile, step, sums); break;
        case Do::mirror:
            step.swapped ? mix_mirrored<T, BOTH, true>(tile, step, sums) : mix_mirrored<T, BOTH, false>(tile, step, sums);
            break;
        case Do::turn: touch<T, Do::turn, false>(tile, step, sums); break;
        case Do::slope: touch<T, Do::slope, false>(tile, step, sums); break;
    }
}

template <class T>
void run_tile(const Tile<T>& tile, const std::vector<Step<T>>& steps, double* sums) {
    Tile<T> other = tile;
    other.psi_re += tile.mirror, other.psi_im += tile.mirror;
    if (tile.lambda_re) other.lambda_re += tile.mirror, other.lambda_im += tile.mirror;
    other.cost_first += size_t(tile.mirror_costs);
    for (const Step<T>& step : steps) {
        const auto take = step.both ? take_step<T, true> : take_step<T, false>;
        take(tile, step, sums);
        if (tile.mirrored && step.what != Do::mirror) take(other, step, sums);
    }
}

}  // namespace

extern const Loops LOOPS;
const Loops LOOPS = {run_tile<double>, run_tile<float>};

}  // namespace qrealm::qaoa
