// Spins of 32 copies of one problem, side by side in vector lanes, for weights of any size: single precision, the field at
// every spin kept up to date.
#pragma once
#include <cstddef>
#include <cstdint>
#include <vector>

#include "random.h"

namespace qrealm::spins {

constexpr int LANES = 32;

template <class T>
struct alignas(64) Row {
    T at[LANES];
};

// As WholeProblem, with weights that are real numbers.
struct RealProblem {
    size_t size;
    const int32_t *starts, *neighbours;
    const double *weights, *fields;
};

// The same, owned.
struct RealGraph {
    explicit RealGraph(const RealProblem& problem);
    double energy(const int8_t* spins) const;
    size_t size() const { return fields.size(); }
    std::vector<int32_t> starts, neighbours;
    std::vector<double> weights, fields;
    std::vector<float> weights_single, fields_single;
    bool has_fields = false;
};

// xoshiro128++ (D. Blackman, S. Vigna, 2021), one generator in each lane.
struct LaneSource {
    Row<uint32_t> s[4];
    LaneSource(uint64_t seed, uint64_t stream);
};

class Lanes {
public:
    Lanes(const RealGraph& graph, uint64_t seed);
    void scatter();
    // All fields anew from the spins: rounding does not pile up.
    void refresh();
    // Metropolis, each lane at its own inverse temperature.
    void sweep(const Row<float>& beta);
    // Metropolis for the slices of one path: lane k is coupled to lanes k - 1 and k + 1 (in a ring) by `ring`, which is
    // a coupling times an inverse temperature; even lanes first, then odd ones.
    void sweep_path(float beta, float ring);
    // Flips of one spin in all lanes at once.
    void sweep_columns(float beta);
    void energies(std::vector<double>& out) const;
    void read(int lane, int8_t* spins) const;
    // Largest difference between a field that was kept up to date and the same from the spins.
    double field_error() const;
    Generator& generator() { return generator_; }
    const RealGraph& graph() const { return graph_; }

private:
    const RealGraph& graph_;
    LaneSource source_;
    Generator generator_;
    std::vector<Row<float>> spins_, fields_;
};

// The best answer so far.
struct BestSpins {
    // Takes over an answer if it is better; its energy is computed in full.
    void offer(const RealGraph& graph, const std::vector<int8_t>& candidate);
    std::vector<int8_t> spins;
    double energy = 0;
    uint64_t improvements = 0;
};

}  // namespace qrealm::spins
