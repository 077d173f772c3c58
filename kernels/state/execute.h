// Runs a program over the memory of a state.
#pragma once
#include <array>

#include "../engine/engine.h"
#include "../plan/program.h"
#include "memory.h"
#include "team.h"

namespace qrealm {

template <class T>
struct Amplitudes {
    int num_wires = 0;
    Memory memory;
    T* data() const { return memory.as<T>(); }
    size_t blocks() const { return size_t(1) << (num_wires - Layout<T>::lane_bits); }
    size_t bytes() const { return blocks() * Layout<T>::block * sizeof(T); }
};

// States up to this size stay in a common last-level cache between passes.
inline constexpr size_t largest_cached_bytes = size_t(16) << 20;

// Sums of |amplitude|^2 over chunks of memory, to sample from. A chunk is a run of block addresses or, when the last
// stage has made the sums while its tiles were in cache, a run of positions of one of its tiles.
struct Weights {
    std::vector<double> sums;
    size_t blocks_per_chunk = 0;
    std::vector<uint32_t> row_offsets, tile_columns;  // empty: chunks are runs of addresses

    uint64_t block(size_t chunk, size_t i) const {
        const size_t k = chunk * blocks_per_chunk + i;
        if (row_offsets.empty()) return k;
        uint32_t address = row_offsets[k & (row_offsets.size() - 1)];
        const size_t tile = k / row_offsets.size();
        for (size_t j = 0; j < tile_columns.size(); ++j)
            if (tile >> j & 1) address ^= tile_columns[j];
        return address;
    }
};

// What inner products add to. Sums are kept per tile and added in order, whatever the number of threads.
struct Derivatives {
    std::vector<double> slots;
    std::vector<std::array<complex, 2>> contracted;  // of each wire: lambda contracted with Program::contract of the others
};

// Fills or updates `state`; a program that starts from a product state allocates it.
template <class T>
void execute(const Program<T>& program, Amplitudes<T>& state, const Engine<T>& engine, int threads, const Poll& poll,
             Derivatives* derivatives = nullptr, Weights* weights = nullptr);

}  // namespace qrealm
