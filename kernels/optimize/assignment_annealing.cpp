#include "assignment_annealing.h"

#include <algorithm>
#include <chrono>
#include <cmath>
#include <limits>
#include <numeric>

namespace qrealm {

namespace {

constexpr double TOLERANCE = 1e-9;
constexpr int NEAREST_MAX = 16;
constexpr int SAMPLES = 2000;
constexpr uint64_t UNITS_PER_RECOMPUTE = 64;
// Above this many pairs of an item and a bin, the start looks at a sample of the bins for each item.
constexpr size_t PAIRS_MAX = 4'000'000;
constexpr int SAMPLED_BINS = 48;

AssignmentProblem prepared(AssignmentProblem problem) {
    problem.prepare(TOLERANCE);
    return problem;
}

}  // namespace

AssignmentAnnealing::AssignmentAnnealing(AssignmentProblem problem, uint64_t seed, const std::vector<int32_t>& hint,
                                         const AnnealingTuning& tuning)
    : problem_(prepared(std::move(problem))), random_(seed), tuning_(tuning), state_(problem_, construct(hint)) {
    const size_t n = size_t(problem_.num_items), m = size_t(problem_.num_bins);
    best_ = state_.bins();
    is_touched_.assign(n, 0);
    packs_ = problem_.weight_bins > 0 || problem_.weight_cost > 0 || problem_.weight_fragmentation > 0;
    for (size_t i = 0; i < n; ++i)
        if (problem_.rule_starts[i] < problem_.rule_starts[i + 1]) ruled_items_.push_back(int32_t(i));
    for (size_t k = 0; k < problem_.rules.size(); ++k)
        if (problem_.rules[k].kind == RuleKind::together && problem_.rules[k].items.size() > 1) groups_.push_back(int32_t(k));
    if (problem_.placement_cost && m > 0) {
        nearest_count_ = int(std::min(m, size_t(NEAREST_MAX)));
        nearest_.resize(n * size_t(nearest_count_));
        std::vector<int32_t> order(m);
        for (size_t i = 0; i < n; ++i) {
            const double* price = problem_.placement_cost + i * m;
            std::iota(order.begin(), order.end(), 0);
            const auto cheaper = [&](int32_t a, int32_t b) { return price[a] != price[b] ? price[a] < price[b] : a < b; };
            std::nth_element(order.begin(), order.begin() + nearest_count_ - 1, order.end(), cheaper);
            std::sort(order.begin(), order.begin() + nearest_count_, cheaper);
            std::copy_n(order.begin(), nearest_count_, nearest_.begin() + std::ptrdiff_t(i) * nearest_count_);
        }
    }
    // Items brought into a state that breaks a demand although they could be left out.
    if (problem_.may_leave_out && !state_.keeps_demands())
        for (size_t i = 0; i < n; ++i) state_.shift(int(i), -1);
    if (n && m) measure();
    if (state_.keeps_demands()) {
        best_ = state_.bins();
        best_value_ = state_.value();
        found_ = true;
    }
    begin_run();
}

// The hint where it can be used; else items in order of price and size, each where it costs least.
std::vector<int32_t> AssignmentAnnealing::construct(const std::vector<int32_t>& hint) {
    const size_t n = size_t(problem_.num_items), d = size_t(problem_.num_resources);
    bool usable = hint.size() == n;
    for (size_t i = 0; usable && i < n; ++i)
        usable = hint[i] < 0 ? problem_.may_leave_out : hint[i] < problem_.num_bins && problem_.is_allowed(int(i), hint[i]);
    if (usable) return hint;
    if (problem_.num_bins == 0) return std::vector<int32_t>(n, -1);
    std::vector<double> size(n, 0.0);
    for (size_t i = 0; i < n; ++i)
        for (size_t r = 0; r < d; ++r) {
            const double share = problem_.demand[i * d + r] * problem_.overflow_of[r];
            size[i] += share * share;
        }
    std::vector<int32_t> order(n);
    std::iota(order.begin(), order.end(), 0);
    std::stable_sort(order.begin(), order.end(), [&](int32_t a, int32_t b) {
        const double p = problem_.left_out_price[a], q = problem_.left_out_price[b];
        return problem_.may_leave_out && p != q ? p > q : size[size_t(a)] > size[size_t(b)];
    });
    AssignmentState state(problem_, std::vector<int32_t>(n, -1));
    const bool all = n * size_t(problem_.num_bins) <= PAIRS_MAX;
    for (int32_t item : order) {
        int chosen = -1;
        constexpr double MOST = std::numeric_limits<double>::infinity();
        Change least{MOST, MOST};
        const int tries = all ? problem_.num_bins : SAMPLED_BINS;
        for (int t = 0; t < tries; ++t) {
            int bin = all ? t : any_bin(item);
            if (!all && t % 2 && problem_.num_items > 1) {
                const int other = state.bin_of(order[random_.below(uint32_t(n))]);
                if (other >= 0) bin = other;
            }
            if (bin < 0 || !problem_.is_allowed(item, bin)) continue;
            Change change = state.shift_change(item, bin);
            change += state.shift_rules(item, -1, bin);
            state.shift_rules(item, bin, -1);
            if (problem_.may_leave_out && change.penalty > 0) continue;
            // Demands come first here; the search weighs the two against each other.
            if (change.penalty < least.penalty || (change.penalty == least.penalty && change.value < least.value)) {
                least = change;
                chosen = bin;
            }
        }
        if (chosen < 0 && !problem_.may_leave_out) chosen = any_bin(item);
        if (chosen >= 0) state.shift(item, chosen);
    }
    return state.bins();
}

// How much shifts change values and demands: the scale of temperatures and of the weight of a missed demand.
void AssignmentAnnealing::measure() {
    std::vector<double> values, penalties;
    for (int sample = 0; sample < SAMPLES; ++sample) {
        const int item = int(random_.below(uint32_t(problem_.num_items)));
        const int from = state_.bin_of(item), to = problem_.may_leave_out && sample % 2 ? -1 : likely_bin(item);
        if (to == from || (to < 0 && !problem_.may_leave_out)) continue;
        Change change = state_.shift_change(item, to);
        change += state_.shift_rules(item, from, to);
        state_.shift_rules(item, to, from);
        if (std::abs(change.value) > 1e-12) values.push_back(std::abs(change.value));
        if (std::abs(change.penalty) > 1e-12) penalties.push_back(std::abs(change.penalty));
    }
    std::sort(values.begin(), values.end());
    std::sort(penalties.begin(), penalties.end());
    if (!values.empty()) {
        typical_ = values[values.size() / 2];
        least_ = std::max(values[values.size() / 10], typical_ * 1e-3);
    }
    const double missed = penalties.empty() ? 1.0 : penalties[penalties.size() / 2];
    if (values.empty()) least_ = typical_ = 1.0;
    first_weight_ = typical_ / missed;
    weight_ = first_weight_;
}

void AssignmentAnnealing::begin_run() {
    const double n = problem_.num_items;
    const double first = std::clamp(20.0 * n, 8192.0, 400'000.0);
    run_length_ = uint64_t(first * std::pow(2.0, double(std::min<uint64_t>(run_ / 2, 30))));
    // Cool runs keep most of what the best answer has; hot ones forget it.
    constexpr double HEATS[] = {0.1, 1.0, 0.3, 4.0};
    heat_ = HEATS[run_ % 4];
    if (!found_) weight_ = first_weight_ * heat_;
    strict_ = problem_.may_leave_out && run_ % 8 < 4;
    block_ = std::max<uint64_t>(64, run_length_ / 256);
    run_done_ = 0;
    if (found_) back_to_best();
    ++run_;
    set_temperature();
}

void AssignmentAnnealing::set_temperature() {
    const double progress = std::min(1.0, double(run_done_) / double(run_length_));
    const double hot = tuning_.hottest * typical_ * heat_, cold = std::min(hot, tuning_.coldest * least_);
    temperature_ = hot * std::pow(cold / hot, progress);
}

uint64_t AssignmentAnnealing::advance(uint64_t units, double seconds_left) {
    const auto started = std::chrono::steady_clock::now();
    uint64_t done = 0;
    while (done < units) {
        if (done && std::chrono::duration<double>(std::chrono::steady_clock::now() - started).count() >= seconds_left) break;
        for (uint64_t p = 0; p < PROPOSALS_PER_UNIT && problem_.num_items && problem_.num_bins; ++p) {
            if (p % 64 == 0) set_temperature();
            propose();
            ++run_done_;
            // The weight of missed demands hovers where they are just kept, and only grows towards the end of a run.
            if (run_done_ % block_ == 0) {
                const bool late = run_done_ * 10 > run_length_ * 7;
                if (!state_.keeps_demands()) weight_ *= late ? 1.2 : 1.1;
                else if (!late) weight_ = std::max(weight_ / 1.1, first_weight_ * 1e-3);
            }
        }
        ++done;
        if (++units_done_ % UNITS_PER_RECOMPUTE == 0) state_.recompute();
        if (run_done_ >= run_length_) begin_run();
    }
    return done;
}

void AssignmentAnnealing::keep_best() {
    if (!state_.keeps_demands()) return;
    if (found_ && state_.value() >= best_value_ - 1e-12 * std::max(1.0, std::abs(best_value_))) return;
    for (int32_t item : touched_) {
        best_[size_t(item)] = state_.bin_of(item);
        is_touched_[size_t(item)] = 0;
    }
    touched_.clear();
    best_value_ = state_.value();
    found_ = true;
}

void AssignmentAnnealing::back_to_best() {
    for (int32_t item : touched_) {
        state_.shift(item, best_[size_t(item)]);
        is_touched_[size_t(item)] = 0;
    }
    touched_.clear();
    state_.recompute();
}

bool AssignmentAnnealing::accepts(const Change& change) {
    if (strict_ && change.penalty > 1e-12) return false;
    const double more = energy(change);
    if (more <= 0) return true;
    if (more > 40 * temperature_) return false;
    return random_.unit() < std::exp(-more / temperature_);
}

// One shift of a larger move, which `finish` keeps or takes back.
Change AssignmentAnnealing::take(int item, int to) {
    trail_.push_back({item, state_.bin_of(item)});
    return state_.shift(item, to);
}

void AssignmentAnnealing::keep() {
    for (const Step& step : trail_)
        if (!is_touched_[size_t(step.item)]) {
            is_touched_[size_t(step.item)] = 1;
            touched_.push_back(step.item);
        }
    trail_.clear();
    keep_best();
}

void AssignmentAnnealing::finish(const Change& change) {
    if (accepts(change)) return keep();
    for (size_t at = trail_.size(); at-- > 0;) state_.shift(trail_[at].item, trail_[at].from);
    trail_.clear();
}

}  // namespace qrealm
