// Random numbers as a function of (seed, stream, index), so that a shot's draw depends on nothing but its number.
// SplitMix64's finaliser (Steele, Lea, Flood, "Fast splittable pseudorandom number generators", OOPSLA 2014).
#pragma once
#include <cstdint>

namespace qrealm {

inline uint64_t mix(uint64_t z) {
    z = (z ^ (z >> 30)) * 0xbf58476d1ce4e5b9ull;
    z = (z ^ (z >> 27)) * 0x94d049bb133111ebull;
    return z ^ (z >> 31);
}

class Draws {
public:
    Draws(uint64_t seed, uint64_t stream) : key_(mix(seed + 0x9e3779b97f4a7c15ull * (stream + 1))) {}
    uint64_t operator()(uint64_t index) const { return mix(key_ + 0x9e3779b97f4a7c15ull * (index + 1)); }
    static double unit(uint64_t word) { return double(word >> 11) * 0x1p-53; }

private:
    uint64_t key_;
};

}  // namespace qrealm
