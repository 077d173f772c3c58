// Runs a program over the memory of a state.
#pragma once
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

// Derivatives that inner products add to. Sums are kept per tile and added in order, whatever the number of threads.
using Derivatives = std::vector<double>;

// Fills or updates `state`; a program that starts from a product state allocates it.
template <class T>
void execute(const Program<T>& program, Amplitudes<T>& state, const Engine<T>& engine, int threads, const Poll& poll,
             Derivatives* derivatives = nullptr);

}  // namespace qrealm
