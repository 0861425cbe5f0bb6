// musterd's settings, from all three sources: a TOML file, then after a NUL byte lines of VARIABLE=value, then after
// another one a flag or value a line.
#include "node/daemon/config.hpp"

#include <netdb.h>
#include <sys/mman.h>
#include <unistd.h>

#include <cstdlib>
#include <sstream>

#include "cluster/check.hpp"
#include "node/io/address.hpp"
#include "node/io/name_service.hpp"
#include "node/queue_limits.hpp"
#include "proto/limits.hpp"
#include "tests/fuzz/input.hpp"

namespace muster::fuzz {
namespace {

using daemon::Config;
using daemon::Environment;

/// A file in memory, and its path.
class File {
public:
    File() : fd_(::memfd_create("config", 0)), path_("/proc/self/fd/" + std::to_string(fd_)) { MUSTER_CHECK(fd_ >= 0); }
    void write(std::string_view text) const {
        MUSTER_CHECK(::ftruncate(fd_, 0) == 0);
        MUSTER_CHECK(::pwrite(fd_, text.data(), text.size(), 0) == static_cast<ssize_t>(text.size()));
    }
    [[nodiscard]] const std::string& path() const { return path_; }

private:
    int fd_;
    std::string path_;
};

std::string_view part(std::string_view& text, char separator) {
    const auto end = std::min(text.find(separator), text.size());
    const auto taken = text.substr(0, end);
    text.remove_prefix(std::min(end + 1, text.size()));
    return taken;
}

Environment variables_of(std::string_view text) {
    Environment variables;
    while (!text.empty()) {
        auto line = part(text, '\n');
        const std::string name(part(line, '='));
        variables[name] = std::string(line);
    }
    return variables;
}

void check_one_line(const std::string& text) {
    MUSTER_CHECK(!text.empty());
    MUSTER_CHECK(text.find('\n') == std::string::npos);
    MUSTER_CHECK(text.find('\r') == std::string::npos);
}

bool is_address(const std::string& text) {
    return text.empty() || node::parse_address(text).ok();
}

/// What the rest of musterd relies on.
void check(const Config& config) {
    const auto& node = config.node;
    MUSTER_CHECK(is_valid_name(node.name));
    MUSTER_CHECK(!node.scope.empty() && node.scope.size() <= limits::kScope);
    MUSTER_CHECK(is_address(node.listen) && is_address(node.advertise) && is_address(config.http));
    for (const auto& seed : node.seeds) {
        const auto named = node::parse_named_address(seed);
        MUSTER_CHECK(named.ok() && node::parse_address(named->address)->port != 0);
    }
    if (!config.http.empty() && !node.security.insecure) {
        const auto host = node::parse_address(config.http)->host;
        MUSTER_CHECK(!node::is_numeric(host) || node::is_loopback(host));  // a name may resolve later
    }
    constexpr std::chrono::milliseconds kMost = std::chrono::hours(1);
    for (const auto time : {node.timing.session_grace, node.timing.ready_wait, node.timing.link_retention})
        MUSTER_CHECK(time.count() >= 0 && time <= kMost);
    for (const auto items : {node.queues.backlog.items, node.queues.link.items})
        MUSTER_CHECK(items >= node::kLeastQueueItems);
    for (const auto bytes : {node.queues.backlog.bytes, node.queues.link.bytes, node.limits.connection_bytes})
        MUSTER_CHECK(bytes >= node::kLeastQueueBytes);
    MUSTER_CHECK(node.limits.connections >= node::kLeastConnections &&
                 node.limits.worker_requests >= node::kLeastRequests);
    for (const auto most : {node.limits.workers, node.limits.worker_members, node.limits.worker_groups,
                            node.limits.worker_bytes, node.limits.worker_watches, node.limits.peers})
        MUSTER_CHECK(most > 0);
    MUSTER_CHECK(node.queues.link.policy != OverflowPolicy::disconnect);
    MUSTER_CHECK(config.log_format == "text" || config.log_format == "json");
    MUSTER_CHECK(!config.log_level.empty());
}

void run(std::string_view text) {
    static const File file;
    file.write(part(text, '\0'));
    const auto variables = variables_of(part(text, '\0'));
    std::vector<std::string> words{"musterd", "--config", file.path()};
    while (!text.empty()) {
        const auto word = part(text, '\n');
        // A flag that reads another file would read the fuzzer's own.
        if (word.find("--config") == std::string_view::npos) words.emplace_back(word);
    }
    std::vector<const char*> arguments;
    for (const auto& word : words) arguments.push_back(word.c_str());
    const auto loaded = daemon::load_config(static_cast<int>(arguments.size()), arguments.data(), variables);
    for (const auto& problem : loaded.problems) check_one_line(problem);
    if (loaded.problems.empty() && loaded.shown.empty()) check(loaded.config);
}

}  // namespace
}  // namespace muster::fuzz

/// In place of that of name_service.cpp, which has threads.
std::vector<std::string> muster::node::resolve_within(const std::string& host, std::chrono::milliseconds) {
    return is_numeric(host) ? std::vector{host} : std::vector<std::string>();
}

/// Names are looked up nowhere: linked in place of getaddrinfo.
extern "C" int __wrap_getaddrinfo(const char*, const char*, const addrinfo*, addrinfo**) {
    return EAI_NONAME;
}

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
    muster::fuzz::Input input(data, size);
    muster::fuzz::run(input.rest());
    return 0;
}
