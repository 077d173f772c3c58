#include "memory.h"

#include <sys/mman.h>

#include <string>
#include <utility>

namespace qrealm {

Memory::Memory(size_t bytes) : bytes_(bytes) {
    constexpr size_t huge = size_t(2) << 20, page = 4096;
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
