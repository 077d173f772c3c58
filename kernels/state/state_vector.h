// A state that lives on: circuits are applied to it, it is read, measured and copied.
#pragma once
#include "../engine/engine.h"
#include "../plan/program.h"
#include "execute.h"

namespace qrealm {

// A Pauli string: X where only x has the qubit, Z where only z, Y where both.
struct PauliString {
    uint64_t x, z;
};

template <class T>
struct PauliReadout;

template <class T>
class StateVector {
public:
    StateVector(int num_qubits, InstructionSet set);

    int num_qubits() const { return num_qubits_; }
    size_t bytes() const { return state_.bytes(); }

    void apply(const OpArrays& ops, const PlanOptions& options, int threads, const Poll& poll);
    // Back to |0...0>; the memory stays for the next run.
    void restart();
    // Runs a program laid out for |0...0> from these elements.
    void start_with(const Elements& e, const Program<T>& program, int threads, const Poll& poll);
    // Amplitudes in order of basis states, real and imaginary parts in turn.
    void load(const T* amplitudes, int threads, const Poll& poll);
    void store(T* amplitudes, int threads, const Poll& poll) const;
    complex amplitude(uint64_t basis) const;
    // Probability of each value of the chosen qubits, the first one being the lowest bit.
    std::vector<double> probabilities(const std::vector<int>& qubits, int threads, const Poll& poll) const;
    // Basis states of shots 0, 1, 2 ...
    std::vector<uint64_t> sample(uint64_t shots, uint64_t seed, int threads, const Poll& poll) const;
    std::vector<double> expectations(const std::vector<PauliString>& terms, int threads, const Poll& poll) const;
    // The same in two steps, for many states of one layout: `out` takes one value for each string.
    PauliReadout<T> prepare(const std::vector<PauliString>& terms) const;
    void expectations(const PauliReadout<T>& readout, double* out, int threads, const Poll& poll) const;
    // Projects a qubit on an outcome and normalises; returns the probability that the outcome had.
    double collapse(int qubit, bool outcome, int threads, const Poll& poll);
    double norm(int threads, const Poll& poll) const;
    StateVector copy(int threads, const Poll& poll) const;

    template <class>
    friend class GradientWorker;

private:
    static constexpr int lane_bits = Layout<T>::lane_bits, lanes = Layout<T>::lanes, block = Layout<T>::block;
    int num_qubits_;
    InstructionSet set_;
    Amplitudes<T> state_;
    Placement placement_;   // wires are qubits; the rest are always zero
    uint64_t flipped_ = 0;  // qubits that are stored inverted
    complex scale_ = 1;     // what the stored amplitudes are to be multiplied by
    bool fresh_ = true;     // |0...0>, and no memory taken yet

    void materialise(int threads, const Poll& poll);
    void adopt(const Elements& e);
    size_t offset_of(uint64_t physical) const { return physical / lanes * block + physical % lanes; }
};

}  // namespace qrealm
