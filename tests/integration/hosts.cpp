#include "tests/integration/hosts.hpp"

#include <arpa/inet.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <atomic>
#include <cerrno>
#include <csignal>
#include <cstdio>
#include <filesystem>
#include <fstream>
#include <sstream>
#include <stdexcept>
#include <system_error>

namespace muster::test {
namespace {

using Words = std::vector<std::string>;

const std::string kFamily = "muster-test-";
const std::string kSwitch = "switch";
const std::string kPort = ":7100";

const std::string& ip_program() {
    static const std::string path = [] {
        for (const char* candidate : {"/usr/sbin/ip", "/sbin/ip", "/usr/bin/ip", "/bin/ip"})
            if (::access(candidate, X_OK) == 0) return std::string(candidate);
        throw std::runtime_error("no program `ip`: install iproute2");
    }();
    return path;
}

Finished try_ip(Words words) {
    words.insert(words.begin(), ip_program());
    return run(std::move(words));
}

/// `words`: one command, as it would be typed after "ip".
void ip(const std::string& words) {
    std::istringstream in(words);
    Words list;
    for (std::string word; in >> word;) list.push_back(word);
    const auto done = try_ip(std::move(list));
    if (done.status != 0)
        throw std::runtime_error("ip " + words + ": " + done.errors.substr(0, done.errors.find('\n')));
}

bool is_running(pid_t pid) {
    return ::kill(pid, 0) == 0 || errno != ESRCH;
}

/// Namespaces of tests that no longer run. `ip netns list` fails when another test removes its own meanwhile.
void remove_leftovers() {
    std::error_code none;
    Words names;
    for (const auto& entry : std::filesystem::directory_iterator("/var/run/netns", none))
        names.push_back(entry.path().filename());
    for (const auto& name : names) {
        if (name.rfind(kFamily, 0) != 0) continue;
        const pid_t pid = std::atoi(name.c_str() + kFamily.size());
        if (!is_running(pid)) try_ip({"netns", "del", name});
    }
}

std::string next_prefix() {
    static std::atomic<int> labs{0};
    return kFamily + std::to_string(::getpid()) + '-' + std::to_string(++labs) + '-';
}

}  // namespace

std::optional<std::string> Hosts::obstacle() {
    try {
        Hosts hosts(2);
        hosts.cut(0, 1);
        hosts.mend(0, 1);
    } catch (const std::runtime_error& error) {
        return "network namespaces cannot be made here (" + std::string(error.what()) + "): run as root";
    }
    return std::nullopt;
}

Hosts::Hosts(std::size_t count) : prefix_(next_prefix()), count_(count) {
    ip_program();  // throws before there is anything to remove
    remove_leftovers();
    try {
        ip("netns add " + name(kSwitch));
        ip("-n " + name(kSwitch) + " link add bridge type bridge");
        ip("-n " + name(kSwitch) + " link set bridge up");
        for (std::size_t host = 0; host < count_; ++host) make(host);
    } catch (...) {
        remove();
        throw;
    }
}

Hosts::~Hosts() {
    remove();
}

void Hosts::make(std::size_t host) const {
    const std::string in_host = "-n " + name(host);
    const std::string in_switch = "-n " + name(kSwitch);
    ip("netns add " + name(host));
    ip("link add eth0 netns " + name(host) + " type veth peer name " + port(host) + " netns " + name(kSwitch));
    ip(in_switch + " link set " + port(host) + " master bridge up");
    ip(in_host + " link set lo up");
    ip(in_host + " addr add " + address(host) + "/24 dev eth0");
    ip(in_host + " link set eth0 up");
    // The rule for local addresses comes first by default; a cut has to come before it.
    ip(in_host + " rule add pref 100 lookup local");
    ip(in_host + " rule del pref 0");
}

void Hosts::remove() noexcept {
    for (std::size_t host = 0; host < count_; ++host) try_ip({"netns", "del", name(host)});
    try_ip({"netns", "del", name(kSwitch)});
}

std::vector<Place> Hosts::places() const {
    std::vector<Place> places;
    for (std::size_t host = 0; host < count_; ++host)
        places.push_back({{ip_program(), "netns", "exec", name(host)}, address(host) + kPort, {"--insecure"}});
    return places;
}

void Hosts::cut(std::size_t from, std::size_t to) {
    ip("-n " + name(to) + " rule add from " + address(from) + " iif eth0 blackhole pref 1");
}

void Hosts::mend(std::size_t from, std::size_t to) {
    ip("-n " + name(to) + " rule del from " + address(from) + " iif eth0 blackhole pref 1");
}

void Hosts::close_port(std::size_t host, int port) {
    ip("-n " + name(host) + " rule add iif eth0 ipproto tcp dport " + std::to_string(port) + " blackhole pref 1");
}

void Hosts::open_port(std::size_t host, int port) {
    ip("-n " + name(host) + " rule del iif eth0 ipproto tcp dport " + std::to_string(port) + " blackhole pref 1");
}

void Hosts::lose_large_packets(std::size_t host) {
    // A port of the switch drops what is larger than it takes. Not if a packet still has to be cut: so none may have
    // to.
    ip("-n " + name(host) + " link set eth0 gso_max_segs 1");
    ip("-n " + name(kSwitch) + " link set " + port(host) + " mtu 1200");
}

void Hosts::find_packet_size(std::size_t host) {
    const auto done = try_ip({"netns", "exec", name(host), "sh", "-c", "echo 2 > /proc/sys/net/ipv4/tcp_mtu_probing"});
    if (done.status != 0) throw std::runtime_error("tcp_mtu_probing: " + done.errors);
}

void Hosts::split(const std::vector<std::size_t>& side) {
    for (const auto host : side)
        for (std::size_t other = 0; other < count_; ++other)
            if (std::find(side.begin(), side.end(), other) == side.end()) cut(host, other), cut(other, host);
}

void Hosts::heal(const std::vector<std::size_t>& side) {
    for (const auto host : side)
        for (std::size_t other = 0; other < count_; ++other)
            if (std::find(side.begin(), side.end(), other) == side.end()) mend(host, other), mend(other, host);
}

void Hosts::pull_cable(std::size_t host) {
    ip("-n " + name(kSwitch) + " link set " + port(host) + " nomaster");
}

void Hosts::plug_cable(std::size_t host) {
    ip("-n " + name(kSwitch) + " link set " + port(host) + " master bridge");
}

void Hosts::card_down(std::size_t host) {
    ip("-n " + name(host) + " link set eth0 down");
}

void Hosts::card_up(std::size_t host) {
    ip("-n " + name(host) + " link set eth0 up");
}

void Hosts::switch_off() {
    ip("-n " + name(kSwitch) + " link set bridge down");
}

void Hosts::switch_on() {
    ip("-n " + name(kSwitch) + " link set bridge up");
}

std::size_t connections(pid_t pid, const std::string& address) {
    in_addr numeric{};
    if (::inet_pton(AF_INET, address.c_str(), &numeric) != 1) throw std::runtime_error("no address: " + address);
    std::array<char, 9> hex{};
    std::snprintf(hex.data(), hex.size(), "%08X", numeric.s_addr);

    // Columns: number, local address, remote address, state; 01 is "established".
    std::ifstream table("/proc/" + std::to_string(pid) + "/net/tcp");
    std::size_t count = 0;
    std::string line;
    while (std::getline(table, line)) {
        std::istringstream in(line);
        std::string number, local, remote, state;
        in >> number >> local >> remote >> state;
        if (remote.rfind(hex.data(), 0) == 0 && state == "01") ++count;
    }
    return count;
}

}  // namespace muster::test
