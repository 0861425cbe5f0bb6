// The topics on a node's publisher: one that carries the gossip, and one per
// peer whose mere subscription proves that the peer's link is live.
#pragma once

#include <muster/ids.hpp>

#include <cstddef>
#include <optional>
#include <string>
#include <string_view>
#include <unordered_map>

namespace muster::node {

/// "g:<scope>" and a NUL, so that no scope is a prefix of another; kBeat or kNews and the message follow.
std::string gossip_topic(std::string_view scope);
inline constexpr char kBeat = 'h';  // a heartbeat; a node listens to its own
inline constexpr char kNews = 'n';  // anything else
/// "@<scope>/<name>/<incarnation>".
std::string presence_topic(std::string_view scope, const NodeId& peer);
/// The peer that a presence topic of this scope names; empty for any other topic.
std::optional<NodeId> parse_presence(std::string_view topic, std::string_view scope);

/// Counts the subscriptions of each presence topic, because an old half-open
/// link and its successor overlap: only the last one to go is a loss.
class Presence {
public:
    explicit Presence(std::size_t max_topics = 65536) : max_topics_(max_topics) {}

    /// False when there are too many topics; it then is not counted.
    bool add(std::string_view topic);
    /// True when this was the last one.
    bool remove(std::string_view topic);
    [[nodiscard]] std::size_t size() const { return counts_.size(); }

private:
    std::size_t max_topics_;
    std::unordered_map<std::string, std::size_t> counts_;
};

}  // namespace muster::node
