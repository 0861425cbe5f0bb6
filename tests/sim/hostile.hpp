// Frames that no well-behaved node sends, or that concern somebody else. A core
// drops and counts them, or repairs what they claim; it never ends by them.
#pragma once

#include "tests/sim/world.hpp"

namespace muster::sim {

/// Gives `victim`, which runs, one such frame.
void send_hostile(World& world, Host& victim, Random& random);

/// Tells running hosts of a life of `stolen`, which is down: proven with its key, and with addresses of another node.
void claim_life(World& world, const Host& stolen, Random& random);

/// Gives any running host a frame again that it, or its life before, was given earlier. False: there is none yet.
bool replay_frame(World& world, Random& random);

}  // namespace muster::sim
