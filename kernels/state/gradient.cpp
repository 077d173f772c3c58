// Adjoint differentiation: psi and lambda = H psi lie in one memory, told apart by one more wire, and run backwards
// together through the same stages as any circuit; inner products between them are micro-ops of those stages.
#include <algorithm>
#include <cmath>

#include "gradient.h"
#include "counts.h"
#include "pauli.h"
#include "pieces.h"
#include "tail.h"

namespace qrealm {
namespace {

// Strings of one move, sorted by what they do to the lanes: within a segment of blocks, those that treat the lanes alike
// add up to one number for each block.
template <class T>
struct Applied {
    const PauliGroup& group;
    bool imaginary;
    std::vector<unsigned> patterns;      // lanes with a minus sign
    Table<T> lane_signs;                 // of each pattern
    std::vector<size_t> pattern_of;      // of each term
    std::vector<double> coefficients;    // of each term, without i

    Applied(const PauliGroup& g, const std::vector<double>& all) : group(g), imaginary(g.phases[0].real() == 0) {
        for (size_t t = 0; t < g.terms.size(); ++t) {
            const auto found = std::find(patterns.begin(), patterns.end(), g.lane_signs[t]);
            pattern_of.push_back(size_t(found - patterns.begin()));
            if (found == patterns.end()) patterns.push_back(g.lane_signs[t]);
            coefficients.push_back(all[g.terms[t]] * (imaginary ? g.phases[t].imag() : g.phases[t].real()));
        }
        for (unsigned p : patterns)
            for (unsigned l = 0; l < unsigned(Layout<T>::lanes); ++l) lane_signs.push_back(T(__builtin_parity(l & p) ? -1 : 1));
    }

