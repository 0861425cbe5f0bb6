// Hosts on one machine: network namespaces, each with an address of its own, on
// one switch, and the faults of the network between them.
#pragma once

#include <cstddef>
#include <optional>
#include <string>
#include <vector>

#include "tests/integration/cluster.hpp"

namespace muster::test {

/// Hosts 0, 1, …: namespaces "muster-test-PID-LAB-HOST" in which `eth0` has the
/// address 10.77.0.(host + 1). The switch is a bridge in a namespace of its own, so
/// nothing of ours is in the network of the machine and labs cannot collide.
///
/// The namespaces go with the object; those of a test that was killed go with
/// the next lab that is made. Every call throws std::runtime_error when the
/// kernel refuses it. Processes within have to be gone before the lab is.
class Hosts {
public:
    /// Why this process cannot make hosts here, in one line; nothing when it can.
    [[nodiscard]] static std::optional<std::string> obstacle();

    explicit Hosts(std::size_t count);
    ~Hosts();
    Hosts(const Hosts&) = delete;
    Hosts& operator=(const Hosts&) = delete;

    [[nodiscard]] static std::string address(std::size_t host) { return "10.77.0." + std::to_string(host + 1); }
    /// For a cluster of one node a host.
    [[nodiscard]] std::vector<Place> places() const;

    /// What `from` sends to `to` vanishes, and nobody is told; the other way is not touched.
    void cut(std::size_t from, std::size_t to);
    void mend(std::size_t from, std::size_t to);
    /// A firewall at `host` drops what others send to this TCP port of it.
    void close_port(std::size_t host, int port);
    void open_port(std::size_t host, int port);
    /// The path from `host` loses packets beyond 1,200 bytes, and nobody is told.
    void lose_large_packets(std::size_t host);
    /// New connections from the host begin with small packets, and look for the size that passes: tcp_mtu_probing.
    void find_packet_size(std::size_t host);
    /// Both ways between each of `side` and each of all others.
    void split(const std::vector<std::size_t>& side);
    void heal(const std::vector<std::size_t>& side);

    /// The cable between the host and the switch: nothing passes, and the card keeps its carrier. Made in
    /// one step, so that it can be short.
    void pull_cable(std::size_t host);
    void plug_cable(std::size_t host);
    /// The network card of the host, as its own administrator takes it down and up.
    void card_down(std::size_t host);
    void card_up(std::size_t host);
    /// The switch: the cards keep their carrier, but nothing passes.
    void switch_off();
    void switch_on();

private:
    [[nodiscard]] std::string name(const std::string& part) const { return prefix_ + part; }
    [[nodiscard]] std::string name(std::size_t host) const { return prefix_ + std::to_string(host); }
    [[nodiscard]] static std::string port(std::size_t host) { return "port" + std::to_string(host); }
    void make(std::size_t host) const;
    void remove() noexcept;

    std::string prefix_;
    std::size_t count_;
};

/// How many TCP connections stand to `address`, as the host on which `pid` runs sees it.
std::size_t connections(pid_t pid, const std::string& address);

}  // namespace muster::test
