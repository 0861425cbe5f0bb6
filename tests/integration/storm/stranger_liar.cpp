#include <stdexcept>

#include "tests/integration/raw_peer.hpp"
#include "tests/integration/storm/draws.hpp"
#include "tests/integration/storm/liars.hpp"

namespace muster::test {
namespace {

using std::chrono::milliseconds;

class Stranger {
public:
    Stranger(const Target& target, std::uint64_t seed)
        : target_(target), draws_(seed), ports_{target.doors.front(), target.control, target.gossip, target.http} {}

    void act() {
        switch (draws_.below(8)) {
            case 0:
                return make_noise();
            case 1:
                return stay_idle();
            case 2:
                return flood();
            default:
                return ask();
        }
    }

private:
    void make_noise() {
        RawPeer peer(draws_.pick(ports_));
        if (draws_.one_in(2)) peer.send(zmtp_greeting(draws_.one_in(2) ? "NULL" : "CURVE"));
        if (draws_.one_in(2)) peer.send(zmtp_ready(draws_.one_in(2) ? "DEALER" : "SUB"));
        for (std::uint64_t frames = draws_.below(20); frames > 0; --frames)
            if (!peer.send(draws_.bytes(draws_.of_any_size(5000)), milliseconds(100))) return;
    }

    /// Of a port, or of all of them, and none of those before.
    void stay_idle() {
        idle_.clear();
        const std::string port = draws_.pick(ports_);
        for (std::uint64_t i = draws_.of_any_size(1500); i > 0 && !target_.is_over(); --i)
            idle_.emplace_back(draws_.one_in(4) ? draws_.pick(ports_) : port);
    }

    void flood() {
        const std::string request = "GET " + std::string(draws_.one_in(2) ? "/metrics" : "/status") +
                                    " HTTP/1.1\r\nHost: " + target_.http + "\r\n\r\n";
        std::vector<RawPeer> peers;
        for (std::uint64_t i = draws_.of_any_size(20); i > 0; --i) peers.emplace_back(target_.http);
        const bool reads = draws_.one_in(2);
        for (std::uint64_t i = draws_.of_any_size(100); i > 0; --i)
            for (auto& peer : peers) peer.send(request, milliseconds(1));
        for (auto& peer : peers)
            if (reads) peer.is_ended(milliseconds(20));
    }

    std::string request() {
        static const std::vector<std::string> methods{"GET",   "GET",    "GET",     "HEAD",    "POST", "PUT",
                                                      "PATCH", "DELETE", "OPTIONS", "CONNECT", "NONE", ""};
        static const std::vector<std::string> paths{"/",
                                                    "/status",
                                                    "/metrics",
                                                    "/healthz",
                                                    "/readyz",
                                                    "/events",
                                                    "/page/state",
                                                    "/page/groups?text=storm",
                                                    "/page/groups?from=999999999999999999999",
                                                    "/page/group?store=orders&feature=subscriptions",
                                                    "/page/compare?with=n2",
                                                    "/../../etc/passwd",
                                                    "*",
                                                    "http://elsewhere/"};
        static const std::vector<std::string> headers{"Range: bytes=0-0,1-1,5-",
                                                      "Range: bytes=99999999999999999999-",
                                                      "Content-Length: 99999999999",
                                                      "Content-Length: -1",
                                                      "Transfer-Encoding: chunked",
                                                      "Connection: close",
                                                      "Expect: 100-continue",
                                                      "Upgrade: h2c",
                                                      "Origin: http://elsewhere",
                                                      "Sec-Fetch-Site: cross-site",
                                                      "Accept-Encoding: gzip;q=0, br",
                                                      "If-None-Match: *",
                                                      "Last-Event-ID: -1"};
        std::string text =
            draws_.pick(methods) + ' ' + draws_.pick(paths) + " HTTP/1." + (draws_.one_in(6) ? "0" : "1");
        if (!draws_.one_in(6)) text += "\r\nHost: " + (draws_.one_in(4) ? "elsewhere" : target_.http);
        for (std::uint64_t i = draws_.below(4); i > 0; --i) text += "\r\n" + draws_.pick(headers);
        if (draws_.one_in(10)) text += "\r\na: " + std::string(draws_.of_any_size(30'000), 'x');
        text += "\r\n\r\n";
        if (draws_.one_in(4)) text.resize(draws_.below(text.size()));
        return draws_.one_in(8) ? draws_.spoilt(text) : text;
    }
    void ask() {
        RawPeer peer(target_.http, draws_.one_in(4) ? 4096 : 0);
        for (std::uint64_t i = draws_.of_any_size(10); i > 0; --i)
            if (!peer.send(request(), milliseconds(100))) return;
        if (draws_.one_in(2)) peer.is_ended(milliseconds(50));
        if (draws_.one_in(2)) idle_.push_back(std::move(peer));
    }

    const Target& target_;
    Draws draws_;
    std::vector<std::string> ports_;
    std::vector<RawPeer> idle_;
};

}  // namespace

void lie_as_stranger(const Target& target, std::uint64_t seed) {
    Stranger stranger(target, seed);
    while (!target.is_over()) try {
            stranger.act();
        } catch (const std::runtime_error&) {
            // A full port takes no connection.
        }
}

}  // namespace muster::test
