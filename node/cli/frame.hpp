// One picture of `muster top`.
#pragma once

#include <cstddef>
#include <string>
#include <vector>

#include "node/cli/output.hpp"
#include "node/cli/sample.hpp"

namespace muster::cli {

enum class Style { plain, head, bad, doubtful };

struct Line {
    std::string text;  // may have control characters that others put there: to be shown by printable()
    Style style = Style::plain;
};

/// What there is to be shown.
struct View {
    const Sample* before = nullptr;
    const Sample* now = nullptr;
    const StateAges* ages = nullptr;
    std::string trouble;  // why nothing newer is known; empty: it is
};

/// At most `rows` lines; what does not fit is counted.
std::vector<Line> frame_of(const View& view, std::size_t rows);
/// The same as one object.
Json json_of(const View& view);

}  // namespace muster::cli
