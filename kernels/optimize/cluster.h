// A running cluster: what is where, and for every class of equal items the price of each bin, kept up to date bin by bin.
//
// The price of a bin is the change of the objective of src/qrealm/optimize/problems/evaluate.py when the item goes there.
// Amounts are whole multiples of a power of two, so that sums do not depend on the order of events: a cluster that was built
// at once decides as one that grew.
#pragma once
#include <cstdint>
#include <map>
#include <utility>
#include <vector>

namespace qrealm::cluster {

// Wider than 64 bits: 2^19 full bins would overflow those, or one bin that is overfull by as much.
__extension__ typedef __int128 ShareUnits;

// The parts of a change of the objective, each already times its weight.
struct Parts {
    double bins = 0, cost = 0, balance = 0, fragmentation = 0, moves = 0, rules = 0;
    double sum() const { return bins + cost + balance + fragmentation + moves + rules; }
    Parts& operator+=(const Parts& other);
};
constexpr int kParts = 6;

// Half of what `violations` forgives: the other half is for amounts rounded to the grid.
constexpr double kRoom = 1.0 + 0.5e-9;

struct Weights {
    double bins, cost, balance, fragmentation, moves;
};

enum class RuleKind : uint8_t { together, apart, spread };

struct Rule {
    RuleKind kind;
    bool hard;
    double weight;
    int64_t skew;
    std::vector<int32_t> domain;     // of each bin
    std::vector<int32_t> count;      // items in each domain
    std::vector<int32_t> num_bins;   // bins of each domain that are there

    int64_t amount() const;
    // The smallest and the largest number of items in a domain.
    std::pair<int64_t, int64_t> extremes() const;
    // Change of the amount when one item more is in each domain.
    void changes(std::vector<double>& out) const;
};

// Items that no bin can tell from each other.
struct ItemClass {
    std::vector<double> demand;
    int32_t allowed_set;
    std::vector<int32_t> rules;
};

// Why a bin is no candidate; kLacks + r: resource r is what it lacks most of.
enum Refusal : uint8_t { kFits = 0, kClosed, kNotAllowed, kRule, kLacks };

// The prices of all bins for one class, by slot, and the smallest of each block of slots.
struct Index {
    std::vector<double> price;       // without what all bins of one shape share; infinity where it does not fit
    std::vector<uint8_t> refusal;
    std::vector<double> smallest;    // of each block
    std::vector<int32_t> refused;    // bins by Refusal
    uint64_t seen = 0;               // entries of the log of touched bins that are accounted for
    uint64_t epoch = 0;
    int32_t nearest = -1;            // the nearest miss, when nearest_seen and nearest_epoch are those of now
    uint64_t nearest_seen = 0, nearest_epoch = 0;
    // Freed bins when a search for evictions for items of this priority last found none.
    uint64_t no_eviction_at = 0;
    int32_t no_eviction_for = 0;
};

struct Candidate {
    int32_t bin;
    double price;
};

// The order is that of KINDS in src/qrealm/optimize/placing/decisions.py.
enum DecisionKind : uint8_t { kPlaced = 0, kEvicting, kNowhere, kMoved, kEmptied };

// Decisions as flat arrays; see src/qrealm/optimize/placing/decisions.py.
struct Decisions {
    std::vector<int32_t> item, from, chosen, evicted_by, nearest;
    std::vector<uint8_t> kind;
    std::vector<double> change;        // of the objective, without the prices of items left out
    std::vector<double> lack;          // (decisions, resources): what the nearest miss lacks
    std::vector<int32_t> candidate;    // (decisions, k); -1 where there are fewer
    std::vector<int32_t> evicts;       // (decisions, k): items that would have to go
    std::vector<double> parts;         // (decisions, k, kParts)
    std::vector<int32_t> refused;      // (decisions, reasons)
    std::vector<int32_t> victim_start, victims;
};

class Cluster {
public:
    Cluster(int resources, Weights weights, int candidates);

    // Bins with their capacity (bins, resources), cost, rank among equals, and whether each set of bins has them (sets, bins).
    void add_bins(int count, const double* capacity, const double* cost, const uint64_t* rank, const uint8_t* allowed);
    int32_t add_set(const uint8_t* allowed);
    void remove_bins(const std::vector<int32_t>& bins);    // they must be empty
    void close_bin(int32_t bin, bool closed);
    int32_t add_rule(RuleKind kind, bool hard, double weight, int64_t skew, const int32_t* domains);
    // The domains of all bins of a rule anew, after bins came.
    void set_domains(int32_t rule, const int32_t* domains);
    int32_t add_class(const double* demand, int32_t set, std::vector<int32_t> rules);
    int32_t add_items(int count, const int32_t* classes, const int32_t* priorities, const double* weights,
                      const double* move_prices);

    // Where an item is now counts as where it was before, for the price of moves.
    void begin();
    void put(int32_t item, int32_t bin);
    Parts take(int32_t item);
    void place(const std::vector<int32_t>& items, bool evict, Decisions& out);
    // Moves that pay: single items, and all items of a bin at once. Returns the number of items moved.
    int64_t rebalance(int64_t moves_max, double gain_min, double seconds, Decisions& out);

