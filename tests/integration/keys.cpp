#include "tests/integration/keys.hpp"

#include <cstdlib>
#include <filesystem>
#include <stdexcept>
#include <system_error>

namespace muster::test {

namespace fs = std::filesystem;

Keys::Keys(std::size_t nodes) : path_(fs::temp_directory_path() / ("muster-keys-" + std::string(6, 'X'))) {
    if (::mkdtemp(path_.data()) == nullptr) throw std::runtime_error("no temporary folder");
    for (const char* folder : {"nodes", "workers", "observers", "operators"})
        fs::create_directory(path_ + "/" + folder);
    for (std::size_t i = 0; i < nodes; ++i) trust("node", Cluster::name(i));
    trust("worker", "w");
    ::setenv("MUSTER_KEY", key("w").c_str(), 1);
    ::setenv("MUSTER_KEYS", path_.c_str(), 1);
}

Keys::~Keys() {
    ::unsetenv("MUSTER_KEY");
    ::unsetenv("MUSTER_KEYS");
    std::error_code error;
    fs::remove_all(path_, error);
}

std::string Keys::pub(const std::string& role, const std::string& name) const {
    return path_ + "/" + role + "s/" + name + ".pub";
}

std::string Keys::make(const std::string& name, std::vector<std::string> more) const {
    std::vector<std::string> command = {MUSTER_PATH, "keygen", name, "--dir", path_};
    command.insert(command.end(), more.begin(), more.end());
    const auto done = run(command);
    if (done.status != 0) throw std::runtime_error("keygen: " + done.errors);
    return path_ + "/" + name + ".pub";
}

void Keys::trust(const std::string& role, const std::string& name) const {
    fs::rename(make(name), pub(role, name));
}

std::vector<std::string> Keys::flags(const std::string& name) const {
    return {"--key", key(name), "--keys", path_};
}

std::vector<Place> Keys::places(std::size_t nodes) const {
    std::vector<Place> places(nodes);
    for (std::size_t i = 0; i < nodes; ++i)
        places[i] = {{}, "127.0.0.1:" + std::to_string(free_port()), flags(Cluster::name(i))};
    return places;
}

}  // namespace muster::test
