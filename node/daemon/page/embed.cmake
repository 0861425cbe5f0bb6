# Writes the C++ source OUT with the bytes of FILES (a list with commas). It implements node/daemon/page/files.hpp.
string(REPLACE "," ";" FILES "${FILES}")
set(type_of.html "text/html; charset=utf-8")
set(type_of.css "text/css; charset=utf-8")
set(type_of.js "text/javascript; charset=utf-8")
set(type_of.svg "image/svg+xml")
set(arrays "")
set(table "")
set(number 0)
foreach(file IN LISTS FILES)
    file(READ ${file} hex HEX)
    string(REGEX REPLACE "([0-9a-f][0-9a-f])" "'\\\\x\\1'," bytes "${hex}")
    cmake_path(GET file FILENAME name)
    cmake_path(GET file EXTENSION LAST_ONLY extension)
    set(type "${type_of${extension}}")
    if(NOT type)
        message(FATAL_ERROR "${file}: unknown file type ${extension}: add its media type to embed.cmake")
    endif()
    string(APPEND arrays "constexpr char kFile${number}[] = {${bytes}};\n")
    string(APPEND table "    PageFile{\"${name}\", \"${type}\", {kFile${number}, sizeof kFile${number}}},\n")
    math(EXPR number "${number} + 1")
endforeach()
file(WRITE ${OUT} "#include \"node/daemon/page/files.hpp\"

namespace muster::daemon {
namespace {

${arrays}
constexpr PageFile kFiles[] = {
${table}};

}  // namespace

std::span<const PageFile> page_files() {
    return kFiles;
}

}  // namespace muster::daemon
")
