// One function compiled for several instruction sets; which one runs is decided when the module is loaded.
#pragma once

#if defined(__x86_64__) && defined(__linux__) && defined(__GNUC__)
#define QREALM_FOR_EVERY_CPU __attribute__((target_clones("arch=x86-64-v4", "arch=x86-64-v3", "default")))
#else
#define QREALM_FOR_EVERY_CPU
#endif
