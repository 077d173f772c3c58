// What nothing reads is not run.
#include <algorithm>

#include "element.h"

namespace qrealm {
namespace {

uint64_t bit(int w) { return uint64_t(1) << w; }

}  // namespace

void drop_unread(Elements& e) {
    uint64_t used = 0, not_z = 0, not_x = 0;  // wires of kept later elements; on which one is not diagonal, not a CX target
    std::vector<Element> kept;
    for (size_t i = e.list.size(); i-- > 0;) {
        const Element& x = e.list[i];
        const uint64_t target = x.kind == Kind::cx ? bit(x.wire) : 0, mixed = e.targets(x);
        const bool reads = x.kind == Kind::inner || x.kind == Kind::parity || (x.kind == Kind::rotation && x.data >= 0);
        if (!reads) {
            if (x.kind == Kind::phase && !(x.mask & not_z)) continue;
            if (target && !(x.mask & not_z) && !(target & not_x)) continue;
            if (!(e.support(x) & used)) continue;
        }
        const uint64_t support = e.support(x);
        used |= support;
        not_z |= mixed | target;
        not_x |= support & ~target;
        kept.push_back(x);
    }
    std::reverse(kept.begin(), kept.end());
    e.list = std::move(kept);
}

std::vector<std::pair<uint8_t, uint8_t>> strip_tail(Elements& e) {
    uint64_t later_not_z = 0, later_not_x = 0;  // wires on which a kept later element is not diagonal, not a CX target
    std::vector<Element> kept;
    std::vector<std::pair<uint8_t, uint8_t>> moved;
    for (size_t i = e.list.size(); i-- > 0;) {
        const Element& x = e.list[i];
        if (x.kind == Kind::phase && x.log == 0 && !(x.mask & later_not_z)) continue;
        if (x.kind == Kind::cx && !(x.mask & later_not_z) && !(bit(x.wire) & later_not_x)) {
            moved.emplace_back(static_cast<uint8_t>(__builtin_ctzll(x.mask)), x.wire);
            continue;
        }
        const uint64_t t = e.targets(x);
        later_not_z |= t | (x.kind == Kind::cx ? bit(x.wire) : 0);
        later_not_x |= t | x.mask;
        kept.push_back(x);
    }
    std::reverse(kept.begin(), kept.end());
    std::reverse(moved.begin(), moved.end());
    e.list = std::move(kept);
    return moved;
}

}  // namespace qrealm
