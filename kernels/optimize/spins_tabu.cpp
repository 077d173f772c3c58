#include "spins_tabu.h"

#include <algorithm>
#include <cmath>
#include <limits>

#include "instruction_sets.h"

namespace qrealm::spins {

namespace {

constexpr uint32_t TENURE_SPREAD = 10;
constexpr size_t BLOCK = 64;
constexpr double ROUNDING = 1e-8;               // of energies, as a part of all |weights|
constexpr int32_t FLIPS_MAX = 1 << 30;        // of one start: the clock of the forbidden spins
constexpr int32_t FLIPS_BETWEEN_REFRESHES = 1 << 15;

// Smallest change among the spins that are free, or that lead below `aspiration`; `size` is a multiple of LANES.
QREALM_FOR_EVERY_CPU
float smallest_change(const float* changes, const int32_t* free_after, int32_t now, float aspiration, size_t size) {
    Row<float> smallest;
    for (float& lane : smallest.at) lane = std::numeric_limits<float>::max();
    for (size_t i = 0; i < size; i += LANES)
        for (size_t l = 0; l < size_t(LANES); ++l) {
            const bool allowed = (free_after[i + l] <= now) | (changes[i + l] < aspiration);
            const float value = allowed ? changes[i + l] : std::numeric_limits<float>::max();
            smallest.at[l] = value < smallest.at[l] ? value : smallest.at[l];
        }
    return *std::min_element(std::begin(smallest.at), std::end(smallest.at));
}

// The first spin from `from` on, in a circle, that has this change and may be flipped.
QREALM_FOR_EVERY_CPU
size_t first_with(const float* changes, const int32_t* free_after, int32_t now, float aspiration, size_t size, size_t from,
                  float change) {
    const bool all = change < aspiration;
    for (size_t turn = 0; turn < 2; ++turn) {
        const size_t end = turn ? from : size;
        for (size_t block = turn ? 0 : from; block < end; block += BLOCK) {
            const size_t last = std::min(block + BLOCK, end);
            int some = 0;
            for (size_t i = block; i < last; ++i) some |= (changes[i] == change) & (all | (free_after[i] <= now));
            if (!some) continue;
            for (size_t i = block; i < last; ++i)
                if (changes[i] == change && (all || free_after[i] <= now)) return i;
        }
    }
    return size;
}

}  // namespace

Tabu::Tabu(const RealProblem& problem, const TabuOptions& options, const int8_t* hint, uint64_t seed)
    : graph_(problem),
      options_(options),
      generator_(seed, 2),
      changes_((problem.size + LANES - 1) / LANES * LANES, std::numeric_limits<float>::max()),
      free_after_(changes_.size(), std::numeric_limits<int32_t>::max()) {
    double total = 0;
    for (double weight : graph_.weights) total += std::abs(weight);
    slack_ = ROUNDING * total;
    begin(hint ? std::vector<int8_t>(hint, hint + problem.size) : next_start());
}

void Tabu::refresh() {
    for (size_t i = 0; i < spins_.size(); ++i) {
        double field = graph_.fields[i];
        for (int32_t k = graph_.starts[i]; k < graph_.starts[i + 1]; ++k)
            field += graph_.weights[size_t(k)] * spins_[size_t(graph_.neighbours[size_t(k)])];
        changes_[i] = float(-2 * field * spins_[i]);
    }
    energy_ = graph_.energy(spins_.data());
}

void Tabu::begin(std::vector<int8_t> spins) {
    spins_ = std::move(spins);
    refresh();
    std::fill_n(free_after_.begin(), spins_.size(), 0);
    flips_ = 0;
    stale_ = 0;
    found_energy_ = energy_;
    improved_ = true;
}

void Tabu::flip(size_t i) {
    energy_ += double(changes_[i]);
    spins_[i] = int8_t(-spins_[i]);
    changes_[i] = -changes_[i];
    const float four = -4.0f * float(spins_[i]);
    for (int32_t k = graph_.starts[i]; k < graph_.starts[i + 1]; ++k) {
        const size_t j = size_t(graph_.neighbours[size_t(k)]);
        changes_[j] += four * graph_.weights_single[size_t(k)] * float(spins_[j]);
    }
}

size_t Tabu::distance(const std::vector<int8_t>& a, const std::vector<int8_t>& b) const {
    size_t differ = 0;
    for (size_t i = 0; i < a.size(); ++i) differ += a[i] != b[i];
    // Without fields, all spins turned are the same answer.
    return graph_.has_fields ? differ : std::min(differ, a.size() - differ);
}

std::vector<int8_t> Tabu::next_start() {
    const size_t size = graph_.size();
    std::vector<int8_t> child(size);
    if (elite_.size() < options_.elite) {
        for (int8_t& spin : child) spin = generator_() >> 63 ? 1 : -1;
        return child;
    }
    const size_t first = generator_.below(uint32_t(elite_.size()));
    size_t second = generator_.below(uint32_t(elite_.size() - 1));
    second += second >= first;
    const std::vector<int8_t>&a = elite_[first].spins, &b = elite_[second].spins;
    size_t differ = 0;
    for (size_t i = 0; i < size; ++i) differ += a[i] != b[i];
    const int8_t sign = !graph_.has_fields && 2 * differ > size ? -1 : 1;
    for (size_t i = 0; i < size; ++i) child[i] = generator_() >> 63 ? a[i] : int8_t(sign * b[i]);
    return child;
}

void Tabu::end() {
    const size_t near = std::max<size_t>(1, graph_.size() / 100);
    size_t closest = elite_.size(), worst = 0;
    for (size_t k = 0; k < elite_.size(); ++k) {
        if (distance(elite_[k].spins, found_) < near) closest = k;
        if (elite_[k].energy > elite_[worst].energy) worst = k;
    }
    if (closest < elite_.size()) {
        if (found_energy_ < elite_[closest].energy) elite_[closest] = {found_, found_energy_};
    } else if (elite_.size() < options_.elite) {
        elite_.push_back({found_, found_energy_});
    } else if (found_energy_ < elite_[worst].energy) {
        elite_[worst] = {found_, found_energy_};
    }
    ++starts_;
    // The good answers have become too alike to be mixed: begin anew with the best of them.
    if (closest < elite_.size() && elite_.size() == options_.elite && generator_.below(4 * options_.elite) == 0) {
        std::swap(elite_[0], *std::min_element(elite_.begin(), elite_.end(),
                                               [](const Answer& a, const Answer& b) { return a.energy < b.energy; }));
        elite_.resize(1);
    }
    begin(next_start());
}

// Keeps the answer of now where it is the best since this start. Left until the next flip leads uphill: on the way down
// every flip is the best so far.
void Tabu::keep() {
    if (!improved_) return;
    improved_ = false;
    found_ = spins_;
    if (best_.spins.empty() || energy_ < best_.energy - slack_) best_.offer(graph_, found_);
}

void Tabu::advance(uint64_t flips) {
    const size_t size = spins_.size();
    for (; flips > 0; --flips) {
        const float aspiration = float(found_energy_ - energy_ - slack_);
        const float change = smallest_change(changes_.data(), free_after_.data(), flips_, aspiration, changes_.size());
        size_t chosen = size;
        if (change < std::numeric_limits<float>::max())
            chosen = first_with(changes_.data(), free_after_.data(), flips_, aspiration, size,
                                generator_.below(uint32_t(size)), change);
        ++flips_;
        if (chosen < size) {
            if (change >= 0) keep();
            flip(chosen);
            free_after_[chosen] = flips_ + int32_t(options_.tenure + generator_.below(TENURE_SPREAD + 1));
        }
        if (energy_ < found_energy_ - slack_) {
            improved_ = true;
            found_energy_ = energy_;
            stale_ = 0;
        } else if (++stale_ >= options_.patience || flips_ >= FLIPS_MAX) {
            keep();
            end();
            continue;
        }
        if (flips_ % FLIPS_BETWEEN_REFRESHES == 0) refresh();
    }
    keep();
}

double Tabu::change_error() const {
    double worst = 0;
    for (size_t i = 0; i < spins_.size(); ++i) {
        double field = graph_.fields[i];
        for (int32_t k = graph_.starts[i]; k < graph_.starts[i + 1]; ++k)
            field += graph_.weights[size_t(k)] * spins_[size_t(graph_.neighbours[size_t(k)])];
        worst = std::max(worst, std::abs(double(changes_[i]) + 2 * field * spins_[i]));
    }
    return worst;
}

}  // namespace qrealm::spins
