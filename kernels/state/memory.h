// Memory of a state: pages come from the system untouched, in huge pages where it has them, so that the thread
// that computes an amplitude is the first to touch it.
#pragma once
#include <cstddef>
#include <cstdint>
#include <stdexcept>

namespace qrealm {

struct OutOfMemory : std::runtime_error {
    using std::runtime_error::runtime_error;
};

class Memory {
public:
    Memory() = default;
    explicit Memory(size_t bytes);
    ~Memory();
    Memory(Memory&& other) noexcept;
    Memory& operator=(Memory&& other) noexcept;
    Memory(const Memory&) = delete;
    Memory& operator=(const Memory&) = delete;

    template <class T>
    T* as() const { return static_cast<T*>(data_); }
    size_t bytes() const { return bytes_; }

private:
    void* data_ = nullptr;
    void* mapping_ = nullptr;
    size_t bytes_ = 0, mapped_ = 0;
};

}  // namespace qrealm
