#include "counts.h"

#include <algorithm>
#include <cmath>
#include <numeric>
#include <string>

#include "random.h"
#include "readout.h"
#include "sample.h"

namespace qrealm {
namespace {

uint64_t bit(int w) { return uint64_t(1) << w; }

// Wires that some element joins, as a label for each wire.
std::vector<int> groups(const Elements& e, bool factor) {
    std::vector<int> label(e.num_wires);
    std::iota(label.begin(), label.end(), 0);
    auto root = [&](int w) {
        while (label[w] != w) w = label[w] = label[label[w]];
        return w;
    };
    if (!factor) return std::vector<int>(e.num_wires, 0);
    for (const Element& x : e.list) {
        uint64_t m = e.support(x);
        const int a = root(__builtin_ctzll(m));
        for (m &= m - 1; m; m &= m - 1) label[root(__builtin_ctzll(m))] = a;
    }
    for (int w = 0; w < e.num_wires; ++w) label[w] = root(w);
    return label;
}

// The elements of one group, on wires 0..k-1.
Elements extract(const Elements& e, const std::vector<int>& wires) {
    std::vector<int> local(e.num_wires, -1);
    for (size_t i = 0; i < wires.size(); ++i) local[wires[i]] = static_cast<int>(i);
    Elements out;
    out.num_wires = static_cast<int>(wires.size());
    auto map = [&](uint64_t mask) {
        uint64_t r = 0;
        for (; mask; mask &= mask - 1) r |= bit(local[__builtin_ctzll(mask)]);
        return r;
    };
    for (const Element& x : e.list) {
        if (local[__builtin_ctzll(e.support(x))] < 0) continue;
        Element y = x;
        y.mask = map(x.mask);
        y.value = map(x.value);
        if (x.kind != Kind::phase) y.wire = static_cast<uint8_t>(local[x.wire]);
        if (x.kind == Kind::dense) {
            DenseMatrix m = e.matrices[x.data];
            for (uint8_t& t : m.targets) t = static_cast<uint8_t>(local[t]);
            y.data = static_cast<int>(out.matrices.size());
            out.matrices.push_back(std::move(m));
        }
        out.list.push_back(y);
    }
    return out;
}

}  // namespace

template <class T>
CountsPlan<T> cut_for_counts(const OpArrays& ops, const PlanOptions& options) {
    ProductState start(ops.num_qubits);
    Elements e = simplified(lower(ops), options.passes, &start);
    std::vector<std::pair<uint8_t, uint8_t>> moved;
    if (options.passes & pass_strip) moved = strip_tail(e);

    // A wire that reads one flips these qubits in the end: the CX gates moved to the read-out, then the renaming.
    std::vector<uint64_t> wires(e.num_wires);
    for (int w = 0; w < e.num_wires; ++w) {
        uint64_t v = bit(w);
        for (auto [c, t] : moved)
            if (v >> c & 1) v ^= bit(t);
        wires[w] = v;
    }
    std::vector<int> qubit_of_wire(e.num_wires);
    for (int q = 0; q < e.num_wires; ++q) qubit_of_wire[e.wire_of_qubit[q]] = q;
    auto to_qubits = [&](uint64_t mask) {
        uint64_t r = 0;
        for (; mask; mask &= mask - 1) r |= bit(qubit_of_wire[__builtin_ctzll(mask)]);
        return r;
    };

    CountsPlan<T> plan;
    plan.num_qubits = e.num_wires;
    plan.options = options;
    plan.flipped = to_qubits(e.flipped);
    const bool factor = options.passes & pass_factor;
    const std::vector<int> label = groups(e, factor);
    for (int g = 0; g < e.num_wires; ++g) {
        std::vector<int> members;
        for (int w = 0; w < e.num_wires; ++w)
            if (label[w] == g) members.push_back(w);
        if (members.empty()) continue;
        Elements part = members.size() == size_t(e.num_wires) ? std::move(e) : extract(e, members);
        if (factor && part.list.empty() && members.size() == 1) {
            const auto& s = start.wires[members[0]];
            const double p0 = std::norm(s[0]), p1 = std::norm(s[1]);
            plan.lone.push_back({p1 / (p0 + p1), to_qubits(wires[members[0]])});
            continue;
        }
        ProductState begin(wires_for<T>(part.num_wires));
        for (size_t i = 0; i < members.size(); ++i) begin.wires[i] = start.wires[members[i]];
        typename CountsPlan<T>::Part p;
        p.num_wires = static_cast<int>(begin.wires.size());
        if (p.num_wires > max_state_wires<T>) {
            p.too_large = true;
            plan.parts.push_back(std::move(p));
            continue;
        }
        p.qubits_of_wire.assign(p.num_wires, 0);  // padding wires never read one
        for (size_t i = 0; i < members.size(); ++i) p.qubits_of_wire[i] = to_qubits(wires[members[i]]);
        p.elements = std::move(part);
        p.start = std::move(begin);
        plan.parts.push_back(std::move(p));
        if (members.size() == size_t(plan.num_qubits)) break;
    }
    return plan;
}

template <class T>
void lay_out(typename CountsPlan<T>::Part& part, const PlanOptions& options) {
    if (part.too_large) return;
    size_t portions = 0;
    for_portions<T>(part.elements, part.start, nullptr, options, [&](Program<T>& program) {
        part.work += program.work;
        part.stages += program.stages.size();
        for (const auto& s : program.stages) part.micro_ops += s.ops.size();
        if (++portions == 1) part.program = std::move(program);
    });
    if (portions > 1) part.program.reset();
}

template <class T>
CountsPlan<T> plan_counts(const OpArrays& ops, const PlanOptions& options) {
    CountsPlan<T> plan = cut_for_counts<T>(ops, options);
    for (auto& part : plan.parts) lay_out<T>(part, options);
    return plan;
}

namespace {

Counts tally(std::vector<uint64_t>& values, int num_qubits, Watch& watch) {
    Counts out;
    if (num_qubits <= 12) {
        std::vector<int64_t> table(size_t(1) << num_qubits, 0);
        for (uint64_t v : values) {
            ++table[v];
            watch.tick();
        }
        for (size_t v = 0; v < table.size(); ++v)
            if (table[v]) {
                out.values.push_back(v);
                out.counts.push_back(table[v]);
            }
        return out;
    }
    std::sort(values.begin(), values.end(), [&watch](uint64_t a, uint64_t b) {
        watch.tick();
        return a < b;
    });
    for (size_t i = 0; i < values.size();) {
        size_t j = i;
        while (j < values.size() && values[j] == values[i]) ++j;
        out.values.push_back(values[i]);
        out.counts.push_back(static_cast<int64_t>(j - i));
        i = j;
    }
    return out;
}

}  // namespace

template <class T>
Counts run_counts(const CountsPlan<T>& plan, InstructionSet set, uint64_t shots, uint64_t seed, int threads, const Poll& poll,
                  Amplitudes<T>& state) {
    std::vector<uint64_t> values(shots, plan.flipped);
    uint64_t stream = 0;
    Watch watch(poll);
    for (const auto& lone : plan.lone) {
        const Draws words(seed, stream++);
        if (lone.probability == 0) continue;
        for (uint64_t s = 0; s < shots; ++s) {
            if (Draws::unit(words(s)) < lone.probability) values[s] ^= lone.qubits;
            watch.tick();
        }
    }
    for (const auto& part : plan.parts) {
        if (part.too_large) throw OutOfMemory("a state of " + std::to_string(part.num_wires) + " qubits is more than any machine holds");
        state.num_wires = part.num_wires;
        if (state.memory.bytes() < state.bytes()) state.memory = Memory();  // before a larger one is asked for
        Weights weights;
        Placement placement;
        auto run = [&](const Program<T>& program) {
            weights = {};
            execute(program, state, engine<T>(set), threads, poll, nullptr, &weights);
            placement = program.placement;
        };
        if (part.program) run(*part.program);
        else for_portions<T>(part.elements, part.start, nullptr, plan.options, run);
        if (!shots) continue;
        if (weights.sums.empty()) weights = weigh(state, engine<T>(set), threads, poll);
        std::vector<uint64_t> columns = wires_of_physical(placement, Layout<T>::lane_bits);
        for (uint64_t& c : columns) {
            uint64_t v = 0;
            for (; c; c &= c - 1) v ^= part.qubits_of_wire[__builtin_ctzll(c)];
            c = v;
        }
        const BitMap to_qubits(columns);
        uint64_t last = ~uint64_t(0), mapped = 0;
        for (const Draw& d : draw(state, weights, shots, seed, stream++, poll)) {
            if (d.index != last) mapped = to_qubits(last = d.index);
            values[d.shot] ^= mapped;
            watch.tick();
        }
    }
    return tally(values, plan.num_qubits, watch);
}

#define INSTANTIATE(T)                                                      \
    template CountsPlan<T> cut_for_counts(const OpArrays&, const PlanOptions&); \
    template void lay_out<T>(CountsPlan<T>::Part&, const PlanOptions&);      \
    template CountsPlan<T> plan_counts(const OpArrays&, const PlanOptions&); \
    template Counts run_counts(const CountsPlan<T>&, InstructionSet, uint64_t, uint64_t, int, const Poll&, Amplitudes<T>&);
INSTANTIATE(float)
INSTANTIATE(double)

}  // namespace qrealm
