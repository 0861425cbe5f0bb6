#include "cluster/replication/sync_progress.hpp"

#include <algorithm>

namespace muster::cluster {
namespace {

constexpr std::uint64_t kMost = std::uint64_t{1} << 40;  // of one table; sums of all stay far from overflow

std::uint64_t permille(const SyncProgress& progress) {
    const bool says_members = progress.known > 0;
    const std::uint64_t of = says_members ? progress.known : progress.tables;
    const std::uint64_t has = says_members ? progress.taken : progress.whole;
    const std::uint64_t most = progress.is_whole() ? 1000 : 999;
    return of == 0 ? most : std::min(has * 1000 / of, most);
}

std::string seconds(Duration duration) {
    return std::to_string(std::chrono::duration_cast<std::chrono::seconds>(duration).count()) + " s";
}

}  // namespace

void SyncProgress::add(bool is_whole, std::uint64_t has, std::uint64_t of) {
    ++tables;
    whole += is_whole ? 1 : 0;
    of = std::min(of, kMost);
    taken += std::min(has, of);
    known += of;
}

std::string to_text(const SyncProgress& progress) {
    return std::to_string(permille(progress) / 10) + " %: " + std::to_string(progress.taken) + " of " +
           std::to_string(progress.known) + " members, " + std::to_string(progress.whole) + " of " +
           std::to_string(progress.tables) + " tables";
}

std::string to_text(const SyncProgress& progress, Duration since) {
    const auto done = static_cast<Duration::rep>(permille(progress));
    std::string text = to_text(progress) + "; " + seconds(since) + " so far";
    if (done > 0) text += ", some " + seconds(since * (1000 - done) / done) + " left";
    return text;
}

}  // namespace muster::cluster
