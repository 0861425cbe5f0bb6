// When something may be tried again that has failed: at once, then at longer and longer intervals.
#pragma once

#include <algorithm>
#include <map>
#include <string>

#include "cluster/time.hpp"

namespace muster::cluster {

/// What is not tried for `forget_after` counts as new.
class Tries {
public:
    struct Waits {
        Duration first;
        Duration longest;
        Duration forget_after;
    };

    explicit Tries(Waits waits) : waits_(waits) {}

    [[nodiscard]] bool may_try(const std::string& what, Instant now) const {
        const auto it = tries_.find(what);
        return it == tries_.end() || now - it->second.at >= it->second.wait;
    }
    void tried(const std::string& what, Instant now) {
        auto& [at, wait] = tries_[what];
        at = now;
        wait = std::clamp(2 * wait, waits_.first, waits_.longest);
    }
    void worked(const std::string& what) { tries_.erase(what); }
    void forget_old(Instant now) {
        std::erase_if(tries_, [&](const auto& one) { return now - one.second.at > waits_.forget_after; });
    }

private:
    struct Try {
        Instant at{};
        Duration wait{};
    };

    const Waits waits_;
    std::map<std::string, Try> tries_;
};

}  // namespace muster::cluster
