// What every part of a core shares within one step.
#pragma once

#include <array>
#include <cstdint>
#include <map>
#include <string>
#include <string_view>
#include <utility>

#include "cluster/action.hpp"
#include "cluster/options.hpp"
#include "cluster/random.hpp"

namespace muster::cluster {

struct Context {
    explicit Context(Options given) : options(std::move(given)), self(options.self), random(options.random_seed) {}

    Context(const Context&) = delete;
    Context& operator=(const Context&) = delete;

    const Options options;
    NodeId self;  // options.self, or a higher incarnation of it
    Instant now{};
    Actions* actions = nullptr;  // of the step under way
    Random random;
    std::map<std::string, std::uint64_t, std::less<>> counters;

    template <class A>
    void emit(A action) {
        actions->emplace_back(std::move(action));
    }
    void note(Note::Kind kind, std::string node, std::string text) {
        emit(Note{kind, std::move(node), std::move(text)});
    }
    void count(std::string_view name, std::uint64_t n = 1) {
        // Mostly the name is a literal that was counted before: no search then.
        Counted*& known = counted_[(reinterpret_cast<std::uintptr_t>(name.data()) / 8) % counted_.size()];
        if (!known || known->first != name) known = &*counters.try_emplace(std::string(name)).first;
        known->second += n;
    }
    /// A message of this node.
    [[nodiscard]] proto::Message message(proto::Body body, std::uint64_t seq = 0) const {
        return {{options.scope, self.name, self.incarnation.value, seq}, std::move(body)};
    }

private:
    using Counted = std::pair<const std::string, std::uint64_t>;
    std::array<Counted*, 64> counted_{};  // of `counters`, by where a name stands in memory
};

}  // namespace muster::cluster
