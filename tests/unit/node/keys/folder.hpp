// A folder of keys that is there for one test.
#pragma once

#include <string>

#include "node/keys/key_pair.hpp"

namespace muster::keys {

class Folder {
public:
    Folder();
    ~Folder();
    Folder(const Folder&) = delete;
    Folder& operator=(const Folder&) = delete;

    [[nodiscard]] std::string path(const std::string& file = {}) const;
    /// Makes NAME.key here and, below, ROLEs/NAME.pub.
    KeyPair trust(const std::string& role, const std::string& name) const;
    void write(const std::string& file, const std::string& text) const;
    [[nodiscard]] std::string text_of(const std::string& file) const;

private:
    std::string path_;
};

}  // namespace muster::keys
