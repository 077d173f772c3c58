// The state of the quantum alternating operator ansatz for choices (S. Hadfield et al., arXiv:1709.03489): each item has
// one of several options, and the mixer moves an item between options that are neighbours on a ring, as XY gates on one-hot
// qubits do. That never leaves the one-hot states, so only those are kept: product of the numbers of options, not
// 2^(their sum). The start is the even superposition, a W state for each item.
#pragma once
#include <cstddef>
#include <cstdint>
#include <vector>

namespace qrealm::qaoa {

class OneHotState {
public:
    // Options of each item, the first item's varying fastest; the cost of state x is costs[levels[x]].
    OneHotState(std::vector<int> options, std::vector<uint32_t> levels, std::vector<double> costs);

    // See State in qaoa.h.
    double gradient(int layers, const double* gammas, const double* betas, double* by_gammas, double* by_betas);
    void prepare(int layers, const double* gammas, const double* betas);
    std::vector<uint64_t> sample(size_t shots, uint64_t seed) const;
    std::vector<double> amplitudes() const;

private:
    struct Parts {
        std::vector<double> re, im;
    };
    void phase(Parts& state, double angle);
    void mix(Parts& state, double beta) const;
    double slope_by_beta() const;

    std::vector<int> options_;
    std::vector<uint32_t> levels_;
    std::vector<double> costs_, cosines_, sines_;
    double centre_ = 0;
    Parts psi_, lambda_;
};

}  // namespace qrealm::qaoa
