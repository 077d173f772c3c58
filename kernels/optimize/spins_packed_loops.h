// The loops of spins_packed.h, written once and compiled for each instruction set; `LOOPS` names the table they fill.
#include <algorithm>

#include "spins_packed.h"
#if defined(__AVX512F__)
#include <immintrin.h>
#endif

namespace qrealm::spins {
namespace {

#define ALWAYS_INLINE inline __attribute__((always_inline))

// sum = a XOR b XOR c, carry = majority of the three; sum may be one of a, b, c.
ALWAYS_INLINE void full_add(const Bits& a, const Bits& b, const Bits& c, Bits& sum, Bits& carry) {
#if defined(__AVX512F__)
    const __m512i x = (__m512i)a, y = (__m512i)b, z = (__m512i)c;
    carry = (Bits)_mm512_ternarylogic_epi64(x, y, z, 0xe8);
    sum = (Bits)_mm512_ternarylogic_epi64(x, y, z, 0x96);
#else
    const Bits either = a ^ b;
    const Bits both = (a & b) | (c & either);
    sum = either ^ c;
    carry = both;
#endif
}

ALWAYS_INLINE void majority(const Bits& a, const Bits& b, const Bits& c, Bits& out) {
#if defined(__AVX512F__)
    out = (Bits)_mm512_ternarylogic_epi64((__m512i)a, (__m512i)b, (__m512i)c, 0xe8);
#else
    out = (a & b) | (c & (a | b));
#endif
}

ALWAYS_INLINE void draw(WordSource& source, Bits& out) {
    Bits x = source.s0.bits;
    const Bits y = source.s1.bits;
    source.s0.bits = y;
    x ^= x << 23;
    source.s1.bits = x ^ y ^ (x >> 18) ^ (y >> 5);
    out = source.s1.bits + y;
}

// 1 in each copy with that copy's probability.
ALWAYS_INLINE void draw_chance(WordSource& source, const Chance& chance, Bits& out) {
    out = Bits{};
    if (chance.never) return;
    for (int b = 0; b < CHANCE_BITS; ++b) {
        Bits random;
        draw(source, random);
        majority(random, out, chance.planes[size_t(b)].bits, out);
    }
}

void refresh(PackedState& state, WordSource& source, int count) {
    const int drawn = state.drawn_planes, kept = state.threshold_planes;
    for (int k = 0; k < count; ++k) {
        Threshold& entry = state.table[size_t(state.refreshed)];
        state.refreshed = (state.refreshed + 1) % TABLE;
        Bits visited = Bits{};
        for (int b = 0; b < PAUSE_DRAWS; ++b) {
            Bits random;
            draw(source, random);
            visited |= random;
        }
        entry.visited.bits = visited;
        if (!drawn) continue;
        Bits some, high = Bits{}, all = ~Bits{};
        draw_chance(source, state.chances[THRESHOLD_PLANES_MAX], some);
        for (int p = kept; p < drawn; ++p) {
            Bits bit;
            draw_chance(source, state.chances[size_t(p)], bit);
            high |= bit;
        }
        for (int p = 0; p < kept; ++p) {
            Bits& bit = entry.even[size_t(p)].bits;
            draw_chance(source, state.chances[size_t(p)], bit);
            bit |= high;
            all &= bit;
        }
        Bits carry = ~all;  // one more, except where all bits are 1
        for (int p = 0; p < kept; ++p) {
            entry.odd[size_t(p)].bits = (entry.even[size_t(p)].bits ^ carry) & some;
            carry &= entry.even[size_t(p)].bits;
        }
    }
}

template <int PLANES>
struct Counter {
    Bits bits[PLANES];
    Bits overflow = Bits{};

