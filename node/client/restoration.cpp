#include "node/client/restoration.hpp"

#include <utility>

namespace muster::client {
namespace {

constexpr std::size_t kWindow = 256;
constexpr auto kRetry = std::chrono::seconds(1);

}  // namespace

void Restoration::begin(std::deque<Request> requests) {
    queue_ = std::move(requests);
    unanswered_.clear();
    retry_at_.reset();
}

std::optional<Request> Restoration::next() {
    if (queue_.empty() || unanswered_.size() >= kWindow) return std::nullopt;
    auto request = std::move(queue_.front());
    queue_.pop_front();
    return request;
}

void Restoration::failed(Instant now) {
    retry_at_ = now + kRetry;
}

Instant Restoration::next_retry() const {
    return is_running() ? Instant::max() : retry_at_.value_or(Instant::max());
}

}  // namespace muster::client
