// Signatures of the simulated cluster: nobody can make another's, and that is all that counts here.
#pragma once

#include <map>
#include <memory>
#include <string>
#include <string_view>

#include "cluster/notary.hpp"
#include "proto/messages.hpp"
#include "tests/sim/random.hpp"

namespace muster::sim {

/// How often the key of each node was replaced, by name. Then signatures with its earlier keys are worth nothing.
struct Replacements {
    std::map<std::string, std::uint64_t> of;
    std::uint64_t all = 0;

    void replace(const std::string& node) { ++of[node], ++all; }
};

/// The keys of all nodes are drawn from one secret of the run.
class Notary final : public cluster::Notary {
public:
    /// `replaced`: shared by all nodes; null: no key is ever replaced.
    Notary(std::uint64_t secret, std::string self, std::shared_ptr<const Replacements> replaced = {})
        : secret_(secret), self_(std::move(self)), replaced_(std::move(replaced)) {}

    std::string sign(std::string_view bytes) override { return signature(self_, bytes); }
    bool is_signed_by(const std::string& node, std::string_view bytes, std::string_view given) override {
        return given == signature(node, bytes);
    }
    [[nodiscard]] std::uint64_t removals() const override { return replaced_ ? replaced_->all : 0; }
    /// Each worker has the key of its name, and no name has a dot but that of the worker w.own.
    [[nodiscard]] bool is_key_of_worker(const std::string& name) const override { return name == "w.own"; }

private:
    [[nodiscard]] std::string signature(const std::string& node, std::string_view bytes) const;

    std::uint64_t secret_;
    std::string self_;
    std::shared_ptr<const Replacements> replaced_;
};

/// What is in a seal, whoever made it; any other message as it is.
proto::Message unsealed(const proto::Message& message);

}  // namespace muster::sim
