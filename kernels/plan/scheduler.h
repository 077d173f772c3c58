// The stage planner: orders elements, chooses the wires of each tile, moves lanes, and writes micro-ops.
// Its parts: tile.cpp chooses tiles, schedule.cpp fills them.
#pragma once
#include <limits>

#include "emit.h"
#include "fill.h"
#include "linear.h"
#include "program.h"

namespace qrealm {

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
    Scheduler(const Portion& portion, const ProductState& start, const Placement* before, const PlanOptions& options);
    Program<T> run();

private:
    static constexpr int lane_bits = Layout<T>::lane_bits;

    // What one look at the waiting nodes has found.
    struct Round {
        std::vector<const Element*> rotations;
        std::vector<const Element*> alone;       // matrices and inner products
        uint64_t lanes_wanted = 0, waiting = 0;  // lane wires of the first element that waits for some, all its wires
        bool moved = false;                      // something has run
    };

    const Elements& e_;
    PlanOptions options_;
    Program<T> program_;
    std::vector<Node> nodes_;
    size_t executed_ = 0;
    int first_ = 0;  // head of the list of nodes that have not run; nodes_.size() ends it
    uint64_t all_ = 0;
    int num_wires_, block_bits_, tile_rows_;
    Frame frame_;
    Filler<T> fill_;
    double log2_growth_ = 0;     // of the stored amplitudes over the true ones; a bound for any numbers when reusable
    bool contracted_ = false;    // the contraction has been laid out
    bool just_swapped_ = false;  // nothing has run since lanes moved: moving them again would lead nowhere

    // What is diagonal waits until something else needs it done: then all of it is done in one pass.
    static bool waits(const Element& e) { return e.kind == Kind::phase || e.kind == Kind::parity; }
    bool diagonal_work_ = false;  // inner products with Z alone that run alone: they pass phases
    bool nothing_more(const Blocked& b) const { return diagonal_work_ ? b.everything(all_) : b.only_phases(all_); }
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
    Round collect();
    bool run_collected(Stage<T>& stage, Round& round);
    bool flush(Stage<T>& stage);
    void emit(Stage<T>& stage, MicroOp<T>&& op);
    void emit_rotations(Stage<T>& stage, std::vector<const Element*>& ready);
    std::vector<const Element*> take_phases(uint64_t group);
    bool unlocks(bool count_lanes);
    void swap_lanes(Stage<T>& stage, uint64_t wanted, uint64_t keep);
    void limit_growth(Stage<T>& stage, double log2_max);
    void count(Stage<T>& stage);
};

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
            ++executed_;
            continue;
        }
        blocked.add(n);
        if (for_phases ? blocked.no_phases(all_) : nothing_more(blocked)) return;
        link = &n.next;
    }
}

}  // namespace qrealm
