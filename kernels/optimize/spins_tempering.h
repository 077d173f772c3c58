// Parallel tempering: copies at a ladder of fixed temperatures that change places (K. Hukushima, K. Nemoto, J. Phys. Soc.
// Jpn. 65, 1996).
#pragma once
#include <cstdint>
#include <memory>
#include <vector>

#include "spins_lanes.h"
#include "spins_packed_copies.h"

namespace qrealm::spins {

struct TemperingOptions {
    double hot, cold;          // ends of the ladder, in the units of the energies
    uint32_t rungs;            // temperatures of a ladder, a power of 2, at most 64 (packed) or 32 (lanes)
    uint32_t sweeps_between;   // sweeps between two exchanges
};

class PackedTempering {
public:
    PackedTempering(const WholeProblem& problem, const TemperingOptions& options, uint64_t seed);
    void advance(uint64_t sweeps);
    const std::vector<int8_t>& best_spins() const { return best_spins_; }
    uint64_t improvements() const { return improvements_; }
    // Share of the exchanges that were accepted, for each pair of neighbouring rungs.
    std::vector<double> exchanged() const;

private:
    void exchange();
    TemperingOptions options_;
    std::vector<double> ladder_;  // inverse temperatures, the coldest first
    std::unique_ptr<PackedCopies> copies_;
    uint64_t done_ = 0, rounds_ = 0;
    std::vector<int64_t> energies_;
    std::vector<uint64_t> tried_, accepted_;
    std::vector<int8_t> best_spins_;
    int64_t best_energy_ = 0;
    uint64_t improvements_ = 0;
};

class LanesTempering {
public:
    LanesTempering(const RealProblem& problem, const TemperingOptions& options, uint64_t seed);
    void advance(uint64_t sweeps);
    const std::vector<int8_t>& best_spins() const { return best_.spins; }
    uint64_t improvements() const { return best_.improvements; }
    std::vector<double> exchanged() const;

private:
    void exchange();
    RealGraph graph_;
    TemperingOptions options_;
    std::vector<double> ladder_;
    std::unique_ptr<Lanes> lanes_;
    std::vector<int> lane_at_;  // which lane is on each rung, ladder after ladder
    uint64_t done_ = 0, rounds_ = 0;
    std::vector<double> energies_;
    std::vector<uint64_t> tried_, accepted_;
    BestSpins best_;
};

}  // namespace qrealm::spins
