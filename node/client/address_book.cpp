#include "node/client/address_book.hpp"

#include <algorithm>
#include <utility>

#include "node/io/address.hpp"
#include "proto/limits.hpp"

namespace muster::client {
namespace {

constexpr std::size_t kMostLearned = 64;

bool contains(const std::vector<std::string>& list, const std::string& address) {
    return std::any_of(list.begin(), list.end(),
                       [&](const std::string& one) { return host_port_of(one) == host_port_of(address); });
}

}  // namespace

std::string_view host_port_of(std::string_view address) {
    return address.substr(address.find('@') + 1);  // npos + 1 is 0
}

std::string_view node_name_of(std::string_view address) {
    const auto at = address.find('@');
    return at == std::string_view::npos ? std::string_view{} : address.substr(0, at);
}

bool is_valid_address(std::string_view text) {
    if (text.size() > limits::kAddress) return false;
    const auto named = node::parse_named_address(text);
    return named && node::parse_address(named->address)->port != 0;
}

AddressBook::AddressBook(std::vector<std::string> nodes, bool in_order, std::uint64_t random_seed)
    : in_order_(in_order), random_(random_seed), listed_(std::move(nodes)) {
    begin_round();
}

void AddressBook::learn(const std::vector<std::string>& nodes) {
    learned_.clear();
    for (const auto& address : nodes) {
        if (learned_.size() == kMostLearned) break;
        if (is_valid_address(address) && !contains(listed_, address) && !contains(learned_, address))
            learned_.push_back(address);
    }
}

bool AddressBook::is_avoided(const std::string& address) const {
    return contains(avoided_, address);
}

bool AddressBook::has_other_than(const std::vector<std::string>& addresses) const {
    const auto is_other = [&](const std::string& address) { return !contains(addresses, address); };
    return std::any_of(listed_.begin(), listed_.end(), is_other) ||
           std::any_of(learned_.begin(), learned_.end(), is_other);
}

void AddressBook::begin_round(const std::string& first) {
    round_.clear();
    const auto add = [this](const std::string& address) {
        if (!address.empty() && !is_avoided(address) && !contains(round_, address)) round_.push_back(address);
    };
    const auto add_all = [&](std::vector<std::string> addresses) {
        if (!in_order_) std::shuffle(addresses.begin(), addresses.end(), random_);
        for (const auto& address : addresses) add(address);
    };
    add(first);
    add_all(listed_);
    add_all(learned_);
    std::reverse(round_.begin(), round_.end());
}

void AddressBook::begin_round_without(const std::string& last) {
    begin_round();
    const auto at = std::find(round_.begin(), round_.end(), last);
    if (at != round_.end()) std::rotate(round_.begin(), at, at + 1);
}

void AddressBook::prefer(const std::string& address) {
    const auto at = std::find_if(round_.begin(), round_.end(),
                                 [&](const std::string& one) { return host_port_of(one) == host_port_of(address); });
    if (at != round_.end()) std::rotate(at, at + 1, round_.end());
}

void AddressBook::try_next(const std::string& address) {
    std::erase(round_, address);
    if (!is_avoided(address)) round_.push_back(address);
}

std::optional<std::string> AddressBook::next() {
    if (round_.empty()) return std::nullopt;
    auto address = std::move(round_.back());
    round_.pop_back();
    return address;
}

}  // namespace muster::client
