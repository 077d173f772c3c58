#if defined(__x86_64__)
#include <immintrin.h>
#define QREALM_ISA avx512
#define QREALM_VECTOR_BYTES 64
namespace qrealm::QREALM_ISA {
inline void stream(float* p, __m512 v) { _mm512_stream_ps(p, v); }
inline void stream(double* p, __m512d v) { _mm512_stream_pd(p, v); }
}  // namespace qrealm::QREALM_ISA
#include "loops.h"
namespace qrealm {
extern constinit const Engine<float> engine_avx512_float = avx512::make_engine<float>();
extern constinit const Engine<double> engine_avx512_double = avx512::make_engine<double>();
}  // namespace qrealm
#endif
