#include "execute.h"

#include "../plan/emit.h"
#include "reading.h"

#include <algorithm>
#include <array>
#include <atomic>
#include <memory>

namespace qrealm {
namespace {

// What a thread needs besides its tile: the tables of a diagonal once the wires outside the tile are known, and what
// inner products work in.
template <class T>
struct Scratch {
    Table<T> tile, low, high, scalars, one, two;
};

// Blocks that a thread writes at a time when there is nothing but a product state.
constexpr size_t start_piece = 4096;

bool parity(uint32_t v) { return __builtin_parity(v); }

template <class T>
class Runner {
public:
    Runner(const Program<T>& program, Amplitudes<T>& state, const Engine<T>& engine, Weights* weights)
        : program_(program), state_(state), engine_(engine), weights_(weights), next_tile_(new std::atomic<size_t>[program.stages.size()]) {
        if (program.from_start) prepare_start();
        for (size_t i = 0; i < program.stages.size(); ++i) next_tile_[i] = 0;
        for (const Stage<T>& s : program.stages) results_.emplace_back(s.num_results << s.tile_columns.size(), 0.0);
    }

    void stage(size_t index, Scratch<T>& scratch, Team& team, int member);
    const std::vector<std::vector<double>>& results() const { return results_; }
    void start_only(Scratch<T>& scratch, Team& team, int member) const;

private:
    static constexpr int lanes = Layout<T>::lanes, block = Layout<T>::block;
    const Program<T>& program_;
    Amplitudes<T>& state_;
    const Engine<T>& engine_;
    Weights* weights_;
    std::unique_ptr<std::atomic<size_t>[]> next_tile_;  // of each stage
    Table<T> start_lanes_;
    std::vector<std::vector<double>> results_;  // of each stage: [tile][number]
    std::array<std::array<complex, 256>, 4> start_bytes_;  // amplitude of each byte of a block address

