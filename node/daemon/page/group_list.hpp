// The list of all groups, by name or size, with search and pages.
#pragma once

#include <muster/node.hpp>

#include <chrono>
#include <cstddef>
#include <memory>
#include <mutex>
#include <string>
#include <vector>

namespace muster::daemon {

/// Searches a cached copy of all groups' names and sizes, so that browsers cannot keep the node busy. The copy is made
/// in small parts, because each part takes the node's lock. It is one second old at most, or older if making it takes
/// long: at most a tenth of the time goes into copies. It is freed after a minute without a search. Any thread.
class GroupList {
public:
    static constexpr std::size_t kPage = 50;
    enum class Order { by_name, by_members };

    /// `node` must outlive it.
    explicit GroupList(Node& node) : node_(node) {}

    struct Page {
        std::vector<GroupInfo> groups;  // kPage at most
        std::size_t total = 0;          // all groups
        std::size_t matched = 0;        // groups that match the search
    };
    /// The groups whose "store/feature" contains all the words, ignoring the case of ASCII letters. Skips the first
    /// `from`. Errors: as Node::groups_part.
    Result<Page> find(const std::string& words, Order order, std::size_t from);

    /// Frees the copy if it was not used for a minute. Call it from time to time.
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
