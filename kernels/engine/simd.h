// Vectors of one instruction set: the including file defines QREALM_ISA (a namespace) and QREALM_VECTOR_BYTES.
// Only built-in types and vector extensions are used in these headers, so that no library template compiled for a
// newer processor can end up in code for an older one.
#pragma once
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include "engine.h"

#if defined(__clang__)
#define UNROLL _Pragma("clang loop unroll(full)")
#else
#define UNROLL _Pragma("GCC unroll 16")
#endif

namespace qrealm::QREALM_ISA {

template <class T>
struct Simd {
    static constexpr int width = QREALM_VECTOR_BYTES / sizeof(T);
    static constexpr int lanes = 64 / sizeof(T);
    static constexpr int block = 2 * lanes;
    typedef T V __attribute__((vector_size(QREALM_VECTOR_BYTES), may_alias));
};

template <class T>
inline T* at(T* tile, uint32_t position) { return tile + size_t(position) * Simd<T>::block; }

template <class T>
inline typename Simd<T>::V load(const T* p) { return *reinterpret_cast<const typename Simd<T>::V*>(p); }
template <class T>
inline void store(T* p, typename Simd<T>::V v) { *reinterpret_cast<typename Simd<T>::V*>(p) = v; }
template <class T>
inline typename Simd<T>::V broadcast(T x) { return x - typename Simd<T>::V{}; }

// Integers as wide as T, to index lanes.
template <class T>
struct LaneIndex;
template <>
struct LaneIndex<float> { typedef int32_t V __attribute__((vector_size(QREALM_VECTOR_BYTES))); };
template <>
struct LaneIndex<double> { typedef int64_t V __attribute__((vector_size(QREALM_VECTOR_BYTES))); };

// out[l] = v[index[l]]
template <class T>
inline typename Simd<T>::V permute(typename Simd<T>::V v, typename LaneIndex<T>::V index) {
#if defined(__clang__)
    typename Simd<T>::V out;
    for (int l = 0; l < Simd<T>::width; ++l) out[l] = v[index[l]];
    return out;
#else
    return __builtin_shuffle(v, index);
#endif
}

}  // namespace qrealm::QREALM_ISA
