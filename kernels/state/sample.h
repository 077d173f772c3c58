// Samples from the amplitudes as they lie in memory.
#pragma once
#include <vector>

#include "execute.h"

namespace qrealm {

// A draw: which shot, and the physical index (block * lanes + lane) that it found.
struct Draw {
    uint64_t index;
    uint64_t shot;
};

inline constexpr size_t chunk_blocks = 64;  // 8 KiB: small enough to walk, large enough that their sums are few

// Sum of |amplitude|^2 of each chunk of memory, the same whatever the number of threads.
template <class T>
std::vector<double> chunk_norms(const Amplitudes<T>& state, const Engine<T>& engine, int threads, const Poll& poll);

// Draws `shots` physical indices, in ascending order. The result depends on seed and stream, not on threads.
template <class T>
std::vector<Draw> draw(const Amplitudes<T>& state, const Engine<T>& engine, uint64_t shots, uint64_t seed, uint64_t stream,
                       int threads, const Poll& poll);

}  // namespace qrealm
