// Tabu search of spins: always the best flip that is not forbidden, be it uphill; what was flipped is forbidden for a
// while. Searches start from mixtures of good answers found before (F. Glover, Z. Lu, J.-K. Hao, "Diversification-driven
// tabu search for unconstrained binary quadratic problems", 4OR 8, 2010; Q. Wu, J.-K. Hao, "A memetic approach for the
// max-cut problem", PPSN 2012).
#pragma once
#include <cstdint>
#include <vector>

#include "spins_lanes.h"

namespace qrealm::spins {

struct TabuOptions {
    uint32_t tenure;    // flips for which a spin is forbidden, at least; as many as 10 more at random
    uint64_t patience;  // flips without a better answer until another start
    uint32_t elite;     // good answers that are kept
};

class Tabu {
public:
    Tabu(const RealProblem& problem, const TabuOptions& options, const int8_t* hint, uint64_t seed);
    // So many flips.
    void advance(uint64_t flips);
    const std::vector<int8_t>& best_spins() const { return best_.spins; }
    uint64_t improvements() const { return best_.improvements; }
    uint64_t starts() const { return starts_; }
    // Largest difference between a change of energy that was kept up to date and the same from the spins.
    double change_error() const;

private:
    struct Answer {
        std::vector<int8_t> spins;
        double energy;
    };
    void begin(std::vector<int8_t> spins);
    void refresh();
    void keep();
    void end();
    std::vector<int8_t> next_start();
    void flip(size_t i);
    size_t distance(const std::vector<int8_t>& a, const std::vector<int8_t>& b) const;
    RealGraph graph_;
    TabuOptions options_;
    Generator generator_;
    std::vector<int8_t> spins_, found_;
    std::vector<float> changes_;       // of the energy, by flipping each spin; padded, as the next
    std::vector<int32_t> free_after_;  // number of the flip after which a spin may be flipped again
    double energy_ = 0, found_energy_ = 0, slack_ = 0;
    bool improved_ = false;
    int32_t flips_ = 0;  // since this start
    uint64_t stale_ = 0, starts_ = 0;
    std::vector<Answer> elite_;
    BestSpins best_;
};

}  // namespace qrealm::spins
