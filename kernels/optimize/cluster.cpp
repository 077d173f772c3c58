// What a running cluster holds, and the price of every bin for a class of items.
#include "cluster.h"

#include <algorithm>
#include <cmath>
#include <limits>
#include <numeric>

namespace qrealm::cluster {

namespace {

constexpr double kNever = std::numeric_limits<double>::infinity();
// Shares are summed as whole numbers, so that their sum does not depend on the order of events.
constexpr double kShareUnit = 0x1p-44;
constexpr double kTie = 1e-12;
constexpr int kBlock = 64;
constexpr int64_t kIndexBytesMax = int64_t(256) << 20;

ShareUnits share_units(double share) {
    const double units = share / kShareUnit;
    return std::abs(units) < 0x1p62 ? ShareUnits(std::llround(units)) : ShareUnits(units);
}

}  // namespace

Parts& Parts::operator+=(const Parts& other) {
    bins += other.bins;
    cost += other.cost;
    balance += other.balance;
    fragmentation += other.fragmentation;
    moves += other.moves;
    rules += other.rules;
    return *this;
}

int64_t Rule::amount() const {
    int64_t used = 0, over = 0, most = 0, least = std::numeric_limits<int32_t>::max();
    for (size_t t = 0; t < count.size(); ++t) {
        if (!num_bins[t]) continue;
        const int64_t n = count[t];
        used += n > 0;
        over += std::max<int64_t>(n - 1, 0);
        most = std::max(most, n);
        least = std::min(least, n);
    }
    if (kind == RuleKind::together) return std::max<int64_t>(0, used - 1);
    if (kind == RuleKind::apart) return over;
    return std::max<int64_t>(0, most - least - skew);
}

std::pair<int64_t, int64_t> Rule::extremes() const {
    int64_t least = std::numeric_limits<int32_t>::max(), most = 0;
    for (size_t t = 0; t < count.size(); ++t) {
        if (!num_bins[t]) continue;
        most = std::max<int64_t>(most, count[t]);
        least = std::min<int64_t>(least, count[t]);
    }
    return {least, most};
}

void Rule::changes(std::vector<double>& out) const {
    const size_t size = count.size();
    out.resize(size);
    if (kind == RuleKind::apart) {
        for (size_t t = 0; t < size; ++t) out[t] = count[t] > 0;
        return;
    }
    if (kind == RuleKind::together) {
        const bool any = std::any_of(count.begin(), count.end(), [](int32_t n) { return n > 0; });
        for (size_t t = 0; t < size; ++t) out[t] = any && count[t] == 0;
        return;
    }
    int64_t most = 0, least = std::numeric_limits<int32_t>::max(), num_least = 0;
    for (size_t t = 0; t < size; ++t) {
        if (!num_bins[t]) continue;
        most = std::max<int64_t>(most, count[t]);
        if (count[t] < least) {
            least = count[t];
            num_least = 0;
        }
        num_least += count[t] == least;
    }
    const int64_t now = std::max<int64_t>(0, most - least - skew);
    for (size_t t = 0; t < size; ++t) {
        const int64_t least_then = count[t] == least && num_least == 1 ? least + 1 : least;
        const int64_t most_then = std::max<int64_t>(most, count[t] + 1);
        out[t] = double(std::max<int64_t>(0, most_then - least_then - skew) - now);
    }
}

Cluster::Cluster(int resources, Weights weights, int candidates)
    : d_(resources), columns_(std::max(resources, 1)), k_(candidates), weights_(weights), share_sum_(resources, 0) {}

void Cluster::BinSet::add(const uint8_t* begin, int count) {
    allowed.insert(allowed.end(), begin, begin + count);
    everywhere = everywhere && std::all_of(begin, begin + count, [](uint8_t is) { return is; });
}

int32_t Cluster::add_set(const uint8_t* allowed) {
    sets_.emplace_back().add(allowed, num_bins());
    return int32_t(sets_.size()) - 1;
}

void Cluster::add_bins(int count, const double* capacity, const double* cost, const uint64_t* rank,
                       const uint8_t* allowed) {
    for (size_t s = 0; s < sets_.size(); ++s) sets_[s].add(allowed + s * count, count);
    capacity_.insert(capacity_.end(), capacity, capacity + size_t(count) * d_);
    for (size_t i = 0; i < size_t(count) * d_; ++i) inverse_.push_back(capacity[i] > 0 ? 1.0 / capacity[i] : 0.0);
    load_.resize(capacity_.size(), 0.0);
    cost_.insert(cost_.end(), cost, cost + count);
    rank_.insert(rank_.end(), rank, rank + count);
    version_.resize(cost_.size(), 1);
    there_.resize(cost_.size(), 1);
    closed_.resize(cost_.size(), 0);
    held_.resize(cost_.size());
    alive_ += count;
    lower_.clear();
    lay_out();
}

void Cluster::remove_bins(const std::vector<int32_t>& bins) {
    if (bins.empty()) return;
    for (const int32_t bin : bins) {
        there_[bin] = 0;
        alive_ -= 1;
        num_closed_ -= closed_[bin];
        closed_[bin] = 0;
        for (Rule& rule : rules_) rule.num_bins[rule.domain[bin]] -= 1;
    }
    lay_out();
}

void Cluster::close_bin(int32_t bin, bool closed) {
    num_closed_ += int(closed) - int(closed_[bin]);
    closed_[bin] = closed;
    touch(bin);
    freed_ += 1;
}

int32_t Cluster::add_rule(RuleKind kind, bool hard, double weight, int64_t skew, const int32_t* domains) {
    rules_.push_back({kind, hard, weight, skew, {}, {}, {}});
    const int32_t rule = int32_t(rules_.size()) - 1;
    set_domains(rule, domains);
    return rule;
}

void Cluster::set_domains(int32_t number, const int32_t* domains) {
    Rule& rule = rules_[number];
    rule.domain.assign(domains, domains + num_bins());
    const int32_t size = rule.domain.empty() ? 0 : *std::max_element(rule.domain.begin(), rule.domain.end()) + 1;
    rule.count.resize(size, 0);
    rule.num_bins.assign(size, 0);
    for (int32_t b = 0; b < num_bins(); ++b) rule.num_bins[rule.domain[b]] += there_[b];
}

int32_t Cluster::add_class(const double* demand, int32_t set, std::vector<int32_t> rules) {
    classes_.push_back({{demand, demand + d_}, set, std::move(rules)});
    indexes_.emplace_back();
    wanted_.push_back(0);
    return int32_t(classes_.size()) - 1;
}

int32_t Cluster::add_items(int count, const int32_t* classes, const int32_t* priorities, const double* weights,
                           const double* move_prices) {
    const int32_t first = int32_t(where_.size());
    class_of_.insert(class_of_.end(), classes, classes + count);
    priority_.insert(priority_.end(), priorities, priorities + count);
    weight_.insert(weight_.end(), weights, weights + count);
    move_price_.insert(move_price_.end(), move_prices, move_prices + count);
    where_.resize(first + count, -1);
    origin_.resize(first + count, -1);
    place_in_bin_.resize(first + count, -1);
    return first;
}

void Cluster::lay_out() {
    bin_of_.clear();
    for (int32_t b = 0; b < num_bins(); ++b)
        if (there_[b]) bin_of_.push_back(b);
    const auto order_of = [&](int32_t a, int32_t b) {
        const double *x = &capacity_[size_t(a) * d_], *y = &capacity_[size_t(b) * d_];
        return std::lexicographical_compare(x, x + d_, y, y + d_);
    };
    std::sort(bin_of_.begin(), bin_of_.end(), [&](int32_t a, int32_t b) {
        if (order_of(a, b)) return true;
        if (order_of(b, a)) return false;
        return rank_[a] != rank_[b] ? rank_[a] < rank_[b] : a < b;
    });
    slot_.assign(num_bins(), -1);
    block_of_.clear();
    block_start_.clear();
    block_shape_.clear();
    shape_of_slot_.clear();
    first_of_shape_.clear();
    double cost = 0;
    for (int32_t s = 0; s < int32_t(bin_of_.size()); ++s) {
        const int32_t b = bin_of_[s];
        slot_[b] = s;
        cost = std::max(cost, cost_[b]);
        const bool shape_begins = s == 0 || order_of(bin_of_[s - 1], b);
        if (shape_begins) first_of_shape_.push_back(b);
        const int32_t shape = int32_t(first_of_shape_.size()) - 1;
        if (shape_begins || s - block_start_.back() == kBlock) {
            block_start_.push_back(s);
            block_shape_.push_back(shape);
        }
        shape_of_slot_.push_back(shape);
        block_of_.push_back(int32_t(block_start_.size()) - 1);
    }
    block_start_.push_back(int32_t(bin_of_.size()));
    // Balance tells bins apart by itself, and by so little that nothing may be added to it.
    tie_ = weights_.balance > 0 ? 0.0 : kTie * (weights_.bins + weights_.cost * cost + weights_.fragmentation);
    fill_lanes();
    epoch_ += 1;
    freed_ += 1;
}

void Cluster::touch(int32_t bin) {
    version_[bin] += 1;
    if (log_.size() > 4 * bin_of_.size() + 1024) {
        log_begin_ += log_.size();
        log_.clear();
    }
    log_.push_back(bin);
}

void Cluster::begin() {
    for (const int32_t item : changed_) origin_[item] = where_[item];
    changed_.clear();
}

void Cluster::count(int32_t item, int32_t bin, int sign) {
    const ItemClass& c = classes_[class_of_[item]];
    for (int r = 0; r < d_; ++r) {
        const size_t at = size_t(bin) * d_ + r;
        share_sum_[r] -= share_units(load_[at] * inverse_[at]);
        load_[at] += sign * c.demand[r];
        share_sum_[r] += share_units(load_[at] * inverse_[at]);
    }
    for (const int32_t rule : c.rules) rules_[rule].count[rules_[rule].domain[bin]] += sign;
    if (slot_[bin] >= 0) fill_lane(slot_[bin]);
    priorities_[priority_[item]] += sign;
    changed_.push_back(item);
    touch(bin);
}

void Cluster::put(int32_t item, int32_t bin) {
    where_[item] = bin;
    place_in_bin_[item] = int32_t(held_[bin].size());
    held_[bin].push_back(item);
    count(item, bin, 1);
}

Parts Cluster::take(int32_t item) {
    const int32_t bin = where_[item];
    const ItemClass& c = classes_[class_of_[item]];
    Parts parts = local_parts(c, bin, -1.0);
    parts.moves = -move_part(item, bin);
    for (const int32_t rule : c.rules)
        if (!rules_[rule].hard) parts.rules -= rules_[rule].weight * double(rules_[rule].amount());
    auto& held = held_[bin];
    held[place_in_bin_[item]] = held.back();
    place_in_bin_[held.back()] = place_in_bin_[item];
    held.pop_back();
    where_[item] = -1;
    count(item, bin, -1);
    freed_ += 1;
    for (const int32_t rule : c.rules)
        if (!rules_[rule].hard) parts.rules += rules_[rule].weight * double(rules_[rule].amount());
    return parts;
}

double Cluster::stranded(const double* load, int32_t bin) const {
    double most = 0.0, least = d_ ? 1.0 : 0.0;
    for (int r = 0; r < d_; ++r) {
        const double share = load[r] * inverse_[size_t(bin) * d_ + r];
        most = std::max(most, share);
        least = std::min(least, share);
    }
    return most - least;
}

void Cluster::price_shapes(const ItemClass& c) {
    shape_prices_.assign(first_of_shape_.size(), 0.0);
    if (!(weights_.balance > 0)) return;
    const double m = double(alive_);
    for (size_t shape = 0; shape < first_of_shape_.size(); ++shape) {
        const double* inverse = &inverse_[size_t(first_of_shape_[shape]) * d_];
        double sum = 0;
        for (int r = 0; r < d_; ++r) {
            const double more = c.demand[r] * inverse[r];
            sum += (2 * double(share_sum_[r]) * kShareUnit + more) * more;
        }
        shape_prices_[shape] = -weights_.balance * sum / (columns_ * m * m);
    }
}

void Cluster::price_rules(const ItemClass& c) {
    rule_tables_.resize(std::max(rule_tables_.size(), c.rules.size()));
    for (size_t j = 0; j < c.rules.size(); ++j) {
        const Rule& rule = rules_[c.rules[j]];
        rule.changes(rule_tables_[j]);
        for (double& x : rule_tables_[j]) x = rule.hard ? (x > 0 ? kNever : 0.0) : x * rule.weight;
    }
}

double Cluster::rule_price(const ItemClass& c, int32_t bin) const {
    double price = 0;
    for (size_t j = 0; j < c.rules.size(); ++j) price += rule_tables_[j][rules_[c.rules[j]].domain[bin]];
    return price;
}

double Cluster::move_part(int32_t item, int32_t bin) const {
    const int32_t origin = origin_[item];
    return origin >= 0 && there_[origin] && origin != bin ? weights_.moves * move_price_[item] : 0.0;
}

Parts Cluster::local_parts(const ItemClass& c, int32_t bin, double sign) const {
    const double* load = &load_[size_t(bin) * d_];
    const double* inverse = &inverse_[size_t(bin) * d_];
    const size_t items = held_[bin].size();
    const bool used = items > 0, used_then = sign > 0 || items > 1;
    const double opened = double(used_then) - double(used), m = double(alive_);
    Parts parts;
    parts.bins = weights_.bins * opened;
    parts.cost = weights_.cost * cost_[bin] * opened;
    double change = 0, most = 0, least = d_ ? 1 : 0;
    for (int r = 0; r < d_; ++r) {
        const double share = load[r] * inverse[r], more = sign * c.demand[r] * inverse[r], then = share + more;
        const double sum = double(share_sum_[r]) * kShareUnit;
        change += (share + then) * more / m - (2 * sum + more) * more / (m * m);
        most = std::max(most, then);
        least = std::min(least, then);
    }
    parts.balance = weights_.balance * change / columns_;
    parts.fragmentation =
        weights_.fragmentation * ((used_then ? most - least : 0.0) - (used ? stranded(load, bin) : 0.0)) / m;
    return parts;
}

Parts Cluster::parts_of(int32_t item, int32_t bin) const {
    const ItemClass& c = classes_[class_of_[item]];
    Parts parts = local_parts(c, bin, 1.0);
    parts.moves = move_part(item, bin);
    parts.rules = rule_price(c, bin);
    return parts;
}

Index& Cluster::index_of(int32_t number) {
    const ItemClass& c = classes_[number];
    const uint64_t end = log_begin_ + log_.size();
    const bool once = !wanted_[number] || once_class_ == number;
    if (once && once_class_ != number) {
        wanted_[number] = 1;
        once_class_ = number;
        once_.epoch = 0;
        once_.nearest_epoch = 0;
        once_.no_eviction_at = 0;
    }
    Index& index = once ? once_ : indexes_[number];
    if (index.epoch == 0 && !once) {
        const int64_t bytes = int64_t(bin_of_.size()) * 10 + 256;
        if (num_indexes_ * bytes > kIndexBytesMax) {
            for (Index& other : indexes_) other = Index{};
            num_indexes_ = 0;
        }
        num_indexes_ += 1;
    }
    if (index.epoch != epoch_ || index.seen < log_begin_ || end - index.seen > bin_of_.size() / 4 + 16) {
        rebuild(c, index);
        index.epoch = epoch_;
    } else {
        for (uint64_t at = index.seen; at < end; ++at) {
            const int32_t slot = slot_[log_[at - log_begin_]];
            if (slot >= 0) refresh(c, index, slot);
        }
    }
    index.seen = end;
    return index;
}

double Cluster::check() {
    double worst = 0;
    for (int32_t number = 0; number < int32_t(classes_.size()); ++number) {
        const Index& index = index_of(number);
        Index anew;
        rebuild(classes_[number], anew);
        if (anew.refusal != index.refusal || anew.refused != index.refused) return kNever;
        const auto compare = [&](const std::vector<double>& a, const std::vector<double>& b) {
            for (size_t i = 0; i < a.size(); ++i)
                if (a[i] != b[i]) worst = std::max(worst, std::abs(a[i] - b[i]));
        };
        compare(anew.price, index.price);
        compare(anew.smallest, index.smallest);
    }
    std::vector<ShareUnits> sums(d_, 0);
    std::vector<double> shares(d_, 0.0), load(load_.size(), 0.0);
    for (size_t item = 0; item < where_.size(); ++item)
        for (int r = 0; r < d_ && where_[item] >= 0; ++r)
            load[size_t(where_[item]) * d_ + r] += classes_[class_of_[item]].demand[r];
    for (size_t at = 0; at < load.size(); ++at) {
        worst = std::max(worst, std::abs(load[at] - load_[at]));
        sums[at % d_] += share_units(load[at] * inverse_[at]);
        shares[at % d_] += load[at] * inverse_[at];
    }
    for (int r = 0; r < d_; ++r) {
        // Half a unit for each bin, and the rounding of the sum itself.
        const double allowance = double(num_bins()) * (kShareUnit + 0x1p-52 * shares[r]);
        if (!(std::abs(double(share_sum_[r]) * kShareUnit - shares[r]) <= allowance)) return kNever;
    }
    return sums == share_sum_ ? worst : kNever;
}

}  // namespace qrealm::cluster
