// One circuit with many sets of numbers. It is laid out once for each structure that its sets lead to, as a rule one;
// after that only numbers are filled in. Results are those of single runs, whatever the number of threads.
#pragma once
#include "counts.h"
#include "state_vector.h"

namespace qrealm {

// Sums of Pauli strings: observable k has the terms ends[k - 1]..ends[k]-1, with a coefficient each.
struct Observables {
    std::vector<PauliString> terms;
    std::vector<double> coefficients;
    std::vector<size_t> ends;
};

// States that a sweep holds at a time: one on each thread while they are small, one for all when they are large.
template <class T>
int sweep_states(int num_qubits, size_t rows, int threads);

// `params`: one row of ops.params.size() numbers for each set; ops.params itself is not read. Fills
// values[set * observables + k].
template <class T>
void sweep_expectations(const OpArrays& ops, const PlanOptions& options, InstructionSet set, const Observables& observables,
                        const double* params, size_t rows, int threads, const Poll& poll, double* values);

// States that a sweep of gradients holds at a time, of twice the memory each.
template <class T>
int sweep_gradient_states(int num_qubits, size_t rows, int threads);

// For each set the value and the derivatives of a Pauli sum: coefficients[set * terms + t] times string t. Fills values[set]
// and derivatives[set * width + i], by the entries of `params` that `wanted` marks.
template <class T>
void sweep_gradients(const OpArrays& ops, const PlanOptions& options, InstructionSet set, const std::vector<PauliString>& terms,
                     const double* coefficients, const uint8_t* wanted, const double* params, size_t rows, int threads, const Poll& poll,
                     double* values, double* derivatives);

// Samples for each set, with a seed each.
template <class T>
std::vector<Counts> sweep_counts(const OpArrays& ops, const PlanOptions& options, InstructionSet set, const double* params, size_t rows,
                                 uint64_t shots, const uint64_t* seeds, int threads, const Poll& poll);

}  // namespace qrealm
