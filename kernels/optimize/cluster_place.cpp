// Decisions over a running cluster: where an item goes, what has to go for it, which moves pay.
#include <algorithm>
#include <array>
#include <chrono>
#include <cmath>
#include <limits>
#include <queue>
#include <tuple>

#include "cluster.h"

namespace qrealm::cluster {

namespace {

constexpr int kCandidatesMax = 8;
// Of the bins where an eviction would make room, so many are looked at; which, the ranks decide.
constexpr int kEvictionsMax = 256;
// Priorities for which it is remembered what room there is below them.
constexpr int kLevelsMax = 16;
// Gains below this share of the objective's weights are rounding.
constexpr double kGain = 1e-12;

}  // namespace

void Cluster::Found::clear() {
    best.clear();
    parts.clear();
    refused.clear();
    evicts.clear();
    victims.clear();
}

void Cluster::offer(std::vector<Candidate>& best, int32_t bin, double price) const {
    const auto before = [&](const Candidate& other) {
        return price < other.price || (price == other.price && slot_[bin] < slot_[other.bin]);
    };
    if (int(best.size()) == k_) {
        if (!before(best.back())) return;
        best.pop_back();
    }
    auto at = best.end();
    while (at != best.begin() && before(*(at - 1))) --at;
    best.insert(at, Candidate{bin, price});
}

// The k best are in the k blocks whose best are best; two more for the two bins that do not count.
void Cluster::find_plain(const Index& index, std::vector<Candidate>& best, int32_t home, int32_t except) const {
    struct Block {
        double price;
        int32_t number;
    };
    std::array<Block, kCandidatesMax + 2> top;
    const int wanted = k_ + (home >= 0) + (except >= 0);
    int have = 0;
    const int32_t blocks = int32_t(index.smallest.size());
    for (int32_t b = 0; b < blocks; ++b) {
        const double price = index.smallest[b] + shape_prices_[block_shape_[b]];
        if (!(price < (have == wanted ? top[have - 1].price : std::numeric_limits<double>::infinity()))) continue;
        int at = have < wanted ? have++ : have - 1;
        for (; at > 0 && price < top[at - 1].price; --at) top[at] = top[at - 1];
        top[at] = {price, b};
    }
    for (int i = 0; i < have; ++i) {
        const double shared = shape_prices_[block_shape_[top[i].number]];
        for (int32_t s = block_start_[top[i].number]; s < block_start_[top[i].number + 1]; ++s) {
            const double price = index.price[s] + shared;
            if (index.refusal[s] != kFits || (int(best.size()) == k_ && price > best.back().price)) continue;
            const int32_t bin = bin_of_[s];
            if (bin != home && bin != except) offer(best, bin, price);
        }
    }
}

void Cluster::find_with_rules(const ItemClass& c, const Index& index, Found& found, int32_t home, int32_t except) {
    price_slots_with_rules(c, index, slot_prices_);
    int32_t fits = 0;
    for (int32_t s = 0; s < int32_t(bin_of_.size()); ++s) {
        const double price = slot_prices_[s];
        fits += price < std::numeric_limits<double>::infinity();
        if (int(found.best.size()) == k_ && price >= found.best.back().price) continue;
        const int32_t bin = bin_of_[s];
        if (!std::isinf(price) && bin != home && bin != except) offer(found.best, bin, price);
    }
    found.refused[kRule] += found.refused[kFits] - fits;
    found.refused[kFits] = fits;
}

void Cluster::find(int32_t item, Found& found, int32_t except) {
    found.clear();
    const ItemClass& c = classes_[class_of_[item]];
    const Index& index = index_of(class_of_[item]);
    found.refused = index.refused;
    price_shapes(c);
    const int32_t origin = origin_[item];
    const int32_t home = origin >= 0 && there_[origin] && move_price_[item] > 0 ? origin : -1;
    if (c.rules.empty()) {
        if (index.refused[kFits]) find_plain(index, found.best, home, except);
    } else {
        price_rules(c);
        find_with_rules(c, index, found, home, except);
    }
    if (home >= 0 && home != except && index.refusal[slot_[home]] == kFits) {
        const int32_t s = slot_[home];
        const double price = index.price[s] + shape_prices_[shape_of_slot_[s]] + rule_price(c, home) -
                             weights_.moves * move_price_[item];
        if (std::isfinite(price)) offer(found.best, home, price);
    }
}

const double* Cluster::lower_room(Lower& lower, int32_t bin, int32_t priority) const {
    double* room = &lower.room[size_t(bin) * d_];
    if (lower.version[bin] != version_[bin]) {
        lower.version[bin] = version_[bin];
        for (int r = 0; r < d_; ++r) room[r] = capacity_[size_t(bin) * d_ + r] * kRoom - load_[size_t(bin) * d_ + r];
        for (const int32_t other : held_[bin])
            if (priority_[other] < priority)
                for (int r = 0; r < d_; ++r) room[r] += classes_[class_of_[other]].demand[r];
    }
    return room;
}

// Whether an item may be evicted after others of its bin: not where a spread that is a demand would then be broken.
bool Cluster::may_go(int32_t item, const std::vector<int32_t>& gone) {
    for (const int32_t number : classes_[class_of_[item]].rules) {
        const Rule& rule = rules_[number];
        if (rule.kind != RuleKind::spread || !rule.hard) continue;
        auto [at, is_new] = extremes_.try_emplace(number);
        auto& [least, most] = at->second;
        if (is_new) std::tie(least, most) = rule.extremes();
        int64_t left = rule.count[rule.domain[where_[item]]] - 1;
        for (const int32_t other : gone) {
            const std::vector<int32_t>& rules = classes_[class_of_[other]].rules;
            left -= std::find(rules.begin(), rules.end(), number) != rules.end();
        }
        if (left < least && most - left > rule.skew) return false;
    }
    return true;
}

bool Cluster::choose_victims(int32_t item, int32_t bin, Option& option) {
    const std::vector<double>& demand = classes_[class_of_[item]].demand;
    std::vector<int32_t> lower;
    for (const int32_t other : held_[bin])
        if (priority_[other] < priority_[item]) lower.push_back(other);
    std::sort(lower.begin(), lower.end(), [&](int32_t a, int32_t b) {
        if (priority_[a] != priority_[b]) return priority_[a] < priority_[b];
        return weight_[a] != weight_[b] ? weight_[a] < weight_[b] : a < b;
    });
    std::vector<double> lack(d_);
    for (int r = 0; r < d_; ++r)
        lack[r] = load_[size_t(bin) * d_ + r] + demand[r] - capacity_[size_t(bin) * d_ + r] * kRoom;
    const auto fits = [&] {
        for (int r = 0; r < d_; ++r)
            if (demand[r] > 0 && lack[r] > 0) return false;
        return true;
    };
    const auto change = [&](int32_t other, double sign) {
        for (int r = 0; r < d_; ++r) lack[r] += sign * classes_[class_of_[other]].demand[r];
    };
    std::vector<int32_t> gone;
    for (size_t i = 0; i < lower.size() && !fits(); ++i) {
        if (!may_go(lower[i], gone)) continue;
        gone.push_back(lower[i]);
        change(lower[i], -1.0);
    }
    if (!fits()) return false;
    option.victims.clear();
    for (size_t i = gone.size(); i-- > 0;) {    // who need not go after all, the most important first
        change(gone[i], 1.0);
        if (fits()) continue;
        change(gone[i], -1.0);
        option.victims.push_back(gone[i]);
    }
    option.bin = bin;
    option.priority = std::numeric_limits<int32_t>::min();
    option.weight = 0;
    for (const int32_t other : option.victims) {
        option.priority = std::max(option.priority, priority_[other]);
        option.weight += weight_[other];
    }
    return !option.victims.empty();
}

// Bins where it is enough that items below a priority go, the best first.
void Cluster::evictions_below(int32_t item, int32_t priority, std::vector<Option>& best) {
    const ItemClass& c = classes_[class_of_[item]];
    const Index& index = index_of(class_of_[item]);
    if (int(lower_.size()) > kLevelsMax) lower_.clear();
    Lower& lower = lower_[priority];
    lower.room.resize(capacity_.size());
    lower.version.resize(cost_.size(), 0);
    const auto before = [](const Option& a, const Option& b) {
        if (a.priority != b.priority) return a.priority < b.priority;
        if (a.weight != b.weight) return a.weight < b.weight;
        return a.victims.size() < b.victims.size();
    };
    int examined = 0;
    Option option;
    for (int32_t s = 0; s < int32_t(bin_of_.size()) && examined < kEvictionsMax; ++s) {
        const int32_t bin = bin_of_[s];
        if (index.refusal[s] < kLacks || std::isinf(rule_price(c, bin))) continue;
        const double* room = lower_room(lower, bin, priority);
        bool fits = true;
        for (int r = 0; r < d_; ++r) fits &= c.demand[r] <= 0 || c.demand[r] <= room[r];
        if (!fits || !choose_victims(item, bin, option)) continue;
        examined += 1;
        if (int(best.size()) == k_ && !before(option, best.back())) continue;
        if (int(best.size()) == k_) best.pop_back();
        best.insert(std::upper_bound(best.begin(), best.end(), option, before), option);
    }
}

std::vector<Cluster::Option> Cluster::evictions(int32_t item) {
    std::vector<Option> best;
    const ItemClass& c = classes_[class_of_[item]];
    Index& index = index_of(class_of_[item]);
    if (index.no_eviction_at == freed_ && priority_[item] <= index.no_eviction_for) return best;
    price_rules(c);
    extremes_.clear();
    for (const auto& [priority, num_items] : priorities_) {
        if (priority >= priority_[item] || !best.empty()) break;
        if (num_items > 0) evictions_below(item, priority + 1, best);
    }
    if (best.empty() && c.rules.empty()) {
        index.no_eviction_at = freed_;
        index.no_eviction_for = priority_[item];
    }
    return best;
}

bool Cluster::evict_for(int32_t item, Found& found, double& change) {
    const std::vector<Option> options = evictions(item);
    if (options.empty()) return false;
    found.best.clear();
    found.parts.clear();
    for (const Option& option : options) {
        Parts parts;
        for (const int32_t victim : option.victims) parts += take(victim);
        price_rules(classes_[class_of_[item]]);
        parts += parts_of(item, option.bin);
        for (const int32_t victim : option.victims) put(victim, option.bin);
        found.best.push_back({option.bin, parts.sum()});
        found.parts.push_back(parts);
        found.evicts.push_back(int32_t(option.victims.size()));
    }
    found.victims = options[0].victims;
    for (const int32_t victim : found.victims) take(victim);
    put(item, options[0].bin);
    change += found.parts[0].sum();
    return true;
}

int32_t Cluster::nearest_miss(int32_t number) {
    Index& index = index_of(number);
    if (index.nearest_epoch == epoch_ && index.nearest_seen == index.seen) return index.nearest;
    const ItemClass& c = classes_[number];
    double smallest = std::numeric_limits<double>::infinity();
    index.nearest = -1;
    for (int32_t s = 0; s < int32_t(bin_of_.size()); ++s) {
        if (index.refusal[s] < kLacks) continue;
        const size_t at = size_t(bin_of_[s]) * d_;
        double worst = 0;
        for (int r = 0; r < d_; ++r)
            if (c.demand[r] > 0) worst = std::max(worst, (load_[at + r] + c.demand[r] - capacity_[at + r]) /
                                                             std::max(capacity_[at + r], 1e-300));
        if (worst < smallest) {
            smallest = worst;
            index.nearest = bin_of_[s];
        }
    }
    index.nearest_epoch = epoch_;
    index.nearest_seen = index.seen;
    return index.nearest;
}

void Cluster::record(Decisions& out, int32_t item, int32_t from, int32_t chosen, DecisionKind kind,
                     int32_t evicted_by, double change, const Found& found) {
    out.item.push_back(item);
    out.from.push_back(from);
    out.chosen.push_back(chosen);
    out.kind.push_back(kind);
    out.evicted_by.push_back(evicted_by);
    out.change.push_back(change);
    for (int j = 0; j < k_; ++j) {
        const bool has = j < int(found.best.size());
        out.candidate.push_back(has ? found.best[j].bin : -1);
        out.evicts.push_back(j < int(found.evicts.size()) ? found.evicts[j] : 0);
        const Parts p = has ? found.parts[j] : Parts{};
        for (const double x : {p.bins, p.cost, p.balance, p.fragmentation, p.moves, p.rules}) out.parts.push_back(x);
    }
    out.refused.insert(out.refused.end(), found.refused.begin(), found.refused.end());
    if (out.victim_start.empty()) out.victim_start.push_back(0);
    out.victims.insert(out.victims.end(), found.victims.begin(), found.victims.end());
    out.victim_start.push_back(int32_t(out.victims.size()));
    const int32_t nearest = kind == kNowhere ? nearest_miss(class_of_[item]) : -1;
    out.nearest.push_back(nearest);
    for (int r = 0; r < d_; ++r) {
        const size_t at = size_t(std::max(nearest, 0)) * d_ + r;
        const double demand = classes_[class_of_[item]].demand[r];
        out.lack.push_back(nearest < 0 || demand <= 0 ? 0.0 : std::max(0.0, load_[at] + demand - capacity_[at]));
    }
}

void Cluster::decide(int32_t item, int32_t evicted_by, bool evict, Decisions& out, std::vector<int32_t>& displaced) {
    const int32_t stood = where_[item];
    double change = stood >= 0 ? take(item).sum() : 0.0;
    find(item, found_);
    if (!found_.best.empty()) {
        for (const Candidate& candidate : found_.best) found_.parts.push_back(parts_of(item, candidate.bin));
        put(item, found_.best[0].bin);
        change += found_.parts[0].sum();
        record(out, item, origin_[item], found_.best[0].bin, kPlaced, evicted_by, change, found_);
    } else if (evict && evict_for(item, found_, change)) {
        displaced = found_.victims;
        record(out, item, origin_[item], where_[item], kEvicting, evicted_by, change, found_);
    } else {
        record(out, item, origin_[item], stood, kNowhere, evicted_by, 0.0, found_);
        if (stood >= 0) put(item, stood);
    }
}

void Cluster::place(const std::vector<int32_t>& items, bool evict, Decisions& out) {
    struct Waiting {
        int32_t priority, number, item, evicted_by;
        bool operator<(const Waiting& other) const {    // the top of a queue is its largest
            return priority != other.priority ? priority < other.priority : number > other.number;
        }
    };
    std::priority_queue<Waiting> evicted;
    std::vector<int32_t> displaced;
    int32_t number = 0;
    size_t next = 0;
    while (next < items.size() || !evicted.empty()) {
        int32_t item, evicted_by = -1;
        if (!evicted.empty() && (next == items.size() || evicted.top().priority >= priority_[items[next]])) {
            item = evicted.top().item;
            evicted_by = evicted.top().evicted_by;
            evicted.pop();
        } else {
            item = items[next++];
        }
        displaced.clear();
        decide(item, evicted_by, evict, out, displaced);
        const int32_t by = int32_t(out.item.size()) - 1;
        for (const int32_t other : displaced) evicted.push({priority_[other], number++, other, by});
    }
}

// What moving an item to its best bin would bring; found.best is empty where there is none. The item stays.
double Cluster::gain_of(int32_t item, Found& found) {
    const int32_t bin = where_[item];
    const double taken = take(item).sum();
    find(item, found, bin);
    double gain = -std::numeric_limits<double>::infinity();
    if (!found.best.empty()) {
        for (const Candidate& candidate : found.best) found.parts.push_back(parts_of(item, candidate.bin));
        gain = -(taken + found.parts[0].sum());
    }
    put(item, bin);
    return gain;
}

int64_t Cluster::empty_bin(int32_t bin, int64_t moves_max, double gain_min, Decisions& out) {
    std::vector<int32_t> items = held_[bin];
    if (items.empty() || int64_t(items.size()) > moves_max) return 0;
    const auto size_of = [&](int32_t item) {
        double size = 0;
        for (int r = 0; r < d_; ++r) size += classes_[class_of_[item]].demand[r] * inverse_[size_t(bin) * d_ + r];
        return size;
    };
    std::sort(items.begin(), items.end(), [&](int32_t a, int32_t b) {
        const double x = size_of(a), y = size_of(b);
        return x != y ? x > y : a < b;
    });
    std::vector<Found> found(items.size());
    std::vector<double> changes;
    double total = 0;
    for (size_t i = 0; i < items.size(); ++i) {
        double change = take(items[i]).sum();
        find(items[i], found[i], bin);
        // A bin opened to empty another is no gain that single moves would not find.
        if (found[i].best.empty() || held_[found[i].best[0].bin].empty()) {
            put(items[i], bin);
            break;
        }
        for (const Candidate& candidate : found[i].best) found[i].parts.push_back(parts_of(items[i], candidate.bin));
        put(items[i], found[i].best[0].bin);
        change += found[i].parts[0].sum();
        changes.push_back(change);
        total += change;
    }
    if (changes.size() == items.size() && -total > gain_min * double(items.size())) {
        for (size_t i = 0; i < items.size(); ++i)
            record(out, items[i], bin, where_[items[i]], kEmptied, -1, changes[i], found[i]);
        return int64_t(items.size());
    }
    for (size_t i = changes.size(); i-- > 0;) {
        take(items[i]);
        put(items[i], bin);
    }
    return 0;
}

int64_t Cluster::rebalance(int64_t moves_max, double gain_min, double seconds, Decisions& out) {
    const auto begun = std::chrono::steady_clock::now();
    const auto late = [&] {
        return std::chrono::duration<double>(std::chrono::steady_clock::now() - begun).count() > seconds;
    };
    const double weights = weights_.bins + weights_.cost + weights_.balance + weights_.fragmentation;
    const double least = std::max(gain_min, kGain * weights);
    int64_t moved = 0, before = -1;
    Found found;
    while (moved < moves_max && moved != before && !late()) {
        before = moved;
        if (weights_.bins > 0 || weights_.cost > 0 || weights_.fragmentation > 0) {
            std::vector<int32_t> used;
            for (const int32_t bin : bin_of_)
                if (!held_[bin].empty()) used.push_back(bin);
            const auto price = [&](int32_t bin) {
                double sum = 0;
                for (const int32_t item : held_[bin]) sum += move_price_[item];
                return sum;
            };
            std::stable_sort(used.begin(), used.end(), [&](int32_t a, int32_t b) {
                const size_t x = held_[a].size(), y = held_[b].size();
                return x != y ? x < y : price(a) < price(b);
            });
            for (const int32_t bin : used) {
                if (late() || moved >= moves_max) break;
                moved += empty_bin(bin, moves_max - moved, least, out);
            }
        }
        std::vector<std::pair<double, int32_t>> gains;
        for (int32_t item = 0; item < int32_t(where_.size()) && !late(); ++item) {
            if (where_[item] < 0) continue;
            const double gain = gain_of(item, found);
            if (gain > least) gains.emplace_back(-gain, item);
        }
        std::sort(gains.begin(), gains.end());
        for (const auto& [expected, item] : gains) {
            if (late() || moved >= moves_max) break;
            const double gain = gain_of(item, found);    // what went before may have changed it
            if (!(gain > least)) continue;
            const int32_t bin = where_[item];
            take(item);
            put(item, found.best[0].bin);
            record(out, item, bin, where_[item], kMoved, -1, -gain, found);
            moved += 1;
        }
    }
    return moved;
}

}  // namespace qrealm::cluster
