// Gradients of one circuit's expectation values.
#pragma once
#include "known.h"
#include "state_vector.h"

namespace qrealm {

// <0|U^dagger H U|0> and its derivatives by the parameters of U that `wanted` marks, in one run forwards and one back, for
// one set of parameters after another. `many`: both runs are laid out once for each structure that the sets lead to.
template <class T>
class GradientWorker {
public:
    GradientWorker(const OpArrays& ops, const uint8_t* wanted, const PlanOptions& options, InstructionSet set, bool many);

    // Returns the value; fills derivatives[i], by params[i].
    double run(const double* params, const std::vector<PauliString>& terms, const std::vector<double>& coefficients, int threads,
               const Poll& poll, double* derivatives);

private:
    struct Nothing {};
    OpArrays ops_;
    const uint8_t* wanted_;
    PlanOptions options_;
    InstructionSet set_;
    bool many_;
    StateVector<T> state_;
    Known<T, Nothing> forwards_, back_;
    Derivatives found_;

    void go_forwards(int threads, const Poll& poll);
    void go_back(double factor, double weight, int threads, const Poll& poll, double* derivatives);
};

}  // namespace qrealm
