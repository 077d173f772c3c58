#include "spins_annealing.h"

#include <algorithm>
#include <limits>

namespace qrealm::spins {

Cooling::Cooling(const AnnealingOptions& options)
    : options_(options), length_(double(options.first_sweeps)), sweeps_(options.first_sweeps) {}

double Cooling::temperature() const {
    if (done_ + 2 >= sweeps_) return 0;
    const double part = sweeps_ > 3 ? double(done_) / double(sweeps_ - 3) : 1.0;
    return options_.hot + (options_.cold - options_.hot) * std::min(part, 1.0);
}

bool Cooling::ends() {
    if (++done_ < sweeps_) return false;
    length_ = std::min(length_ * options_.growth, double(options_.sweeps_max));
    sweeps_ = std::max(uint64_t(4), uint64_t(length_));
    done_ = 0;
    return true;
}

PackedAnnealing::PackedAnnealing(const WholeProblem& problem, const AnnealingOptions& options, uint64_t seed)
    : cooling_(options), copies_(std::make_unique<PackedCopies>(problem, seed)) {
    copies_->scatter();
}

void PackedAnnealing::read_out() {
    int copy = 0;
    const int64_t energy = copies_->lowest(copy);
    if (!best_spins_.empty() && energy >= best_energy_) return;
    best_spins_.resize(copies_->size());
    copies_->read(copy, best_spins_.data());
    best_energy_ = energy;
    ++improvements_;
}

void PackedAnnealing::advance(uint64_t sweeps) {
    for (; sweeps > 0; --sweeps) {
        copies_->set_temperature(cooling_.temperature());
        copies_->sweep();
        if (!cooling_.ends()) continue;
        read_out();
        copies_->scatter();
    }
}

LanesAnnealing::LanesAnnealing(const RealProblem& problem, const AnnealingOptions& options, uint64_t seed)
    : graph_(problem), cooling_(options), lanes_(std::make_unique<Lanes>(graph_, seed)) {
    lanes_->scatter();
}

void LanesAnnealing::advance(uint64_t sweeps) {
    std::vector<double> energies;
    std::vector<int8_t> spins(graph_.size());
    for (; sweeps > 0; --sweeps) {
        const double temperature = cooling_.temperature();
        Row<float> beta;
        // At 0 nothing uphill is accepted: no draw is that large.
        for (float& lane : beta.at) lane = temperature > 0 ? float(1 / temperature) : std::numeric_limits<float>::max();
        lanes_->sweep(beta);
        if (!cooling_.ends()) continue;
        lanes_->refresh();
        lanes_->energies(energies);
        lanes_->read(int(std::min_element(energies.begin(), energies.end()) - energies.begin()), spins.data());
        best_.offer(graph_, spins);
        lanes_->scatter();
    }
}

}  // namespace qrealm::spins
