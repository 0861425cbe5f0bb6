#include "node/keys/keyring.hpp"

#include <algorithm>
#include <utility>

namespace muster::keys {
namespace {

/// Owners of keys that are in `these` but not in `those`, each once.
std::vector<Identity> only_in(const Trusted& these, const Trusted& those) {
    std::vector<Identity> only;
    for (const auto& [key, owner] : these.owners) {
        const auto found = those.owners.find(key);
        if (found == those.owners.end() || found->second != owner) only.push_back(owner);
    }
    std::sort(only.begin(), only.end());
    only.erase(std::unique(only.begin(), only.end()), only.end());
    return only;
}

}  // namespace

Result<std::shared_ptr<Keyring>> Keyring::open(Files files) {
    std::shared_ptr<Keyring> ring(new Keyring(std::move(files)));
    ring->fingerprint_ = ring->fingerprint();  // before read(): a change in between is then noticed later
    auto state = ring->read();
    if (!state) return state.error();
    ring->set(*std::move(state));
    return ring;
}

Result<Keyring::State> Keyring::read() const {
    auto own = KeyPair::load(files_.key);
    if (!own) return own.error();
    auto trusted = Trusted::read(files_.folder, !files_.node.empty());
    if (!trusted) return trusted.error();
    State state{std::make_shared<const KeyPair>(*std::move(own)), *std::move(trusted)};
    if (files_.node.empty()) return state;
    const Identity self{Role::node, files_.node};
    const auto [owner, fresh] = state.trusted.owners.emplace(state.own->public_key(), self);
    if (!fresh && owner->second != self)
        return Error{ErrorCode::bad_request, files_.key + ": this is the key of " + to_string(owner->second) +
                                                 ", not of " + to_string(self) + ": give each node its own key"};
    auto& keys = state.trusted.nodes[files_.node];
    if (fresh && !keys.curve.empty())
        return Error{ErrorCode::bad_request, files_.key + ": is not the key in " + files_.folder + "/nodes/" +
                                                 files_.node + ".pub: other nodes would refuse this node"};
    if (fresh) keys = {{state.own->public_key()}, {state.own->sign_key()}};
    return state;
}

std::string Keyring::fingerprint() const {
    return fingerprint_of(files_.key, files_.folder);
}

std::shared_ptr<const Keyring::State> Keyring::state() const {
    const std::lock_guard lock(mutex_);
    return state_;
}

void Keyring::set(State state) {
    auto next = std::make_shared<const State>(std::move(state));
    const std::lock_guard lock(mutex_);
    state_.swap(next);
}

std::shared_ptr<const KeyPair> Keyring::own() const {
    return state()->own;
}

std::optional<Identity> Keyring::find(const PublicKey& key) const {
    const auto current = state();
    const auto found = current->trusted.owners.find(key);
    if (found == current->trusted.owners.end()) return std::nullopt;
    return found->second;
}

std::vector<Keyring::NodeKey> Keyring::node_keys(const std::string& name) const {
    const auto current = state();
    std::vector<NodeKey> all;
    for (const auto& [node, keys] : current->trusted.nodes)
        if (name.empty() || node == name)
            for (const auto& key : keys.curve) all.push_back({node, key});
    return all;
}

std::vector<PublicKey> Keyring::keys_of_node(const std::string& name) const {
    const auto current = state();
    const auto found = current->trusted.nodes.find(name);
    return found == current->trusted.nodes.end() ? std::vector<PublicKey>{} : found->second.curve;
}

std::string Keyring::sign(std::string_view bytes) const {
    return own()->sign(bytes);
}

bool Keyring::is_signed_by(const std::string& node, std::string_view bytes, std::string_view signature) const {
    const auto current = state();
    const auto found = current->trusted.nodes.find(node);
    if (found == current->trusted.nodes.end()) return false;
    const auto& keys = found->second.sign;
    return std::any_of(keys.begin(), keys.end(),
                       [&](const PublicKey& key) { return is_signature(key, bytes, signature); });
}

Result<Keyring::Changes> Keyring::reload() {
    const std::lock_guard lock(reloading_);
    fingerprint_ = fingerprint();
    auto fresh = read();
    if (!fresh) return fresh.error();
    const auto before = state();
    const Changes changes{only_in(fresh->trusted, before->trusted), only_in(before->trusted, fresh->trusted),
                          fresh->own->public_key() != before->own->public_key()};
    set(*std::move(fresh));
    if (!changes.removed.empty()) ++removals_;
    if (!changes.none()) ++version_;
    return changes;
}

std::optional<Result<Keyring::Changes>> Keyring::reload_if_changed() {
    {
        const std::lock_guard lock(reloading_);
        if (fingerprint() == fingerprint_) return std::nullopt;
    }
    return reload();
}

std::string to_string(const Keyring::Changes& changes) {
    std::string text = changes.own ? "a new own key pair" : "";
    const auto add = [&text](const char* what, const std::vector<Identity>& owners) {
        for (const auto& owner : owners) text += (text.empty() ? "" : ", ") + std::string(what) + to_string(owner);
    };
    add("added ", changes.added);
    add("removed ", changes.removed);
    return text.empty() ? "no change" : text;
}

}  // namespace muster::keys
