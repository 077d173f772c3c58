// The semidefinite relaxation of spins: each spin becomes a unit vector, which turns against the field of the others, one
// after the other (P.-W. Wang, W.-C. Chang, J. Z. Kolter, "The Mixing method", arXiv 1706.00476). Answers are the sides of
// random planes (M. X. Goemans, D. P. Williamson, J. ACM 42, 1995).
#pragma once
#include <cstdint>
#include <vector>

#include "spins_lanes.h"

namespace qrealm::spins {

class Mixing {
public:
    Mixing(const RealProblem& problem, uint32_t rank, uint64_t seed);
    // So many turns of every vector, each followed by a few planes.
    void advance(uint64_t sweeps);
    const std::vector<int8_t>& best_spins() const { return best_.spins; }
    uint64_t improvements() const { return best_.improvements; }
    // Lengths of the fields at the vectors; the last one is that of the vector that stands for the fields. With C half the
    // weights, C + diag(half of these) is nearly positive semidefinite once the vectors stand still.
    std::vector<double> lengths() const;
    // Value of the relaxation at the vectors of now.
    double value() const;

private:
    void field_at(size_t i, float* out) const;
    void turn(size_t i);
    void cut();
    RealGraph graph_;
    size_t rank_, width_;  // entries of a vector, and with padding
    Generator generator_;
    std::vector<Row<float>> vectors_;  // of size + 1 spins, width_ rows each
    BestSpins best_;
};

}  // namespace qrealm::spins
