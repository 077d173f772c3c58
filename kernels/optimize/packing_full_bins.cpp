#include "packing_full_bins.h"

#include <algorithm>
#include <numeric>

namespace qrealm {

namespace {

using Pattern = std::vector<int>;  // items of one bin

// All sets of up to `size` items that fit into a bin and waste no more than the slack. Items are taken in increasing
// order of one resource, so that the last one of a set is found by bisection.
class Listing {
public:
    Listing(const PackingProblem& problem, const std::vector<int64_t>& slack, int lead, int size,
            const FullBinLimits& limits)
        : problem_(problem), slack_(slack), lead_(lead), size_(size), limits_(limits),
          order_(size_t(problem.num_items)) {
        std::iota(order_.begin(), order_.end(), 0);
        std::stable_sort(order_.begin(), order_.end(), [&](int a, int b) { return leading(a) < leading(b); });
        const size_t stride = size_t(problem.stride);
        below_.assign((order_.size() + 1) * stride, 0);
        for (size_t k = order_.size(); k-- > 0;)
            for (size_t r = 0; r < stride; ++r)
                below_[k * stride + r] = below_[(k + 1) * stride + r] + std::min(0, problem.row(order_[k])[r]);
        for (int item : order_) keys_.push_back(leading(item));
    }

    bool run() {
        chosen_.clear();
        std::vector<int32_t> sum(size_t(problem_.stride), 0);
        extend(0, sum);
        return complete_;
    }

    std::vector<Pattern> found;

private:
    int32_t leading(int item) const { return problem_.row(item)[lead_]; }

    void extend(size_t first, const std::vector<int32_t>& sum) {
        close(first, sum);
        if (int(chosen_.size()) + 1 >= size_) return;
        const size_t stride = size_t(problem_.stride), lead = size_t(lead_);
        const int64_t most = keys_.empty() ? 0 : keys_.back();
        std::vector<int32_t> next(stride);
        for (size_t k = first; k < order_.size() && complete_; ++k) {
            if (++steps_ > limits_.listing) complete_ = false;
            // The items that follow are no smaller.
            if (keys_[k] >= 0 && int64_t(sum[lead]) + 2 * int64_t(keys_[k]) > problem_.capacity[lead]) break;
            const int64_t left = size_ - int64_t(chosen_.size()) - 1;
            if (int64_t(sum[lead]) + keys_[k] + left * most < problem_.capacity[lead] - slack_[lead]) continue;
            bool fits = true;
            for (size_t r = 0; r < stride; ++r) {
                next[r] = sum[r] + problem_.row(order_[k])[r];
                fits &= next[r] + below_[(k + 1) * stride + r] <= problem_.capacity[r];
            }
            if (!fits) continue;
            chosen_.push_back(order_[k]);
            extend(k + 1, next);
            chosen_.pop_back();
        }
    }

    // The sets that one item more makes full.
    void close(size_t first, const std::vector<int32_t>& sum) {
        const size_t lead = size_t(lead_);
        const int64_t room = int64_t(problem_.capacity[lead]) - sum[lead];
        auto from = std::lower_bound(keys_.begin() + long(first), keys_.end(), room - slack_[lead]);
        for (auto k = from; k != keys_.end() && *k <= room && complete_; ++k) {
            if (++steps_ > limits_.listing) complete_ = false;
            const int item = order_[size_t(k - keys_.begin())];
            bool full = true;
            for (size_t r = 0; r < size_t(problem_.stride) && full; ++r) {
                const int64_t waste = int64_t(problem_.capacity[r]) - sum[r] - problem_.row(item)[r];
                full = waste >= 0 && waste <= slack_[r];
            }
            if (!full) continue;
            found.push_back(chosen_);
            found.back().push_back(item);
            if (found.size() >= limits_.patterns) complete_ = false;
        }
    }

    const PackingProblem& problem_;
    const std::vector<int64_t>& slack_;
    int lead_, size_;
    FullBinLimits limits_;
    std::vector<int> order_;
    std::vector<int32_t> below_;  // what the items from here on may take away at most
    std::vector<int64_t> keys_;
    Pattern chosen_;
    uint64_t steps_ = 0;
    bool complete_ = true;
};

class Cover {
public:
    Cover(const PackingProblem& problem, const std::vector<Pattern>& patterns, std::vector<int64_t> slack,
          Generator& random)
        : problem_(problem), patterns_(patterns), slack_(std::move(slack)), random_(random),
          with_(size_t(problem.num_items)), alive_(size_t(problem.num_items), 0), blocked_(patterns.size(), 0),
          covered_(size_t(problem.num_items), 0) {
        for (size_t p = 0; p < patterns.size(); ++p)
            for (int item : patterns[p]) with_[size_t(item)].push_back(int(p)), ++alive_[size_t(item)];
    }

