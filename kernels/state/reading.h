// Micro-ops of the run back that tell numbers: inner products of psi and lambda, contractions of lambda.
#pragma once
#include "execute.h"

namespace qrealm {

// Runs one on tile `number`, whose positions are moved by `shift`; `one` and `two` are memory to work in. `sums` takes
// op.num_results() numbers.
template <class T>
void run_reading(const MicroOp<T>& op, const Program<T>& program, const Engine<T>& engine, T* tile, uint32_t number, uint32_t shift, Table<T>& one,
                 Table<T>& two, double* sums);

// Adds up what all tiles of all stages told, in the order of the tiles.
template <class T>
void add_results(const Program<T>& program, const std::vector<std::vector<double>>& results, Derivatives& derivatives);

}  // namespace qrealm
