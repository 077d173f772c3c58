#if defined(__x86_64__)
#include <immintrin.h>
#define QREALM_ISA avx2
#define QREALM_VECTOR_BYTES 32
namespace qrealm::QREALM_ISA {
inline void stream(float* p, __m256 v) { _mm256_stream_ps(p, v); }
inline void stream(double* p, __m256d v) { _mm256_stream_pd(p, v); }
}  // namespace qrealm::QREALM_ISA
#include "loops.h"
namespace qrealm {
extern constinit const Engine<float> engine_avx2_float = avx2::make_engine<float>();
extern constinit const Engine<double> engine_avx2_double = avx2::make_engine<double>();
}  // namespace qrealm
#endif
