// Repetitions and what is printed of them.
#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "tests/bench/settings.hpp"

namespace muster::bench {

struct Summary {
    double median = 0;
    double min = 0;
    double max = 0;
};
/// Of at least one sample.
Summary summary(std::vector<double> samples);
/// The sample that `percent` of all do not exceed (nearest rank). Of at least one sample.
double percentile(std::vector<double> samples, double percent);

/// One result, printed as `row key=value …` on a line of standard output. A measure takes three keys: `name` is
/// the median over the repetitions, `name_min` and `name_max` their bounds. All other keys say what was measured.
class Line {
public:
    Line(std::string_view row, const Case& one);
    Line& with(std::string_view key, std::string_view value);
    Line& measure(std::string_view key, const std::vector<double>& samples);
    void print() const;

private:
    std::string text_;
};

/// Progress, on standard error.
void tell(std::string_view row, const Case& one);

}  // namespace muster::bench
