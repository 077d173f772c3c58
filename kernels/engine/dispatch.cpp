#include <stdexcept>

#include "engine.h"

namespace qrealm {

extern const Engine<float> engine_plain_float;
extern const Engine<double> engine_plain_double;
#if defined(__x86_64__)
extern const Engine<float> engine_avx2_float, engine_avx512_float;
extern const Engine<double> engine_avx2_double, engine_avx512_double;
#endif

const char* name_of(InstructionSet set) {
    switch (set) {
        case InstructionSet::avx512: return "avx512";
        case InstructionSet::avx2: return "avx2";
        default:
#if defined(__aarch64__)
            return "neon";
#else
            return "plain";
#endif
    }
}

// The compiler's check reads XGETBV too, so a system that does not save the wide registers counts as not having them.
bool usable(InstructionSet set) {
#if defined(__x86_64__)
    __builtin_cpu_init();
    const bool avx2 = __builtin_cpu_supports("avx2") && __builtin_cpu_supports("fma");
    if (set == InstructionSet::avx512)
        return avx2 && __builtin_cpu_supports("avx512f") && __builtin_cpu_supports("avx512dq") &&
               __builtin_cpu_supports("avx512bw") && __builtin_cpu_supports("avx512vl");
    if (set == InstructionSet::avx2) return avx2;
#endif
    return set == InstructionSet::plain;
}

InstructionSet best_instruction_set() {
    if (usable(InstructionSet::avx512)) return InstructionSet::avx512;
    if (usable(InstructionSet::avx2)) return InstructionSet::avx2;
    return InstructionSet::plain;
}

template <>
const Engine<float>& engine<float>(InstructionSet set) {
#if defined(__x86_64__)
    if (set == InstructionSet::avx512) return engine_avx512_float;
    if (set == InstructionSet::avx2) return engine_avx2_float;
#endif
    return engine_plain_float;
}

template <>
const Engine<double>& engine<double>(InstructionSet set) {
#if defined(__x86_64__)
    if (set == InstructionSet::avx512) return engine_avx512_double;
    if (set == InstructionSet::avx2) return engine_avx2_double;
#endif
    return engine_plain_double;
}

}  // namespace qrealm
