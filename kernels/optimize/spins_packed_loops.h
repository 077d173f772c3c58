// The loops of spins_packed.h, written once and compiled for each instruction set; `LOOPS` names the table they fill.
#include <algorithm>

#include "spins_packed.h"
#if defined(__AVX512F__)
#include <immintrin.h>
#endif

namespace qrealm::spins {
namespace {

#define ALWAYS_INLINE inline __attribute__((always_inline))

// A word is worked on in parts as wide as the registers are; bits of different parts never meet.
#if defined(__AVX512F__)
constexpr int PART_BYTES = 64;
#elif defined(__AVX2__)
constexpr int PART_BYTES = 32;
#else
constexpr int PART_BYTES = 16;
#endif
constexpr size_t PARTS = 64 / PART_BYTES;
typedef uint64_t Vec __attribute__((vector_size(PART_BYTES), aligned(PART_BYTES), may_alias));

ALWAYS_INLINE Vec& part_of(Word& word, size_t part) { return reinterpret_cast<Vec*>(&word)[part]; }
ALWAYS_INLINE const Vec& part_of(const Word& word, size_t part) { return reinterpret_cast<const Vec*>(&word)[part]; }

// sum = a XOR b XOR c, carry = majority of the three; sum may be one of a, b, c.
ALWAYS_INLINE void full_add(const Vec& a, const Vec& b, const Vec& c, Vec& sum, Vec& carry) {
#if defined(__AVX512F__)
    const __m512i x = (__m512i)a, y = (__m512i)b, z = (__m512i)c;
    carry = (Vec)_mm512_ternarylogic_epi64(x, y, z, 0xe8);
    sum = (Vec)_mm512_ternarylogic_epi64(x, y, z, 0x96);
#else
    const Vec either = a ^ b;
    const Vec both = (a & b) | (c & either);
    sum = either ^ c;
    carry = both;
#endif
}

ALWAYS_INLINE void majority(const Vec& a, const Vec& b, const Vec& c, Vec& out) {
#if defined(__AVX512F__)
    out = (Vec)_mm512_ternarylogic_epi64((__m512i)a, (__m512i)b, (__m512i)c, 0xe8);
#else
    out = (a & b) | (c & (a | b));
#endif
}

// One part of the source.
struct Stream {
    Vec s0, s1;
};

ALWAYS_INLINE void draw(Stream& source, Vec& out) {
    Vec x = source.s0;
    const Vec y = source.s1;
    source.s0 = y;
    x ^= x << 23;
    source.s1 = x ^ y ^ (x >> 18) ^ (y >> 5);
    out = source.s1 + y;
}

// 1 in each copy with that copy's probability.
ALWAYS_INLINE void draw_chance(Stream& source, const Chance& chance, size_t part, Vec& out) {
    out = Vec{};
    if (chance.never) return;
    for (int b = 0; b < CHANCE_BITS; ++b) {
        Vec random;
        draw(source, random);
        majority(random, out, part_of(chance.planes[size_t(b)], part), out);
    }
}

void refresh_part(PackedState& state, Stream& source, int count, size_t part) {
    const int drawn = state.drawn_planes, kept = state.threshold_planes;
    for (int k = 0; k < count; ++k) {
        Threshold& entry = state.table[size_t((state.refreshed + k) % TABLE)];
        Vec visited = Vec{};
        for (int b = 0; b < PAUSE_DRAWS; ++b) {
            Vec random;
            draw(source, random);
            visited |= random;
        }
        part_of(entry.visited, part) = visited;
        if (!drawn) continue;
        Vec some, high = Vec{}, all = ~Vec{};
        draw_chance(source, state.chances[THRESHOLD_PLANES_MAX], part, some);
        for (int p = kept; p < drawn; ++p) {
            Vec bit;
            draw_chance(source, state.chances[size_t(p)], part, bit);
            high |= bit;
        }
        for (int p = 0; p < kept; ++p) {
            Vec& bit = part_of(entry.even[size_t(p)], part);
            draw_chance(source, state.chances[size_t(p)], part, bit);
            bit |= high;
            all &= bit;
        }
        Vec carry = ~all;  // one more, except where all bits are 1
        for (int p = 0; p < kept; ++p) {
            part_of(entry.odd[size_t(p)], part) = (part_of(entry.even[size_t(p)], part) ^ carry) & some;
            carry &= part_of(entry.even[size_t(p)], part);
        }
    }
}

void refresh(PackedState& state, WordSource& source, int count) {
    for (size_t part = 0; part < PARTS; ++part) {
        Stream stream{part_of(source.s0, part), part_of(source.s1, part)};
        refresh_part(state, stream, count, part);
        part_of(source.s0, part) = stream.s0;
        part_of(source.s1, part) = stream.s1;
    }
    state.refreshed = (state.refreshed + count) % TABLE;
}

template <int PLANES>
struct Counter {
    Vec bits[PLANES];
    Vec overflow = Vec{};