    void prepare_start();
    void fill(T* tile, const uint32_t* offsets, size_t count, uint32_t base, Scratch<T>& scratch) const;
    void run(const MicroOp<T>& op, T* tile, size_t rows, uint32_t number, Scratch<T>& scratch) const;
    void run_all(const Stage<T>& stage, T* tile, uint32_t number, Scratch<T>& scratch, double* sums, Team& team, int member) const;
    static uint32_t shift_of(const MicroOp<T>& op, uint32_t number);
    static bool acts(const MicroOp<T>& op, uint32_t number);
    void diagonal(const MicroOp<T>& op, T* tile, uint32_t number, uint32_t shift, Scratch<T>& scratch) const;
};

template <class T>
void Runner<T>::prepare_start() {
    start_lanes_.resize(block);
    std::vector<std::array<complex, 2>> bits;
    std::vector<std::array<complex, 2>> lane_bits;
    for (int w : program_.start_lane_wires) lane_bits.push_back(program_.start.wires[w]);
    for (int w : program_.start_block_wires) bits.push_back(program_.start.wires[w]);
    for (int l = 0; l < lanes; ++l) {
        complex v = 1;
        for (size_t j = 0; j < lane_bits.size(); ++j) v *= lane_bits[j][l >> j & 1];
        start_lanes_[l] = T(v.real());
        start_lanes_[lanes + l] = T(v.imag());
    }
    for (size_t byte = 0; byte < 4; ++byte) {
        start_bytes_[byte][0] = 1;
        for (size_t b = 0, filled = 1; b < 8 && byte * 8 + b < bits.size(); ++b, filled *= 2) {
            const std::array<complex, 2>& a = bits[byte * 8 + b];
            for (size_t i = 0; i < filled; ++i) {
                start_bytes_[byte][filled + i] = start_bytes_[byte][i] * a[1];
                start_bytes_[byte][i] *= a[0];
            }
        }
    }
}

template <class T>
void Runner<T>::fill(T* tile, const uint32_t* offsets, size_t count, uint32_t base, Scratch<T>& scratch) const {
    scratch.scalars.resize(2 * count);
    for (size_t i = 0; i < count; ++i) {
        const uint32_t a = offsets[i] ^ base;
        const complex v = (start_bytes_[0][a & 255] * start_bytes_[1][a >> 8 & 255]) * (start_bytes_[2][a >> 16 & 255] * start_bytes_[3][a >> 24]);
        scratch.scalars[2 * i] = T(v.real());
        scratch.scalars[2 * i + 1] = T(v.imag());
    }
    engine_.product(tile, scratch.scalars.data(), count, start_lanes_.data());
}

template <class T>
void Runner<T>::diagonal(const MicroOp<T>& op, T* tile, uint32_t number, uint32_t shift, Scratch<T>& scratch) const {
    const T* low = op.table.data();
    const T* high = op.high.data();
    const size_t num_low = op.bases.size(), num_high = op.offsets.size();
    complex constant = op.constant;
    bool tables = false;
    const size_t num_local = op.num_local;
    std::array<complex, 64> local;
    local.fill(complex(1));
    for (const OuterPhase& p : op.outer) {
        if (!parity(p.parity_mask & number) || (p.and_mask && !parity(p.and_mask & number))) continue;
        constant *= p.constant;
        if (p.local.empty()) continue;
        tables = true;
        for (size_t i = 0; i < num_local; ++i) local[i] *= p.local[i];
    }
    if (tables || constant != complex(1)) {
        // The outer wires' phases are linear in the local ones: they go into the tables' entries.
        constexpr int lane_bits = Layout<T>::lane_bits;
        std::array<complex, size_t(1) << (max_tile_rows / 2)> line;
        auto spread = [&](const complex* factors, size_t n, complex first) {
            line[0] = first;
            for (size_t i = 0, filled = 1; i < n; ++i, filled *= 2)
                for (size_t r = 0; r < filled; ++r) line[filled + r] = line[r] * factors[i];
        };
        const size_t low_bits = __builtin_ctzll(num_low), high_bits = __builtin_ctzll(num_high);
        Table<T> lane_block(block);
        spread(local.data(), lane_bits, constant);
        for (int l = 0; l < lanes; ++l) {
            lane_block[l] = T(line[l].real());
            lane_block[lanes + l] = T(line[l].imag());
        }
        auto scaled = [&](const T* table, Table<T>& out, size_t count, bool with_lanes) {
            out.resize(count * block);
            for (size_t r = 0; r < count; ++r) {
                const T c = T(line[r].real()), s = T(line[r].imag());
                const T* from = table + r * block;
                T* to = out.data() + r * block;
                for (int l = 0; l < lanes; ++l) {
                    to[l] = from[l] * c - from[lanes + l] * s;
                    to[lanes + l] = from[l] * s + from[lanes + l] * c;
                }
                if (!with_lanes) continue;
                for (int l = 0; l < lanes; ++l) {
                    const T re = to[l], im = to[lanes + l];
                    to[l] = re * lane_block[l] - im * lane_block[lanes + l];
                    to[lanes + l] = re * lane_block[lanes + l] + im * lane_block[l];
                }
            }
        };
        if (tables) {
            spread(local.data() + lane_bits, low_bits, complex(1));
            scaled(low, scratch.low, num_low, false);
            low = scratch.low.data();
        }
        spread(local.data() + lane_bits + low_bits, high_bits, complex(1));
        scaled(high, scratch.high, num_high, true);
        high = scratch.high.data();
    }
    engine_.diagonal(tile, op.bases.data(), num_low, op.offsets.data(), num_high, shift, op.partner, low, high,
                     op.cross.empty() ? nullptr : op.cross.data());
}

template <class T>
bool Runner<T>::acts(const MicroOp<T>& op, uint32_t number) {
    for (const OuterBit& c : op.conditions)
        if (parity(c.parity_mask & number) != c.wanted) return false;
    return true;
}

template <class T>
uint32_t Runner<T>::shift_of(const MicroOp<T>& op, uint32_t number) {
    uint32_t shift = 0;
    for (size_t j = 0; j < op.shift.size(); ++j)
        if (number >> j & 1) shift ^= op.shift[j];
    return shift;
}

template <class T>
void Runner<T>::run_all(const Stage<T>& stage, T* tile, uint32_t number, Scratch<T>& scratch, double* sums, Team& team, int member) const {
    constexpr unsigned ops_between_checks = 64;
    unsigned done = 0;
    for (const MicroOp<T>& op : stage.ops) {
        if (acts(op, number)) {
            if (op.num_results() == 0) run(op, tile, stage.row_offsets.size(), number, scratch);
            else run_reading(op, program_, engine_, tile, number, shift_of(op, number), scratch.one, scratch.two, sums);
        }
        sums += op.num_results();  // zero where it does not act
        if (++done % ops_between_checks == 0) team.check(member);
    }
}

template <class T>
void Runner<T>::run(const MicroOp<T>& op, T* tile, size_t rows, uint32_t number, Scratch<T>& scratch) const {
    const uint32_t shift = shift_of(op, number);
    const uint32_t* bases = op.bases.data();
    const uint32_t* offsets = op.offsets.data();
    const size_t count = op.bases.size();
    switch (op.type) {
        case Micro::rotate:
            if (op.high.empty()) engine_.rotate[op.group][op.forms](tile, bases, count, offsets, shift, op.table.data());
            else engine_.rotate_phased[op.group][op.forms](tile, bases, count, offsets, shift, op.table.data(), op.high.data());
            break;
        case Micro::dense:
            if (op.group <= 2) engine_.dense[op.group](tile, bases, count, offsets, shift, op.table.data());
            else engine_.dense_wide(tile, bases, count, offsets, shift, op.group, op.table.data(), op.lane_mask.data());
            break;
        case Micro::phase: engine_.phase(tile, bases, count, shift, op.table.data()); break;
        case Micro::diagonal: diagonal(op, tile, number, shift, scratch); break;
        case Micro::transpose: engine_.transpose(tile, bases, count, offsets, shift, op.group, op.lane_bit); break;
        case Micro::scale: engine_.scale(tile, rows, op.table[0]); break;
        case Micro::inner:
        case Micro::rotate_inner:
        case Micro::parities:
        case Micro::contract: break;  // have results: run_reading
    }
}

template <class T>
void Runner<T>::stage(size_t index, Scratch<T>& scratch, Team& team, int member) {
    const Stage<T>& stage = program_.stages[index];
    const size_t rows = stage.row_offsets.size();
    const bool fills = index == 0 && program_.from_start;
    double* sums = results_[index].data();
    if (stage.in_place) {
        if (member != 0) return;
        if (fills) fill(state_.data(), stage.row_offsets.data(), rows, 0, scratch);
        run_all(stage, state_.data(), 0, scratch, sums, team, member);
        team.check(member);
        return;
    }
    scratch.tile.resize(rows * block);
    const bool past_cache = state_.bytes() > largest_cached_bytes;
    const size_t tiles = size_t(1) << stage.tile_columns.size();
    // Whoever is free takes the next tile: a core that is busy elsewhere holds nobody up, and no result changes.
    for (size_t number = next_tile_[index]++; number < tiles; number = next_tile_[index]++) {
        uint32_t base = 0;
        for (size_t j = 0; j < stage.tile_columns.size(); ++j)
            if (number >> j & 1) base ^= stage.tile_columns[j];
        T* tile = scratch.tile.data();
        if (fills) fill(tile, stage.row_offsets.data(), rows, base, scratch);
        else engine_.gather(tile, state_.data(), stage.row_offsets.data(), rows, base);
        run_all(stage, tile, static_cast<uint32_t>(number), scratch, sums + number * stage.num_results, team, member);
        if (weights_ && index + 1 == program_.stages.size()) {
            const size_t chunks = rows / weights_->blocks_per_chunk;
            engine_.norms(tile, weights_->blocks_per_chunk, chunks, weights_->sums.data() + number * chunks);
        }
        if (program_.keep_state || index + 1 < program_.stages.size())
            (past_cache ? engine_.scatter_past_cache : engine_.scatter)(tile, state_.data(), stage.row_offsets.data(), rows, base);
        team.check(member);
    }
}

// A program without stages still has a product state to write.
template <class T>
void Runner<T>::start_only(Scratch<T>& scratch, Team& team, int member) const {
    const size_t blocks = state_.blocks(), step = std::min(start_piece, blocks);
    std::vector<uint32_t> offsets(step);
    for (size_t i = 0; i < step; ++i) offsets[i] = static_cast<uint32_t>(i);
    const auto [begin, end] = team.share(blocks / step, member);
    for (size_t p = begin; p < end; ++p) {
        fill(state_.data() + p * step * block, offsets.data(), step, static_cast<uint32_t>(p * step), scratch);
        team.check(member);
    }
}

}  // namespace

template <class T>
void execute(const Program<T>& program, Amplitudes<T>& state, const Engine<T>& engine, int threads, const Poll& poll,
             Derivatives* derivatives, Weights* weights) {
    if (program.from_start) {
        state.num_wires = program.num_wires;
        if (state.memory.bytes() < state.bytes()) state.memory = Memory(state.bytes());
    }
    const size_t tiles = program.stages.empty() ? std::max<size_t>(1, state.blocks() / start_piece)
                                                : size_t(1) << program.stages[0].tile_columns.size();
    const bool one_tile = tiles == 1;
    Team team(static_cast<int>(std::min(tiles, size_t(std::max(threads, 1)))), poll);
    if (weights && !one_tile && !program.stages.empty()) {
        const Stage<T>& last = program.stages.back();
        weights->row_offsets = last.row_offsets;
        weights->tile_columns = last.tile_columns;
        weights->blocks_per_chunk = 16;  // the blocks of a chunk may lie apart: few of them are read for a sample
        weights->sums.resize(state.blocks() / weights->blocks_per_chunk);
    } else {
        weights = nullptr;
    }
    Runner<T> runner(program, state, engine, weights);
    team.run([&](int member) {
        Scratch<T> scratch;
        if (program.stages.empty() && program.from_start) runner.start_only(scratch, team, member);
        for (size_t s = 0; s < program.stages.size(); ++s) {
            if (s) team.barrier(member);
            runner.stage(s, scratch, team, member);
        }
    });
    if (derivatives) add_results(program, runner.results(), *derivatives);
}

template void execute(const Program<float>&, Amplitudes<float>&, const Engine<float>&, int, const Poll&, Derivatives*, Weights*);
template void execute(const Program<double>&, Amplitudes<double>&, const Engine<double>&, int, const Poll&, Derivatives*, Weights*);

}  // namespace qrealm
