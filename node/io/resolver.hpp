// Looks up host names without ever holding up the loop.
#pragma once

#include <condition_variable>
#include <deque>
#include <memory>
#include <mutex>
#include <string>
#include <vector>

#include "node/io/wakeup.hpp"

namespace muster::node {

/// One thread of its own, started with the first name. Bounded: at most kMaxNames
/// names wait; further ones are refused, and whoever asked asks again later.
class Resolver {
public:
    static constexpr std::size_t kMaxNames = 1024;
    struct Found {
        std::string address;               // as it was asked
        std::vector<std::string> numeric;  // "number:port"; empty: no such name now
    };

    /// `wakeup` is notified when there is something to take.
    explicit Resolver(std::shared_ptr<Wakeup> wakeup);
    /// Does not wait for a name service that hangs.
    ~Resolver();
    Resolver(const Resolver&) = delete;
    Resolver& operator=(const Resolver&) = delete;

    /// False when too many wait. Asking again for what already waits has no effect.
    bool ask(const std::string& address);
    std::vector<Found> take();

private:
    struct State {
        std::mutex mutex;
        std::condition_variable work;
        std::deque<std::string> asked;
        std::string at_work;
        std::vector<Found> found;
        std::shared_ptr<Wakeup> wakeup;
        bool started = false;
        bool stopped = false;
    };

    static void run(State& state);

    std::shared_ptr<State> state_ = std::make_shared<State>();
};

}  // namespace muster::node
