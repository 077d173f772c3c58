// The price of many bins for one class of items, by slot: the loop that everything else waits for.
#include <algorithm>
#include <array>
#include <limits>

#include "cluster.h"
#include "instruction_sets.h"

// Every slot must get the same bits whether it is computed in a vector, in what is left over, or alone.
#if defined(__GNUC__) && !defined(__clang__)
#pragma GCC optimize("fp-contract=off")
#endif

namespace qrealm::cluster {

namespace {

constexpr int kMost = 64;    // slots at a time

struct Sums {
    std::array<double, kMost> squares, left, most, least, worst, which;
};

QREALM_FOR_EVERY_CPU
void add_resource(Sums& sums, int size, double demand, double reason, const double* load, const double* room,
                  const double* inverse, const double* scarcity) {
    for (int i = 0; i < size; ++i) {
        const double share = load[i] * inverse[i], more = demand * inverse[i], then = share + more;
        sums.squares[i] += (share + then) * more;
        sums.left[i] += 1.0 - then;
        sums.most[i] = sums.most[i] > then ? sums.most[i] : then;
        sums.least[i] = sums.least[i] < then ? sums.least[i] : then;
    }
    if (demand <= 0) return;
    for (int i = 0; i < size; ++i) {
        const double lack = load[i] + demand - room[i];
        const double share = lack > 0 ? lack * scarcity[i] : 0.0;
        sums.which[i] = share > sums.worst[i] ? reason : sums.which[i];
        sums.worst[i] = share > sums.worst[i] ? share : sums.worst[i];
    }
}

QREALM_FOR_EVERY_CPU
void finish(const Sums& sums, int size, double balance, double fragmentation, double tie, const double* opening,
            const double* stranded, double* price, uint8_t* refusal) {
    constexpr double kNever = std::numeric_limits<double>::infinity();
    for (int i = 0; i < size; ++i) {
        const double value = opening[i] + balance * sums.squares[i] +
                             fragmentation * (sums.most[i] - sums.least[i] - stranded[i]) + tie * sums.left[i];
        price[i] = sums.which[i] > 0 ? kNever : value;
    }
    for (int i = 0; i < size; ++i) refusal[i] = uint8_t(int32_t(sums.which[i]));
}

// Of a row of prices; several at once, because one after the other each would wait for the last.
QREALM_FOR_EVERY_CPU
double smallest_of(const double* price, int size) {
    constexpr int kLanes = 8;
    std::array<double, kLanes> least;
    least.fill(std::numeric_limits<double>::infinity());
    int at = 0;
    for (; at + kLanes <= size; at += kLanes)
        for (int i = 0; i < kLanes; ++i) least[i] = price[at + i] < least[i] ? price[at + i] : least[i];
    for (; at < size; ++at) least[0] = price[at] < least[0] ? price[at] : least[0];
    return *std::min_element(least.begin(), least.end());
}

QREALM_FOR_EVERY_CPU
int32_t count_of(const uint8_t* refusal, int size, uint8_t reason) {
    int32_t count = 0;
    for (int i = 0; i < size; ++i) count += refusal[i] == reason;
    return count;
}

// Adds what a rule asks for each slot.
QREALM_FOR_EVERY_CPU
void add_rule_prices(double* price, int size, const int32_t* bins, const int32_t* domains, const double* table) {
    for (int i = 0; i < size; ++i) price[i] += table[domains[bins[i]]];
}

}  // namespace

void Cluster::rebuild(const ItemClass& c, Index& index) const {
    const size_t size = bin_of_.size(), blocks = block_start_.size() - 1;
    index.price.resize(size);
    index.refusal.resize(size);
    index.smallest.resize(blocks);
    index.refused.assign(num_reasons(), 0);
    price_slots(c, 0, int32_t(size), index.price.data(), index.refusal.data());
    for (int reason = 0; reason < num_reasons(); ++reason)
        index.refused[reason] = count_of(index.refusal.data(), int(size), uint8_t(reason));
    for (size_t block = 0; block < blocks; ++block)
        index.smallest[block] = smallest_in(index, int32_t(block));
}

double Cluster::smallest_in(const Index& index, int32_t block) const {
    return smallest_of(index.price.data() + block_start_[block], block_start_[block + 1] - block_start_[block]);
}

void Cluster::refresh(const ItemClass& c, Index& index, int32_t s) const {
    const double before = index.price[s];
    index.refused[index.refusal[s]] -= 1;
    price_slots(c, s, s + 1, &index.price[s], &index.refusal[s]);
    index.refused[index.refusal[s]] += 1;
    const double now = index.price[s];
    double& smallest = index.smallest[block_of_[s]];
    if (now <= smallest) {
        smallest = now;
    } else if (before == smallest) {
        smallest = smallest_in(index, block_of_[s]);
    }
}

// Prices with what the rules ask, infinity where one forbids it.
void Cluster::price_slots_with_rules(const ItemClass& c, const Index& index, std::vector<double>& price) const {
    const int size = int(bin_of_.size());
    price.resize(size);
    for (int s = 0; s < size; ++s) price[s] = index.price[s] + shape_prices_[shape_of_slot_[s]];
    for (size_t j = 0; j < c.rules.size(); ++j)
        add_rule_prices(price.data(), size, bin_of_.data(), rules_[c.rules[j]].domain.data(), rule_tables_[j].data());
}

void Cluster::price_slots(const ItemClass& c, int32_t begin, int32_t end, double* price, uint8_t* refusal) const {
    const size_t slots = bin_of_.size();
    const double m = double(alive_);
    Sums sums;
    for (int32_t at = begin; at < end; at += kMost) {
        const int size = std::min(end - at, int32_t(kMost));
        for (auto* part : {&sums.squares, &sums.left, &sums.most, &sums.worst, &sums.which})
            std::fill_n(part->begin(), size, 0.0);
        std::fill_n(sums.least.begin(), size, d_ ? 1.0 : 0.0);
        for (int r = 0; r < d_; ++r) {
            const size_t from = r * slots + at;
            add_resource(sums, size, c.demand[r], kLacks + r, &lanes_.load[from], &lanes_.room[from],
                         &lanes_.inverse[from], &lanes_.scarcity[from]);
        }
        const BinSet& set = sets_[c.allowed_set];
        if (!set.everywhere)
            for (int i = 0; i < size; ++i)
                if (!set.allowed[bin_of_[at + i]]) sums.which[i] = kNotAllowed;
        if (num_closed_)
            for (int i = 0; i < size; ++i)
                if (closed_[bin_of_[at + i]]) sums.which[i] = kClosed;
        finish(sums, size, weights_.balance / (columns_ * m), weights_.fragmentation / m, tie_ / columns_,
               &lanes_.opening[at], &lanes_.stranded[at], price + (at - begin), refusal + (at - begin));
    }
}

void Cluster::fill_lane(int32_t slot) {
    const size_t slots = bin_of_.size();
    const int32_t bin = bin_of_[slot];
    const bool used = !held_[bin].empty();
    const double* load = &load_[size_t(bin) * d_];
    for (int r = 0; r < d_; ++r) lanes_.load[r * slots + slot] = load[r];
    lanes_.opening[slot] = used ? 0.0 : weights_.bins + weights_.cost * cost_[bin];
    lanes_.stranded[slot] = used ? stranded(load, bin) : 0.0;
}

void Cluster::fill_lanes() {
    const size_t slots = bin_of_.size();
    for (auto* part : {&lanes_.load, &lanes_.room, &lanes_.inverse, &lanes_.scarcity}) part->resize(slots * d_);
    lanes_.opening.resize(slots);
    lanes_.stranded.resize(slots);
    for (size_t s = 0; s < slots; ++s) {
        for (int r = 0; r < d_; ++r) {
            const size_t from = size_t(bin_of_[s]) * d_ + r, to = r * slots + s;
            lanes_.room[to] = capacity_[from] * kRoom;
            lanes_.inverse[to] = inverse_[from];
            lanes_.scarcity[to] = capacity_[from] > 0 ? inverse_[from] : std::numeric_limits<double>::infinity();
        }
        fill_lane(int32_t(s));
    }
}

}  // namespace qrealm::cluster
