// The stage planner: orders elements, chooses the wires of each tile, moves lanes, and writes micro-ops.
#include <algorithm>
#include <cmath>
#include <limits>
#include <stdexcept>

#include "emit.h"
#include "linear.h"
#include "program.h"

namespace qrealm {
namespace {

uint64_t bit(int w) { return uint64_t(1) << w; }

// An element seen as the wires that it uses, and how. Two elements commute when they use every shared wire the
// same way, both diagonally (z) or both as the target of a CX (x).
struct Node {
    const Element* element;
    uint64_t z, x, g;  // diagonal on, CX target on, mixed on
    int next;          // the next node that has not run
};

// Wires that an element which has not run keeps from later ones.
struct Blocked {
    uint64_t z = 0, x = 0, g = 0;
    bool allows(const Node& n) const { return !(n.z & (x | g)) && !(n.x & (z | g)) && !(n.g & (z | x | g)); }
    void add(const Node& n) {
        z |= n.z;
        x |= n.x;
        g |= n.g;
    }
    // No mixing and no CX can pass any more, only phases; no phase can pass any more.
    bool only_phases(uint64_t all) const { return ((z | g) & all) == all; }
    bool no_phases(uint64_t all) const { return ((x | g) & all) == all; }
    bool everything(uint64_t all) const { return ((g | (z & x)) & all) == all; }
};

template <class T>
class Scheduler {
public:
    Scheduler(const Elements& e, const ProductState& start, const Placement* before, const PlanOptions& options);
    Program<T> run();

private:
    static constexpr int lane_bits = Layout<T>::lane_bits;

    const Elements& e_;
    PlanOptions options_;
    Program<T> program_;
    std::vector<Node> nodes_;
    int first_ = 0;  // head of the list of nodes that have not run; nodes_.size() ends it
    uint64_t all_ = 0;
    int num_wires_, block_bits_, tile_rows_;
    Frame frame_;
    double log2_growth_ = 0;     // of the stored amplitudes over the true ones
    bool just_swapped_ = false;  // nothing has run since lanes moved: moving them again would lead nowhere

    // Inner products with Z alone pass phases, and are work all the same.
    bool nothing_more(const Blocked& b) const { return e_.inners.empty() ? b.only_phases(all_) : b.everything(all_); }
    void place(const Placement* before);
    std::vector<int> by_first_use() const;

    template <class F>
    void scan(F&& visit, bool for_phases = false);
    bool remaining() const { return first_ < static_cast<int>(nodes_.size()); }
    bool only_phases_left();

