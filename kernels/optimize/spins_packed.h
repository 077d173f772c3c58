// Spins of 512 copies of one problem in the bits of one word: small whole-numbered weights only.
//
// Each spin is a word with one bit for each copy (1 for spin -1). A spin is visited in all copies at once: the weights of
// the edges that would gain by its flip are counted by full adders on whole words (bit-sliced), a random threshold is
// added, and what overflows accepts (S. V. Isakov et al., "Optimised simulated annealing for Ising spin glasses", Comput.
// Phys. Commun. 192, 2015, do this for bounded degrees with one adder network each).
//
// Metropolis: a flip that costs 2 (D - 2 bad), where D is the sum of |weights| at the spin and `bad` the sum of those that
// gain, is accepted when bad + g >= ceil(D / 2), with a random g >= 0. For even D, P(g >= k) = q^k with q = exp(-4 / T):
// the bits of such a number are independent, bit j is 1 with probability 1 / (1 + q^-(2^j)). For odd D, g is 0 with
// probability 1 - exp(-2 / T), else 1 more than such a number. Bits beyond what can matter are folded into the others.
//
// A few visits are left out at random: else flips that cost nothing, always accepted one after the other, would move all
// domain walls of a chain in step, and none would meet.
#pragma once
#include <array>
#include <cstdint>
#include <vector>

#include "random.h"

namespace qrealm::spins {

constexpr int COPIES = 512;
constexpr int LIMBS = COPIES / 64;
typedef uint64_t Bits __attribute__((vector_size(64), aligned(64)));
// Bits in memory: aligned alike whatever the instruction set that a file is compiled for.
struct alignas(64) Word {
    Bits bits = Bits{};
};

constexpr int THRESHOLD_PLANES_MAX = 6;  // bits of g
constexpr int PAUSE_DRAWS = 4;           // a visit is left out with probability 2^-PAUSE_DRAWS
constexpr int CHANCE_BITS = 12;          // bits of a probability
constexpr int TABLE = 256;               // thresholds that are kept at hand; visits pick from them at random
constexpr int COUNT_PLANES_MAX = 14;
constexpr int ENERGY_PLANES = 31;

// Random words: xorshift128+ (S. Vigna, 2017) in eight lanes.
struct WordSource {
    Word s0, s1;
    WordSource(uint64_t seed, uint64_t stream);
};

// Probabilities of all copies, bit-sliced: plane b has bit b (from the lowest) of round(p 2^CHANCE_BITS).
struct Chance {
    std::array<Word, CHANCE_BITS> planes;
    bool never = true;
};

// One random threshold for each copy, for spins with even and with odd D.
struct Threshold {
    std::array<Word, THRESHOLD_PLANES_MAX> even, odd;
    Word visited;
};

struct PackedState {
    int size = 0;              // spins, without the one that stands for the field
    int weight_planes = 1;     // bits of the largest |weight|
    int count_planes = 3;      // bits of the counter: floor(D / 2) + the largest g stay below 2^count_planes
    int threshold_planes = 0;  // bits of g that are added
    int drawn_planes = 0;      // bits of g that are drawn, at the temperature of now
    // Spin i is words[i], its negation words[size + 1 + i]; words[size] is a spin that is always +1.
    std::vector<Word> words;
    // Words at bit p of spin i's weights: inputs[starts[i * weight_planes + p]] up to the next start; x_i XOR an input is
    // 1 where the flip would gain. Padded with x_i itself, to a multiple of 4 for p = 0 and of 2 for the others.
    std::vector<uint32_t> starts, inputs;
    std::vector<int32_t> totals;  // D
    // Each edge once, by bit p of its weight, for the energy: XOR of the two is 1 where the edge is dear.
    std::vector<std::vector<std::array<uint32_t, 2>>> edges;
    std::vector<Threshold> table;
    std::array<Chance, THRESHOLD_PLANES_MAX + 1> chances;  // bits of g; the last one: that odd g is not 0
    int refreshed = 0;
};

// What is compiled for each instruction set.
struct PackedLoops {
    // New thresholds in `count` entries of the table.
    void (*refresh)(PackedState&, WordSource&, int count);
    // Visit every spin once.
    void (*sweep)(PackedState&, Generator&);
    // Sum over the dear edges of |weight|, bit-sliced, ENERGY_PLANES words.
    void (*energies)(const PackedState&, Word* planes);
    // Swap each copy in `mask` with the next one, in all spins.
    void (*exchange)(PackedState&, const Word& mask);
};

const PackedLoops& packed_loops();
extern const PackedLoops PACKED_PLAIN;
#if defined(__x86_64__)
extern const PackedLoops PACKED_AVX2, PACKED_AVX512;
#endif

}  // namespace qrealm::spins