    // factors[pattern][block], for the blocks of the segment that `block` lies in: sums of signs, as a Walsh-Hadamard
    // transform of the coefficients over the bits of the block.
    void factors(uint64_t block, Table<T>& out) const {
        constexpr uint64_t low = pauli_segment - 1;
        out.assign(patterns.size() * pauli_segment, T(0));
        for (size_t t = 0; t < coefficients.size(); ++t) {
            const uint64_t signs = group.block_signs[t];
            out[pattern_of[t] * pauli_segment + (signs & low)] += T(__builtin_parityll(block & ~low & signs) ? -coefficients[t] : coefficients[t]);
        }
        for (T* table = out.data(); table < out.data() + out.size(); table += pauli_segment)
            for (size_t half = 1; half < pauli_segment; half *= 2)
                for (size_t i = 0; i < pauli_segment; i += 2 * half)
                    for (size_t k = i; k < i + half; ++k) {
                        const T a = table[k], b = table[k + half];
                        table[k] = a + b;
                        table[k + half] = a - b;
                    }
    }
};

// lambda = H psi; returns Re <psi|lambda>.
template <class T>
double apply_sum(const Engine<T>& engine, const std::vector<PauliGroup>& groups, const std::vector<double>& coefficients, const T* psi,
                 T* lambda, size_t blocks, int threads, const Poll& poll) {
    constexpr int block = Layout<T>::block;
    std::vector<Applied<T>> applied;
    for (const PauliGroup& g : groups) applied.emplace_back(g, coefficients);
    const bool past_cache = 2 * blocks * block * sizeof(T) > largest_cached_bytes;
    std::vector<double> values(pieces_of(blocks));
    for_pieces(blocks, threads, poll, [&](size_t piece, size_t begin, size_t end) {
        const size_t step = std::min(pauli_segment, end - begin);
        Table<T> found(step * block), factors;
        std::vector<uint32_t> in_order(step);
        for (size_t i = 0; i < step; ++i) in_order[i] = static_cast<uint32_t>(i);
        for (size_t b = begin; b < end; b += step) {
            std::fill(found.begin(), found.end(), T(0));
            for (const Applied<T>& a : applied) {
                a.factors(b ^ a.group.block_move, factors);
                engine.pauli_apply(psi, found.data(), b, step, a.group.block_move, a.group.lane_move, a.patterns.size(), a.lane_signs.data(),
                                   factors.data(), a.imaginary);
            }
            values[piece] += engine.dot(psi + b * block, found.data(), step);
            (past_cache ? engine.scatter_past_cache : engine.scatter)(found.data(), lambda + b * block, in_order.data(), step, 0);
        }
    });
    double total = 0;
    for (double v : values) total += v;
    return total;
}

}  // namespace

template <class T>
GradientWorker<T>::GradientWorker(const OpArrays& ops, const uint8_t* wanted, const PlanOptions& options, InstructionSet set, bool many)
    : ops_(ops), wanted_(wanted), options_(many ? reusable(options) : options), set_(set), many_(many), state_(ops.num_qubits, set) {}

template <class T>
double GradientWorker<T>::run(const double* params, const std::vector<PauliString>& terms, const std::vector<double>& coefficients,
                              int threads, const Poll& poll, double* derivatives) {
    constexpr int block = Layout<T>::block, lane_bits = Layout<T>::lane_bits;
    ops_.params = params;
    go_forwards(threads, poll);
    Amplitudes<T>& both = state_.state_;
    const size_t blocks = both.blocks();
    // Coefficients that add up to one: then no inner product can overflow.
    double weight = 0;
    for (double c : coefficients) weight += std::abs(c);
    if (weight == 0) weight = 1;
    std::vector<double> shares(coefficients);
    for (double& c : shares) c /= weight;
    const double factor = std::norm(state_.scale_) * weight;
    const double value = factor * apply_sum(engine<T>(set_), group_by_move(terms, state_.placement_, state_.flipped_, lane_bits), shares,
                                            both.data(), both.data() + blocks * block, blocks, threads, poll);
    std::fill_n(derivatives, ops_.param_offsets[ops_.num_ops], 0.0);
    go_back(factor, weight, threads, poll, derivatives);
    return value;
}

template <class T>
void GradientWorker<T>::go_forwards(int threads, const Poll& poll) {
    state_.restart();
    state_.state_.num_wires = wires_for<T>(ops_.num_qubits);
    if (!state_.state_.memory.bytes()) state_.state_.memory = Memory(2 * state_.bytes());
    if (many_) {
        ProductState start(state_.state_.num_wires);
        const Elements e = simplified(lower(ops_), options_.passes, &start);
        if (e.list.size() <= most_elements) return state_.start_with(e, forwards_.get(e, start, options_).program, threads, poll);
    }
    state_.apply(ops_, options_, threads, poll);
}

// `factor`: what inner products of stored amplitudes are to be multiplied by; `weight`: of lambda.
template <class T>
void GradientWorker<T>::go_back(double factor, double weight, int threads, const Poll& poll, double* derivatives) {
    Elements e = lower_adjoint(ops_, state_.flipped_, wanted_);
    if (options_.passes & pass_merge) merge_neighbours(e);
    if (options_.passes & pass_fuse) fuse_pairs(e);
    split_unitaries(e);
    const Tail tail(e);
    if (tail.empty()) drop_unread(e);
    if (options_.passes & pass_attach) attach_before(e);
    Amplitudes<T>& both = state_.state_;
    const uint32_t blocks = static_cast<uint32_t>(both.blocks());
    const int selector = both.num_wires++;
    Placement placement = state_.placement_;
    placement.columns.push_back(blocks);
    PlanOptions back = options_;
    back.selector = selector;
    back.keep_state = false;
    const std::vector<std::array<complex, 2>> rows = tail.rows(selector);
    if (!tail.empty()) back.contract = &rows;
    complex scale = state_.scale_;
    const size_t width = ops_.param_offsets[ops_.num_ops];
    const ProductState start(both.num_wires);
    auto run = [&](const Program<T>& program) {
        found_.slots.assign(width, 0.0);
        execute(program, both, engine<T>(set_), threads, poll, &found_);
        for (size_t i = 0; i < width; ++i) derivatives[i] += factor * found_.slots[i];
        factor *= std::norm(program.scale);  // inner products know the growth within their own portion
        scale *= program.scale;
    };
    if (many_ && e.list.size() <= most_elements) run(back_.get(e, start, back, &placement).program);
    else for_portions<T>(e, start, &placement, back, run);
    if (tail.empty()) return;
    std::vector<double> ends(width, 0.0);
    tail.add(found_.contracted, scale * weight, ends);
    for (size_t i = 0; i < width; ++i) derivatives[i] += ends[i];
}

template class GradientWorker<float>;
template class GradientWorker<double>;

}  // namespace qrealm
