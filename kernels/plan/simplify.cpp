// Passes over elements that make the circuit smaller before it is laid out over memory.
#include <algorithm>
#include <cmath>

#include "element.h"

namespace qrealm {

Matrix2 multiply(const Matrix2& a, const Matrix2& b) {
    return {a[0] * b[0] + a[1] * b[2], a[0] * b[1] + a[1] * b[3], a[2] * b[0] + a[3] * b[2], a[2] * b[1] + a[3] * b[3]};
}

bool is_unitary(const complex* m, int num_qubits, double tolerance) {
    const size_t size = size_t(1) << num_qubits;
    for (size_t a = 0; a < size; ++a)
        for (size_t b = a; b < size; ++b) {
            complex sum = a == b ? -1 : 0;
            for (size_t r = 0; r < size; ++r) sum += std::conj(m[r * size + a]) * m[r * size + b];
            if (!(std::abs(sum) <= tolerance)) return false;
        }
    return true;
}

namespace {

uint64_t bit(int w) { return uint64_t(1) << w; }

bool single(uint64_t mask) { return (mask & (mask - 1)) == 0; }

Matrix2 phase_matrix(const Element& e) {
    const complex p = factor_of(e.angle, e.log), rest = std::exp(e.common);
    return e.value ? Matrix2{rest, 0, 0, p * rest} : Matrix2{p * rest, 0, 0, rest};
}

}  // namespace

void merge_neighbours(Elements& e) {
    std::vector<int> last(e.num_wires, -1);  // the latest kept element on each wire
    size_t kept = 0;
    for (size_t i = 0; i < e.list.size(); ++i) {
        const Element now = e.list[i];
        const bool lone_phase = now.kind == Kind::phase && single(now.mask);
        if (now.kind == Kind::unitary1 || lone_phase) {
            const int w = lone_phase ? __builtin_ctzll(now.mask) : now.wire;
            Element* before = last[w] < 0 ? nullptr : &e.list[last[w]];
            if (before && before->kind == Kind::unitary1) {
                const Matrix2 m = lone_phase ? phase_matrix(now) : e.unitaries[now.data];
                e.unitaries[before->data] = multiply(m, e.unitaries[before->data]);
                before->unitary = before->unitary && now.unitary && now.log == 0 && now.common == 0;
                continue;
            }
            if (before && before->kind == Kind::phase && single(before->mask)) {
                if (lone_phase && now.value == before->value) {
                    before->angle += now.angle;
                    before->log += now.log;
                    before->common += now.common;
                    continue;
                }
                if (!lone_phase) {
                    e.unitaries[now.data] = multiply(e.unitaries[now.data], phase_matrix(*before));
                    const bool unitary = now.unitary && before->log == 0 && before->common == 0;
                    *before = now;
                    before->unitary = unitary;
                    continue;
                }
            }
        }
        e.list[kept] = now;
        uint64_t support = e.support(now);
        for (; support; support &= support - 1) last[__builtin_ctzll(support)] = static_cast<int>(kept);
        ++kept;
    }
    e.list.resize(kept);
}

namespace {

// Elements that act on a state of which some wires are still in a known product state.
class Absorber {
public:
    Absorber(Elements& e, ProductState& start) : e_(e), start_(start), fresh_(e.num_wires == 64 ? ~0ull : bit(e.num_wires) - 1) {}

    void run() {
        std::vector<Element> in;
        in.swap(e_.list);
        e_.list.reserve(in.size());
        for (const Element& x : in) take(x);
    }

private:
    Elements& e_;
    ProductState& start_;
    uint64_t fresh_;  // wires that no kept element has touched

    bool fresh(int w) const { return fresh_ >> w & 1; }
    bool is_basis(int w, int v) const { return fresh(w) && start_.wires[w][1 - v] == 0.0; }

    void keep(const Element& x) {
        fresh_ &= ~e_.support(x);
        e_.list.push_back(x);
    }

    void apply(int w, const Matrix2& m) {
        auto& s = start_.wires[w];
        s = {m[0] * s[0] + m[1] * s[1], m[2] * s[0] + m[3] * s[1]};
    }

    // A factor of the whole state.
    void scale_start(double log) {
        if (log == 0) return;
        for (complex& s : start_.wires[0]) s *= std::exp(log);
    }

    // Removes controls whose value is known. False: the element never acts.
    bool reduce(Element& x) {
        for (uint64_t m = x.mask; m; m &= m - 1) {
            const int w = __builtin_ctzll(m);
            for (int v = 0; v < 2; ++v) {
                if (!is_basis(w, v)) continue;
                if (int(x.value >> w & 1) != v) return false;
                x.mask &= ~bit(w);
                x.value &= ~bit(w);
                break;
            }
        }
        return true;
    }

