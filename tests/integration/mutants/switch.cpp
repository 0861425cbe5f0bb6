// Which of the deliberate mistakes of mutants.toml is made: the number in MUSTER_MUTANT, none without it.
#include <cstdlib>

#include "tests/sim/mutants/mutant.hpp"

namespace {

[[maybe_unused]] const bool chosen = [] {
    if (const char* number = std::getenv("MUSTER_MUTANT")) muster::mutant_at_work = std::atoi(number);
    return true;
}();

}  // namespace
