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
    std::vector<Error> problems;
    auto state = ring->read({}, problems);
    if (!problems.empty()) return problems.front();
    ring->set(std::move(state));
    return ring;
}

Keyring::State Keyring::read(const State& before, std::vector<Error>& problems) const {
    State state{before.own, {}};
    if (auto own = KeyPair::load(files_.key))
        state.own = std::make_shared<const KeyPair>(*std::move(own));
    else
        problems.push_back(own.error());
    state.trusted = Trusted::read(files_.folder, !files_.node.empty(), before.trusted, problems);
    if (files_.node.empty() || !state.own) return state;
    auto wrong = trust_own(state);
    if (!wrong) return state;
    problems.push_back(*std::move(wrong));
    if (!before.own) return state;
    state.own = before.own;
    const auto key = before.own->public_key();
    state.trusted.owners[key] = {Role::node, files_.node};
    auto& own = state.trusted.nodes[files_.node];
    if (std::find(own.curve.begin(), own.curve.end(), key) != own.curve.end()) return state;
    own.curve.push_back(key);
    own.sign.push_back(before.own->sign_key());
    return state;
}

std::optional<Error> Keyring::trust_own(State& state) const {
    const Identity self{Role::node, files_.node};
    const auto [owner, fresh] = state.trusted.owners.emplace(state.own->public_key(), self);
    if (!fresh && owner->second != self)
        return Error{ErrorCode::bad_request, files_.key + ": this is the key of " + to_string(owner->second) +
                                                 ", not of " + to_string(self) + ": give each node its own key"};
    if (!fresh) return std::nullopt;
    auto& keys = state.trusted.nodes[files_.node];
    if (keys.curve.empty()) {
        keys = {{state.own->public_key()}, {state.own->sign_key()}};
        return std::nullopt;
    }
    state.trusted.owners.erase(owner);
    return Error{ErrorCode::bad_request, files_.key + ": is not the key in " + files_.folder + "/nodes/" + files_.node +
                                             ".pub: other nodes would refuse this node"};
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

bool Keyring::is_worker(const std::string& name) const {
    return state()->trusted.workers.contains(name);
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

Keyring::Changes Keyring::reload() {
    const std::lock_guard lock(reloading_);
    return reload_locked();
}

Keyring::Changes Keyring::reload_locked() {
    fingerprint_ = fingerprint();
    Changes changes;
    const auto before = state();
    auto fresh = read(*before, changes.problems);
    changes.added = only_in(fresh.trusted, before->trusted);
    changes.removed = only_in(before->trusted, fresh.trusted);
    changes.own = fresh.own->public_key() != before->own->public_key();
    set(std::move(fresh));
    if (!changes.removed.empty()) ++removals_;
    if (!changes.none()) ++version_;
    stale_.store(changes.problems.size(), std::memory_order_release);
    // The process had no descriptor: the file may be right, and will not change. Read it again at the next check.
    const auto is_short = [](const Error& problem) { return problem.code == ErrorCode::overloaded; };
    if (std::any_of(changes.problems.begin(), changes.problems.end(), is_short)) fingerprint_.clear();
    return changes;
}

std::optional<Keyring::Changes> Keyring::reload_if_changed() {
    const std::lock_guard lock(reloading_);
    if (fingerprint() == fingerprint_) return std::nullopt;
    return reload_locked();
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

std::string text_of(const std::vector<Error>& problems) {
    if (problems.empty()) return {};
    const auto more = problems.size() - 1;
    return problems.front().text + (more == 0 ? "" : " (and " + std::to_string(more) + " more)");
}

}  // namespace muster::keys