    void take(Element x) {
        switch (x.kind) {
            case Kind::unitary1:
                if (fresh(x.wire)) return apply(x.wire, e_.unitaries[x.data]);
                return keep(x);
            case Kind::phase:
                if (!reduce(x)) return scale_start(x.common);
                if (x.mask == 0) {
                    e_.add_global_phase(x.angle);
                    return scale_start(x.common + x.log);
                }
                if (single(x.mask) && fresh(__builtin_ctzll(x.mask))) return apply(__builtin_ctzll(x.mask), phase_matrix(x));
                return keep(x);
            case Kind::cx: return take_cx(x);
            case Kind::dense:
                if (!reduce(x)) return;
                if (x.mask == 0 && x.num_targets == 1) {
                    const auto& m = e_.matrices[x.data].entries;
                    Element u{Kind::unitary1};
                    u.wire = x.wire;
                    u.data = static_cast<int>(e_.unitaries.size());
                    u.unitary = is_unitary(m.data(), 1, unitary_tolerance);
                    e_.unitaries.push_back({m[0], m[1], m[2], m[3]});
                    return take(u);
                }
                return keep(x);
            default: return keep(x);
        }
    }

    void take_cx(Element x) {
        const auto& s = start_.wires[x.wire];
        if (fresh(x.wire) && s[0] == s[1]) return;  // |+> does not notice
        if (!reduce(x)) return;
        if (x.mask == 0) {
            Element u{Kind::unitary1};
            u.wire = x.wire;
            u.data = static_cast<int>(e_.unitaries.size());
            e_.unitaries.push_back({0, 1, 1, 0});
            return take(u);
        }
        keep(x);
    }
};

using Matrix4 = std::array<complex, 16>;  // row-major; the block's first wire is the low bit

Matrix4 multiply4(const Matrix4& a, const Matrix4& b) {
    Matrix4 c{};
    for (int i = 0; i < 4; ++i)
        for (int k = 0; k < 4; ++k)
            for (int j = 0; j < 4; ++j) c[i * 4 + j] += a[i * 4 + k] * b[k * 4 + j];
    return c;
}

// The cost of an element as multiply-adds for each amplitude, measured with its share of loads and stores.
// A dense pair of wires costs 16.
constexpr double cost_unitary = 4.5, cost_phase = 1.0, cost_dense_pair = 16.0, cost_controlled = 6.0;

class PairFuser {
public:
    explicit PairFuser(Elements& e) : e_(e), block_of_(e.num_wires, -1), waiting_(e.num_wires) {}

    void run() {
        std::vector<Element> in;
        in.swap(e_.list);
        e_.list.reserve(in.size());
        for (const Element& x : in) take(x);
        for (int w = 0; w < e_.num_wires; ++w) release(w);
    }

private:
    struct Block {
        int a, b;
        std::vector<Element> parts;
    };
    Elements& e_;
    std::vector<int> block_of_;                // open block of each wire
    std::vector<std::vector<Element>> waiting_;  // one-wire elements that no block has taken yet
    std::vector<Block> blocks_;

    void take(const Element& x) {
        const uint64_t support = e_.support(x);
        const int count = __builtin_popcountll(support);
        const bool alone = x.kind == Kind::inner || x.kind == Kind::parity || x.kind == Kind::rotation;  // has a derivative
        if (count == 1 && !alone) {
            const int w = __builtin_ctzll(support);
            if (block_of_[w] >= 0) blocks_[block_of_[w]].parts.push_back(x);
            else waiting_[w].push_back(x);
            return;
        }
        if (count != 2 || alone) {
            for (uint64_t m = support; m; m &= m - 1) release(__builtin_ctzll(m));
            e_.list.push_back(x);
            return;
        }
        const int a = __builtin_ctzll(support), b = 63 - __builtin_clzll(support);
        if (block_of_[a] < 0 || block_of_[a] != block_of_[b]) {
            close(a);
            close(b);
            Block block{a, b, {}};
            for (int w : {a, b}) {
                block.parts.insert(block.parts.end(), waiting_[w].begin(), waiting_[w].end());
                waiting_[w].clear();
            }
            block_of_[a] = block_of_[b] = static_cast<int>(blocks_.size());
            blocks_.push_back(std::move(block));
        }
        blocks_[block_of_[a]].parts.push_back(x);
    }

    void release(int w) {
        close(w);
        e_.list.insert(e_.list.end(), waiting_[w].begin(), waiting_[w].end());
        waiting_[w].clear();
    }

    double cost(const Block& block) const {
        double sum = 0;
        for (const Element& x : block.parts) {
            switch (x.kind) {
                case Kind::unitary1: sum += cost_unitary; break;
                case Kind::phase: sum += cost_phase; break;
                case Kind::dense: sum += x.num_targets == 2 ? cost_dense_pair : cost_controlled; break;
                default: break;
            }
        }
        return sum;
    }

