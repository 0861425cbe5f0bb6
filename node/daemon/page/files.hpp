// The files of the status page. The build embeds them in the program: see embed.cmake.
#pragma once

#include <span>
#include <string_view>

namespace muster::daemon {

struct PageFile {
    std::string_view name;  // "index.html"
    std::string_view type;  // "text/html; charset=utf-8"
    std::string_view bytes;
};

std::span<const PageFile> page_files();

}  // namespace muster::daemon
