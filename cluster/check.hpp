// Assertions that stay on: a core that no longer knows what it does must not go on.
#pragma once

#include <cstdio>
#include <cstdlib>

#define MUSTER_CHECK(condition)                                                                    \
    do {                                                                                           \
        if (!(condition)) {                                                                        \
            std::fprintf(stderr, "%s:%d: invariant broken: %s\n", __FILE__, __LINE__, #condition); \
            std::abort();                                                                          \
        }                                                                                          \
    } while (false)
