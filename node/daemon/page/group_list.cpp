#include "node/daemon/page/group_list.hpp"

#include <algorithm>
#include <iterator>
#include <numeric>
#include <sstream>
#include <utility>

namespace muster::daemon {
namespace {

constexpr auto kFresh = std::chrono::seconds(1);
constexpr int kRestFactor = 10;  // so at most a tenth of the time goes into copies
constexpr auto kIdle = std::chrono::minutes(1);

char lower(char c) {
    return c >= 'A' && c <= 'Z' ? static_cast<char>(c - 'A' + 'a') : c;
}

std::vector<std::string> words_of(std::string text) {
    std::ranges::transform(text, text.begin(), lower);
    std::istringstream stream(std::move(text));
    std::vector<std::string> words;
    for (std::string word; stream >> word;) words.push_back(std::move(word));
    return words;
}

bool has_all(const Group& group, const std::vector<std::string>& words) {
    std::string name = group.store + '/' + group.feature;
    std::ranges::transform(name, name.begin(), lower);
    return std::ranges::all_of(words, [&](const auto& word) { return name.find(word) != std::string::npos; });
}

}  // namespace

Result<std::shared_ptr<const GroupList::Copy>> GroupList::copy() {
    const std::lock_guard lock(mutex_);
    const auto begun = asked_ = Clock::now();
    if (copy_ && begun < fresh_until_) return copy_;
    auto fresh = std::make_shared<Copy>();
    std::uint64_t from = 0;
    do {
        auto part = node_.groups_part(from);
        if (!part) return part.error();
        std::ranges::move(part->groups, std::back_inserter(fresh->by_name));
        from = part->next;
    } while (from != 0);
    auto& groups = fresh->by_name;
    std::ranges::sort(groups, {}, &GroupInfo::group);
    // Between two parts a group may have moved to another position, and then appears twice.
    // (clang 14 cannot compile std::ranges::unique.)
    const auto same = [](const GroupInfo& a, const GroupInfo& b) { return a.group == b.group; };
    groups.erase(std::unique(groups.begin(), groups.end(), same), groups.end());
    fresh->by_members.resize(groups.size());
    std::iota(fresh->by_members.begin(), fresh->by_members.end(), std::size_t{0});
    std::ranges::stable_sort(fresh->by_members, std::greater{}, [&](std::size_t i) { return groups[i].members; });
    copy_ = std::move(fresh);
    const auto now = Clock::now();
    fresh_until_ = now + std::max<Clock::duration>(kFresh, kRestFactor * (now - begun));
    return copy_;
}

Result<GroupList::Page> GroupList::find(const std::string& words, Order order, std::size_t from) {
    const auto all = copy();
    if (!all) return all.error();
    const Copy& list = **all;
    const auto wanted = words_of(words);
    Page page;
    page.total = list.by_name.size();
    for (std::size_t i = 0; i < list.by_name.size(); ++i) {
        const GroupInfo& info = list.by_name[order == Order::by_name ? i : list.by_members[i]];
        if (!wanted.empty() && !has_all(info.group, wanted)) continue;
        if (page.matched >= from && page.groups.size() < kPage) page.groups.push_back(info);
        ++page.matched;
    }
    return page;
}

void GroupList::forget_if_idle() {
    const std::lock_guard lock(mutex_);
    if (copy_ && Clock::now() - asked_ > kIdle) copy_.reset();
}

}  // namespace muster::daemon
