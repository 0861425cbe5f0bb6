#include "node/sockets/topics.hpp"

#include <charconv>
#include <system_error>

namespace muster::node {

std::string gossip_topic(std::string_view scope) {
    std::string topic = "g:";
    topic += scope;
    topic += '\0';
    return topic;
}

std::string presence_topic(std::string_view scope, const NodeId& peer) {
    std::string topic = "@";
    topic += scope;
    topic += '/';
    topic += peer.name;
    topic += '/';
    topic += std::to_string(peer.incarnation.value);
    return topic;
}

std::string addressed_topic(std::string_view scope, const NodeId& peer) {
    return presence_topic(scope, peer) + '\0';
}

std::optional<NodeId> parse_presence(std::string_view topic, std::string_view scope) {
    if (topic.size() < scope.size() + 2 || topic[0] != '@' || topic.substr(1, scope.size()) != scope ||
        topic[scope.size() + 1] != '/')
        return std::nullopt;
    topic.remove_prefix(scope.size() + 2);
    const auto slash = topic.find('/');
    if (slash == std::string_view::npos || !is_valid_name(topic.substr(0, slash))) return std::nullopt;
    const std::string_view digits = topic.substr(slash + 1);
    std::uint64_t incarnation = 0;
    const auto parsed = std::from_chars(digits.data(), digits.data() + digits.size(), incarnation);
    if (parsed.ec != std::errc{} || parsed.ptr != digits.data() + digits.size() || incarnation == 0)
        return std::nullopt;
    return NodeId{std::string(topic.substr(0, slash)), Incarnation{incarnation}};
}

bool Presence::add(std::string_view topic) {
    if (counts_.size() >= max_topics_ && !counts_.contains(std::string(topic))) return false;
    ++counts_[std::string(topic)];
    return true;
}

bool Presence::remove(std::string_view topic) {
    const auto found = counts_.find(std::string(topic));
    if (found == counts_.end()) return false;
    if (--found->second != 0) return false;
    counts_.erase(found);
    return true;
}

}  // namespace muster::node