    void close(int w) {
        if (block_of_[w] < 0) return;
        Block& block = blocks_[block_of_[w]];
        block_of_[block.a] = block_of_[block.b] = -1;
        if (cost(block) <= cost_dense_pair) {
            e_.list.insert(e_.list.end(), block.parts.begin(), block.parts.end());
            block.parts = {};
            return;
        }
        Matrix4 product{};
        for (int i = 0; i < 4; ++i) product[i * 5] = 1;
        for (const Element& x : block.parts) product = multiply4(matrix_of(x, block.a), product);
        block.parts = {};
        DenseMatrix d;
        d.targets = {static_cast<uint8_t>(block.a), static_cast<uint8_t>(block.b)};
        d.entries.assign(product.begin(), product.end());
        Element x{Kind::dense};
        x.wire = d.targets[0];
        x.num_targets = 2;
        x.data = static_cast<int>(e_.matrices.size());
        e_.matrices.push_back(std::move(d));
        e_.list.push_back(x);
    }

    Matrix4 matrix_of(const Element& x, int a) const {
        Matrix4 m{};
        auto place = [a](int wire) { return wire == a ? 1 : 2; };  // the bit of the matrix index
        auto index_bits = [&](uint64_t mask, uint64_t value, int& mb, int& vb) {
            mb = vb = 0;
            for (; mask; mask &= mask - 1) {
                const int w = __builtin_ctzll(mask);
                mb |= place(w);
                if (value >> w & 1) vb |= place(w);
            }
        };
        int mb, vb;
        index_bits(x.mask, x.value, mb, vb);
        if (x.kind == Kind::phase) {
            const complex rest = std::exp(x.common), p = factor_of(x.angle, x.log) * rest;
            for (int i = 0; i < 4; ++i) m[i * 5] = (i & mb) == vb ? p : rest;
        } else if (x.kind == Kind::cx) {
            for (int i = 0; i < 4; ++i) m[((i & mb) == vb ? i ^ place(x.wire) : i) * 4 + i] = 1;
        } else if (x.kind == Kind::unitary1 || x.num_targets == 1) {
            const complex* u = x.kind == Kind::unitary1 ? e_.unitaries[x.data].data() : e_.matrices[x.data].entries.data();
            const int t = place(x.wire);
            for (int i = 0; i < 4; ++i) {
                if ((i & mb) != vb) {
                    m[i * 5] = 1;
                    continue;
                }
                const int c = i & t ? 1 : 0;
                m[(i & ~t) * 4 + i] = u[c];
                m[(i | t) * 4 + i] = u[2 + c];
            }
        } else {
            const DenseMatrix& d = e_.matrices[x.data];
            auto to_block = [&](int i) { return (i & 1 ? place(d.targets[0]) : 0) | (i & 2 ? place(d.targets[1]) : 0); };
            for (int r = 0; r < 4; ++r)
                for (int c = 0; c < 4; ++c) m[to_block(r) * 4 + to_block(c)] = d.entries[r * 4 + c];
        }
        return m;
    }
};

}  // namespace

void absorb_first_gates(Elements& e, ProductState& start) { Absorber(e, start).run(); }

void fuse_pairs(Elements& e) { PairFuser(e).run(); }

namespace {

// A matrix that is not unitary as a dense one, or as diagonals of any magnitude around a rotation where it is such a
// product: then it costs no more than a gate.
void split_general(Elements& e, const Element& x) {
    const Matrix2 u = e.unitaries[x.data];
    const complex ends = u[0] * u[3], sides = -u[1] * u[2], turned = sides * std::conj(ends);
    const double cc = std::abs(ends), ss = std::abs(sides);
    auto dense = [&] {
        Element d{Kind::dense};
        d.wire = x.wire;
        d.num_targets = 1;
        d.data = static_cast<int>(e.matrices.size());
        e.matrices.push_back({{x.wire}, {u[0], u[1], u[2], u[3]}});
        e.list.push_back(d);
    };
    if (u[1] == 0.0 && u[2] == 0.0) return e.add_diagonal(x.wire, u[0], u[3]);
    // Diagonals change tan^2 = sides / ends neither in size nor in sign.
    const double range = std::abs(std::log(std::abs(u[1] / u[2])));
    constexpr double most = 6;
    if (cc == 0 || ss == 0 || turned.real() < 0 || std::abs(turned.imag()) > unitary_tolerance * std::abs(turned) || !(range < most) ||
        !(std::abs(std::log(std::abs(u[0] / u[3]))) < most))
        return dense();
    const double c = std::sqrt(cc / (cc + ss)), s = std::sqrt(ss / (cc + ss));
    const complex whole = u[0] / c;
    complex before = -u[1] / (whole * s), after = u[2] / (whole * s);
    const bool turned_back = before.real() < 0 && after.real() < 0;  // a negative sine: so a real matrix needs one phase at most
    if (turned_back) {
        before = -before;
        after = -after;
    }
    e.add_diagonal(x.wire, 1, before);
    Element r{Kind::rotation};
    r.wire = x.wire;
    r.angle = 2 * std::atan2(turned_back ? -s : s, c);
    r.common = std::log(std::abs(whole));
    e.add_global_phase(std::arg(whole));
    e.list.push_back(r);
    e.add_diagonal(x.wire, 1, after);
}

}  // namespace

// U = e^{i alpha} diag(1, e^{i phi}) RY(theta) diag(1, e^{i lambda}).
void split_unitaries(Elements& e) {
    constexpr double tiny = 4e-15, pi = 3.14159265358979323846;
    std::vector<Element> in;
    in.swap(e.list);
    e.list.reserve(in.size() * 2);
    auto wrapped = [](double angle) { return angle > pi ? angle - 2 * pi : angle < -pi ? angle + 2 * pi : angle; };
    auto phase = [&e](int w, double angle) {
        if (std::abs(angle) < tiny) return;
        Element p{Kind::phase};
        p.mask = p.value = bit(w);
        p.angle = angle;
        e.list.push_back(p);
    };
    for (const Element& x : in) {
        if (x.kind != Kind::unitary1) {
            e.list.push_back(x);
            continue;
        }
        if (!x.unitary) {
            split_general(e, x);
            continue;
        }
        const Matrix2& u = e.unitaries[x.data];
        double c = std::sqrt(std::norm(u[0])), s = std::sqrt(std::norm(u[2]));
        if (s < tiny) {
            e.add_global_phase(std::arg(u[0]));
            phase(x.wire, wrapped(std::arg(u[3]) - std::arg(u[0])));
            continue;
        }
        // With a zero cosine alpha is free; zero keeps the other angles plain.
        const double alpha = c < tiny ? 0 : std::arg(u[0]);
        double phi = wrapped(std::arg(u[2]) - alpha), lambda = wrapped(std::arg(-u[1]) - alpha);
        // A negative sine turns both by pi. So a real matrix of any sign needs no phase or one, always the first.
        auto half_turn = [](double angle) { return std::abs(angle) > pi - 1e-9; };
        if (half_turn(phi) || (half_turn(lambda) && std::abs(phi) > 1e-9)) {
            phi = wrapped(phi + pi);
            lambda = wrapped(lambda + pi);
            s = -s;
        }
        e.add_global_phase(alpha);
        phase(x.wire, lambda);
        Element r{Kind::rotation};
        r.wire = x.wire;
        r.angle = 2 * std::atan2(s, c < tiny ? 0 : c);
        e.list.push_back(r);
        phase(x.wire, phi);
    }
}

Elements simplified(Elements e, uint32_t passes, ProductState* start) {
    if (passes & pass_merge) merge_neighbours(e);
    if (start && (passes & pass_absorb)) absorb_first_gates(e, *start);
    if (passes & pass_fuse) fuse_pairs(e);
    split_unitaries(e);
    return e;
}

void attach_before(Elements& e) {
    std::vector<std::vector<size_t>> waiting(e.num_wires);  // diagonal elements of a wire alone that nothing has followed
    uint64_t joined = 0;                                    // wires with others beside them, for which a pass is due anyway
    std::vector<bool> gone(e.list.size(), false);
    for (size_t i = 0; i < e.list.size(); ++i) {
        Element& x = e.list[i];
        if (x.kind == Kind::phase || x.kind == Kind::parity) {
            if (single(x.mask) && x.value == x.mask) waiting[__builtin_ctzll(x.mask)].push_back(i);
            else joined |= x.mask;
            continue;
        }
        if (x.kind == Kind::rotation && x.data >= 0 && !(joined & bit(x.wire)) && !waiting[x.wire].empty()) {
            Before before;
            for (size_t k : waiting[x.wire]) {
                gone[k] = true;
                if (e.list[k].kind == Kind::phase) before.angle += e.list[k].angle;
                else before.parities.push_back(e.list[k].data);
            }
            x.before = static_cast<int>(e.befores.size());
            e.befores.push_back(std::move(before));
        }
        const uint64_t ended = x.kind == Kind::cx ? bit(x.wire) : e.support(x);  // its control commutes with all of them
        joined &= ~ended;
        for (uint64_t m = ended; m; m &= m - 1) waiting[__builtin_ctzll(m)].clear();
    }
    size_t kept = 0;
    for (size_t i = 0; i < e.list.size(); ++i)
        if (!gone[i]) e.list[kept++] = e.list[i];
    e.list.resize(kept);
}

}  // namespace qrealm
