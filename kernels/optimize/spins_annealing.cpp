#include "spins_annealing.h"

#include <algorithm>

namespace qrealm::spins {

PackedAnnealing::PackedAnnealing(const WholeProblem& problem, const AnnealingOptions& options, uint64_t seed)
    : options_(options), copies_(std::make_unique<PackedCopies>(problem, seed)), length_(double(options.first_sweeps)) {
    begin_cooling();
}

void PackedAnnealing::begin_cooling() {
    sweeps_ = uint64_t(std::min(length_, double(options_.sweeps_max)));
    done_ = 0;
    copies_->scatter();
}

void PackedAnnealing::end_cooling() {
    int copy = 0;
    const int64_t energy = copies_->lowest(copy);
    if (best_spins_.empty() || energy < best_energy_) {
        best_spins_.resize(copies_->size());
        copies_->read(copy, best_spins_.data());
        best_energy_ = energy;
        ++improvements_;
    }
    ++coolings_;
    length_ = std::min(length_ * options_.growth, 1e18);
}

void PackedAnnealing::advance(uint64_t sweeps) {
    for (; sweeps > 0; --sweeps) {
        // The last two sweeps only go down.
        const double part = sweeps_ > 3 ? double(done_) / double(sweeps_ - 3) : 1.0;
        const bool at_end = done_ + 2 >= sweeps_;
        copies_->set_temperature(at_end ? 0.0 : options_.hot + (options_.cold - options_.hot) * std::min(part, 1.0));
        copies_->sweep();
        if (++done_ < sweeps_) continue;
        end_cooling();
        begin_cooling();
    }
}

}  // namespace qrealm::spins
