#include "tests/bench/samples.hpp"

#include <algorithm>
#include <cmath>
#include <cstdio>

namespace muster::bench {
namespace {

/// Four significant digits or more, never an exponent.
std::string number(double value) {
    char text[64];
    const int digits = std::abs(value) >= 1000 ? 0 : std::abs(value) >= 100 ? 1 : std::abs(value) >= 1 ? 2 : 4;
    std::snprintf(text, sizeof text, "%.*f", digits, value);
    return text;
}

std::string keys(const Case& one) {
    std::string text;
    for (const auto& [key, value] : one) text += " " + key + "=" + value;
    return text;
}

}  // namespace

Summary summary(std::vector<double> samples) {
    std::sort(samples.begin(), samples.end());
    const std::size_t half = samples.size() / 2;
    const double median = samples.size() % 2 == 1 ? samples[half] : (samples[half - 1] + samples[half]) / 2;
    return {median, samples.front(), samples.back()};
}

double percentile(std::vector<double> samples, double percent) {
    const auto rank = static_cast<std::size_t>(std::ceil(percent / 100 * static_cast<double>(samples.size())));
    const auto at = samples.begin() + static_cast<std::ptrdiff_t>(std::max<std::size_t>(rank, 1) - 1);
    std::nth_element(samples.begin(), at, samples.end());
    return *at;
}

Line::Line(std::string_view row, const Case& one) : text_(std::string(row) + keys(one)) {}

Line& Line::with(std::string_view key, std::string_view value) {
    text_.append(" ").append(key).append("=").append(value);
    return *this;
}

Line& Line::measure(std::string_view key, const std::vector<double>& samples) {
    const auto [median, min, max] = summary(samples);
    with(key, number(median));
    with(std::string(key) + "_min", number(min));
    return with(std::string(key) + "_max", number(max));
}

void Line::print() const {
    std::printf("%s\n", text_.c_str());
    std::fflush(stdout);
}

void tell(std::string_view row, const Case& one) {
    std::fprintf(stderr, "muster_bench: %s%s\n", std::string(row).c_str(), keys(one).c_str());
}

}  // namespace muster::bench
