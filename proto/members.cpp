#include <muster/members.hpp>

namespace muster {

std::uint64_t MembersHold::this_thread() {
    static constinit std::atomic<std::uint64_t> last = 0;
    if (thread_ == 0) thread_ = last.fetch_add(1, std::memory_order_relaxed) + 1;
    return thread_;
}

}  // namespace muster
