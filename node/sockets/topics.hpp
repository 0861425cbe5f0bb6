// The topics of a node's publisher (PROTOCOL.md, section 9, "Presence").
#pragma once

#include <muster/ids.hpp>

#include <cstddef>
#include <optional>
#include <string>
#include <string_view>
#include <unordered_map>

namespace muster::node {

/// "g:<scope>" and a NUL, so that the topic of no scope is a prefix of another's. In a frame, kHeartbeatMark or
/// kOtherMark and the message follow.
std::string gossip_topic(std::string_view scope);
inline constexpr char kHeartbeatMark = 'h';  // a node subscribes to its own heartbeats
inline constexpr char kOtherMark = 'n';

/// "@<scope>/<name>/<incarnation>". The subscription itself proves that the link to the peer is live.
std::string presence_topic(std::string_view scope, const NodeId& peer);
/// The presence topic and a NUL: the topic of messages for this peer alone. kOtherMark and the message follow.
std::string addressed_topic(std::string_view scope, const NodeId& peer);
/// The peer that a presence topic of this scope names; empty for any other topic.
std::optional<NodeId> parse_presence(std::string_view topic, std::string_view scope);

/// Counts the subscriptions of each presence topic. An old, half-open link and its successor can overlap, so a link is
/// lost only when the last subscription is gone.
class Presence {
public:
    explicit Presence(std::size_t max_topics = 65536) : max_topics_(max_topics) {}

    /// False, and not counted, if there are too many topics.
    bool add(std::string_view topic);
    /// True if this was the last subscription of the topic.
    bool remove(std::string_view topic);
    [[nodiscard]] std::size_t size() const { return counts_.size(); }

private:
    std::size_t max_topics_;
    std::unordered_map<std::string, std::size_t> counts_;
};

}  // namespace muster::node
