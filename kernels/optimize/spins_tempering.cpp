#include "spins_tempering.h"

#include <algorithm>
#include <cmath>

namespace qrealm::spins {

namespace {

// Probabilities have few bits: they are rounded anew that often, up or down.
constexpr uint64_t SWEEPS_BETWEEN_ROUNDINGS = 256;

std::vector<double> ladder_of(const TemperingOptions& options) {
    std::vector<double> inverse(options.rungs);
    const double steps = std::max(1.0, double(options.rungs) - 1);
    for (uint32_t k = 0; k < options.rungs; ++k)
        inverse[k] = 1 / (options.cold * std::pow(options.hot / options.cold, double(k) / steps));
    return inverse;
}

std::vector<double> shares(const std::vector<uint64_t>& tried, const std::vector<uint64_t>& accepted) {
    std::vector<double> out(tried.size());
    for (size_t k = 0; k < out.size(); ++k) out[k] = tried[k] ? double(accepted[k]) / double(tried[k]) : 0.0;
    return out;
}

// Whether two neighbouring rungs change places.
bool changes(double inverse_cold, double inverse_hot, double energy_cold, double energy_hot, Generator& generator) {
    const double exponent = (inverse_cold - inverse_hot) * (energy_cold - energy_hot);
    return exponent >= 0 || generator.unit() < std::exp(exponent);
}

}  // namespace

PackedTempering::PackedTempering(const WholeProblem& problem, const TemperingOptions& options, uint64_t seed)
    : options_(options),
      ladder_(ladder_of(options)),
      copies_(std::make_unique<PackedCopies>(problem, seed)),
      tried_(options.rungs - 1),
      accepted_(options.rungs - 1) {
    copies_->scatter();
}

std::vector<double> PackedTempering::exchanged() const { return shares(tried_, accepted_); }

void PackedTempering::exchange() {
    copies_->energies(energies_);
    const size_t lowest = size_t(std::min_element(energies_.begin(), energies_.end()) - energies_.begin());
    if (best_spins_.empty() || energies_[lowest] < best_energy_) {
        best_spins_.resize(copies_->size());
        copies_->read(int(lowest), best_spins_.data());
        best_energy_ = energies_[lowest];
        ++improvements_;
    }
    Word mask;
    for (size_t copy = 0; copy < size_t(COPIES); ++copy) {
        const size_t rung = copy % options_.rungs;
        if (rung + 1 == options_.rungs || rung % 2 != rounds_ % 2) continue;
        ++tried_[rung];
        if (!changes(ladder_[rung], ladder_[rung + 1], double(energies_[copy]), double(energies_[copy + 1]),
                     copies_->generator()))
            continue;
        ++accepted_[rung];
        mask.bits[copy / 64] |= uint64_t(1) << (copy % 64);
    }
    copies_->exchange(mask);
    ++rounds_;
}

void PackedTempering::advance(uint64_t sweeps) {
    for (; sweeps > 0; --sweeps) {
        if (done_ % SWEEPS_BETWEEN_ROUNDINGS == 0) {
            std::vector<double> temperatures(static_cast<size_t>(COPIES));
            for (size_t copy = 0; copy < temperatures.size(); ++copy)
                temperatures[copy] = 1 / ladder_[copy % options_.rungs];
            copies_->set_temperatures(temperatures);
        }
        copies_->sweep();
        if (++done_ % options_.sweeps_between == 0) exchange();
    }
}

LanesTempering::LanesTempering(const RealProblem& problem, const TemperingOptions& options, uint64_t seed)
    : graph_(problem),
      options_(options),
      ladder_(ladder_of(options)),
      lanes_(std::make_unique<Lanes>(graph_, seed)),
      lane_at_(size_t(LANES)),
      tried_(options.rungs - 1),
      accepted_(options.rungs - 1) {
    lanes_->scatter();
    for (int lane = 0; lane < LANES; ++lane) lane_at_[size_t(lane)] = lane;
}

std::vector<double> LanesTempering::exchanged() const { return shares(tried_, accepted_); }

void LanesTempering::exchange() {
    lanes_->energies(energies_);
    const size_t lowest = size_t(std::min_element(energies_.begin(), energies_.end()) - energies_.begin());
    if (best_.spins.empty() || energies_[lowest] < best_.energy) {
        std::vector<int8_t> spins(graph_.size());
        lanes_->read(int(lowest), spins.data());
        best_.offer(graph_, spins);
    }
    for (size_t place = 0; place < size_t(LANES); ++place) {
        const size_t rung = place % options_.rungs;
        if (rung + 1 == options_.rungs || rung % 2 != rounds_ % 2) continue;
        int &cold = lane_at_[place], &hot = lane_at_[place + 1];
        ++tried_[rung];
        if (!changes(ladder_[rung], ladder_[rung + 1], energies_[size_t(cold)], energies_[size_t(hot)],
                     lanes_->generator()))
            continue;
        ++accepted_[rung];
        std::swap(cold, hot);
    }
    ++rounds_;
}

void LanesTempering::advance(uint64_t sweeps) {
    for (; sweeps > 0; --sweeps) {
        Row<float> beta;
        for (size_t place = 0; place < size_t(LANES); ++place)
            beta.at[lane_at_[place]] = float(ladder_[place % options_.rungs]);
        lanes_->sweep(beta);
        if (++done_ % 1024 == 0) lanes_->refresh();
        if (done_ % options_.sweeps_between == 0) exchange();
    }
}

}  // namespace qrealm::spins
