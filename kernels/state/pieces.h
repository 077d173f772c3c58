// Work cut into pieces by the state alone, so that sums do not depend on the number of threads.
#pragma once
#include <algorithm>

#include "team.h"

namespace qrealm {

inline constexpr size_t largest_piece = size_t(1) << 14;  // blocks

inline size_t pieces_of(size_t blocks) { return std::max<size_t>(1, blocks / largest_piece); }

// body(piece, first block, last block + 1)
template <class F>
void for_pieces(size_t blocks, int threads, const Poll& poll, F&& body) {
    const size_t pieces = pieces_of(blocks), size = blocks / pieces;
    Team team(int(std::min<size_t>(pieces, size_t(std::max(threads, 1)))), poll);
    std::atomic<size_t> next{0};  // whoever is free takes the next piece: some have less to do than others
    team.run([&](int member) {
        for (size_t p = next++; p < pieces; p = next++) {
            body(p, p * size, (p + 1) * size);
            team.check(member);
        }
    });
}

}  // namespace qrealm
