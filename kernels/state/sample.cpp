#include "sample.h"

#include <algorithm>
#include <array>
#include <cmath>
#include <stdexcept>

#include "random.h"

namespace qrealm {
namespace {

// Sorts draws by their leading 33 bits in three passes of 11: a comparison sort would cost more than small runs do.
// Draws that share those bits stay in order of shots.
void sort_by_key(std::vector<Draw>& draws, Watch& watch) {
    if (draws.size() < 64) {
        std::stable_sort(draws.begin(), draws.end(), [](const Draw& a, const Draw& b) { return a.index < b.index; });
        return;
    }
    constexpr int digit = 11, size = 1 << digit;
    std::vector<Draw> other(draws.size());
    for (int pass = 0; pass < 3; ++pass) {
        const int shift = 31 + digit * pass;
        std::array<uint64_t, size + 1> starts{};
        for (const Draw& d : draws) ++starts[(d.index >> shift & (size - 1)) + 1];
        for (int i = 0; i < size; ++i) starts[i + 1] += starts[i];
        for (const Draw& d : draws) {
            other[starts[d.index >> shift & (size - 1)]++] = d;
            watch.tick();
        }
        draws.swap(other);
    }
}

}  // namespace

template <class T>
Weights weigh(const Amplitudes<T>& state, const Engine<T>& engine, int threads, const Poll& poll) {
    constexpr size_t chunk_blocks = 64;  // 8 KiB: small enough to walk, large enough that their sums are few
    Weights out;
    const size_t blocks = state.blocks();
    out.blocks_per_chunk = std::min(chunk_blocks, blocks);
    const size_t chunks = blocks / out.blocks_per_chunk;
    out.sums.resize(chunks);
    Team team(chunks >= 1024 ? threads : 1, poll);
    team.run([&](int member) {
        const auto [begin, end] = team.share(chunks, member);
        for (size_t c = begin; c < end;) {
            const size_t count = std::min(end - c, size_t(256));
            engine.norms(state.data() + c * out.blocks_per_chunk * Layout<T>::block, out.blocks_per_chunk, count, out.sums.data() + c);
            c += count;
            team.check(member);
        }
    });
    return out;
}

template <class T>
std::vector<Draw> draw(const Amplitudes<T>& state, const Weights& weights, uint64_t shots, uint64_t seed, uint64_t stream,
                       const Poll& poll) {
    constexpr int lanes = Layout<T>::lanes, block = Layout<T>::block;
    const Draws words(seed, stream);
    std::vector<Draw> draws(shots);
    Watch watch(poll);
    for (uint64_t s = 0; s < shots; ++s) {
        draws[s] = {words(s), s};
        watch.tick();
    }
    sort_by_key(draws, watch);
    const std::vector<double>& sums = weights.sums;
    double total = 0;
    for (double s : sums) total += s;
    if (!(total > 0 && std::isfinite(total))) throw std::runtime_error("the amplitudes of a state have lost their norm");

    // One walk through the cumulative sums, chunk by chunk and then number by number, always forwards.
    constexpr uint64_t none = ~uint64_t(0);
    size_t chunk = 0, opened = sums.size(), position = 0;
    double chunk_start = 0, reached = 0;
    uint64_t found = none;
    for (Draw& d : draws) {
        watch.tick();
        const double target = Draws::unit(d.index) * total;
        while (chunk + 1 < sums.size() && chunk_start + sums[chunk] <= target) chunk_start += sums[chunk++];
        if (opened != chunk) {
            opened = chunk;
            position = 0;
            reached = chunk_start;
            found = none;
        }
        // `found` is the last amplitude passed that is not zero, so rounding can never select a zero one.
        while (position < weights.blocks_per_chunk * lanes && (reached <= target || found == none)) {
            const uint64_t b = weights.block(chunk, position / lanes);
            const T* p = state.data() + b * block + position % lanes;
            const double weight = double(p[0]) * double(p[0]) + double(p[lanes]) * double(p[lanes]);
            if (weight > 0) {
                reached += weight;
                found = b * lanes + position % lanes;
            }
            ++position;
        }
        d.index = found == none ? weights.block(chunk, 0) * lanes : found;
    }
    return draws;
}

template Weights weigh(const Amplitudes<float>&, const Engine<float>&, int, const Poll&);
template Weights weigh(const Amplitudes<double>&, const Engine<double>&, int, const Poll&);
template std::vector<Draw> draw(const Amplitudes<float>&, const Weights&, uint64_t, uint64_t, uint64_t, const Poll&);
template std::vector<Draw> draw(const Amplitudes<double>&, const Weights&, uint64_t, uint64_t, uint64_t, const Poll&);

}  // namespace qrealm