    // Restarts with longer and longer tries.
    bool run(uint64_t steps) {
        for (uint64_t tries = 1; steps_ < steps; ++tries) {
            limit_ = std::min(steps, steps_ + (uint64_t(1) << 18) * tries);
            exhausted_ = true;
            if (descend()) return true;
            if (exhausted_) return false;
        }
        return false;
    }

    std::vector<int> bins() const {
        std::vector<int> of(with_.size(), -1);
        for (size_t b = 0; b < taken_.size(); ++b)
            for (int item : patterns_[size_t(taken_[b])]) of[size_t(item)] = int(b);
        return of;
    }

private:
    int scarcest() {
        int chosen = -1, least = INT32_MAX;
        uint32_t equal = 0;
        for (size_t i = 0; i < alive_.size(); ++i) {
            if (covered_[i] || alive_[i] > least) continue;
            equal = alive_[i] < least ? 1 : equal + 1;
            if (alive_[i] < least || random_.below(equal) == 0) chosen = int(i);
            least = alive_[i];
        }
        steps_ += alive_.size();
        return chosen;
    }

    bool descend() {
        const int item = scarcest();
        if (item < 0) return true;
        if (alive_[size_t(item)] == 0) return false;
        if (steps_ > limit_) {
            exhausted_ = false;
            return false;
        }
        std::vector<int> choices;
        for (int p : with_[size_t(item)])
            if (!blocked_[size_t(p)]) choices.push_back(p);
        for (size_t k = choices.size(); k > 1; --k) std::swap(choices[k - 1], choices[random_.below(uint32_t(k))]);
        for (int p : choices) {
            if (!spend(p, 1)) continue;
            taken_.push_back(p);
            block(p, 1);
            if (descend()) return true;
            block(p, -1);
            taken_.pop_back();
            spend(p, -1);
            if (steps_ > limit_) {
                exhausted_ = false;
                return false;
            }
        }
        return false;
    }

    // Takes a pattern's waste from what there is to spare, or gives it back.
    bool spend(int p, int sign) {
        std::vector<int64_t> left(slack_);
        for (size_t r = 0; r < left.size(); ++r) {
            int64_t waste = problem_.capacity[r];
            for (int item : patterns_[size_t(p)]) waste -= problem_.row(item)[r];
            left[r] -= sign * waste;
            if (left[r] < 0) return false;
        }
        slack_ = std::move(left);
        return true;
    }

    void block(int pattern, int sign) {
        for (int item : patterns_[size_t(pattern)]) {
            covered_[size_t(item)] = sign > 0;
            for (int p : with_[size_t(item)]) {
                int& count = blocked_[size_t(p)];
                const bool was = count > 0;
                count += sign;
                if (was == (count > 0)) continue;
                for (int other : patterns_[size_t(p)]) alive_[size_t(other)] -= sign;
            }
            steps_ += with_[size_t(item)].size();
        }
    }

    const PackingProblem& problem_;
    const std::vector<Pattern>& patterns_;
    std::vector<int64_t> slack_;
    Generator& random_;
    std::vector<std::vector<int>> with_;
    std::vector<int> alive_, blocked_, covered_, taken_;
    uint64_t steps_ = 0, limit_ = 0;
    bool exhausted_ = true;
};

}  // namespace

std::vector<int> full_bin_packing(const PackingProblem& problem, int num_bins, const FullBinLimits& limits,
                                  Generator& random) {
    std::vector<int64_t> slack(size_t(problem.stride), 0);
    int lead = -1;
    double tightest = 0.25;  // of a bin; with more to spare there is too much to list
    for (size_t r = 0; r < slack.size(); ++r) {
        slack[r] = int64_t(num_bins) * problem.capacity[r];
        int64_t least = INT32_MAX, most = INT32_MIN;
        for (int i = 0; i < problem.num_items; ++i) {
            slack[r] -= problem.row(i)[r];
            least = std::min<int64_t>(least, problem.row(i)[r]);
            most = std::max<int64_t>(most, problem.row(i)[r]);
        }
        if (slack[r] < 0) return {};
        // The resource with the least to spare, in comparison with how much items differ in it.
        const double share = double(slack[r]) / double(std::max<int64_t>(1, problem.capacity[r]));
        if (most > least && share < tightest) tightest = share, lead = int(r);
    }
    if (lead < 0) return {};
    const int average = (problem.num_items + num_bins - 1) / num_bins;
    for (int size : {average, average + 1}) {
        Listing listing(problem, slack, lead, size, limits);
        if (!listing.run()) return {};
        Cover cover(problem, listing.found, slack, random);
        if (cover.run(limits.covering)) return cover.bins();
    }
    return {};
}

}  // namespace qrealm
