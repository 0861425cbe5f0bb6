#include "node/daemon/config.hpp"

#include <fcntl.h>
#include <sys/stat.h>
#include <toml++/toml.h>
#include <unistd.h>

#include <CLI/CLI.hpp>
#include <algorithm>
#include <array>
#include <cerrno>
#include <chrono>
#include <map>
#include <optional>
#include <sstream>
#include <system_error>
#include <vector>

#include "node/daemon/nearest.hpp"
#include "node/daemon/settings.hpp"
#include "node/io/address.hpp"
#include "node/io/name_service.hpp"
#include "node/io/shortage.hpp"

namespace muster::daemon {
namespace {

using Values = std::vector<std::string>;
using Problems = std::vector<std::string>;

std::string one_line(std::string text) {
    // Texts of users and libraries may contain line breaks.
    std::replace_if(
        text.begin(), text.end(), [](char c) { return static_cast<unsigned char>(c) < ' '; }, ' ');
    return text;
}

void apply(const Setting& setting, const Values& values, const std::string& source, Loaded& to) {
    if (const auto wrong = setting.apply(to.config, values)) to.problems.push_back(one_line(source + ": " + *wrong));
}

/// "did you mean seed?" if a known name is similar to `typed`; otherwise `otherwise`.
std::string meant(const std::string& typed, std::string (*name)(const Setting&), const std::string& otherwise) {
    std::vector<std::string> known;
    for (const auto& setting : settings()) known.push_back(name(setting));
    const auto near = nearest(typed, known);
    return near ? "did you mean " + *near + "?" : otherwise;
}

Values split(const std::string& text) {
    Values values;
    std::istringstream stream(text);
    for (std::string one; std::getline(stream, one, ',');)
        if (!one.empty()) values.push_back(one);
    return values;
}

/// The values of a TOML node as texts. Nothing if its type does not match the setting.
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

std::string example_of(const Setting& setting) {
    const std::string key(setting.key);
    if (setting.list) return "a list of texts, for example " + key + " = [\"" + setting.type + "\"]";
    if (setting.is_switch()) return "true or false, for example " + key + " = true";
    return "a text or a number, for example " + key + " = \"" + setting.type + "\"";
}

void apply_entry(const std::string& path, const toml::key& key, const toml::node& value, Loaded& to) {
    const std::string name(key.str());
    const std::string place = path + ":" + std::to_string(key.source().begin.line) + ": " + name;
    const auto all = settings();
    const auto found = std::find_if(all.begin(), all.end(), [&](const Setting& s) { return name == s.key; });
    if (found != all.end()) {
        if (const auto values = texts_of(*found, value)) return apply(*found, *values, place, to);
        to.problems.push_back(one_line(place + ": give " + example_of(*found)));
    } else if (value.is_table()) {
        to.problems.push_back(one_line(place + ": sections are not supported: write all settings at the top level"));
    } else {
        std::string known;
        for (const auto& setting : all) known += (known.empty() ? "" : ", ") + std::string(setting.key);
        const auto key_of = [](const Setting& setting) { return std::string(setting.key); };
        to.problems.push_back(one_line(place + ": unknown setting: " + meant(name, key_of, "use one of " + known)));
    }
}

/// A file that cannot be opened because there is no descriptor for it is not a wrong setting: it may succeed later.
void throw_if_short(const std::string& path) {
    const int file = ::open(path.c_str(), O_RDONLY | O_CLOEXEC);
    if (file >= 0)
        ::close(file);
    else if (node::is_shortage(errno))
        throw std::system_error(errno, std::generic_category(), path);
}

void apply_file(const std::string& path, Loaded& to) {
    // Opening a FIFO waits for its writer, a device may never end, and a folder would count as an empty file.
    struct stat about {};
    if (::stat(path.c_str(), &about) == 0 && !S_ISREG(about.st_mode))
        return to.problems.push_back(one_line(path + ": is not a regular file: give a TOML file to --config"));
    toml::table table;
    try {
        table = toml::parse_file(path);
    } catch (const toml::parse_error& error) {
        const auto line = error.source().begin.line;
        if (line == 0) throw_if_short(path);
        return to.problems.push_back(
            line == 0 ? one_line(path + ": cannot be read: check the path given to --config")
                      : one_line(path + ":" + std::to_string(line) + ": " + std::string(error.description())));
    }
    using Entry = std::pair<const toml::key*, const toml::node*>;
    std::vector<Entry> entries;
    for (const auto& entry : table) entries.emplace_back(&entry.first, &entry.second);
    std::sort(entries.begin(), entries.end(), [](const Entry& a, const Entry& b) {
        return a.first->source().begin.line < b.first->source().begin.line;
    });
    for (const auto& [key, value] : entries) apply_entry(path, *key, *value, to);
}

void apply_environment(const Environment& environment, Loaded& to) {
    for (const auto& setting : settings()) {
        const auto found = environment.find(setting.variable());
        if (found == environment.end() || found->second.empty()) continue;
        apply(setting, setting.list ? split(found->second) : Values{found->second}, found->first, to);
    }
}

std::string reason_of(const CLI::ParseError& error) {
    std::string text = error.what();
    const auto end = text.find_first_of("\r\n");
    if (end != std::string::npos) text.resize(end);
    return text;
}

/// HTTP has no authentication, so without `insecure` it is allowed only on loopback. A name that does not resolve now
/// may do so later: HttpServer::bind() keeps to loopback, too.
void check_http(Loaded& loaded) {
    const Config& config = loaded.config;
    if (config.http.empty() || config.node.security.insecure) return;
    const auto host = node::parse_address(config.http)->host;
    const auto all = node::resolve_within(host, std::chrono::seconds(5));
    if (std::all_of(all.begin(), all.end(), node::is_loopback)) return;
    loaded.problems.push_back(one_line("--http " + config.http +
                                       ": anyone who reaches this address can read it, because HTTP has no keys: " +
                                       "use a loopback address, or give --insecure"));
}

/// Where the node or HTTP listens.
struct Port {
    const char* flag;
    node::Address address;
};

/// Whether both cannot be bound. False if that takes a look at the names of hosts.
bool collide(const node::Address& a, const node::Address& b) {
    if (a.port != b.port || a.port == 0) return false;
    const auto is_v6 = [](const std::string& host) { return host.find(':') != std::string::npos; };
    const auto covers = [&](const std::string& any, const std::string& host) {
        return node::is_any(any) && node::is_numeric(host) && is_v6(any) == is_v6(host);
    };
    return a.host == b.host || covers(a.host, b.host) || covers(b.host, a.host);
}

void check_ports(Loaded& loaded) {
    const auto& options = loaded.config.node;
    const auto listen = *node::parse_address(options.listen);
    std::vector<Port> ports{{"--listen", listen},
                            {"--control-port", {listen.host, options.control_port}},
                            {"--gossip-port", {listen.host, options.gossip_port}}};
    if (!loaded.config.http.empty()) ports.push_back({"--http", *node::parse_address(loaded.config.http)});
    for (auto a = ports.begin(); a != ports.end(); ++a)
        for (auto b = a + 1; b != ports.end(); ++b)
            if (collide(a->address, b->address))
                loaded.problems.push_back(std::string(b->flag) + ": " + std::to_string(b->address.port) +
                                          " is the port of " + a->flag + ", too: give each its own");
}

void check_as_a_whole(Loaded& loaded) {
    const auto& name = loaded.config.node.name;
    if (!is_valid_name(name))
        loaded.problems.push_back(
            one_line("the host's name \"" + name + "\" is not a valid node name: give one with --name"));
    check_http(loaded);
    check_ports(loaded);
}

std::string why_not_expected(const std::string& word) {
    if (!word.starts_with("-")) return word + ": unexpected argument: see musterd --help";
    const auto flag_of = [](const Setting& setting) { return setting.flag(); };
    return word + ": unknown option: " + meant(word.substr(0, word.find('=')), flag_of, "see musterd --help");
}

}  // namespace

std::string host_name() {
    std::array<char, 256> text{};
    if (::gethostname(text.data(), text.size() - 1) != 0) return {};
    return text.data();
}

Environment environment_of_process() {
    Environment environment;
    for (char** entry = ::environ; entry != nullptr && *entry != nullptr; ++entry) {
        const std::string_view text(*entry);
        const auto end = text.find('=');
        if (text.starts_with("MUSTER_") && end != std::string_view::npos)
            environment.emplace(text.substr(0, end), text.substr(end + 1));
    }
    return environment;
}

Loaded load_config(int argc, const char* const* argv, const Environment& environment) {
    CLI::App app(
        "One node of a muster cluster. Workers connect to it and join groups; it exchanges joins and leaves with other "
        "nodes.",
        "musterd");
    Loaded loaded;
    std::string file;
    app.add_option("--config", file, "TOML file with any of these settings (session_grace for --session-grace)")
        ->type_name("FILE");
    app.add_flag("--check-config", loaded.only_check,
                 "check settings and keys without starting a node: print ok, or each problem");
    app.set_version_flag("--version", "musterd " MUSTER_VERSION);
    std::map<const Setting*, Values> given;
    for (const auto& setting : settings()) {
        auto* option = app.add_option(setting.flag(), given[&setting], setting.help)->type_name(setting.type);
        option->expected(setting.is_switch() ? 0 : 1, 1)->allow_extra_args(false);
        // A flag that comes again replaces the one before, so a script's flags can be overridden behind them.
        option->multi_option_policy(setting.list ? CLI::MultiOptionPolicy::TakeAll : CLI::MultiOptionPolicy::TakeLast);
    }
    app.footer(
        "A flag overrides the variable MUSTER_<NAME> (MUSTER_SESSION_GRACE), which overrides the file, which overrides "
        "the "
        "default.");
    app.allow_extras();
    try {
        app.parse(argc, argv);
    } catch (const CLI::CallForHelp&) {
        loaded.shown = app.help();
        return loaded;
    } catch (const CLI::CallForVersion& version) {
        loaded.shown = std::string(version.what()) + "\n";
        return loaded;
    } catch (const CLI::ParseError& error) {
        loaded.problems.push_back(one_line(reason_of(error) + ": see musterd --help"));
        return loaded;
    }
    if (const auto extras = app.remaining(); !extras.empty()) {
        loaded.problems.push_back(one_line(why_not_expected(extras.front())));
        return loaded;
    }

    loaded.config.node.name = host_name();
    if (const auto named = environment.find("MUSTER_CONFIG"); file.empty() && named != environment.end())
        file = named->second;
    if (!file.empty()) apply_file(file, loaded);
    apply_environment(environment, loaded);
    for (const auto& setting : settings())
        if (const Values& values = given[&setting]; !values.empty()) apply(setting, values, setting.flag(), loaded);
    check_as_a_whole(loaded);
    return loaded;
}

}  // namespace muster::daemon
