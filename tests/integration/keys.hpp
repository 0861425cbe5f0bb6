// Keys of a cluster under test, made by the program itself.
#pragma once

#include <string>
#include <vector>

#include "tests/integration/cluster.hpp"

namespace muster::test {

/// A folder with NAME.key for everybody, and the folder of trusted keys in it. Gone with the object.
/// While it lives, programs that are started and given no key use that of worker "w".
class Keys {
public:
    /// Of nodes "n1", "n2", … and of the worker "w".
    explicit Keys(std::size_t nodes);
    ~Keys();
    Keys(const Keys&) = delete;
    Keys& operator=(const Keys&) = delete;

    [[nodiscard]] std::string folder() const { return path_; }
    [[nodiscard]] std::string key(const std::string& name) const { return path_ + "/" + name + ".key"; }
    /// Where the trusted key of "node", "worker" or "observer" NAME is.
    [[nodiscard]] std::string pub(const std::string& role, const std::string& name) const;
    /// Makes a pair that nobody trusts yet; returns the path of NAME.pub.
    [[nodiscard]] std::string make(const std::string& name, std::vector<std::string> more = {}) const;
    /// Makes a pair that is trusted.
    void trust(const std::string& role, const std::string& name) const;
    /// What is to be added to the command line of whoever has that key.
    [[nodiscard]] std::vector<std::string> flags(const std::string& name) const;
    /// Nodes on the loopback interface with their keys.
    [[nodiscard]] std::vector<Place> places(std::size_t nodes) const;

private:
    std::string path_;
};

}  // namespace muster::test