    int32_t where(int32_t item) const { return where_[item]; }
    const std::vector<int32_t>& where() const { return where_; }
    const std::vector<int32_t>& items_of(int32_t bin) const { return held_[bin]; }
    int num_bins() const { return int(cost_.size()); }
    int num_resources() const { return d_; }
    int num_candidates() const { return k_; }
    int num_reasons() const { return kLacks + d_; }
    // The largest difference between an index and prices computed anew; for tests.
    double check();

private:
    struct Lower {    // room of each bin if all items below a priority were gone
        std::vector<double> room;
        std::vector<uint64_t> version;
    };
    struct BinSet {
        std::vector<uint8_t> allowed;    // of each bin
        bool everywhere = true;
        void add(const uint8_t* begin, int count);
    };
    struct Lanes {    // what prices are made of, by slot, each resource in a row
        std::vector<double> load, room, inverse, scarcity;
        std::vector<double> opening, stranded;
    };
    struct Option {
        int32_t bin, priority;
        double weight;
        std::vector<int32_t> victims;
    };
    struct Found {
        std::vector<Candidate> best;
        std::vector<Parts> parts;
        std::vector<int32_t> refused, evicts, victims;
        void clear();
    };

    void lay_out();
    void touch(int32_t bin);
    void count(int32_t item, int32_t bin, int sign);
    double stranded(const double* load, int32_t bin) const;
    void price_slots(const ItemClass& c, int32_t begin, int32_t end, double* price, uint8_t* refusal) const;
    void fill_lane(int32_t slot);
    void fill_lanes();
    void price_shapes(const ItemClass& c);
    void price_rules(const ItemClass& c);
    double rule_price(const ItemClass& c, int32_t bin) const;
    double move_part(int32_t item, int32_t bin) const;
    Parts local_parts(const ItemClass& c, int32_t bin, double sign) const;
    // What putting it there would change; for the rules as price_rules last saw them.
    Parts parts_of(int32_t item, int32_t bin) const;

    Index& index_of(int32_t c);
    void rebuild(const ItemClass& c, Index& index) const;
    void refresh(const ItemClass& c, Index& index, int32_t slot) const;
    double smallest_in(const Index& index, int32_t block) const;
    void price_slots_with_rules(const ItemClass& c, const Index& index, std::vector<double>& price) const;
    void find(int32_t item, Found& found, int32_t except = -1);
    void find_plain(const Index& index, std::vector<Candidate>& best, int32_t home, int32_t except) const;
    void find_with_rules(const ItemClass& c, const Index& index, Found& found, int32_t home, int32_t except);
    void offer(std::vector<Candidate>& best, int32_t bin, double price) const;

    std::vector<Option> evictions(int32_t item);
    const double* lower_room(Lower& lower, int32_t bin, int32_t priority) const;
    void evictions_below(int32_t item, int32_t priority, std::vector<Option>& best);
    bool choose_victims(int32_t item, int32_t bin, Option& option);
    bool may_go(int32_t item, const std::vector<int32_t>& gone);
    bool evict_for(int32_t item, Found& found, double& change);
    void decide(int32_t item, int32_t evicted_by, bool evict, Decisions& out, std::vector<int32_t>& displaced);
    void record(Decisions& out, int32_t item, int32_t from, int32_t chosen, DecisionKind kind, int32_t evicted_by,
                double change, const Found& found);
    int32_t nearest_miss(int32_t c);
    double gain_of(int32_t item, Found& found);
    int64_t empty_bin(int32_t bin, int64_t moves_max, double gain_min, Decisions& out);

    int d_, columns_, k_;                // resources; the same, at least 1; candidates
    Weights weights_;
    double tie_ = 0;                     // price of room left over, so small that it decides between equals only
    // Bins.
    std::vector<double> capacity_, load_, inverse_;    // (bins, resources)
    std::vector<double> cost_;
    std::vector<uint64_t> rank_, version_;
    std::vector<uint8_t> there_, closed_;
    std::vector<int32_t> slot_;
    std::vector<std::vector<int32_t>> held_;
    std::vector<ShareUnits> share_sum_;  // over all bins, of each resource, in units of kShareUnit
    int64_t alive_ = 0, num_closed_ = 0;
    // Slots: bins that are there, by shape (their capacity) and rank; a block is of one shape.
    std::vector<int32_t> bin_of_, block_of_, block_start_, block_shape_, shape_of_slot_, first_of_shape_;
    Lanes lanes_;
    std::vector<BinSet> sets_;
    std::vector<Rule> rules_;
    // Items.
    std::vector<ItemClass> classes_;
    std::vector<int32_t> class_of_, priority_, where_, origin_, place_in_bin_;
    std::vector<double> weight_, move_price_;
    std::vector<int32_t> changed_;       // items whose origin may not be where they are
    std::map<int32_t, int64_t> priorities_;    // items placed, by priority
    // What the indexes have to catch up with.
    std::vector<Index> indexes_;
    std::vector<uint8_t> wanted_;        // whether a class was asked for before
    Index once_;                         // of a class that is asked for the first time, perhaps the last
    int32_t once_class_ = -1;
    std::vector<int32_t> log_;
    uint64_t log_begin_ = 0, epoch_ = 1, freed_ = 1;
    int64_t num_indexes_ = 0;
    std::map<int32_t, Lower> lower_;    // by priority
    std::map<int32_t, std::pair<int64_t, int64_t>> extremes_;    // of spreads, during one search for evictions
    std::vector<double> shape_prices_, slot_prices_;
    std::vector<std::vector<double>> rule_tables_;
    Found found_;
};

}  // namespace qrealm::cluster
