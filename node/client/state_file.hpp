// The file that lets a worker's next process go on with its session.
//
//     [ 256 bytes: magic, two slots of progress ][ record ][ record ]...
//
// A record is {length, checksum of the length and its place, checksum of the frame} and a frame of the
// protocol: the conversation that saved_session.hpp understands, appended as it is said. It is written anew
// (next to it, then renamed) when it is opened and when most of it is past. Progress is what changes with every
// notification: how far the stream has been handled, and which request numbers may have been used. It is stored
// into mapped memory, in two slots that take turns, so that whenever the process is killed one of them is whole.
//
// All this survives the death of the process, not of the machine: nothing is synced to the disk, and the session
// would be gone anyway.
#pragma once

#include <muster/result.hpp>

#include <cstdint>
#include <memory>
#include <mutex>
#include <optional>
#include <string>

#include "node/client/saved_session.hpp"

namespace muster::client {

/// Thread-safe, `saved` aside. Mode 0600: who can read it can take over the session.
class StateFile {
public:
    /// Makes the file if there is none (or an empty one), reads and locks it; the lock ends with the object.
    /// Errors, one line each, and the file is left as it is: refused (another process has it),
    /// bad_request (it is something else, is damaged, or cannot be opened or written).
    static Result<std::shared_ptr<StateFile>> open(const std::string& path);

    ~StateFile();
    StateFile(const StateFile&) = delete;
    StateFile& operator=(const StateFile&) = delete;

    /// The session as it was when the file was opened.
    [[nodiscard]] const SavedSession& saved() const { return opened_; }

    /// To be called before what is said leaves, and before what was heard is acted on. `session` is its ordinal
    /// in this process, by which `handled` will name it. Answers, once, why nothing can be kept any more:
    /// what the file has is then marked as past, so that nobody goes on with half of it.
    std::optional<Error> keep(const proto::Message& message, std::uint64_t session);
    /// No request has a higher number, from now on. To be called before one has.
    void reserve(std::uint64_t requests);
    /// The handlers of all stream items up to `seq` have returned. To be called before the node is told so.
    void handled(std::uint64_t session, std::uint64_t seq);

private:
    struct Progress {
        std::uint64_t turn = 0;
        std::uint64_t token = 0;  // 0: whatever the records say is past
        std::uint64_t received = 0;
        std::uint64_t requests = 0;
    };

    explicit StateFile(std::string path) : path_(std::move(path)) {}
    std::optional<Error> lock();
    std::optional<Error> load();
    std::optional<std::string> parse(const std::string& bytes);
    std::optional<Error> rewrite();
    std::optional<Error> append(const proto::Message& message);
    void store(int times);
    void fail();

    std::string path_;
    SavedSession opened_;

    std::mutex mutex_;
    int fd_ = -1;
    char* header_ = nullptr;  // mapped
    SavedSession current_;
    Progress progress_;
    std::uint64_t session_ = 1;
    std::size_t size_ = 0;
    std::size_t rewritten_size_ = 0;  // when it was last written anew
    bool failed_ = false;
    std::string buffer_;
};

}  // namespace muster::client
