#include "tests/unit/node/keys/folder.hpp"

#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <iterator>
#include <stdexcept>
#include <system_error>

namespace muster::keys {

namespace fs = std::filesystem;

Folder::Folder() : path_(fs::temp_directory_path() / ("muster-keys-" + std::string(6, 'X'))) {
    if (::mkdtemp(path_.data()) == nullptr) throw std::runtime_error("no temporary folder");
}

Folder::~Folder() {
    std::error_code error;
    fs::remove_all(path_, error);
}

std::string Folder::path(const std::string& file) const {
    return file.empty() ? path_ : path_ + "/" + file;
}

KeyPair Folder::trust(const std::string& role, const std::string& name) const {
    auto pair = KeyPair::generate();
    const auto made = make_key_files(pair, path_, name);
    if (!made) throw std::runtime_error(made.error().text);
    fs::create_directories(path(role + "s"));
    fs::rename(made->open, path(role + "s/" + name + ".pub"));
    return pair;
}

void Folder::write(const std::string& file, const std::string& text) const {
    fs::create_directories(fs::path(path(file)).parent_path());
    std::ofstream(path(file)) << text;
}

std::string Folder::text_of(const std::string& file) const {
    std::ifstream in(path(file));
    return {std::istreambuf_iterator<char>(in), {}};
}

}  // namespace muster::keys
