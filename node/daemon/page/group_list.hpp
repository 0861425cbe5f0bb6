// All groups by name or by size, searched and shown in pages.
#pragma once

#include <muster/node.hpp>

#include <chrono>
#include <cstddef>
#include <memory>
#include <mutex>
#include <string>
#include <vector>

namespace muster::daemon {

/// Searches a copy of all groups' names and sizes, so that the node is asked in small parts, and seldom: the copy is at
/// most some seconds old, more where there are very many. It goes when nobody has asked for a minute. Any thread.
class GroupList {
public:
    static constexpr std::size_t kPage = 50;
    enum class Order { by_name, by_members };

    /// `node` outlives it.
    explicit GroupList(Node& node) : node_(node) {}

    struct Page {
        std::vector<GroupInfo> groups;  // kPage at most
        std::size_t total = 0;          // of all
        std::size_t matched = 0;        // of those, how many are found
    };
    /// Those whose "store/feature" has all the words, in whichever case of ASCII letters, from number `from` on.
    /// Errors: as Node's.
    Result<Page> find(const std::string& words, Order order, std::size_t from);

    /// To be called now and then.
    void forget_if_idle();

private:
    using Clock = std::chrono::steady_clock;
    struct Copy {
        std::vector<GroupInfo> by_name;
        std::vector<std::size_t> by_members;  // indices, the largest first
    };
    Result<std::shared_ptr<const Copy>> copy();

    Node& node_;
    std::mutex mutex_;
    std::shared_ptr<const Copy> copy_;
    Clock::time_point fresh_until_{};
    Clock::time_point asked_{};
};

}  // namespace muster::daemon
