#include "node/admission/security.hpp"

#include <algorithm>
#include <utility>

#include "node/io/zmq_io.hpp"
#include "node/keys/curve.hpp"

namespace muster::node {
namespace {

cluster::Sender sender_from(const keys::Identity& identity) {
    using Role = cluster::Sender::Role;
    switch (identity.role) {
        case keys::Role::node:
            return {Role::node, identity.name};
        case keys::Role::worker:
            return {Role::worker, identity.name};
        case keys::Role::observer:
            return {Role::observer, identity.name};
        case keys::Role::operator_:
            return {Role::operator_, identity.name};
    }
    return {};
}

/// A property of the connection that a message came by; empty if it has no such property.
std::string_view property_of(zmq::message_t& frame, const char* name) {
    const char* text = ::zmq_msg_gets(frame.handle(), name);
    return text == nullptr ? std::string_view{} : std::string_view(text);
}

}  // namespace

Security::Security(zmq::context_t& context, std::shared_ptr<keys::Keyring> keys, NodeCounters& counters,
                   std::shared_ptr<Wakeup> loop)
    : keys_(std::move(keys)), counters_(counters), loop_(std::move(loop)) {
    if (!keys_) return;
    own_ = keys_->own()->public_key();
    removals_ = keys_->removals();
    authenticator_.emplace(context, keys_, counters, loop_,
                           [this](const std::string& node, const keys::PublicKey& key) { node_key_seen(node, key); });
}

void Security::prepare_server(zmq::socket_t& socket, const char* domain) {
    if (keys_) keys::be_server(socket.handle(), *keys_->own(), domain);
}

void Security::prepare_client(zmq::socket_t& socket, const keys::PublicKey& server) const {
    keys::be_client(socket.handle(), *keys_->own(), server);
}

bool Security::prepare_client(zmq::socket_t& socket, const std::string& node, std::optional<keys::PublicKey>& used) {
    if (!keys_) return true;
    const auto all = keys_->keys_of_node(node);
    if (all.empty()) return false;
    auto chosen = used ? std::find(all.begin(), all.end(), *used) : all.end();
    if (chosen != all.end()) ++chosen;
    if (chosen == all.end()) chosen = all.begin();
    {
        const std::lock_guard lock(mutex_);
        if (const auto found = seen_.find(node); found != seen_.end())
            if (const auto known = std::find(all.begin(), all.end(), found->second); known != all.end()) chosen = known;
    }
    used = *chosen;
    prepare_client(socket, *used);
    return true;
}

void Security::node_key_seen(const std::string& node, const keys::PublicKey& key) {
    const std::lock_guard lock(mutex_);
    const auto [found, fresh] = seen_.try_emplace(node, key);
    if (!fresh && found->second == key) return;
    found->second = key;
    seen_changed_ = true;
    loop_->notify();
}

bool Security::is_out_of_date(const std::string& node, const std::optional<keys::PublicKey>& used) const {
    if (!keys_ || !used) return false;
    const auto all = keys_->keys_of_node(node);
    if (std::find(all.begin(), all.end(), *used) == all.end()) return true;
    const std::lock_guard lock(mutex_);
    const auto found = seen_.find(node);
    return found != seen_.end() && found->second != *used &&
           std::find(all.begin(), all.end(), found->second) != all.end();
}

std::optional<cluster::Sender> Security::sender_of(zmq::message_t& frame) {
    if (!keys_) return cluster::Sender{};
    if (const auto version = keys_->version(); version != senders_version_) {
        senders_version_ = version;
        senders_.clear();
    }
    const auto text = property_of(frame, kKeyProperty);
    const auto user = property_of(frame, "User-Id");
    if (text.empty() || user.empty()) {
        counters_.refused(Refusal::no_user);
        return std::nullopt;
    }
    if (const auto known = senders_.find(text); known != senders_.end()) return known->second;
    const auto key = keys::public_key_from_z85(text);
    const auto owner = key ? keys_->find(*key) : std::nullopt;
    if (!owner || keys::to_string(*owner) != user) {
        counters_.refused(Refusal::removed_key);
        return std::nullopt;
    }
    return senders_.emplace(text, sender_from(*owner)).first->second;
}

Security::Changes Security::take_changes() {
    Changes changes;
    if (!keys_) return changes;
    const auto own = keys_->own()->public_key();
    changes.own = own != std::exchange(own_, own);
    const auto removals = keys_->removals();
    changes.removed = removals != std::exchange(removals_, removals);
    const std::lock_guard lock(mutex_);
    changes.seen = std::exchange(seen_changed_, false);
    return changes;
}

std::vector<LogLine> Security::take_log_lines() {
    return authenticator_ ? authenticator_->take_log_lines() : std::vector<LogLine>{};
}

}  // namespace muster::node
