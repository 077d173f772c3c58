#include "packing.h"

#include <algorithm>
#include <chrono>
#include <cmath>
#include <numeric>

#include "instruction_sets.h"
#include "packing_full_bins.h"

namespace qrealm {

namespace {

// Of 256 proposals, so many begin with an item of an overflowing bin, and so many are shifts; the others swap items.
constexpr uint32_t OVERFLOWING = 64, SHIFTS = 32;
// Of 16, so many bring an item beside one that it fits with, where that is worth knowing.
constexpr uint32_t GUIDED = 8;
// Of 16 swaps, so many are of one item with two.
constexpr uint32_t PAIRS = 6;
// Proposals of the first run at a number of bins; each further one has twice as many.
constexpr uint64_t FIRST_RUN = 64 * PackingSearch::STEPS_PER_UNIT;

// Of how many items mates are listed, and up to which share of all pairs that is of use.
constexpr int MATES_ITEMS_MAX = 4096;
constexpr double MATES_SHARE_MAX = 0.9;

template <int STRIDE>
[[gnu::always_inline]] inline int32_t overflow_with(const int32_t* load, const int32_t* change,
                                                    const int32_t* capacity) {
    int32_t total = 0;
    for (int r = 0; r < STRIDE; ++r) total += std::max(0, load[r] + change[r] - capacity[r]);
    return total;
}

int32_t overflow_of(const int32_t* load, const int32_t* capacity, int stride) {
    int32_t total = 0;
    for (int r = 0; r < stride; ++r) total += std::max(0, load[r] - capacity[r]);
    return total;
}

// -log of evenly spread numbers: thresholds of the Metropolis rule without a logarithm for each proposal.
const std::vector<float>& thresholds() {
    static const std::vector<float> table = [] {
        std::vector<float> t(4096);
        for (size_t i = 0; i < t.size(); ++i) t[i] = -std::log((float(i) + 0.5f) / float(t.size()));
        return t;
    }();
    return table;
}

struct Proposals {
    const PackingProblem& problem;
    const Mates& mates;
    Packing& state;
    Generator& random;
    double temperature, unevenness;
    uint64_t steps;
};

// Proposals at one temperature: an item, of an overflowing bin as often as not, goes to another bin or changes places
// with an item there. Returns the number made; fewer than asked for when nothing overflows any more.
template <int STRIDE>
[[gnu::always_inline]] inline uint64_t propose(Proposals p) {
    Packing& s = p.state;
    const uint32_t num_items = uint32_t(p.problem.num_items), num_bins = uint32_t(s.num_bins);
    const int32_t* capacity = p.problem.capacity.data();
    const float* threshold = thresholds().data();
    const float temperature = float(p.temperature);
    const uint32_t* first = p.mates.first.data();
    const bool guides = !p.mates.items.empty();
    // Moving x from a bin filled f to one filled g changes the sum of squares by 2 x (x + g - f).
    const float reward = 2 * float(p.unevenness);
    const float* share = p.problem.share.data();
    std::vector<float> fill(num_bins, 0.0f);
    for (uint32_t i = 0; i < num_items; ++i) fill[size_t(s.bin_of[i])] += share[i];
    for (uint64_t step = 0; step < p.steps; ++step) {
        if (s.overflow == 0) return step;
        const uint64_t word = p.random();
        uint32_t item;
        if ((word & 255) < OVERFLOWING) {
            const auto& members = s.items[size_t(s.over[p.random.below(uint32_t(s.over.size()))])];
            item = uint32_t(members[p.random.below(uint32_t(members.size()))]);
        } else {
            item = uint32_t((word >> 32) * num_items >> 32);
        }
        const size_t from = size_t(s.bin_of[item]);
        const int32_t* d = p.problem.row(int(item));
        alignas(64) int32_t out[STRIDE], in[STRIDE];
        int second = -1;  // goes the same way as `other`
        bool shift = ((word >> 8) & 255) < SHIFTS;
        size_t to;
        uint32_t other = 0;
        const bool guided = guides && ((word >> 28) & 15) < GUIDED && first[item] < first[item + 1];
        if (guided) {
            const uint32_t mate = p.mates.items[first[item] + p.random.below(first[item + 1] - first[item])];
            to = size_t(s.bin_of[mate]);
            const auto& members = s.items[to];
            shift |= members.size() == 1;
            if (!shift) {
                // Any but the mate.
                const uint32_t at = p.random.below(uint32_t(members.size()) - 1);
                other = uint32_t(members[at < uint32_t(s.place[mate]) ? at : at + 1]);
            }
        } else if (shift) {
            to = p.random.below(num_bins);
        } else {
            other = p.random.below(num_items);
            to = size_t(s.bin_of[other]);
        }
        if (shift) {
            for (int r = 0; r < STRIDE; ++r) in[r] = d[r], out[r] = -d[r];
        } else {
            const auto& members = s.items[to];
            if (((word >> 12) & 15) < PAIRS && members.size() > 1) {
                const uint32_t at = p.random.below(uint32_t(members.size()) - 1);
                second = members[at < uint32_t(s.place[other]) ? at : at + 1];
            }
            const int32_t* e = p.problem.row(int(other));
            for (int r = 0; r < STRIDE; ++r) in[r] = d[r] - e[r], out[r] = -in[r];
            if (second >= 0) {
                const int32_t* f = p.problem.row(second);
                for (int r = 0; r < STRIDE; ++r) in[r] -= f[r], out[r] += f[r];
            }
        }
        if (to == from) continue;
        const int32_t left = overflow_with<STRIDE>(&s.load[from * STRIDE], out, capacity);
        const int32_t joined = overflow_with<STRIDE>(&s.load[to * STRIDE], in, capacity);
        const int32_t delta = left + joined - s.bin_overflow[from] - s.bin_overflow[to];
        float moved = shift ? share[item] : share[item] - share[other];
        if (second >= 0) moved -= share[second];
        const float worse = float(delta) + reward * moved * (fill[from] - fill[to] - moved);
        if (worse > 0 && worse >= temperature * threshold[(word >> 16) & 4095]) continue;
        fill[from] -= moved;
        fill[to] += moved;
        for (size_t r = 0; r < STRIDE; ++r) s.load[from * STRIDE + r] += out[r], s.load[to * STRIDE + r] += in[r];
        s.overflow += delta;
        s.bin_overflow[from] = left;
        s.bin_overflow[to] = joined;
        if (shift) {
            s.relocate(int(item), int(to));
        } else {
            s.exchange(int(item), int(other));
            if (second >= 0) s.relocate(second, int(from));
        }
        s.relist(int(from));
        s.relist(int(to));
    }
    return p.steps;
}

QREALM_FOR_EVERY_CPU uint64_t propose_4(Proposals p) { return propose<4>(p); }
QREALM_FOR_EVERY_CPU uint64_t propose_8(Proposals p) { return propose<8>(p); }
QREALM_FOR_EVERY_CPU uint64_t propose_16(Proposals p) { return propose<16>(p); }
QREALM_FOR_EVERY_CPU uint64_t propose_32(Proposals p) { return propose<32>(p); }
QREALM_FOR_EVERY_CPU uint64_t propose_64(Proposals p) { return propose<64>(p); }

uint64_t propose_any(Proposals p) {
    switch (p.problem.stride) {
        case 4: return propose_4(p);
        case 8: return propose_8(p);
        case 16: return propose_16(p);
        case 32: return propose_32(p);
        default: return propose_64(p);
    }
}

}  // namespace

PackingProblem::PackingProblem(const int32_t* demands, const int32_t* capacities, int n, int resources, int least)
    : num_items(n), stride(4), least_bins(least) {
    while (stride < resources) stride *= 2;
    demand.assign(size_t(n) * size_t(stride), 0);
    capacity.assign(size_t(stride), 0);
    std::copy(capacities, capacities + resources, capacity.begin());
    for (int i = 0; i < n; ++i)
        std::copy(demands + size_t(i) * size_t(resources), demands + size_t(i + 1) * size_t(resources),
                  demand.begin() + i * stride);
    share.assign(size_t(n), 0.0f);
    for (int r = 0; r < resources; ++r) {
        if (capacity[size_t(r)] == 0) continue;
        const float whole = float(capacity[size_t(r)]) * float(resources);
        for (int i = 0; i < n; ++i) share[size_t(i)] += float(row(i)[r]) / whole;
    }
}

Mates::Mates(const PackingProblem& problem) {
    const int n = problem.num_items;
    if (n > MATES_ITEMS_MAX) return;
    for (int a = 0; a < n; ++a) {
        first.push_back(uint32_t(items.size()));
        for (int b = 0; b < n; ++b) {
            bool fits = a != b;
            for (int r = 0; r < problem.stride && fits; ++r)
                fits = problem.row(a)[r] + problem.row(b)[r] <= problem.capacity[size_t(r)];
            if (fits) items.push_back(uint32_t(b));
        }
    }
    first.push_back(uint32_t(items.size()));
    if (double(items.size()) > MATES_SHARE_MAX * double(n) * double(n)) *this = Mates();
}

Packing::Packing(const PackingProblem& problem, const std::vector<int>& bins, int count)
    : num_bins(count), bin_of(bins), place(bins.size()), load(size_t(count) * size_t(problem.stride), 0),
      bin_overflow(size_t(count), 0), items(size_t(count)), over_place(size_t(count), -1) {
    const size_t stride = size_t(problem.stride);
    for (size_t i = 0; i < bins.size(); ++i) {
        const size_t b = size_t(bins[i]);
        place[i] = int(items[b].size());
        items[b].push_back(int(i));
        for (size_t r = 0; r < stride; ++r) load[b * stride + r] += problem.row(int(i))[r];
    }
    for (int b = 0; b < count; ++b) {
        bin_overflow[size_t(b)] = overflow_of(&load[size_t(b) * stride], problem.capacity.data(), problem.stride);
        overflow += bin_overflow[size_t(b)];
        relist(b);
    }
}

void Packing::relist(int bin) {
    const bool overflows = bin_overflow[size_t(bin)] > 0;
    int& at = over_place[size_t(bin)];
    if (overflows == (at >= 0)) return;
    if (overflows) {
        at = int(over.size());
        over.push_back(bin);
        return;
    }
    over[size_t(at)] = over.back();
    over_place[size_t(over.back())] = at;
    over.pop_back();
    at = -1;
}

void Packing::move(const PackingProblem& problem, int item, int to) {
    const size_t stride = size_t(problem.stride);
    const int from = bin_of[size_t(item)];
    const int32_t* d = problem.row(item);
    relocate(item, to);
    for (int b : {from, to}) {
        int32_t* l = &load[size_t(b) * stride];
        for (size_t r = 0; r < stride; ++r) l[r] += b == to ? d[r] : -d[r];
        overflow -= bin_overflow[size_t(b)];
        bin_overflow[size_t(b)] = overflow_of(l, problem.capacity.data(), problem.stride);
        overflow += bin_overflow[size_t(b)];
        relist(b);
    }
}

void Packing::relocate(int item, int to) {
    auto& list = items[size_t(bin_of[size_t(item)])];
    list[size_t(place[size_t(item)])] = list.back();
    place[size_t(list.back())] = place[size_t(item)];
    list.pop_back();
    place[size_t(item)] = int(items[size_t(to)].size());
    items[size_t(to)].push_back(item);
    bin_of[size_t(item)] = to;
}

void Packing::exchange(int a, int b) {
    std::swap(items[size_t(bin_of[size_t(a)])][size_t(place[size_t(a)])],
              items[size_t(bin_of[size_t(b)])][size_t(place[size_t(b)])]);
    std::swap(place[size_t(a)], place[size_t(b)]);
    std::swap(bin_of[size_t(a)], bin_of[size_t(b)]);
}

void Packing::close_bin(const PackingProblem& problem, int bin) {
    const size_t stride = size_t(problem.stride);
    std::vector<int32_t> with(stride);
    while (!items[size_t(bin)].empty()) {
        const int item = items[size_t(bin)].back();
        int chosen = -1;
        int64_t least = 0;
        for (int b = 0; b < num_bins; ++b) {
            if (b == bin) continue;
            for (size_t r = 0; r < stride; ++r) with[r] = load[size_t(b) * stride + r] + problem.row(item)[r];
            const int64_t filled = overflow_of(with.data(), problem.capacity.data(), problem.stride);
            const int64_t more = filled - bin_overflow[size_t(b)];
            if (chosen < 0 || more < least) chosen = b, least = more;
        }
        move(problem, item, chosen);
    }
    std::vector<int> bins = bin_of;
    for (int& b : bins)
        if (b == num_bins - 1) b = bin;
    *this = Packing(problem, bins, num_bins - 1);
}

PackingSearch::PackingSearch(PackingProblem problem, uint64_t seed, const std::vector<int>& hint,
                             const PackingTuning& tuning)
    : problem_(std::move(problem)), mates_(problem_), random_(seed, 0), tuning_(tuning), run_steps_(FIRST_RUN) {
    if (problem_.num_items == 0) return;
    for (int32_t c : problem_.capacity) scale_ = std::max(scale_, double(c));
    construct();
    if (!hint.empty()) {
        std::vector<int> seen(hint), bins(hint);
        std::sort(seen.begin(), seen.end());
        seen.erase(std::unique(seen.begin(), seen.end()), seen.end());
        for (int& b : bins) b = int(std::lower_bound(seen.begin(), seen.end(), b) - seen.begin());
        const Packing given(problem_, bins, int(seen.size()));
        if (given.overflow == 0 && given.num_bins < best_bins_) take(bins, given.num_bins);
    }
    if (!best_.empty() && !done()) next_target();
}

void PackingSearch::take(const std::vector<int>& bin_of, int num_bins) {
    best_ = bin_of;
    best_bins_ = num_bins;
}

// First fit, items by decreasing sum of squares.
void PackingSearch::construct() {
    const size_t n = size_t(problem_.num_items), stride = size_t(problem_.stride);
    std::vector<double> size(n, 0.0);
    for (size_t i = 0; i < n; ++i)
        for (size_t r = 0; r < stride; ++r) size[i] += std::pow(double(problem_.row(int(i))[r]), 2);
    std::vector<int> order(n), bins(n, 0);
    std::iota(order.begin(), order.end(), 0);
    std::stable_sort(order.begin(), order.end(), [&](int a, int b) { return size[size_t(a)] > size[size_t(b)]; });
    std::vector<int32_t> load;
    int count = 0;
    for (int item : order) {
        int b = 0;
        for (; b < count; ++b) {
            bool fits = true;
            for (size_t r = 0; r < stride && fits; ++r)
                fits = load[size_t(b) * stride + r] + problem_.row(item)[r] <= problem_.capacity[r];
            if (fits) break;
        }
        if (b == count) load.resize(size_t(++count) * stride, 0);
        for (size_t r = 0; r < stride; ++r) load[size_t(b) * stride + r] += problem_.row(item)[r];
        bins[size_t(item)] = b;
    }
    const Packing packing(problem_, bins, count);
    if (packing.overflow == 0) {
        take(bins, count);
    } else {  // an item that fits only beside one that brings room
        state_ = packing;
        best_bins_ = count + 1;
    }
}

void PackingSearch::next_target() {
    if (state_.num_bins != best_bins_) state_ = Packing(problem_, best_, best_bins_);
    int emptiest = 0;
    int64_t least = INT64_MAX;
    for (int b = 0; b < state_.num_bins; ++b) {
        int64_t sum = 0;
        for (int r = 0; r < problem_.stride; ++r) sum += state_.load[size_t(b * problem_.stride + r)];
        if (sum < least) least = sum, emptiest = b;
    }
    state_.close_bin(problem_, emptiest);
    run_steps_ = FIRST_RUN;
    run_done_ = 0;
}

void PackingSearch::try_full_bins() {
    full_bins_tried_ = true;
    const std::vector<int> found = full_bin_packing(problem_, problem_.least_bins, FullBinLimits{}, random_);
    if (!found.empty()) take(found, problem_.least_bins);
}

uint64_t PackingSearch::advance(uint64_t units, double seconds_left) {
    const auto started = std::chrono::steady_clock::now();
    uint64_t made = 0;
    if (tuning_.full_bins && !full_bins_tried_ && units > 0 && !done()) try_full_bins();
    for (; made < units && !done(); ++made) {
        if (std::chrono::duration<double>(std::chrono::steady_clock::now() - started).count() > seconds_left) break;
        anneal(STEPS_PER_UNIT);
    }
    return made;
}

void PackingSearch::anneal(uint64_t steps) {
    const double progress = double(run_done_) / double(run_steps_);
    const double temperature = scale_ * tuning_.hottest * std::pow(tuning_.coldest / tuning_.hottest, progress);
    propose_any({problem_, mates_, state_, random_, temperature, tuning_.unevenness * scale_, steps});
    run_done_ += steps;
    if (state_.overflow == 0) {
        take(state_.bin_of, state_.num_bins);
        if (!done()) next_target();
    } else if (run_done_ >= run_steps_) {
        run_steps_ *= 2;
        run_done_ = 0;
    }
}

bool PackingSearch::consistent() const {
    const Packing again(problem_, state_.bin_of, state_.num_bins);
    for (size_t i = 0; i < state_.bin_of.size(); ++i)
        if (state_.items[size_t(state_.bin_of[i])][size_t(state_.place[i])] != int(i)) return false;
    std::vector<int> over(again.over), kept(state_.over);
    std::sort(over.begin(), over.end());
    std::sort(kept.begin(), kept.end());
    return again.overflow == state_.overflow && again.load == state_.load && over == kept &&
           again.bin_overflow == state_.bin_overflow;
}

}  // namespace qrealm
