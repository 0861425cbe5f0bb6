// What a scenario is played on: a simulated cluster whose parts have names,
// which writes down what they do.
#pragma once

#include <functional>
#include <map>
#include <memory>
#include <set>
#include <string>
#include <vector>

#include "tests/sim/model.hpp"
#include "tests/sim/worker.hpp"

namespace muster::sim {

/// How a scenario's cluster is made; fixed once the first node starts.
struct Cast {
    struct WorkerRole {
        std::string name;
        std::vector<std::string> doors;  // of these nodes, in this order
    };
    Profile profile;
    std::map<std::string, Place> places;       // of nodes and impostors, by label
    std::map<std::string, std::string> names;  // of impostors, by label
    std::vector<WorkerRole> workers;
};

class Stage {
public:
    /// `tell` takes the transcript's lines.
    Stage(const Cast& cast, std::function<void(const std::string&)> tell);

    void run(Duration time) { world_->clock.run_until(world_->clock.now() + time); }
    /// Runs until every invariant of a cluster at rest holds; says how long it took, or what is missing.
    void settle(Duration limit);

    /// Null when there is none of this name.
    Host* host(const std::string& label);
    Worker* worker(const std::string& name);
    Place place(const std::string& name);
    Model& model() { return *model_; }
    World& world() { return *world_; }
    /// Nodes that run, by label.
    [[nodiscard]] std::map<std::string, Host*> running();

    void cut(Place from, Place to);
    void mend(Place from, Place to);
    void cut_port(Place client, Place server, Port port);
    void mend_port(Place client, Place server, Port port);
    void heal();

    /// Messages of these types are not told of; or again.
    void hide(const std::string& word) { hidden_.insert(word); }
    void show(const std::string& word) { hidden_.erase(word); }

    /// The next `count` messages of this type from a node of the name `origin`
    /// do not reach `to`; what is held comes when released.
    void withhold(const std::string& type, const std::string& origin, Host& to, std::uint64_t count, bool hold);
    void release();
    /// `to` gets this from `liar` over control.
    void tell_lie(Host& to, const Host& liar, proto::PeerNews news);
    /// Says something in the transcript that no part of the cluster said.
    void say(const std::string& text);

private:
    struct Held {
        Host* to;
        cluster::Channel channel;
        Frame frame;
        cluster::Sender sender;
    };
    struct Trap {
        std::string type;
        std::string origin;
        Host* to;
        std::uint64_t left;
        bool hold;
    };
    void take_line(Duration now, const std::string& who, const std::string& text);
    bool springs(Host& to, const cluster::MessageArrived& arrived, const Frame& frame);
    [[nodiscard]] std::string with_short_names(std::string text) const;
    [[nodiscard]] std::optional<std::string> unsettled();

    std::function<void(const std::string&)> tell_;
    std::map<std::string, Place> places_;
    std::map<std::string, std::string> names_;
    std::unique_ptr<World> world_;
    std::unique_ptr<Model> model_;
    std::vector<std::unique_ptr<Worker>> workers_;
    std::set<std::string> hidden_;
    std::map<std::pair<Place, Place>, int> cuts_;
    std::set<std::tuple<Place, Place, Port>> port_cuts_;
    std::vector<Trap> traps_;
    std::vector<Held> held_;
};

}  // namespace muster::sim
