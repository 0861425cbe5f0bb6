// The same work with keys: where MUSTER_BENCH_KEYS names a folder, it has NAME.key for every node, w.key for all
// workers, and whom they trust.
#pragma once

#include <cstdlib>
#include <string>
#include <vector>

namespace muster::bench {

/// Empty: without keys.
inline std::string keys_folder() {
    const char* folder = std::getenv("MUSTER_BENCH_KEYS");
    return folder == nullptr ? std::string() : std::string(folder);
}

/// Options of the node of this name, or of a worker ("w").
template <class Options>
Options keyed(Options options, const std::string& name) {
    const auto folder = keys_folder();
    if (folder.empty()) return options;
    const auto set = [&](auto& security) {
        security.key_file = folder + "/" + name + ".key";
        security.keys_dir = folder;
    };
    if constexpr (requires { options.security; }) {
        set(options.security);
    } else {
        set(options);
        if (!options.name.empty()) options.name = name + '.' + options.name;
    }
    return options;
}

/// What a daemon of this name is to be started with.
inline std::vector<std::string> key_flags(const std::string& name) {
    const auto folder = keys_folder();
    return folder.empty() ? std::vector<std::string>{}
                          : std::vector<std::string>{"--key", folder + "/" + name + ".key", "--keys", folder};
}

}  // namespace muster::bench
