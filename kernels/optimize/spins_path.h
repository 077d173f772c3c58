// Quantum annealing on a classical machine: path-integral Monte Carlo. The spins in a transverse field at a temperature
// are 32 classical copies (slices) in a ring, coupled the more strongly the weaker the transverse field (R. Martonak,
// G. E. Santoro, E. Tosatti, Phys. Rev. B 66, 094203, 2002).
#pragma once
#include <cstdint>
#include <memory>
#include <vector>

#include "spins_annealing.h"
#include "spins_lanes.h"

namespace qrealm::spins {

struct PathOptions {
    double temperature;       // of the quantum system
    double transverse_field;  // at the start; it ends at 0
    uint64_t first_sweeps;
    double growth;
    uint64_t sweeps_max;
};

class PathIntegral {
public:
    PathIntegral(const RealProblem& problem, const PathOptions& options, uint64_t seed);
    // So many sweeps of all slices, each followed by one of whole columns.
    void advance(uint64_t sweeps);
    const std::vector<int8_t>& best_spins() const { return best_.spins; }
    uint64_t improvements() const { return best_.improvements; }

private:
    RealGraph graph_;
    double temperature_;
    Cooling field_;  // the transverse field goes down as a temperature would
    std::unique_ptr<Lanes> lanes_;
    BestSpins best_;
};

}  // namespace qrealm::spins
