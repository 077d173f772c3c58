#if defined(__x86_64__)
#include <immintrin.h>
#define QREALM_ISA avx512
#define QREALM_VECTOR_BYTES 64
namespace qrealm::QREALM_ISA {
inline void stream(float* p, __m512 v) { _mm512_stream_ps(p, v); }
inline void stream(double* p, __m512d v) { _mm512_stream_pd(p, v); }
// Lane l of the result is lane index[l] of a followed by b.
template <class I>
inline __m512 choose_lanes(__m512 a, I index, __m512 b) { return _mm512_permutex2var_ps(a, (__m512i)index, b); }
template <class I>
inline __m512d choose_lanes(__m512d a, I index, __m512d b) { return _mm512_permutex2var_pd(a, (__m512i)index, b); }
}  // namespace qrealm::QREALM_ISA
#include "loops.h"
namespace qrealm {
extern constinit const Engine<float> engine_avx512_float = avx512::make_engine<float>();
extern constinit const Engine<double> engine_avx512_double = avx512::make_engine<double>();
}  // namespace qrealm
#endif
