// Adjoint differentiation: psi and lambda = H psi lie in one memory, told apart by one more wire, and run backwards
// together through the same stages as any circuit; inner products between them are micro-ops of those stages.
#include <cmath>
#include <cstring>

#include "pauli.h"
#include "pieces.h"
#include "state_vector.h"

namespace qrealm {

template <class T>
Gradient gradient(const OpArrays& ops, const std::vector<PauliString>& terms, const std::vector<double>& coefficients,
                  const uint8_t* wanted, const PlanOptions& options, InstructionSet set, int threads, const Poll& poll) {
    constexpr int lanes = Layout<T>::lanes, block = Layout<T>::block, lane_bits = Layout<T>::lane_bits;
    StateVector<T> state(ops.num_qubits, set);
    state.state_.memory = Memory(2 * state.bytes());
    state.apply(ops, options, threads, poll);

    Amplitudes<T>& both = state.state_;
    const size_t blocks = both.blocks();
    // Both states start with amplitudes of at most one, so that no inner product can overflow.
    const T shrink = T(std::abs(state.scale_));
    for_pieces(blocks, threads, poll, [&](size_t, size_t begin, size_t end) {
        engine<T>(set).scale(both.data() + begin * block, end - begin, shrink);
    });
    state.scale_ /= double(shrink);
    double weight = 0;
    for (double c : coefficients) weight += std::abs(c);
    if (weight == 0) weight = 1;
    T* lambda = both.data() + blocks * block;
    for_pieces(blocks, threads, poll, [&](size_t, size_t begin, size_t end) {
        std::memset(static_cast<void*>(lambda + begin * block), 0, (end - begin) * block * sizeof(T));
    });
    Gradient out;
    out.derivatives.assign(ops.param_offsets[ops.num_ops], 0.0);
    for (const PauliGroup& g : group_by_move(terms, state.placement_, state.flipped_, lane_bits)) {
        const size_t count = g.terms.size();
        Table<T> factors(count * block);
        for (size_t t = 0; t < count; ++t) {
            const complex c = coefficients[g.terms[t]] / weight * g.phases[t];
            for (int l = 0; l < lanes; ++l) {
                const double sign = __builtin_parity(unsigned(l) & g.lane_signs[t]) ? -1.0 : 1.0;
                factors[t * block + l] = T(sign * c.real());
                factors[t * block + lanes + l] = T(sign * c.imag());
            }
        }
        for_pieces(blocks, threads, poll, [&](size_t, size_t begin, size_t end) {
            engine<T>(set).pauli_add(both.data(), lambda, begin, end, g.block_move, g.lane_move, count, g.block_signs.data(), factors.data());
        });
    }
    // <H> = Re <psi|lambda>
    std::vector<double> values(pieces_of(blocks));
    for_pieces(blocks, threads, poll, [&](size_t piece, size_t begin, size_t end) {
        double sum = 0;
        for (size_t i = begin * block; i < end * block; ++i) sum += double(both.data()[i]) * double(lambda[i]);
        values[piece] = sum;
    });
    for (double v : values) out.value += v;
    const double factor = std::norm(state.scale_) * weight;
    out.value *= factor;

    Elements e = lower_adjoint(ops, state.flipped_, wanted);
    if (options.passes & pass_merge) merge_neighbours(e);
    if (options.passes & pass_fuse) fuse_pairs(e);
    split_unitaries(e);
    const int selector = both.num_wires++;
    Placement placement = state.placement_;
    placement.columns.push_back(uint32_t(blocks));
    placement.log2_growth = 0;
    PlanOptions back = options;
    back.selector = selector;
    double scale = factor;  // inner products know the growth within their own portion
    for_portions<T>(e, ProductState(both.num_wires), &placement, back, [&](const Program<T>& program) {
        Derivatives part(out.derivatives.size(), 0.0);
        execute(program, both, engine<T>(set), threads, poll, &part);
        for (size_t i = 0; i < part.size(); ++i) out.derivatives[i] += scale * part[i];
        scale *= std::norm(program.scale);
    });
    return out;
}

template Gradient gradient<float>(const OpArrays&, const std::vector<PauliString>&, const std::vector<double>&, const uint8_t*,
                                  const PlanOptions&, InstructionSet, int, const Poll&);
template Gradient gradient<double>(const OpArrays&, const std::vector<PauliString>&, const std::vector<double>&, const uint8_t*,
                                   const PlanOptions&, InstructionSet, int, const Poll&);

}  // namespace qrealm
