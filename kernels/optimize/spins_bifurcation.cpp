#include "spins_bifurcation.h"

#include <algorithm>
#include <cmath>

#include "instruction_sets.h"

namespace qrealm::spins {

namespace {

constexpr double KICK = 0.1;              // largest position and momentum at the start
constexpr uint64_t STEPS_BETWEEN_READINGS = 16;  // in the last quarter, where signs still change

// Momenta by the forces at the positions `seen` (or their signs), in a potential whose middle rises by `pump`.
QREALM_FOR_EVERY_CPU
void push(const RealGraph& graph, const Row<float>* seen, const Row<float>* positions, Row<float>* momenta, float pump,
          float strength, float time_step) {
    for (size_t i = 0; i < graph.size(); ++i) {
        Row<float> force;
        for (int l = 0; l < LANES; ++l) force.at[l] = graph.fields_single[i];
        for (int32_t k = graph.starts[i]; k < graph.starts[i + 1]; ++k) {
            const float weight = graph.weights_single[size_t(k)];
            const Row<float>& other = seen[graph.neighbours[size_t(k)]];
            for (int l = 0; l < LANES; ++l) force.at[l] += weight * other.at[l];
        }
        for (int l = 0; l < LANES; ++l)
            momenta[i].at[l] -= time_step * ((1 - pump) * positions[i].at[l] + strength * force.at[l]);
    }
}

// Positions by the momenta; walls at -1 and 1 that stop a particle.
QREALM_FOR_EVERY_CPU
void move(size_t size, Row<float>* positions, Row<float>* momenta, Row<float>* signs, float time_step) {
    for (size_t i = 0; i < size; ++i)
        for (int l = 0; l < LANES; ++l) {
            const float moved = positions[i].at[l] + time_step * momenta[i].at[l];
            const float inside = std::min(1.0f, std::max(-1.0f, moved));
            momenta[i].at[l] = inside == moved ? momenta[i].at[l] : 0.0f;
            positions[i].at[l] = inside;
            signs[i].at[l] = moved < 0 ? -1.0f : 1.0f;
        }
}

QREALM_FOR_EVERY_CPU
void energies_of(const RealGraph& graph, const Row<float>* signs, double* out) {
    for (int l = 0; l < LANES; ++l) out[l] = 0;
    for (size_t i = 0; i < graph.size(); ++i) {
        Row<float> sum;
        for (int l = 0; l < LANES; ++l) sum.at[l] = 2 * graph.fields_single[i];
        for (int32_t k = graph.starts[i]; k < graph.starts[i + 1]; ++k) {
            const float weight = graph.weights_single[size_t(k)];
            const Row<float>& other = signs[graph.neighbours[size_t(k)]];
            for (int l = 0; l < LANES; ++l) sum.at[l] += weight * other.at[l];
        }
        for (int l = 0; l < LANES; ++l) out[l] += 0.5 * double(signs[i].at[l]) * double(sum.at[l]);
    }
}

}  // namespace

Bifurcation::Bifurcation(const RealProblem& problem, const BifurcationOptions& options, uint64_t seed)
    : graph_(problem),
      options_(options),
      generator_(seed, 2),
      positions_(problem.size),
      momenta_(problem.size),
      signs_(problem.size),
      length_(double(options.first_steps)),
      steps_(options.first_steps) {
    scatter();
}

void Bifurcation::scatter() {
    for (size_t i = 0; i < graph_.size(); ++i)
        for (int l = 0; l < LANES; ++l) {
            positions_[i].at[l] = float(KICK * (2 * generator_.unit() - 1));
            momenta_[i].at[l] = float(KICK * (2 * generator_.unit() - 1));
            signs_[i].at[l] = positions_[i].at[l] < 0 ? -1.0f : 1.0f;
        }
}

void Bifurcation::measure() {
    double energies[LANES];
    energies_of(graph_, signs_.data(), energies);
    const auto lowest = std::min_element(energies, energies + LANES) - energies;
    if (!best_.spins.empty() && energies[lowest] >= best_.energy) return;
    std::vector<int8_t> spins(graph_.size());
    for (size_t i = 0; i < spins.size(); ++i) spins[i] = int8_t(signs_[i].at[lowest]);
    best_.offer(graph_, spins);
}

void Bifurcation::advance(uint64_t steps) {
    for (; steps > 0; --steps) {
        const float time_step = float(options_.time_step);
        push(graph_, options_.discrete ? signs_.data() : positions_.data(), positions_.data(), momenta_.data(),
             float(double(done_) / double(steps_)), float(options_.strength), time_step);
        move(graph_.size(), positions_.data(), momenta_.data(), signs_.data(), time_step);
        ++done_;
        if (done_ == steps_ || (done_ % STEPS_BETWEEN_READINGS == 0 && done_ * 4 >= steps_ * 3)) measure();
        if (done_ < steps_) continue;
        length_ = std::min(length_ * options_.growth, double(options_.steps_max));
        steps_ = std::max(uint64_t(1), uint64_t(length_));
        done_ = 0;
        if (options_.in_turn) options_.discrete = !options_.discrete;
        scatter();
    }
}

}  // namespace qrealm::spins
