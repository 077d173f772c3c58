// The 512 copies of spins_packed.h as a thing to work with: built from a problem, swept at temperatures, read out.
#pragma once
#include <cstddef>
#include <cstdint>
#include <vector>

#include "spins_packed.h"

namespace qrealm::spins {

// Energy sum_i fields_i s_i + sum_(i<j) weights_ij s_i s_j in whole numbers; rows of neighbours as in a CSR matrix, each
// edge in both directions.
struct WholeProblem {
    size_t size;
    const int32_t *starts, *neighbours, *weights, *fields;
};

class PackedCopies {
public:
    PackedCopies(const WholeProblem& problem, uint64_t seed);
    // Every spin of every copy at random.
    void scatter();
    // One temperature for all copies; at 0 only flips that cost nothing are accepted.
    void set_temperature(double temperature);
    // One temperature for each copy.
    void set_temperatures(const std::vector<double>& temperatures);
    // New thresholds, then a visit of every spin; the first sweep after `set_temperatures` fills the whole table.
    void sweep();
    // Lowest energy of all copies, and which has it.
    int64_t lowest(int& copy);
    // Energy of each copy.
    void energies(std::vector<int64_t>& out);
    void exchange(const Word& mask) { loops_.exchange(state_, mask); }
    // Spins of one copy, in the caller's order, +1 and -1.
    void read(int copy, int8_t* spins) const;
    size_t size() const { return size_t(state_.size); }
    Generator& generator() { return generator_; }

private:
    void build(const WholeProblem& problem);
    void set_planes(double hottest);
    const PackedLoops& loops_;
    PackedState state_;
    WordSource source_;
    Generator generator_;
    std::vector<int32_t> order_;  // caller's number of each spin
    int64_t loosest_ = 0;         // sum of |weights|
    int fresh_ = 0;  // entries of the table that are made anew at each sweep
    bool table_is_old_ = true;
};

}  // namespace qrealm::spins
