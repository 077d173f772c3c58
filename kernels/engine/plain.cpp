// What every 64-bit machine has: SSE2 on x86-64, NEON on AArch64.
#if defined(__SSE2__)
#include <immintrin.h>
#endif
#define QREALM_ISA plain
#define QREALM_VECTOR_BYTES 16
#if defined(__SSE2__)
namespace qrealm::QREALM_ISA {
inline void stream(float* p, __m128 v) { _mm_stream_ps(p, v); }
inline void stream(double* p, __m128d v) { _mm_stream_pd(p, v); }
}  // namespace qrealm::QREALM_ISA
#endif
#include "loops.h"
namespace qrealm {
extern constinit const Engine<float> engine_plain_float = plain::make_engine<float>();
extern constinit const Engine<double> engine_plain_double = plain::make_engine<double>();
}  // namespace qrealm
