// A fast generator for searches: xoshiro256++ (D. Blackman, S. Vigna, "Scrambled linear pseudorandom number generators",
// ACM Trans. Math. Softw. 47, 2021), its state filled from a seed by SplitMix64.
#pragma once
#include <cstdint>

#include "../state/random.h"

namespace qrealm {

class Generator {
public:
    explicit Generator(uint64_t seed, uint64_t stream = 0) {
        const Draws draws(seed, stream);
        for (uint64_t i = 0; i < 4; ++i) s_[i] = draws(i);
    }
    uint64_t operator()() {
        const uint64_t result = rotate(s_[0] + s_[3], 23) + s_[0];
        const uint64_t t = s_[1] << 17;
        s_[2] ^= s_[0];
        s_[3] ^= s_[1];
        s_[1] ^= s_[2];
        s_[0] ^= s_[3];
        s_[2] ^= t;
        s_[3] = rotate(s_[3], 45);
        return result;
    }
    // In [0, 1).
    double unit() { return Draws::unit((*this)()); }
    // In [0, size), for size below 2^32, without a division (D. Lemire, 2019; the bias below 2^-32 is accepted).
    uint32_t below(uint32_t size) { return uint32_t(((*this)() >> 32) * size >> 32); }

private:
    static uint64_t rotate(uint64_t x, int k) { return (x << k) | (x >> (64 - k)); }
    uint64_t s_[4];
};

}  // namespace qrealm
