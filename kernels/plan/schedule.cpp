#include <algorithm>
#include <cmath>
#include <stdexcept>

#include "scheduler.h"

namespace qrealm {
namespace {

// How much stored amplitudes may grow while deferred factors wait: squares of the most stay finite in single precision,
// and so do sums of products of two states at rest.
constexpr double log2_growth_most = 50, log2_growth_at_rest = 20;

uint64_t bit(int w) { return uint64_t(1) << w; }

}  // namespace

template <class T>
Scheduler<T>::Scheduler(const Portion& portion, const ProductState& start, const Placement* before, const PlanOptions& options)
    : e_(portion.elements),
      options_(options),
      fill_(portion.elements, std::polar(1.0, portion.begin == 0 ? portion.elements.global_phase : 0.0), before ? before->log2_growth : 0) {
    const Elements& e = e_;
    num_wires_ = static_cast<int>(start.wires.size());
    block_bits_ = num_wires_ - lane_bits;
    all_ = bit(e.num_wires) - 1;
    // A tile has room for the widest matrix, and for the wire that is always in it.
    const int least = lane_bits + max_matrix_qubits + (options.selector >= 0);
    const int tile = options.tile_qubits ? std::max(options.tile_qubits, least) : default_tile_qubits<T>(num_wires_);
    tile_rows_ = std::min({block_bits_, tile - lane_bits, max_tile_rows});
    program_.num_qubits = e.num_wires;
    program_.num_wires = num_wires_;
    program_.wire_of_qubit = e.wire_of_qubit;
    program_.flipped = e.flipped;
    program_.start = start;
    program_.from_start = before == nullptr;
    if (options.contract && portion.end == e.list.size()) program_.contract = *options.contract;
    program_.keep_state = options.keep_state || portion.end < e.list.size();
    nodes_.reserve(portion.end - portion.begin);
    for (size_t i = portion.begin; i < portion.end; ++i) {
        const Element& x = e.list[i];
        Node n{&x, x.mask, 0, e.targets(x), static_cast<int>(nodes_.size()) + 1};
        if (x.kind == Kind::cx) n.x = bit(x.wire);
        if (x.kind == Kind::inner) {
            n.z |= e.inners[x.data].z & ~n.g;
            diagonal_work_ = diagonal_work_ || !n.g;
        }
        nodes_.push_back(n);
    }
    place(before);
    log2_growth_ = options.reusable && before ? before->log2_growth_most : fill_.log2_growth;
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

template <class T>
bool Scheduler<T>::only_phases_left() {
    for (int i = first_; i < static_cast<int>(nodes_.size()); i = nodes_[i].next)
        if (!waits(*nodes_[i].element)) return false;
    return true;
}

// Whether running all ready phases now would let anything else run in this tile.
template <class T>
bool Scheduler<T>::unlocks(bool count_lanes) {
    Blocked blocked;
    for (int i = first_; i < static_cast<int>(nodes_.size()); i = nodes_[i].next) {
        const Node& n = nodes_[i];
        if (blocked.allows(n)) {
            if (waits(*n.element)) continue;
            if (n.g && frame_.is_row(n.g)) return true;
            if (n.g && count_lanes && frame_.is_local(n.g)) return true;
            if (n.x) {
                const bool lane = frame_.touches_lane(n.x | n.z);
                if (!lane && !frame_.leaves_tile(n.z, n.x)) return true;
                if (lane && count_lanes) return true;
            }
        }
        blocked.add(n);
        if (nothing_more(blocked)) break;
    }
    return false;
}

// The phases that come next on the wires of a group, taken from the list, if none of them reaches beyond the group:
// then they need no pass of their own.
template <class T>
std::vector<const Element*> Scheduler<T>::take_phases(uint64_t group) {
    std::vector<const Element*> taken;
    if (!(options_.passes & pass_attach)) return taken;
    bool alone = true;
    Blocked blocked;
    for (int i = first_; i < static_cast<int>(nodes_.size()); i = nodes_[i].next) {
        const Node& n = nodes_[i];
        if (n.element->kind == Kind::phase && (n.z & group) && blocked.allows(n)) {
            alone = alone && !(n.z & ~group);
            if (!alone) return {};
            taken.push_back(n.element);
            continue;
        }
        blocked.add(n);
        if (!(group & ~(blocked.x | blocked.g))) break;
    }
    if (!taken.empty()) scan([&](Node& n, Blocked&) { return std::find(taken.begin(), taken.end(), n.element) != taken.end(); }, true);
    return taken;
}

// Appends an op that runs next, with its numbers.
template <class T>
void Scheduler<T>::emit(Stage<T>& stage, MicroOp<T>&& op) {
    const double before = fill_.log2_growth;
    fill_(op);
    if (!options_.reusable) log2_growth_ = fill_.log2_growth;
    else if (op.type == Micro::rotate || op.type == Micro::rotate_inner) log2_growth_ += 0.5 * op.group;  // 1 / cos(pi/4) a gate
    else if (op.type == Micro::scale) log2_growth_ = 1;
    else log2_growth_ += fill_.log2_growth - before;  // of matrices, which stay
    stage.num_results += op.num_results();
    stage.ops.push_back(std::move(op));
}

template <class T>
void Scheduler<T>::emit_rotations(Stage<T>& stage, std::vector<const Element*>& ready) {
    const size_t largest = options_.passes & pass_group ? size_t(largest_group<T>()) : 1;
    for (size_t i = 0; i < ready.size();) {
        const size_t left = ready.size() - i;
        // 4 = 2 + 2 beats 3 + 1 when three is the largest group.
        const size_t take = left == largest + 1 && left > 2 ? (left + 1) / 2 : std::min(left, largest);
        std::vector<const Element*> group(ready.begin() + i, ready.begin() + i + take);
        uint64_t wires = 0;
        for (const Element* x : group) wires |= bit(x->wire);
        const bool reads = std::any_of(group.begin(), group.end(), [](const Element* x) { return x->data >= 0; });
        if (reads) emit(stage, make_rotate_inner<T>(frame_, e_, group, options_.selector));
        else emit(stage, make_rotate<T>(frame_, e_, group, take_phases(wires)));
        i += take;
        limit_growth(stage, options_.selector < 0 ? log2_growth_most : log2_growth_at_rest);
    }
    ready.clear();
}

// Deferred factors let stored numbers grow, by at most sqrt(2) a gate, or shrink; before that matters, one pass takes it back.
template <class T>
void Scheduler<T>::limit_growth(Stage<T>& stage, double log2_max) {
    if (std::abs(log2_growth_) > log2_max) emit(stage, make_scale<T>());
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
    emit(stage, make_transpose<T>(frame_, in, out));
}

// Looks at what is ready: permutations run at once, the rest is collected.
template <class T>
typename Scheduler<T>::Round Scheduler<T>::collect() {
    Round round;
    // Only what the first waiting element needs: wanting more at once could push its own wires out again.
    auto want_lanes = [&](uint64_t wires) {
        if (!round.lanes_wanted && (round.lanes_wanted = frame_.lanes_of(wires))) round.waiting = wires;
    };
    scan([&](Node& n, Blocked& blocked) {
        const Element& x = *n.element;
        if (waits(x)) return false;
        if (x.kind == Kind::cx) {
            if (frame_.touches_lane(n.x | n.z)) {
                want_lanes(n.x | n.z);
                return false;
            }
            if (frame_.leaves_tile(n.z, n.x)) return false;  // waits for the tile to close
            frame_.apply_cx(__builtin_ctzll(n.z), x.wire);
            return round.moved = true;
        }
        if (!frame_.is_row(n.g)) {
            if (frame_.is_local(n.g)) want_lanes(n.g);
            return false;
        }
        if (x.kind == Kind::rotation) {
            round.rotations.push_back(&x);
            return false;  // stays in the list until its group is complete
        }
        round.alone.push_back(&x);
        blocked.add(n);  // runs after this scan, so what follows on its wires waits for the next
        return true;
    });
    return round;
}

template <class T>
bool Scheduler<T>::run_collected(Stage<T>& stage, Round& round) {
    for (const Element* x : round.alone) {
        if (x->kind == Kind::inner) {
            emit(stage, make_inner<T>(frame_, e_, *x, options_.selector));
        } else {
            emit(stage, make_dense<T>(frame_, e_, *x));
        }
        round.moved = true;
    }
    // Whole groups of rotations first; a rest waits while something else can still add to it.
    auto& ready = round.rotations;
    const size_t largest = options_.passes & pass_group ? size_t(largest_group<T>()) : 1;
    if (ready.size() > largest && round.moved) ready.resize(ready.size() / largest * largest);
    if (!ready.empty() && (ready.size() >= largest || !round.moved)) {
        scan([&](Node& n, Blocked&) { return std::find(ready.begin(), ready.end(), n.element) != ready.end(); });
        emit_rotations(stage, ready);
        round.moved = true;
    }
    return round.moved;
}

// One pass for all phases that are ready.
template <class T>
bool Scheduler<T>::flush(Stage<T>& stage) {
    std::vector<const Element*> phases, parities;
    scan([&](Node& n, Blocked&) {
        if (!waits(*n.element)) return false;
        (n.element->kind == Kind::phase ? phases : parities).push_back(n.element);
        return true;
    }, true);
    if (phases.empty() && parities.empty()) return false;
    if (!parities.empty()) emit(stage, make_parities<T>(frame_, e_, parities, options_.selector));
    if (phases.empty()) return true;
    std::vector<MicroOp<T>> made;
    make_diagonals<T>(frame_, e_, phases, options_.selector, options_.reusable, made);
    for (MicroOp<T>& op : made) {
        emit(stage, std::move(op));
        limit_growth(stage, log2_growth_most);
    }
    return true;
}

// One round: runs what is ready; failing that, the phases that hold something back; failing that, moves lanes.
// Returns whether anything happened.
template <class T>
bool Scheduler<T>::step(Stage<T>& stage) {
    Round round = collect();
    if (run_collected(stage, round)) {
        just_swapped_ = false;
        return true;
    }
    if (unlocks(false) || (only_phases_left() && remaining()) || (!round.lanes_wanted && unlocks(true))) {
        just_swapped_ = false;
        return flush(stage);
    }
    if (!round.lanes_wanted || just_swapped_) return false;
    swap_lanes(stage, round.lanes_wanted, round.waiting);
    return just_swapped_ = true;
}

template <class T>
void Scheduler<T>::run_stage(uint64_t tile) {
    program_.stages.emplace_back();
    Stage<T>& stage = program_.stages.back();
    just_swapped_ = false;
    frame_.open(tile, num_wires_, block_bits_);
    stage.ops.reserve(16);
    stage.in_place = frame_.tile_bits() == 0;
    stage.row_offsets = span(frame_.space.basis);
    stage.tile_columns = frame_.tile_columns;
    const size_t before = executed_;
    while (remaining() && step(stage)) {
    }
    // What is left may be a CX out of this tile behind a phase that unlocks nothing here: then the phase comes first.
    if (remaining() && executed_ == before) flush(stage);
    if (!remaining()) limit_growth(stage, log2_growth_at_rest);
    if (!remaining() && !program_.contract.empty()) {
        emit(stage, make_contract<T>(frame_, options_.selector));
        contracted_ = true;
    }
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
                work.flops += amplitudes * (4 * op.group + (op.high.empty() ? 0 : 6));
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
            case Micro::scale: work.flops += amplitudes * 2; break;
            case Micro::inner:
            case Micro::contract:
            case Micro::parities: work.flops += amplitudes * 4; break;
            case Micro::rotate_inner:
                work.rotations += op.group;
                work.flops += amplitudes * 8 * op.group;
                break;
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
    // CX gates that ran after the last stage have moved wires: one more look at all tiles.
    if (!program_.contract.empty() && !contracted_) run_stage(choose_tile());
    program_.placement.lane_wires.assign(frame_.lane_wires.begin(), frame_.lane_wires.end());
    program_.placement.columns = frame_.columns;
    program_.placement.log2_growth = fill_.log2_growth;
    program_.placement.log2_growth_most = log2_growth_;
    program_.scale = fill_.scale;
    return std::move(program_);
}

template <class T>
Program<T> schedule(const Portion& portion, const ProductState& start, const Placement* before, const PlanOptions& options) {
    return Scheduler<T>(portion, start, before, options).run();
}

template Program<float> schedule(const Portion&, const ProductState&, const Placement*, const PlanOptions&);
template Program<double> schedule(const Portion&, const ProductState&, const Placement*, const PlanOptions&);

}  // namespace qrealm
