#include <poll.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <map>
#include <system_error>

#include "node/cli/commands.hpp"
#include "node/cli/output.hpp"
#include "proto/saturating.hpp"

namespace muster::cli {
namespace {

/// Sums up many reports. Members and misses are added; `nodes` is the largest number of one report.
class Sum {
public:
    void add(const NotifyReport& report) {
        add_to(total_.matched, report.matched);
        total_.nodes = std::max(total_.nodes, report.nodes);
        total_.waited = report.waited;
        add_to(total_.delivered, report.delivered);
        for (const auto& missed : report.missed) add_to(missed_[{missed.node, missed.reason}], missed.members);
    }
    NotifyReport total() const {
        NotifyReport report = total_;
        for (const auto& [where, members] : missed_) report.missed.push_back({where.first, members, where.second});
        return report;
    }

private:
    static void add_to(std::uint64_t& sum, std::uint64_t number) { sum = proto::saturating_sum(sum, number); }

    NotifyReport total_;
    std::map<std::pair<std::string, MissReason>, std::uint64_t> missed_;
};

void show(const NotifyReport& report, bool json, bool waited) {
    if (json) {
        Json object = {{"matched", report.matched}, {"nodes", report.nodes}};
        if (waited) object["delivered"] = report.delivered;
        // Without waiting, `missed` has the members at nodes whose queue is full: this is known immediately.
        if (waited || !report.missed.empty()) object["missed"] = json_of(report.missed);
        return print_json(object);
    }
    std::string line = "matched " + counted(report.matched, "member") + " on " + counted(report.nodes, "node");
    if (waited) line += ", delivered " + std::to_string(report.delivered);
    print(line);
    for (const auto& missed : report.missed)
        print("missed " + counted(missed.members, "member") + " on " + missed.node + ": " +
              std::string(to_string(missed.reason)));
}

constexpr std::size_t kMostInput = 8 << 20;  // JSON text of 512 KiB of data, with room for spaces

/// At most 64 KiB more than kMostInput: standard input can be endless. What was read before an error may be JSON, too,
/// but of another value.
Result<std::string> read_input() {
    std::string text;
    std::array<char, 65536> part{};
    while (text.size() <= kMostInput) {
        const auto got = ::read(STDIN_FILENO, part.data(), part.size());
        if (got == 0) break;
        if (got > 0) {
            text.append(part.data(), static_cast<std::size_t>(got));
        } else if (errno == EAGAIN) {  // another program that has the same pipe does not wait for it
            pollfd readable{STDIN_FILENO, POLLIN, 0};
            ::poll(&readable, 1, -1);
        } else if (errno != EINTR) {
            return Error{ErrorCode::bad_request,
                         "cannot read standard input: " + std::generic_category().message(errno)};
        }
    }
    return text;
}

}  // namespace

int notify(const Settings& settings, const NotifyArguments& arguments) {
    const auto text = arguments.data == "-" ? read_input() : arguments.data;
    if (!text) return fail(text.error());
    if (text->size() > kMostInput) return fail({ErrorCode::bad_request, "standard input is longer than 8 MiB"});
    const auto data = data_from_json(*text);
    if (!data) return fail(data.error());

    const auto worker = attach(settings);
    if (!worker) return fail(worker.error());
    NotifyOptions options;
    options.wait = arguments.wait;
    Sum sum;
    // Wait for each reply before the next call, so the order is kept.
    for (std::uint64_t i = 0; i < arguments.count; ++i) {
        const auto report = (*worker)->notify(arguments.kind, arguments.group, *data, options);
        if (!report) {
            // The user needs this count to send the rest.
            if (i > 0) show(sum.total(), settings.json, arguments.wait);
            if (i > 0) complain(counted(i, "notification") + " of " + std::to_string(arguments.count) + " went out");
            return fail(report.error());
        }
        sum.add(*report);
    }
    show(sum.total(), settings.json, arguments.wait);
    return kDone;
}

}  // namespace muster::cli