    ALWAYS_INLINE explicit Counter(uint32_t start) {
        for (int p = 0; p < PLANES; ++p) bits[p] = Bits{} - ((start >> p) & 1u);
    }
    template <int FROM>
    ALWAYS_INLINE void carry_on(const Bits& in) {
        Bits carry = in;
        for (int p = FROM; p < PLANES; ++p) {
            const Bits next = bits[p] & carry;
            bits[p] ^= carry;
            carry = next;
        }
        overflow |= carry;
    }
    ALWAYS_INLINE void add_number(const Bits* number, int planes) {
        Bits carry = Bits{};
        for (int p = 0; p < PLANES; ++p) {
            if (p < planes) {
                full_add(bits[p], number[p], carry, bits[p], carry);
            } else {
                const Bits next = bits[p] & carry;
                bits[p] ^= carry;
                carry = next;
            }
        }
        overflow |= carry;
    }
    template <int AT>
    ALWAYS_INLINE void add_two(const Bits& a, const Bits& b) {
        Bits carry;
        full_add(bits[AT], a, b, bits[AT], carry);
        if constexpr (AT + 1 < PLANES) carry_on<AT + 1>(carry);
        else overflow |= carry;
    }
    // Four words of ones, their fours in `fours`.
    ALWAYS_INLINE void add_four(const Bits& a, const Bits& b, const Bits& c, const Bits& d, Bits& fours) {
        Bits first, second;
        full_add(bits[0], a, b, bits[0], first);
        full_add(bits[0], c, d, bits[0], second);
        full_add(bits[1], first, second, bits[1], fours);
    }
};

template <int PLANES, int AT>
ALWAYS_INLINE void add_heavy(Counter<PLANES>& counter, const PackedState& state, const Bits* words, const Bits& own,
                             const uint32_t* starts) {
    if constexpr (AT < PLANES) {
        if (AT >= state.weight_planes) return;
        for (uint32_t k = starts[AT]; k < starts[AT + 1]; k += 2)
            counter.template add_two<AT>(words[state.inputs[k]] ^ own, words[state.inputs[k + 1]] ^ own);
        add_heavy<PLANES, AT + 1>(counter, state, words, own, starts);
    }
}

template <int PLANES, bool HEAVY>
void sweep_planes(PackedState& state, Generator& generator) {
    Bits* const words = &state.words[0].bits;
    const uint32_t* const inputs = state.inputs.data();
    const int threshold_planes = state.drawn_planes ? state.threshold_planes : 0;
    uint64_t random = 0;
    for (int i = 0; i < state.size; ++i) {
        if (i % 8 == 0) random = generator();
        const Threshold& threshold = state.table[random % TABLE];
        random >>= 8;
        const Bits own = words[i];
        const int32_t total = state.totals[i];
        Counter<PLANES> counter((1u << PLANES) - uint32_t((total + 1) / 2));
        if (threshold_planes)
            counter.add_number(total % 2 ? &threshold.odd[0].bits : &threshold.even[0].bits, threshold_planes);
        const uint32_t* const starts = &state.starts[size_t(i) * state.weight_planes];
        uint32_t k = starts[0];
        const uint32_t end = starts[1];
        for (; k + 8 <= end; k += 8) {
            Bits first, second;
            counter.add_four(words[inputs[k]] ^ own, words[inputs[k + 1]] ^ own, words[inputs[k + 2]] ^ own,
                             words[inputs[k + 3]] ^ own, first);
            counter.add_four(words[inputs[k + 4]] ^ own, words[inputs[k + 5]] ^ own, words[inputs[k + 6]] ^ own,
                             words[inputs[k + 7]] ^ own, second);
            counter.template add_two<2>(first, second);
        }
        if (k < end) {
            Bits fours;
            counter.add_four(words[inputs[k]] ^ own, words[inputs[k + 1]] ^ own, words[inputs[k + 2]] ^ own,
                             words[inputs[k + 3]] ^ own, fours);
            counter.template carry_on<2>(fours);
        }
        if constexpr (HEAVY) add_heavy<PLANES, 1>(counter, state, words, own, starts);
        const Bits flipped = own ^ (counter.overflow & threshold.visited.bits);
        words[i] = flipped;
        words[state.size + 1 + i] = ~flipped;
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
ALWAYS_INLINE void carry_up(Bits* planes, const Bits& word, size_t from) {
    Bits carry = word;
    for (size_t p = from; p < size_t(ENERGY_PLANES); ++p) {
        const Bits next = planes[p] & carry;
        planes[p] ^= carry;
        carry = next;
        uint64_t left = 0;
        for (int limb = 0; limb < LIMBS; ++limb) left |= carry[limb];
        if (!left) break;
    }
}

void energies(const PackedState& state, Word* out) {
    Bits* const planes = &out->bits;
    std::fill(planes, planes + ENERGY_PLANES, Bits{});
    const Bits* const words = &state.words[0].bits;
    for (size_t p = 0; p < state.edges.size(); ++p) {
        const auto& edges = state.edges[p];
        Bits ones = Bits{}, twos = Bits{}, fours = Bits{};
        size_t k = 0;
        for (; k + 8 <= edges.size(); k += 8) {
            Bits dear[8], pairs[4], first, second, eights;
            for (size_t j = 0; j < 8; ++j) dear[j] = words[edges[k + j][0]] ^ words[edges[k + j][1]];
            for (size_t j = 0; j < 4; ++j) full_add(ones, dear[2 * j], dear[2 * j + 1], ones, pairs[j]);
            full_add(twos, pairs[0], pairs[1], twos, first);
            full_add(twos, pairs[2], pairs[3], twos, second);
            full_add(fours, first, second, fours, eights);
            carry_up(planes, eights, p + 3);
        }
        for (; k < edges.size(); ++k) carry_up(planes, words[edges[k][0]] ^ words[edges[k][1]], p);
        carry_up(planes, ones, p);
        carry_up(planes, twos, p + 1);
        carry_up(planes, fours, p + 2);
    }
}

void exchange(PackedState& state, const Word& mask) {
    const size_t half = size_t(state.size) + 1;
    for (size_t i = 0; i < size_t(state.size); ++i) {
        const Bits own = state.words[i].bits;
        const Bits differ = ((own >> 1) ^ own) & mask.bits;
        const Bits swapped = own ^ differ ^ (differ << 1);
        state.words[i].bits = swapped;
        state.words[half + i].bits = ~swapped;
    }
}

}  // namespace

const PackedLoops LOOPS{refresh, sweep, energies, exchange};

}  // namespace qrealm::spins
