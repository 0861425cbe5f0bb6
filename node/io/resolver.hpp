// Looks up host names without blocking the loop.
#pragma once

#include <condition_variable>
#include <deque>
#include <memory>
#include <mutex>
#include <string>
#include <vector>

#include "node/io/wakeup.hpp"

namespace muster::node {

/// Looks names up one after the other, on a thread that starts with the first name. At most kMaxNames wait; further
/// ones are refused, and the caller asks again later.
class Resolver {
public:
    static constexpr std::size_t kMaxNames = 1024;
    struct Found {
        std::string address;               // as passed to ask()
        std::vector<std::string> numeric;  // "number:port"; empty if the name does not resolve at the moment
    };

    /// `wakeup` is notified when there is something to take.
    explicit Resolver(std::shared_ptr<Wakeup> wakeup);
    /// Does not wait for a lookup that is under way.
    ~Resolver();
    Resolver(const Resolver&) = delete;
    Resolver& operator=(const Resolver&) = delete;

    /// Asks for the addresses of a "host:port". False if too many names wait. An address that waits already is looked
    /// up once.
    bool ask(const std::string& address);
    /// The results since the last call.
    std::vector<Found> take();

private:
    struct State {
        std::mutex mutex;
        std::condition_variable work;
        std::deque<std::string> asked;
        std::string resolving;  // the one that is being looked up
        std::vector<Found> found;
        std::shared_ptr<Wakeup> wakeup;
        bool started = false;
        bool stopped = false;
    };

    static void run(State& state);

    std::shared_ptr<State> state_ = std::make_shared<State>();
};

}  // namespace muster::node