    void free_permutations();
    double gain(uint64_t chosen, int room, uint64_t* used);
    uint64_t choose_tile();
    double memory_cost(uint64_t rows) const;
    void run_stage(uint64_t tile);
    bool step(Stage<T>& stage);
    void emit_rotations(Stage<T>& stage, std::vector<const Element*>& ready);
    bool unlocks(bool count_lanes);
    void swap_lanes(Stage<T>& stage, uint64_t wanted, uint64_t keep);
    void limit_growth(Stage<T>& stage, double log2_max);
    void count(Stage<T>& stage);
};

template <class T>
Scheduler<T>::Scheduler(const Elements& e, const ProductState& start, const Placement* before, const PlanOptions& options)
    : e_(e), options_(options) {
    num_wires_ = static_cast<int>(start.wires.size());
    block_bits_ = num_wires_ - lane_bits;
    all_ = bit(e.num_wires) - 1;
    const int tile = options.tile_qubits ? std::max(options.tile_qubits, lane_bits + max_matrix_qubits + (options.selector >= 0)) : default_tile_qubits<T>(num_wires_);
    tile_rows_ = std::min(block_bits_, tile - lane_bits);
    program_.num_qubits = e.num_wires;
    program_.num_wires = num_wires_;
    program_.wire_of_qubit = e.wire_of_qubit;
    program_.flipped = e.flipped;
    program_.start = start;
    program_.from_start = before == nullptr;
    program_.scale = std::polar(1.0, e.global_phase);
    nodes_.reserve(e.list.size());
    for (const Element& x : e.list) {
        Node n{&x, x.mask, 0, e.targets(x), static_cast<int>(nodes_.size()) + 1};
        if (x.kind == Kind::cx) n.x = bit(x.wire);
        if (x.kind == Kind::inner) n.z |= e.inners[x.data].z & ~n.g;
        nodes_.push_back(n);
    }
    place(before);
}

// Wires in the order of their first mixing: the last ones lie idle in the lanes at first, the first ones get the
// lowest addresses, so that the first tiles are contiguous.
template <class T>
std::vector<int> Scheduler<T>::by_first_use() const {
    std::vector<int> first(num_wires_, std::numeric_limits<int>::max());
    for (int i = static_cast<int>(nodes_.size()); i-- > 0;)
        for (uint64_t m = nodes_[i].g | nodes_[i].x; m; m &= m - 1) first[__builtin_ctzll(m)] = i;
    std::vector<int> order(num_wires_);
    for (int w = 0; w < num_wires_; ++w) order[w] = w;
    std::stable_sort(order.begin(), order.end(), [&](int a, int b) { return first[a] < first[b]; });
    return order;
}

template <class T>
void Scheduler<T>::place(const Placement* before) {
    frame_.columns.assign(num_wires_, 0);
    if (before) {
        frame_.lane_wires.assign(before->lane_wires.begin(), before->lane_wires.end());
        frame_.columns = before->columns;
    } else {
        const std::vector<int> order = by_first_use();
        for (int b = 0; b < block_bits_; ++b) {
            frame_.columns[order[b]] = 1u << b;
            program_.start_block_wires.push_back(static_cast<uint8_t>(order[b]));
        }
        frame_.lane_wires.assign(order.begin() + block_bits_, order.end());
        program_.start_lane_wires.assign(order.begin() + block_bits_, order.end());
    }
}

// Visits, in program order, every waiting node that nothing before it holds back. `visit` returns true when it has
// run the node; otherwise the node holds back what does not commute with it.
template <class T>
template <class F>
void Scheduler<T>::scan(F&& visit, bool for_phases) {
    Blocked blocked;
    int* link = &first_;
    while (*link < static_cast<int>(nodes_.size())) {
        Node& n = nodes_[*link];
        if (blocked.allows(n) && visit(n, blocked)) {
            *link = n.next;
            continue;
        }
        blocked.add(n);
        if (for_phases ? blocked.no_phases(all_) : nothing_more(blocked)) return;
        link = &n.next;
    }
}

// CX gates between wires outside the lanes: one XOR each. Valid only while no tile is open.
template <class T>
void Scheduler<T>::free_permutations() {
    scan([&](Node& n, Blocked&) {
        if (n.element->kind != Kind::cx) return false;
        const int c = __builtin_ctzll(n.z), t = n.element->wire;
        if (frame_.in_lane(c) || frame_.in_lane(t)) return false;
        frame_.columns[c] ^= frame_.columns[t];
        return true;
    });
}

// How much work a tile of the chosen wires could do, adding wires in program order while there is room.
template <class T>
double Scheduler<T>::gain(uint64_t chosen, int room, uint64_t* used) {
    Blocked blocked;
    double work = 0;
    const int end = static_cast<int>(nodes_.size());
    for (int i = first_; i < end; i = nodes_[i].next) {
        const Node& n = nodes_[i];
        if (blocked.allows(n)) {
            const uint64_t missing = n.g & ~chosen;
            const int count = __builtin_popcountll(missing);
            if (count <= room) {
                chosen |= missing;
                room -= count;
                if (n.element->kind == Kind::rotation) work += 0.4;
                else if (n.element->kind == Kind::dense) work += 2.2;
                else work += 0.01;
                // A CX out of the tile waits for the tile to close, and what depends on it waits too.
                if (n.x && !(n.x & chosen) && (n.z & chosen)) {
                    blocked.add(n);
                    if (nothing_more(blocked)) break;
                }
                continue;
            }
        }
        blocked.add(n);
        if (nothing_more(blocked)) break;
    }
    *used = chosen;
    return work;
}

// The wires of the next tile, by the share of its time that is work. Memory is slower in small chunks: a tile that
// holds the lowest address bits is read in longer runs.
template <class T>
uint64_t Scheduler<T>::choose_tile() {
    // Lanes are in every tile, and so is the wire that selects one of two states.
    uint64_t lanes = 0;
    for (int w : frame_.lane_wires) lanes |= bit(w);
    const uint64_t fixed = options_.selector < 0 ? 0 : bit(options_.selector);
    if (tile_rows_ == block_bits_) return bit(num_wires_) - 1;
    std::vector<int> by_address;  // wires outside the lanes, the lowest address first
    for (int w = 0; w < num_wires_; ++w)
        if (frame_.columns[w]) by_address.push_back(w);
    std::sort(by_address.begin(), by_address.end(), [&](int a, int b) { return frame_.columns[a] < frame_.columns[b]; });

    uint64_t best = 0;
    double best_share = -1;
    auto consider = [&](uint64_t seed) {
        seed |= fixed;
        const int room = tile_rows_ - __builtin_popcountll(seed & ~lanes);
        if (room < 0) return false;
        uint64_t used = 0;
        const double work = gain(seed | lanes, room, &used);
        for (size_t i = 0; __builtin_popcountll(used & ~lanes) < tile_rows_; ++i) used |= bit(by_address[i]);
        const double share = work / (work + memory_cost(used & ~lanes));
        if (share <= best_share + 1e-9) return false;
        best_share = share;
        best = used;
        return true;
    };
    uint64_t low = 0;
    for (int k = 0; k <= 3; low |= bit(by_address[k++])) {
        consider(low);
        for (int w = 0; w < e_.num_wires; ++w) consider(low | bit(w));
    }
    // Exchange one wire at a time while it helps.
    for (int rounds = 0; rounds < 4; ++rounds) {
        const uint64_t rows = best & ~lanes & ~fixed;
        bool better = false;
        for (uint64_t out = rows; out && !better; out &= out - 1) {
            const uint64_t without = rows & ~(out & (~out + 1));
            better = consider(without);
            for (uint64_t in = all_ & ~best; in && !better; in &= in - 1) better = consider(without | (in & (~in + 1)));
        }
        if (!better) break;
    }
    return best;
}

// What it costs to read and write a tile, in the unit of `gain`: a millisecond for 2^25 single-precision amplitudes
// on two cores. Measured with chunks of 128, 256, 512 ... bytes.
template <class T>
double Scheduler<T>::memory_cost(uint64_t rows) const {
    constexpr double cost[] = {22.0, 15.0, 12.5, 11.5, 11.0};
    std::vector<uint32_t> columns;
    for (; rows; rows &= rows - 1) columns.push_back(frame_.columns[__builtin_ctzll(rows)]);
    const Subspace space(columns);
    size_t run = 0;
    while (run < 4 && run < space.basis.size() && space.basis[run] == 1u << run) ++run;
    return cost[run];
}

template <class T>
bool Scheduler<T>::only_phases_left() {
    for (int i = first_; i < static_cast<int>(nodes_.size()); i = nodes_[i].next)
        if (nodes_[i].element->kind != Kind::phase) return false;
    return true;
}

// Whether running all ready phases now would let anything else run in this tile.
template <class T>
bool Scheduler<T>::unlocks(bool count_lanes) {
    Blocked blocked;
    for (int i = first_; i < static_cast<int>(nodes_.size()); i = nodes_[i].next) {
        const Node& n = nodes_[i];
        if (blocked.allows(n)) {
            if (n.element->kind == Kind::phase) continue;
            if (n.g && frame_.is_row(n.g)) return true;
            if (n.g && count_lanes && frame_.is_local(n.g)) return true;
            if (n.x) {
                const bool lane = frame_.touches_lane(n.x | n.z);
                if (!lane && !((n.z & frame_.rows_mask) && !(n.x & frame_.rows_mask))) return true;
                if (lane && count_lanes) return true;
            }
        }
        blocked.add(n);
        if (nothing_more(blocked)) break;
    }
    return false;
}

template <class T>
void Scheduler<T>::emit_rotations(Stage<T>& stage, std::vector<const Element*>& ready) {
    const size_t largest = options_.passes & pass_group ? size_t(largest_group<T>()) : 1;
    for (size_t i = 0; i < ready.size();) {
        const size_t left = ready.size() - i;
        // 4 = 2 + 2 beats 3 + 1 when three is the largest group.
        const size_t take = left == largest + 1 && left > 2 ? (left + 1) / 2 : std::min(left, largest);
        std::vector<const Element*> group(ready.begin() + i, ready.begin() + i + take);
        double scale = 1;
        stage.ops.push_back(make_rotate<T>(frame_, group, &scale));
        program_.scale *= scale;
        log2_growth_ -= std::log2(scale);
        i += take;
        limit_growth(stage, 50);
    }
    ready.clear();
}

// Deferred factors let stored numbers grow, by at most sqrt(2) a gate; before that matters, one pass takes it back.
template <class T>
void Scheduler<T>::limit_growth(Stage<T>& stage, double log2_max) {
    if (log2_growth_ <= log2_max) return;
    const double factor = std::exp2(-std::floor(log2_growth_));
    stage.ops.push_back(make_scale<T>(frame_, factor));
    program_.scale /= factor;
    log2_growth_ += std::log2(factor);
}

// Brings the wanted wires from the lanes into rows, and into the lanes the rows that are needed last, but none to keep.
template <class T>
void Scheduler<T>::swap_lanes(Stage<T>& stage, uint64_t wanted, uint64_t keep) {
    std::vector<int> need(num_wires_, std::numeric_limits<int>::max());
    Blocked blocked;
    int order = 0;
    uint64_t local = frame_.rows_mask;
    for (int w : frame_.lane_wires) local |= bit(w);
    for (int i = first_; i < static_cast<int>(nodes_.size()); i = nodes_[i].next, ++order) {
        const Node& n = nodes_[i];
        const uint64_t use = n.g | (n.x ? (n.x | n.z) : 0);
        if (blocked.allows(n) && !(n.g & ~local)) {
            for (uint64_t m = use; m; m &= m - 1) {
                int& first = need[__builtin_ctzll(m)];
                first = std::min(first, order);
            }
            continue;
        }
        blocked.add(n);
        if (nothing_more(blocked)) break;
    }
    // Other lane wires come along where they have work before the rows that they replace.
    std::vector<int> out(frame_.rows), in;
    std::erase_if(out, [&](int w) { return w == options_.selector || (keep >> w & 1); });
    std::stable_sort(out.begin(), out.end(), [&](int a, int b) { return need[a] > need[b]; });
    for (int w : frame_.lane_wires)
        if (wanted & bit(w)) in.push_back(w);
    for (int w : frame_.lane_wires) {
        if (wanted & bit(w) || in.size() >= out.size()) continue;
        if (need[w] < need[out[in.size()]]) in.push_back(w);
    }
    out.resize(std::min(out.size(), in.size()));
    in.resize(out.size());
    stage.ops.push_back(make_transpose<T>(frame_, in, out));
}

// One round: runs what is ready. Returns whether anything happened.
template <class T>
bool Scheduler<T>::step(Stage<T>& stage) {
    std::vector<const Element*> rotations, dense;  // `dense` with inner products: what runs alone
    // What the first waiting element needs: wanting more at once could push its own wires out again.
    uint64_t lanes_wanted = 0, waiting = 0;
    auto want_lanes = [&](uint64_t mask) {
        if (!lanes_wanted && (lanes_wanted = frame_.lanes_of(mask))) waiting = mask;
    };
    bool moved = false;
    const size_t largest = options_.passes & pass_group ? size_t(largest_group<T>()) : 1;
    // First pass over what is ready: permutations run at once, rotations and matrices are collected.
    std::vector<int> rotation_nodes;
    scan([&](Node& n, Blocked& blocked) {
        const Element& x = *n.element;
        if (x.kind == Kind::cx) {
            if (frame_.touches_lane(n.x | n.z)) {
                want_lanes(n.x | n.z);
                return false;
            }
            const int c = __builtin_ctzll(n.z);
            if ((n.z & frame_.rows_mask) && !(n.x & frame_.rows_mask)) return false;  // waits for the tile to close
            frame_.apply_cx(c, x.wire);
            moved = true;
            return true;
        }
        if (x.kind == Kind::phase) return false;
        if (!frame_.is_row(n.g)) {
            if (frame_.is_local(n.g)) want_lanes(n.g);
            return false;
        }
        if (x.kind == Kind::rotation) {
            rotations.push_back(&x);
            blocked.g |= n.g;
            rotation_nodes.push_back(static_cast<int>(&n - nodes_.data()));
            return false;
        }
        dense.push_back(&x);
        blocked.add(n);  // runs after this scan, so what follows on its wires waits for the next
        return true;
    });
    for (const Element* x : dense) {
        if (x->kind == Kind::inner) {
            stage.ops.push_back(make_inner<T>(frame_, *x, e_.inners[x->data], options_.selector, std::norm(program_.scale)));
            ++stage.num_inners;
        } else {
            stage.ops.push_back(make_dense<T>(frame_, *x, e_.matrices[x->data]));
        }
        moved = true;
    }
    // Whole groups of rotations first; a rest waits while something else can still add to it.
    if (rotations.size() > largest && moved) rotations.resize(rotations.size() / largest * largest);
    if (!rotations.empty() && (rotations.size() >= largest || !moved)) {
        uint64_t done = 0;
        for (const Element* x : rotations) done |= bit(x->wire);
        std::vector<const Element*> run = rotations;
        scan([&](Node& n, Blocked&) {
            return n.element->kind == Kind::rotation &&
                   std::find(run.begin(), run.end(), n.element) != run.end();
        });
        emit_rotations(stage, rotations);
        moved = true;
    }
    if (moved) {
        just_swapped_ = false;
        return true;
    }
    const bool flush = unlocks(false) || (only_phases_left() && remaining()) || (!lanes_wanted && unlocks(true));
    if (flush) {
        std::vector<const Element*> phases;
        scan([&](Node& n, Blocked&) {
            if (n.element->kind != Kind::phase) return false;
            phases.push_back(n.element);
            return true;
        }, true);
        if (phases.empty()) return false;
        make_diagonals<T>(frame_, phases, stage.ops);
        just_swapped_ = false;
        return true;
    }
    if (!lanes_wanted || just_swapped_) return false;
    swap_lanes(stage, lanes_wanted, waiting);
    just_swapped_ = true;
    return true;
}

template <class T>
void Scheduler<T>::run_stage(uint64_t tile) {
    program_.stages.emplace_back();
    Stage<T>& stage = program_.stages.back();
    just_swapped_ = false;
    frame_.open(tile, num_wires_, block_bits_);
    stage.in_place = frame_.tile_bits() == 0;
    stage.row_offsets = span(frame_.space.basis);
    stage.tile_columns = frame_.tile_columns;
    while (remaining() && step(stage)) {
    }
    if (!remaining()) limit_growth(stage, 20);
    frame_.close();
    count(stage);
}

template <class T>
void Scheduler<T>::count(Stage<T>& stage) {
    const double amplitudes = std::exp2(double(num_wires_));
    Work& work = program_.work;
    const bool first = program_.stages.size() == 1 && program_.from_start;
    const bool stays = num_wires_ <= default_tile_qubits<T>(num_wires_);
    if (!stays) work.moved_bytes += amplitudes * 2 * sizeof(T) * (first ? 1 : 2);
    for (const MicroOp<T>& op : stage.ops) {
        ++work.loads;
        const double share = double(op.bases.size()) * (op.type == Micro::diagonal ? double(op.offsets.size()) : double(1u << op.group)) /
                             double(stage.row_offsets.size()) / std::exp2(double(op.conditions.size()));
        switch (op.type) {
            case Micro::rotate:
                work.rotations += op.group;
                work.flops += amplitudes * 4 * op.group;
                break;
            case Micro::dense:
                ++work.dense;
                work.flops += amplitudes * share * 8 * double(1u << op.group);
                break;
            case Micro::phase: work.flops += amplitudes * share * 6; break;
            case Micro::diagonal:
                ++work.diagonals;
                work.flops += amplitudes * share * (op.cross.empty() ? 12 : 18);
                break;
            case Micro::transpose: ++work.transposes; break;
            case Micro::inner: work.flops += amplitudes * 4; break;
        }
    }
}

template <class T>
Program<T> Scheduler<T>::run() {
    free_permutations();
    while (remaining()) {
        run_stage(choose_tile());
        free_permutations();
        // Every stage can at least run its first element: the tile has room for the widest matrix.
        if (program_.stages.size() > nodes_.size() + 1) throw std::logic_error("stage planner made no progress");
    }
    program_.placement.lane_wires.assign(frame_.lane_wires.begin(), frame_.lane_wires.end());
    program_.placement.columns = frame_.columns;
    return std::move(program_);
}

}  // namespace

template <class T>
Program<T> schedule(const Elements& elements, const ProductState& start, const Placement* before, const PlanOptions& options) {
    return Scheduler<T>(elements, start, before, options).run();
}

template Program<float> schedule(const Elements&, const ProductState&, const Placement*, const PlanOptions&);
template Program<double> schedule(const Elements&, const ProductState&, const Placement*, const PlanOptions&);

}  // namespace qrealm
