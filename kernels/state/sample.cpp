#include "sample.h"

#include <algorithm>
#include <array>

#include "random.h"

namespace qrealm {
namespace {

// Sorts draws by their leading 33 bits in three passes of 11: a comparison sort would cost more than small runs do.
// Draws that share those bits stay in order of shots.
void sort_by_key(std::vector<Draw>& draws) {
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
        for (const Draw& d : draws) other[starts[d.index >> shift & (size - 1)]++] = d;
        draws.swap(other);
    }
}

}  // namespace

template <class T>
std::vector<double> chunk_norms(const Amplitudes<T>& state, const Engine<T>& engine, int threads, const Poll& poll) {
    const size_t blocks = state.blocks(), per_chunk = std::min(chunk_blocks, blocks), chunks = blocks / per_chunk;
    std::vector<double> sums(chunks);
    Team team(chunks >= 1024 ? threads : 1, poll);
    team.run([&](int member) {
        const auto [begin, end] = team.share(chunks, member);
        for (size_t c = begin; c < end;) {
            const size_t count = std::min(end - c, size_t(256));
            engine.norms(state.data() + c * per_chunk * Layout<T>::block, per_chunk, count, sums.data() + c);
            c += count;
            team.check(member);
        }
    });
    return sums;
}

template <class T>
std::vector<Draw> draw(const Amplitudes<T>& state, const Engine<T>& engine, uint64_t shots, uint64_t seed, uint64_t stream,
                       int threads, const Poll& poll) {
    constexpr int lanes = Layout<T>::lanes, block = Layout<T>::block;
    const Draws words(seed, stream);
    std::vector<Draw> draws(shots);
    for (uint64_t s = 0; s < shots; ++s) draws[s] = {words(s), s};
    sort_by_key(draws);
    const std::vector<double> sums = chunk_norms(state, engine, threads, poll);
    double total = 0;
    for (double s : sums) total += s;
    const size_t per_chunk = state.blocks() / sums.size();

    // One walk through the cumulative sums, chunk by chunk and then number by number, always forwards.
    size_t chunk = 0;
    double chunk_start = 0;
    size_t opened = sums.size();  // the chunk whose amplitudes are being walked
    size_t position = 0;
    double reached = 0;
    uint64_t found = 0;
    for (Draw& d : draws) {
        const double target = Draws::unit(d.index) * total;
        while (chunk + 1 < sums.size() && chunk_start + sums[chunk] <= target) chunk_start += sums[chunk++];
        if (opened != chunk) {
            opened = chunk;
            position = 0;
            reached = chunk_start;
            found = ~uint64_t(0);
        }
        const T* data = state.data() + chunk * per_chunk * block;
        // `found` is the last amplitude passed that is not zero, so rounding can never select a zero one.
        while (position < per_chunk * lanes && (reached <= target || found == ~uint64_t(0))) {
            const T* p = data + position / lanes * block + position % lanes;
            const double weight = double(p[0]) * double(p[0]) + double(p[lanes]) * double(p[lanes]);
            if (weight > 0) {
                reached += weight;
                found = chunk * per_chunk * lanes + position;
            }
            ++position;
        }
        d.index = found == ~uint64_t(0) ? chunk * per_chunk * lanes : found;
    }
    return draws;
}

template std::vector<double> chunk_norms(const Amplitudes<float>&, const Engine<float>&, int, const Poll&);
template std::vector<double> chunk_norms(const Amplitudes<double>&, const Engine<double>&, int, const Poll&);
template std::vector<Draw> draw(const Amplitudes<float>&, const Engine<float>&, uint64_t, uint64_t, uint64_t, int, const Poll&);
template std::vector<Draw> draw(const Amplitudes<double>&, const Engine<double>&, uint64_t, uint64_t, uint64_t, int, const Poll&);

}  // namespace qrealm
