#include "node/daemon/config.hpp"

#include <toml++/toml.h>
#include <unistd.h>

#include <CLI/CLI.hpp>
#include <algorithm>
#include <array>
#include <map>
#include <optional>
#include <sstream>
#include <vector>

#include "node/address.hpp"
#include "node/daemon/settings.hpp"

namespace muster::daemon {
namespace {

using Values = std::vector<std::string>;

Error bad(std::string text) {
    // One line, whatever a library or the user put into it.
    std::replace_if(
        text.begin(), text.end(), [](char c) { return static_cast<unsigned char>(c) < ' '; }, ' ');
    return {ErrorCode::bad_request, std::move(text)};
}

std::optional<Error> apply(const Setting& setting, const Values& values, const std::string& source, Config& config) {
    if (const auto wrong = setting.apply(config, values)) return bad(source + ": " + *wrong);
    return std::nullopt;
}

Values split(const std::string& text) {
    Values values;
    std::istringstream stream(text);
    for (std::string one; std::getline(stream, one, ',');)
        if (!one.empty()) values.push_back(one);
    return values;
}

/// The texts of a TOML value; empty when it is of another type than the setting.
std::optional<Values> texts_of(const Setting& setting, const toml::node& node) {
    if (const auto text = node.value_exact<std::string>()) return Values{*text};
    if (const auto number = node.value_exact<std::int64_t>()) return Values{std::to_string(*number)};
    if (const auto on = node.value_exact<bool>(); on && setting.is_switch()) return Values{*on ? "true" : "false"};
    const auto* array = node.as_array();
    if (array == nullptr || !setting.list) return std::nullopt;
    Values values;
    for (const auto& element : *array) {
        const auto text = element.value_exact<std::string>();
        if (!text) return std::nullopt;
        values.push_back(*text);
    }
    return values;
}

std::optional<Error> apply_file(const std::string& path, Config& config) {
    toml::table table;
    try {
        table = toml::parse_file(path);
    } catch (const toml::parse_error& error) {
        const auto line = error.source().begin.line;
        if (line == 0) return bad(path + ": cannot read it: check the name given to --config");
        return bad(path + ":" + std::to_string(line) + ": " + std::string(error.description()));
    }
    for (const auto& entry : table) {
        const auto& key = entry.first;
        const std::string place = path + ":" + std::to_string(key.source().begin.line) + ": " + std::string(key.str());
        const auto all = settings();
        const auto found = std::find_if(all.begin(), all.end(), [&](const Setting& s) { return key.str() == s.key; });
        if (found == all.end()) {
            std::string known;
            for (const auto& setting : all) known += (known.empty() ? "" : ", ") + std::string(setting.key);
            return bad(place + ": no such setting: use one of " + known);
        }
        const auto values = texts_of(*found, entry.second);
        if (!values)
            return bad(place + ": give a " + (found->list ? "list of texts" : "text or a number") + ", as in " +
                       found->key + " = " + (found->list ? "[\"HOST:PORT\"]" : "\"" + std::string(found->type) + "\""));
        if (auto wrong = apply(*found, *values, place, config)) return wrong;
    }
    return std::nullopt;
}

std::optional<Error> apply_environment(const Environment& environment, Config& config) {
    for (const auto& setting : settings()) {
        const char* text = environment(setting.variable().c_str());
        if (text == nullptr || *text == '\0') continue;
        const Values values = setting.list ? split(text) : Values{text};
        if (auto wrong = apply(setting, values, setting.variable(), config)) return wrong;
    }
    return std::nullopt;
}

std::string host_name() {
    std::array<char, 256> text{};
    if (::gethostname(text.data(), text.size() - 1) != 0) return {};
    return text.data();
}

std::string reason_of(const CLI::ParseError& error) {
    std::string text = error.what();
    const auto end = text.find_first_of("\r\n");
    if (end != std::string::npos) text.resize(end);
    return text;
}

/// HTTP has no keys, so that what it tells stays on the machine unless that is wanted.
std::optional<Error> why_open_to_all(const Config& config) {
    if (config.http.empty() || config.node.insecure) return std::nullopt;
    const auto host = node::parse_address(config.http)->host;
    const auto all = node::is_numeric(host) ? std::vector{host} : node::resolve(host);
    if (!all.empty() && std::all_of(all.begin(), all.end(), node::is_loopback)) return std::nullopt;
    return bad("--http " + config.http + ": everyone who reaches it could read it, also where the node has keys: " +
               "give an address of loopback, or --insecure");
}

}  // namespace

Result<std::variant<Config, Shown>> load_config(int argc, const char* const* argv, const Environment& environment) {
    CLI::App app("One node of a muster cluster: serves workers, and keeps its view of the groups with other nodes.",
                 "musterd");
    std::string file;
    app.add_option("--config", file, "TOML file with any of these settings (session_grace for --session-grace)")
        ->type_name("FILE");
    app.set_version_flag("--version", "musterd " MUSTER_VERSION);
    std::map<const Setting*, Values> given;
    for (const auto& setting : settings()) {
        auto* option = app.add_option(setting.flag(), given[&setting], setting.help)->type_name(setting.type);
        option->expected(setting.is_switch() ? 0 : 1, 1)->allow_extra_args(false);
        option->multi_option_policy(setting.list ? CLI::MultiOptionPolicy::TakeAll : CLI::MultiOptionPolicy::TakeLast);
    }
    app.footer(
        "A setting comes from its flag, then MUSTER_<NAME> (MUSTER_SESSION_GRACE), then the file, then its default.");
    try {
        app.parse(argc, argv);
    } catch (const CLI::CallForHelp&) {
        return std::variant<Config, Shown>(Shown{app.help()});
    } catch (const CLI::CallForVersion& version) {
        return std::variant<Config, Shown>(Shown{std::string(version.what()) + "\n"});
    } catch (const CLI::ParseError& error) {
        return bad(reason_of(error) + ": see musterd --help");
    }

    Config config;
    config.node.name = host_name();
    if (const char* named = environment("MUSTER_CONFIG"); file.empty() && named != nullptr) file = named;
    if (!file.empty())
        if (auto wrong = apply_file(file, config)) return *wrong;
    if (auto wrong = apply_environment(environment, config)) return *wrong;
    for (const auto& setting : settings()) {
        const Values& values = given[&setting];
        if (values.empty()) continue;
        if (auto wrong = apply(setting, values, setting.flag(), config)) return *wrong;
    }
    if (!is_valid_name(config.node.name))
        return bad("the host's name \"" + config.node.name + "\" is no node name: give one with --name");
    if (auto wrong = why_open_to_all(config)) return *wrong;
    return std::variant<Config, Shown>(std::move(config));
}

}  // namespace muster::daemon