    ALWAYS_INLINE explicit Counter(uint32_t start) {
        for (int p = 0; p < PLANES; ++p) bits[p] = Vec{} - ((start >> p) & 1u);
    }
    template <int FROM>
    ALWAYS_INLINE void carry_on(const Vec& in) {
        Vec carry = in;
        for (int p = FROM; p < PLANES; ++p) {
            const Vec next = bits[p] & carry;
            bits[p] ^= carry;
            carry = next;
        }
        overflow |= carry;
    }
    ALWAYS_INLINE void add_number(const Word* number, int planes, size_t part) {
        Vec carry = Vec{};
        for (int p = 0; p < PLANES; ++p) {
            if (p < planes) {
                full_add(bits[p], part_of(number[p], part), carry, bits[p], carry);
            } else {
                const Vec next = bits[p] & carry;
                bits[p] ^= carry;
                carry = next;
            }
        }
        overflow |= carry;
    }
    template <int AT>
    ALWAYS_INLINE void add_two(const Vec& a, const Vec& b) {
        Vec carry;
        full_add(bits[AT], a, b, bits[AT], carry);
        if constexpr (AT + 1 < PLANES) carry_on<AT + 1>(carry);
        else overflow |= carry;
    }
    // Four words of ones, their fours in `fours`.
    ALWAYS_INLINE void add_four(const Vec& a, const Vec& b, const Vec& c, const Vec& d, Vec& fours) {
        Vec first, second;
        full_add(bits[0], a, b, bits[0], first);
        full_add(bits[0], c, d, bits[0], second);
        full_add(bits[1], first, second, bits[1], fours);
    }
};

template <int PLANES, int AT, class At>
ALWAYS_INLINE void add_heavy(Counter<PLANES>& counter, int weight_planes, const uint32_t* starts, const At& at) {
    if constexpr (AT < PLANES) {
        if (AT >= weight_planes) return;
        for (uint32_t k = starts[AT]; k < starts[AT + 1]; k += 2) {
            Vec first, second;
            at(k, first);
            at(k + 1, second);
            counter.template add_two<AT>(first, second);
        }
        add_heavy<PLANES, AT + 1>(counter, weight_planes, starts, at);
    }
}

// One part of one spin: counts what would gain by its flip, and flips it where that is enough.
template <int PLANES, bool HEAVY>
ALWAYS_INLINE void visit(PackedState& state, size_t i, const Threshold& threshold, size_t part) {
    Word* const words = state.words.data();
    const uint32_t* const inputs = state.inputs.data();
    const uint32_t* const starts = &state.starts[i * size_t(state.weight_planes)];
    const int32_t total = state.totals[i];
    const Vec own = part_of(words[i], part);
    Counter<PLANES> counter((1u << PLANES) - uint32_t((total + 1) / 2));
    if (state.drawn_planes)
        counter.add_number(total % 2 ? threshold.odd.data() : threshold.even.data(), state.threshold_planes, part);
    const auto at = [&](uint32_t k, Vec& out) { out = part_of(words[inputs[k]], part) ^ own; };
    const auto add_four = [&](uint32_t k, Vec& fours) {
        Vec a, b, c, d;
        at(k, a);
        at(k + 1, b);
        at(k + 2, c);
        at(k + 3, d);
        counter.add_four(a, b, c, d, fours);
    };
    uint32_t k = starts[0];
    const uint32_t end = starts[1];
    for (; k + 8 <= end; k += 8) {
        Vec first, second;
        add_four(k, first);
        add_four(k + 4, second);
        counter.template add_two<2>(first, second);
    }
    if (k < end) {
        Vec fours;
        add_four(k, fours);
        counter.template carry_on<2>(fours);
    }
    if constexpr (HEAVY) add_heavy<PLANES, 1>(counter, state.weight_planes, starts, at);
    const Vec flipped = own ^ (counter.overflow & part_of(threshold.visited, part));
    part_of(words[i], part) = flipped;
    part_of(words[size_t(state.size) + 1 + i], part) = ~flipped;
}

template <int PLANES, bool HEAVY>
void sweep_planes(PackedState& state, Generator& generator) {
    uint64_t random = 0;
    for (size_t i = 0; i < size_t(state.size); ++i) {
        if (i % 8 == 0) random = generator();
        const Threshold& threshold = state.table[random % TABLE];
        random >>= 8;
        for (size_t part = 0; part < PARTS; ++part) visit<PLANES, HEAVY>(state, i, threshold, part);
    }
}

template <int PLANES>
void sweep_weights(PackedState& state, Generator& generator) {
    if (state.weight_planes > 1) sweep_planes<PLANES, true>(state, generator);
    else sweep_planes<PLANES, false>(state, generator);
}

void sweep(PackedState& state, Generator& generator) {
    switch (state.count_planes) {
        case 3: return sweep_weights<3>(state, generator);
        case 4: return sweep_weights<4>(state, generator);
        case 5: return sweep_weights<5>(state, generator);
        case 6: return sweep_weights<6>(state, generator);
        case 7: return sweep_weights<7>(state, generator);
        case 8: return sweep_weights<8>(state, generator);
        case 9:
        case 10: return sweep_weights<10>(state, generator);
        default: return sweep_weights<COUNT_PLANES_MAX>(state, generator);
    }
}

// Adds `word` at plane `from`.
ALWAYS_INLINE void carry_up(Word* planes, const Vec& word, size_t from, size_t part) {
    Vec carry = word;
    for (size_t p = from; p < size_t(ENERGY_PLANES); ++p) {
        Vec& plane = part_of(planes[p], part);
        const Vec next = plane & carry;
        plane ^= carry;
        carry = next;
        uint64_t left = 0;
        for (int limb = 0; limb < PART_BYTES / 8; ++limb) left |= carry[limb];
        if (!left) break;
    }
}

void energies(const PackedState& state, Word* planes) {
    std::fill(planes, planes + ENERGY_PLANES, Word{});
    for (size_t part = 0; part < PARTS; ++part)
        for (size_t p = 0; p < state.edges.size(); ++p) {
            const auto& edges = state.edges[p];
            const auto at = [&](size_t k, Vec& out) {
                out = part_of(state.words[edges[k][0]], part) ^ part_of(state.words[edges[k][1]], part);
            };
            Vec ones = Vec{}, twos = Vec{}, fours = Vec{};
            size_t k = 0;
            for (; k + 8 <= edges.size(); k += 8) {
                Vec dear[8], pairs[4], first, second, eights;
                for (size_t j = 0; j < 8; ++j) at(k + j, dear[j]);
                for (size_t j = 0; j < 4; ++j) full_add(ones, dear[2 * j], dear[2 * j + 1], ones, pairs[j]);
                full_add(twos, pairs[0], pairs[1], twos, first);
                full_add(twos, pairs[2], pairs[3], twos, second);
                full_add(fours, first, second, fours, eights);
                carry_up(planes, eights, p + 3, part);
            }
            for (; k < edges.size(); ++k) {
                Vec dear;
                at(k, dear);
                carry_up(planes, dear, p, part);
            }
            carry_up(planes, ones, p, part);
            carry_up(planes, twos, p + 1, part);
            carry_up(planes, fours, p + 2, part);
        }
}

void exchange(PackedState& state, const Word& mask) {
    for (size_t i = 0; i < size_t(state.size); ++i)
        for (size_t part = 0; part < PARTS; ++part) {
            const Vec own = part_of(state.words[i], part);
            const Vec differ = ((own >> 1) ^ own) & part_of(mask, part);
            const Vec swapped = own ^ differ ^ (differ << 1);
            part_of(state.words[i], part) = swapped;
            part_of(state.words[size_t(state.size) + 1 + i], part) = ~swapped;
        }
}

}  // namespace

const PackedLoops LOOPS{refresh, sweep, energies, exchange};

}  // namespace qrealm::spins
