#include "node/client/lives.hpp"

namespace muster::client {

proto::Copy Lives::accept(std::uint64_t group, const proto::Notice& notice) {
    if (notice.from_worker.empty() || notice.life == 0 || notice.call == 0) return proto::Copy::fresh;
    return heard(notice.life).calls[group].accept(notice);
}

Lives::Life& Lives::heard(std::uint64_t life) {
    if (!recent_.empty() && recent_.front().life == life) return recent_.front();
    if (const auto found = lives_.find(life); found != lives_.end()) {
        recent_.splice(recent_.begin(), recent_, found->second);
        return recent_.front();
    }
    if (lives_.size() == kMost) {
        lives_.erase(recent_.back().life);
        recent_.pop_back();
    }
    recent_.push_front({life, {}});
    lives_[life] = recent_.begin();
    return recent_.front();
}

void Lives::forget(std::uint64_t group) {
    for (auto& life : recent_) life.calls.erase(group);
}

}  // namespace muster::client
