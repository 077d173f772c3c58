// Samples of a circuit from |0...0>, the shortest way: nothing that cannot change a sample is computed, and groups
// of qubits that never meet are run apart.
#pragma once
#include "../engine/engine.h"
#include "../plan/program.h"
#include "execute.h"
#include "team.h"

#include <optional>

namespace qrealm {

// A circuit cut into independent parts.
template <class T>
struct CountsPlan {
    struct Part {
        int num_wires = 0;
        bool too_large = false;  // for any machine: not laid out, and refused when it is to run
        Elements elements;
        ProductState start;
        Work work;
        size_t stages = 0, micro_ops = 0;
        // A short part is laid out once; a long one in portions, again for each run.
        std::optional<Program<T>> program;
        std::vector<uint64_t> qubits_of_wire;  // which qubits one wire that reads one flips
    };
    int num_qubits = 0;
    PlanOptions options;
    std::vector<Part> parts;
    // Qubits in a product state, each alone: probability of reading one, and which qubits that flips.
    struct Lone {
        double probability;
        uint64_t qubits;
    };
    std::vector<Lone> lone;
    uint64_t flipped = 0;  // qubits that read inverted
};

// The parts of a circuit, not laid out yet.
template <class T>
CountsPlan<T> cut_for_counts(const OpArrays& ops, const PlanOptions& options);
// Lays out one part, unless it is too large for any machine.
template <class T>
void lay_out(typename CountsPlan<T>::Part& part, const PlanOptions& options);
// Both.
template <class T>
CountsPlan<T> plan_counts(const OpArrays& ops, const PlanOptions& options);

struct Counts {
    std::vector<uint64_t> values;  // ascending
    std::vector<int64_t> counts;
};

// `state` is memory to work in; what it holds afterwards means nothing, but the next run may take it over.
template <class T>
Counts run_counts(const CountsPlan<T>& plan, InstructionSet set, uint64_t shots, uint64_t seed, int threads, const Poll& poll,
                  Amplitudes<T>& state);

// Block addresses have 31 bits: 256 GiB.
template <class T>
inline constexpr int max_state_wires = 31 + Layout<T>::lane_bits;

// Wires of a state of n qubits: lanes and rows enough for the widest matrix.
template <class T>
constexpr int wires_for(int num_qubits) {
    constexpr int least = Layout<T>::lane_bits + max_matrix_qubits;
    if (num_qubits <= max_matrix_qubits) return num_qubits + Layout<T>::lane_bits;
    return num_qubits > least ? num_qubits : least;
}

}  // namespace qrealm
