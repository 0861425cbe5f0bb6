// Scenarios as text: a script of what happens to a simulated cluster, with the
// full transcript of what its nodes and workers then do. The language is in
// tests/sim/scenarios/README.md.
#pragma once

#include <stdexcept>
#include <string>

namespace muster::sim {

/// A script that cannot be played; `what()` names the line and says what is wrong with it.
struct BadScript : std::runtime_error {
    using std::runtime_error::runtime_error;
};

/// Plays a script and returns it with a new transcript: below every command,
/// indented, what happened until the next. Old transcripts in it are dropped.
/// Throws BadScript; a broken invariant stands in the transcript as "VIOLATION".
std::string play(const std::string& script);

}  // namespace muster::sim
