// Which of the deliberate mistakes of mutants.toml is made: the number in MUSTER_MUTANT, none without it.
#include <cstdlib>

#include "tests/sim/mutants/mutant.hpp"

extern "C" int LLVMFuzzerInitialize(int*, char***) {
    if (const char* number = std::getenv("MUSTER_MUTANT")) muster::mutant_at_work = std::atoi(number);
    return 0;
}
