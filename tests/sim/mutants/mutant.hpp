// The switch of the deliberate mistakes. Included by the generated copies of
// the core's sources; mutants.toml lists the mistakes.
#pragma once

namespace muster {

/// Number of the mistake that is made now; 0: none.
inline int mutant_at_work = 0;

inline bool mutant(int number) {
    return mutant_at_work == number;
}

}  // namespace muster
