#include "tail.h"

#include <algorithm>
#include <cmath>

namespace qrealm {
namespace {

bool reads(const Element& x) { return x.kind == Kind::parity || (x.kind == Kind::rotation && x.data >= 0); }

// One-wire elements that split_unitaries leaves.
bool takes(const Element& x, uint64_t support) {
    if (support & (support - 1)) return false;
    return x.kind == Kind::rotation || x.kind == Kind::parity || (x.kind == Kind::phase && x.value == x.mask);
}

Matrix2 matrix_of(const Element& x) {
    if (x.kind == Kind::phase) return {1, 0, 0, factor_of(x.angle, x.log)};
    if (x.kind == Kind::parity) return {1, 0, 0, 1};
    const double c = std::cos(x.angle / 2), s = std::sin(x.angle / 2);
    return {c, -s, s, c};
}

}  // namespace

Tail::Tail(Elements& e) {
    uint64_t blocked = 0;
    bool any = false;
    std::vector<bool> taken(e.list.size(), false);
    std::vector<std::vector<Step>> steps(e.num_wires);
    for (size_t i = e.list.size(); i-- > 0;) {
        const Element& x = e.list[i];
        const uint64_t support = e.support(x);
        if ((support & blocked) || !takes(x, support)) {
            blocked |= support;
            continue;
        }
        taken[i] = true;
        any = any || reads(x);
        steps[__builtin_ctzll(support)].push_back({matrix_of(x), x.kind == Kind::phase ? -1 : x.data});
    }
    if (!any) return;
    size_t kept = 0;
    for (size_t i = 0; i < e.list.size(); ++i)
        if (!taken[i]) e.list[kept++] = e.list[i];
    e.list.resize(kept);
    for (auto& wire : steps) {
        std::reverse(wire.begin(), wire.end());
        Matrix2 all{1, 0, 0, 1};
        for (const Step& s : wire) all = multiply(s.matrix, all);
        rows_.push_back({all[0], all[1]});  // all of it leads to |0>: psi is the conjugate of its first row
    }
    steps_ = std::move(steps);
    inners_ = e.inners;
}

std::vector<std::array<complex, 2>> Tail::rows(int num_wires) const {
    std::vector<std::array<complex, 2>> out(rows_);
    out.resize(num_wires, {complex(1), complex(0)});
    return out;
}

void Tail::add(const std::vector<std::array<complex, 2>>& contracted, complex scale, std::vector<double>& slots) const {
    auto apply = [](const Matrix2& m, std::array<complex, 2>& v) { v = {m[0] * v[0] + m[1] * v[1], m[2] * v[0] + m[3] * v[1]}; };
    for (size_t w = 0; w < steps_.size(); ++w) {
        std::array<complex, 2> psi{std::conj(rows_[w][0]), std::conj(rows_[w][1])};
        std::array<complex, 2> lambda{scale * contracted[w][0], scale * contracted[w][1]};
        for (const Step& s : steps_[w]) {
            if (s.inner >= 0) {
                const Inner& inner = inners_[s.inner];
                // Im <lambda| Z |psi>, or Im <lambda| Y |psi>
                const double found = inner.x ? (std::conj(lambda[1]) * psi[0] - std::conj(lambda[0]) * psi[1]).real()
                                             : (std::conj(lambda[0]) * psi[0] - std::conj(lambda[1]) * psi[1]).imag();
                slots[inner.slot] += inner.coefficient * found;
            }
            apply(s.matrix, psi);
            apply(s.matrix, lambda);
        }
    }
}

}  // namespace qrealm
