// Annealing: all copies cooled once and again, each time more slowly; packed copies for small whole weights, lanes for
// any others.
#pragma once
#include <cstdint>
#include <memory>
#include <vector>

#include "spins_lanes.h"
#include "spins_packed_copies.h"

namespace qrealm::spins {

struct AnnealingOptions {
    double hot, cold;      // temperatures, in the units of the whole-numbered energies
    uint64_t first_sweeps; // of the first cooling
    double growth;         // each cooling is so much longer than the one before
    uint64_t sweeps_max;   // of the longest cooling
};

// Where a cooling stands.
class Cooling {
public:
    explicit Cooling(const AnnealingOptions& options);
    // Temperature of the sweep to come; the last two only go down.
    double temperature() const;
    // Counts a sweep; whether it was the last one of its cooling, and another one begins.
    bool ends();

private:
    AnnealingOptions options_;
    double length_;
    uint64_t sweeps_, done_ = 0;
};

class PackedAnnealing {
public:
    PackedAnnealing(const WholeProblem& problem, const AnnealingOptions& options, uint64_t seed);
    // So many sweeps of all copies.
    void advance(uint64_t sweeps);
    const std::vector<int8_t>& best_spins() const { return best_spins_; }
    uint64_t improvements() const { return improvements_; }

private:
    void read_out();
    Cooling cooling_;
    std::unique_ptr<PackedCopies> copies_;  // aligned by itself, which Python's objects are not
    std::vector<int8_t> best_spins_;
    int64_t best_energy_ = 0;
    uint64_t improvements_ = 0;
};

class LanesAnnealing {
public:
    LanesAnnealing(const RealProblem& problem, const AnnealingOptions& options, uint64_t seed);
    void advance(uint64_t sweeps);
    const std::vector<int8_t>& best_spins() const { return best_.spins; }
    uint64_t improvements() const { return best_.improvements; }

private:
    RealGraph graph_;
    Cooling cooling_;
    std::unique_ptr<Lanes> lanes_;
    BestSpins best_;
};

}  // namespace qrealm::spins
