#include "reading.h"

namespace qrealm {
namespace {

bool parity(uint32_t v) { return __builtin_parity(v); }

template <class T>
void inner(const MicroOp<T>& op, const Engine<T>& engine, const T* tile, uint32_t shift, double* sums) {
    double plus[2], minus[2];
    engine.inner(tile, op.bases.data(), op.num_positive, shift, op.partner, op.table.data(), plus);
    engine.inner(tile, op.bases.data() + op.num_positive, op.bases.size() - op.num_positive, shift, op.partner, op.table.data(), minus);
    const int part = op.real ? 0 : 1;
    sums[0] = plus[part] - minus[part];
}

// Sums of q = Im(conj(lambda) psi) with the signs of parities. Rows are summed up one by one, the last first; before a
// row goes, its parities with itself and with the rows that are left are taken.
template <class T>
void parities(const MicroOp<T>& op, const Engine<T>& engine, const T* tile, uint32_t shift, Table<T>& q, Table<T>& rest, double* sums) {
    constexpr int lanes = Layout<T>::lanes;
    q.resize(op.bases.size() * lanes);
    rest.resize(q.size());
    engine.imaginary(tile, op.bases.data(), op.bases.size(), shift, op.partner, q.data());
    std::vector<std::array<double, lanes>> parts(op.row_pairs.size());
    auto total_of = [&](const T* rows, size_t count, std::array<double, lanes>& out) { engine.total(rows, count, out.data()); };
    auto signed_total = [&](const T* rows, size_t half, std::array<double, lanes>& out) {
        std::array<double, lanes> minus;
        total_of(rows, half, out);
        total_of(rows + half * lanes, half, minus);
        for (int l = 0; l < lanes; ++l) out[l] -= minus[l];
    };
    for (int high = __builtin_ctzll(op.bases.size()) - 1; high >= 0; --high) {
        const size_t half = size_t(1) << high;
        std::array<int, 32> with;  // which part is the parity of both rows
        with.fill(-1);
        bool pairs = false;
        for (size_t i = 0; i < parts.size(); ++i) {
            if (op.row_pairs[i].high != high) continue;
            if (op.row_pairs[i].low < 0) {
                signed_total(q.data(), half, parts[i]);
            } else {
                with[op.row_pairs[i].low] = int(i);
                pairs = true;
            }
        }
        if (pairs) {
            engine.difference(q.data(), half, rest.data());
            for (int low = high - 1; low >= 0; --low) {
                if (with[low] >= 0) signed_total(rest.data(), size_t(1) << low, parts[with[low]]);
                engine.fold(rest.data(), size_t(1) << low);
            }
        }
        engine.fold(q.data(), half);
    }
    for (size_t i = 0; i < parts.size(); ++i)
        if (op.row_pairs[i].high < 0) total_of(q.data(), 1, parts[i]);
    for (size_t i = 0; i < op.readings.size(); ++i) {
        sums[i] = 0;
        for (uint32_t l = 0; l < lanes; ++l) sums[i] += parity(l & op.readings[i].lane_signs) ? -parts[op.readings[i].part][l] : parts[op.readings[i].part][l];
    }
}

template <class T>
void rotate_inner(const MicroOp<T>& op, const Engine<T>& engine, T* tile, uint32_t shift, double* sums) {
    const uint32_t *bases = op.bases.data(), *offsets = op.offsets.data();
    const size_t count = op.bases.size();
    double parts[6];
    if (op.high.empty()) engine.rotate_inner[op.group][op.forms](tile, bases, count, offsets, shift, op.partner, op.table.data(), parts);
    else engine.rotate_inner_phased[op.group][op.forms](tile, bases, count, offsets, shift, op.partner, op.table.data(), op.high.data(), parts);
    for (size_t i = 0; i < op.readings.size(); ++i) sums[i] = parts[op.readings[i].part];
}

using Row = std::array<complex, 2>;

// All products of one number of each wire, the first wire varying fastest.
std::vector<complex> product(const std::vector<int>& wires, const std::vector<Row>& rows) {
    std::vector<complex> out{1};
    for (int w : wires) {
        const size_t half = out.size();
        for (size_t i = 0; i < half; ++i) out.push_back(out[i] * rows[w][1]);
        for (size_t i = 0; i < half; ++i) out[i] *= rows[w][0];
    }
    return out;
}

// values[i], bit k of i belonging to wires[k]: the sum over all i with the rows of all wires but one, for each one.
// Returns the places behind the last number written.
double* all_but_one(std::vector<complex> values, const std::vector<int>& wires, const std::vector<Row>& rows, double* out) {
    double* at = out + 4 * wires.size();
    for (size_t k = wires.size(); k-- > 0;) {
        const size_t half = size_t(1) << k;
        const std::vector<complex> lower = product({wires.begin(), wires.begin() + k}, rows);
        complex sums[2] = {0, 0};
        for (size_t i = 0; i < half; ++i) {
            sums[0] += values[i] * lower[i];
            sums[1] += values[half + i] * lower[i];
            values[i] = values[i] * rows[wires[k]][0] + values[half + i] * rows[wires[k]][1];
        }
        at -= 4;
        for (int v = 0; v < 2; ++v) {
            at[2 * v] = sums[v].real();
            at[2 * v + 1] = sums[v].imag();
        }
    }
    return out + 4 * wires.size();
}

template <class T>
Table<T> pairs(const std::vector<complex>& values) {
    Table<T> out;
    for (complex v : values) {
        out.push_back(T(v.real()));
        out.push_back(T(v.imag()));
    }
    return out;
}

// Lambda's rows are a table of low times high ones: summed up over each of the two, what is left is small.
template <class T>
void contract(const MicroOp<T>& op, const std::vector<Row>& rows, const Engine<T>& engine, const T* tile, uint32_t shift, Table<T>& by_low,
              Table<T>& by_high, double* sums) {
    constexpr int lanes = Layout<T>::lanes, block = Layout<T>::block;
    const DiagonalShape& shape = op.shape;
    const std::vector<complex> low = product(shape.low, rows), high = product(shape.high, rows), lane = product(shape.lanes, rows);
    by_low.assign(low.size() * block, T(0));
    by_high.assign(high.size() * block, T(0));
    engine.contract(tile, op.bases.data(), low.size(), op.offsets.data(), high.size(), shift ^ op.partner, pairs<T>(low).data(),
                    pairs<T>(high).data(), by_high.data(), by_low.data());
    auto number = [](const Table<T>& t, size_t row, int l) { return complex(t[row * block + l], t[row * block + lanes + l]); };
    auto over_lanes = [&](const Table<T>& t, size_t count) {
        std::vector<complex> out(count);
        for (size_t r = 0; r < count; ++r)
            for (int l = 0; l < lanes; ++l) out[r] += number(t, r, l) * lane[l];
        return out;
    };
    std::vector<complex> by_lane(lanes);
    for (size_t r = 0; r < low.size(); ++r)
        for (int l = 0; l < lanes; ++l) by_lane[l] += number(by_low, r, l) * low[r];
    sums = all_but_one(std::move(by_lane), shape.lanes, rows, sums);
    sums = all_but_one(over_lanes(by_low, low.size()), shape.low, rows, sums);
    all_but_one(over_lanes(by_high, high.size()), shape.high, rows, sums);
}

// Adds what one tile's contraction found: to its local wires with the rows of the outer ones, and the other way round.
template <class T>
void add_contracted(const MicroOp<T>& op, const std::vector<Row>& rows, uint32_t tile, const double* sums, std::vector<Row>& out) {
    const DiagonalShape& shape = op.shape;
    const auto& outer = shape.outer;
    std::vector<complex> before{1};  // products of the rows of the outer wires before each one
    for (const auto& o : outer) before.push_back(before.back() * rows[o.wire][parity(o.parity & tile)]);
    auto number = [&](size_t place, int v) { return complex(sums[4 * place + 2 * v], sums[4 * place + 2 * v + 1]); };
    size_t place = 0;
    for (const auto* wires : {&shape.lanes, &shape.low, &shape.high})
        for (int w : *wires) {
            for (int v = 0; v < 2; ++v) out[w][v] += before.back() * number(place, v);
            ++place;
        }
    const Row& first = rows[shape.lanes[0]];
    complex whole = first[0] * number(0, 0) + first[1] * number(0, 1);  // of all local wires, and of the outer ones behind
    for (size_t i = outer.size(); i-- > 0;) {
        const bool one = parity(outer[i].parity & tile);
        out[outer[i].wire][one] += before[i] * whole;
        whole *= rows[outer[i].wire][one];
    }
}

}  // namespace

template <class T>
void run_reading(const MicroOp<T>& op, const Program<T>& program, const Engine<T>& engine, T* tile, uint32_t number, uint32_t shift, Table<T>& one,
                 Table<T>& two, double* sums) {
    switch (op.type) {
        case Micro::inner: inner(op, engine, tile, shift, sums); break;
        case Micro::parities: parities(op, engine, tile, shift, one, two, sums); break;
        case Micro::contract: return contract(op, program.contract, engine, tile, shift, one, two, sums);
        default: rotate_inner(op, engine, tile, shift, sums);
    }
    for (size_t i = 0; i < op.readings.size(); ++i) sums[i] *= op.readings[i].weight * (parity(op.readings[i].sign_parity & number) ? -1 : 1);
}

template <class T>
void add_results(const Program<T>& program, const std::vector<std::vector<double>>& results, Derivatives& derivatives) {
    derivatives.contracted.assign(program.contract.size(), Row{});
    for (size_t s = 0; s < program.stages.size(); ++s) {
        const Stage<T>& stage = program.stages[s];
        const double* sums = results[s].data();
        if (!stage.num_results) continue;
        for (size_t t = 0; t < size_t(1) << stage.tile_columns.size(); ++t)
            for (const MicroOp<T>& op : stage.ops) {
                if (op.type == Micro::contract) add_contracted(op, program.contract, static_cast<uint32_t>(t), sums, derivatives.contracted);
                for (size_t i = 0; i < op.readings.size(); ++i) derivatives.slots[op.readings[i].slot] += sums[i];
                sums += op.num_results();
            }
    }
}

#define INSTANTIATE(T)                                                                                                            \
    template void run_reading(const MicroOp<T>&, const Program<T>&, const Engine<T>&, T*, uint32_t, uint32_t, Table<T>&, Table<T>&, double*); \
    template void add_results(const Program<T>&, const std::vector<std::vector<double>>&, Derivatives&);
INSTANTIATE(float)
INSTANTIATE(double)

}  // namespace qrealm
