// What every part of a core shares within one step.
#pragma once

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
        const auto it = counters.find(name);
        if (it == counters.end())
            counters.emplace(name, n);
        else
            it->second += n;
    }
    /// A message of this node.
    [[nodiscard]] proto::Message message(proto::Body body, std::uint64_t seq = 0) const {
        return {{options.scope, self.name, self.incarnation.value, seq}, std::move(body)};
    }
};

}  // namespace muster::cluster
