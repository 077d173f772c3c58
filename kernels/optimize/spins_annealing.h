// Annealing of packed copies: cooled once and again, each time more slowly.
#pragma once
#include <cstdint>
#include <memory>
#include <vector>

#include "spins_packed_copies.h"

namespace qrealm::spins {

struct AnnealingOptions {
    double hot, cold;      // temperatures, in the units of the whole-numbered energies
    uint64_t first_sweeps; // of the first cooling
    double growth;         // each cooling is so much longer than the one before
    uint64_t sweeps_max;   // of the longest cooling
};

class PackedAnnealing {
public:
    PackedAnnealing(const WholeProblem& problem, const AnnealingOptions& options, uint64_t seed);
    // So many sweeps of all copies.
    void advance(uint64_t sweeps);
    const std::vector<int8_t>& best_spins() const { return best_spins_; }
    // In whole numbers.
    int64_t best_energy() const { return best_energy_; }
    uint64_t improvements() const { return improvements_; }
    uint64_t coolings() const { return coolings_; }

private:
    void begin_cooling();
    void end_cooling();
    AnnealingOptions options_;
    std::unique_ptr<PackedCopies> copies_;  // aligned by itself, which Python's objects are not
    double length_;
    uint64_t sweeps_ = 0, done_ = 0;
    std::vector<int8_t> best_spins_;
    int64_t best_energy_ = 0;
    uint64_t improvements_ = 0, coolings_ = 0;
};

}  // namespace qrealm::spins
