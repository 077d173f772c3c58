#include "spins_path.h"

#include <algorithm>
#include <cmath>
#include <limits>

namespace qrealm::spins {

// Beyond this the slices are one.
constexpr double RING_MAX = 20;

PathIntegral::PathIntegral(const RealProblem& problem, const PathOptions& options, uint64_t seed)
    : graph_(problem),
      temperature_(options.temperature),
      field_({options.transverse_field, options.transverse_field * 1e-3, options.first_sweeps, options.growth,
              options.sweeps_max}),
      lanes_(std::make_unique<Lanes>(graph_, seed)) {
    lanes_->scatter();
}

void PathIntegral::advance(uint64_t sweeps) {
    std::vector<double> energies;
    std::vector<int8_t> spins(graph_.size());
    const double slice_temperature = temperature_ * LANES;
    for (; sweeps > 0; --sweeps) {
        const double field = field_.temperature();
        if (field > 0) {
            const double ring = -0.5 * std::log(std::tanh(field / slice_temperature));
            const float beta = float(1 / slice_temperature);
            lanes_->sweep_path(beta, float(std::clamp(ring, 0.0, RING_MAX)));
            lanes_->sweep_columns(beta);
        } else {
            // No ring and no uphill flips: each slice falls to the bottom of its valley.
            Row<float> cold;
            std::fill(std::begin(cold.at), std::end(cold.at), std::numeric_limits<float>::max());
            lanes_->sweep(cold);
        }
        if (!field_.ends()) continue;
        lanes_->refresh();
        lanes_->energies(energies);
        lanes_->read(int(std::min_element(energies.begin(), energies.end()) - energies.begin()), spins.data());
        best_.offer(graph_, spins);
        lanes_->scatter();
    }
}

}  // namespace qrealm::spins
