#include "node/client/lives.hpp"

namespace muster::client {

bool Lives::accept(std::uint64_t group, const proto::Notice& notice) {
    if (notice.from_worker.empty() || notice.life == 0 || notice.call == 0) return true;
    Call& highest = heard(notice.life).highest[group];
    const bool is_part =
        notice.call == highest.call && notice.seq == highest.seq && notice.from_node == highest.from_node;
    if (notice.repeated && notice.call <= highest.call && !is_part) return false;
    if (notice.call <= highest.call) return true;
    highest.call = notice.call;
    highest.seq = notice.seq;
    if (highest.from_node != notice.from_node) highest.from_node = notice.from_node;
    return true;
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
    for (auto& life : recent_) life.highest.erase(group);
}

}  // namespace muster::client
