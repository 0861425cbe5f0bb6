#include "cluster/replication/sync_progress.hpp"

#include <algorithm>

namespace muster::cluster {
namespace {

constexpr std::uint64_t kMaxClaim = std::uint64_t{1} << 40;  // of one table; the sum for 4096 peers is below 2^53

std::uint64_t permille(const SyncProgress& progress) {
    const bool has_claims = progress.expected > 0;
    const std::uint64_t of = has_claims ? progress.expected : progress.tables;
    const std::uint64_t has = has_claims ? progress.present : progress.complete;
    // A table of unknown size may be missing even when all expected members are here: that is not 100 %.
    const std::uint64_t most = progress.is_complete() ? 1000 : 999;
    return of == 0 ? most : std::min(has * 1000 / of, most);
}

std::string seconds(Duration duration) {
    return std::to_string(std::chrono::duration_cast<std::chrono::seconds>(duration).count()) + " s";
}

}  // namespace

void SyncProgress::add(bool is_complete, std::uint64_t has, std::uint64_t of) {
    ++tables;
    complete += is_complete ? 1 : 0;
    of = std::min(of, kMaxClaim);
    present += std::min(has, of);
    expected += of;
}

std::string to_text(const SyncProgress& progress) {
    return std::to_string(permille(progress) / 10) + " %: " + std::to_string(progress.present) + " of " +
           std::to_string(progress.expected) + " members, " + std::to_string(progress.complete) + " of " +
           std::to_string(progress.tables) + " tables";
}

std::string to_text(const SyncProgress& progress, Duration elapsed) {
    const auto done = static_cast<Duration::rep>(permille(progress));
    std::string text = to_text(progress) + "; " + seconds(elapsed) + " so far";
    if (done > 0) text += ", some " + seconds(elapsed * (1000 - done) / done) + " left";
    return text;
}

}  // namespace muster::cluster
