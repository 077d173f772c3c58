// Simulated bifurcation: classical particles, one for each spin, that settle left or right of the middle while the middle
// turns from a valley into a hill (H. Goto et al., "High-performance combinatorial optimization based on classical
// mechanics", Sci. Adv. 7, eabe7953, 2021). 32 agents side by side, each from another start.
#pragma once
#include <cstdint>
#include <memory>
#include <vector>

#include "spins_lanes.h"

namespace qrealm::spins {

struct BifurcationOptions {
    bool discrete;    // the force of the others counts their signs only
    bool in_turn;     // every other run is of the other kind
    double time_step;
    double strength;  // of the forces between particles
    uint64_t first_steps;
    double growth;
    uint64_t steps_max;
};

class Bifurcation {
public:
    Bifurcation(const RealProblem& problem, const BifurcationOptions& options, uint64_t seed);
    // So many time steps of all agents.
    void advance(uint64_t steps);
    const std::vector<int8_t>& best_spins() const { return best_.spins; }
    uint64_t improvements() const { return best_.improvements; }

private:
    void scatter();
    void measure();
    RealGraph graph_;
    BifurcationOptions options_;
    Generator generator_;
    std::vector<Row<float>> positions_, momenta_, signs_;
    double length_;
    uint64_t steps_, done_ = 0;
    BestSpins best_;
};

}  // namespace qrealm::spins
