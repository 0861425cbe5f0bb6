// The two modes of these tests: without keys, and with MUSTER_TEST_KEYS=1 in the environment with a key for everybody.
#pragma once

#include <string>
#include <vector>

#include "tests/integration/keys.hpp"

namespace muster::test {

/// The keys of all clusters of this process; null without. As long as the process lives, programs that are given no key
/// have that of the worker.
Keys* mode_keys();

/// What a node of this name is to be started with.
std::vector<std::string> key_flags(const std::string& node);

/// Options of a worker inside the test. Its name becomes one that its key may have.
template <class Options>
Options with_keys(Options options) {
    if (const Keys* keys = mode_keys()) {
        options.key_file = keys->key("w");
        options.keys_dir = keys->folder();
        if (!options.name.empty()) options.name = "w." + options.name;
    }
    return options;
}

/// Options of a node inside the test.
template <class Options>
Options with_node_keys(Options options) {
    if (const auto flags = key_flags(options.name); !flags.empty()) {
        options.security.key_file = flags[1];
        options.security.keys_dir = flags[3];
    }
    return options;
}

}  // namespace muster::test
