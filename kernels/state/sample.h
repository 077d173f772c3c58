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

// Sum of |amplitude|^2 of each chunk of memory, the same whatever the number of threads.
template <class T>
Weights weigh(const Amplitudes<T>& state, const Engine<T>& engine, int threads, const Poll& poll);

// Draws `shots` physical indices, in the order of the chunks. The result depends on seed and stream, not on threads.
template <class T>
std::vector<Draw> draw(const Amplitudes<T>& state, const Weights& weights, uint64_t shots, uint64_t seed, uint64_t stream,
                       const Poll& poll);

}  // namespace qrealm
