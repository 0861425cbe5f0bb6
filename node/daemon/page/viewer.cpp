#include "node/daemon/page/viewer.hpp"

#include <utility>

namespace muster::daemon {

bool Viewer::offer(Frame frame) {
    const std::lock_guard lock(mutex_);
    if (frames_.size() >= kFrames) return false;
    frames_.push_back(std::move(frame));
    changed_.notify_one();
    return true;
}

void Viewer::replace(Frame frame) {
    const std::lock_guard lock(mutex_);
    frames_.clear();
    frames_.push_back(std::move(frame));
    changed_.notify_one();
}

Frame Viewer::take(std::chrono::milliseconds timeout) {
    std::unique_lock lock(mutex_);
    changed_.wait_for(lock, timeout, [&] { return closed_ || !frames_.empty(); });
    if (closed_ || frames_.empty()) return nullptr;
    Frame frame = std::move(frames_.front());
    frames_.pop_front();
    return frame;
}

void Viewer::close() {
    const std::lock_guard lock(mutex_);
    closed_ = true;
    changed_.notify_all();
}

bool Viewer::is_closed() const {
    const std::lock_guard lock(mutex_);
    return closed_;
}

}  // namespace muster::daemon
