#include "memory.h"

#include <sys/mman.h>

#include <mutex>
#include <string>
#include <utility>

namespace qrealm {
namespace {

constexpr size_t huge = size_t(2) << 20, page = 4096;

// The last large buffer that was given back, kept for the next run of the same size: touching fresh pages costs as
// much as a pass over the state. The system may take its pages whenever it needs them (MADV_FREE).
struct Kept {
    static constexpr size_t least = huge, most = size_t(1) << 30;
    std::mutex lock;
    void* data = nullptr;
    void* mapping = nullptr;
    size_t bytes = 0, mapped = 0;
};

Kept& kept() {
    static Kept* k = new Kept;  // outlives every state, also those destroyed at exit
    return *k;
}

}  // namespace

Memory::Memory(size_t bytes) : bytes_(bytes) {
    if (bytes >= Kept::least && bytes <= Kept::most) {
        Kept& k = kept();
        const std::lock_guard guard(k.lock);
        if (k.bytes == bytes) {
            std::swap(data_, k.data);
            std::swap(mapping_, k.mapping);
            mapped_ = k.mapped;
            k.bytes = 0;
            return;
        }
    }
    const size_t align = bytes >= huge ? huge : page;
    mapped_ = bytes + (align > page ? align : 0);
    mapping_ = mmap(nullptr, mapped_, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    if (mapping_ == MAP_FAILED) {
        mapping_ = nullptr;
        throw OutOfMemory("the system refused " + std::to_string(bytes) + " bytes for a state");
    }
    const uintptr_t start = (reinterpret_cast<uintptr_t>(mapping_) + align - 1) & ~uintptr_t(align - 1);
    data_ = reinterpret_cast<void*>(start);
#ifdef MADV_HUGEPAGE
    if (align == huge) madvise(data_, bytes, MADV_HUGEPAGE);
#endif
}

Memory::~Memory() {
    if (!mapping_) return;
#ifdef MADV_FREE
    if (bytes_ >= Kept::least && bytes_ <= Kept::most && madvise(data_, bytes_, MADV_FREE) == 0) {
        Kept& k = kept();
        const std::lock_guard guard(k.lock);
        std::swap(data_, k.data);
        std::swap(mapping_, k.mapping);
        std::swap(bytes_, k.bytes);
        std::swap(mapped_, k.mapped);
    }
#endif
    if (mapping_) munmap(mapping_, mapped_);
}

Memory::Memory(Memory&& other) noexcept { *this = std::move(other); }

Memory& Memory::operator=(Memory&& other) noexcept {
    std::swap(data_, other.data_);
    std::swap(mapping_, other.mapping_);
    std::swap(bytes_, other.bytes_);
    std::swap(mapped_, other.mapped_);
    return *this;
}

}  // namespace qrealm
