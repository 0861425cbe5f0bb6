// The file from which a worker's next process continues its session.
//
//     [ 256 bytes: magic, two slots of progress ][ record ][ record ]...
//
// A record is {length, checksum of the length and the record's offset, checksum of the frame} and one frame of the
// protocol. The frames are the conversation that saved_session.hpp describes; each is appended before it is sent or
// acted on. The file is rewritten (as PATH.new, then renamed) when it is opened and when most of it is outdated.
//
// Progress is what changes with every notification: up to which item the stream was handled, and which request numbers
// may have been used. Two slots take turns, so that one of them is whole whenever the process is killed. Progress in
// mapped memory would save a system call, but a file that somebody truncates would then end the process (SIGBUS).
//
// A file that somebody else changed in length is rewritten with the next record.
//
// The file survives the death of the process, not of the machine: nothing is synced to the disk. After a crash of the
// machine the session's grace period is usually over anyway.
#pragma once

#include <muster/result.hpp>

#include <cstdint>
#include <memory>
#include <mutex>
#include <optional>
#include <string>

#include "node/client/saved_session.hpp"

namespace muster::client {

/// Thread-safe. The file has mode 0600, because whoever reads the token in it can take over the session.
class StateFile {
public:
    /// Opens or makes the file, locks it until the object ends, and reads it. An empty file counts as new. On error the
    /// file is left as it is. Errors: refused (another process has it locked); bad_request (it is not a state file, is
    /// damaged, or cannot be opened or written).
    static Result<std::shared_ptr<StateFile>> open(const std::string& path);

    ~StateFile();
    StateFile(const StateFile&) = delete;
    StateFile& operator=(const StateFile&) = delete;

    /// The session as it was when the file was opened.
    [[nodiscard]] const SavedSession& saved() const { return opened_; }

    /// Appends a message. Call it before the message is sent, or before what it says takes effect. `session`: see
    /// Outbox::session; `handled` names the session by it. Returns an error once, when the file cannot be written any
    /// more: the session is then marked as ended, so that no process continues from half of it.
    std::optional<Error> keep(const proto::Message& message, std::uint64_t session);
    /// Requests may have numbers up to this one. Call it before one of them is sent.
    void reserve(std::uint64_t requests);
    /// The handlers of all stream items up to `seq` have returned. Call it before this is acknowledged to the node.
    void handled(std::uint64_t session, std::uint64_t seq);

private:
    struct Progress {
        std::uint64_t turn = 0;
        std::uint64_t token = 0;  // of the session that the records describe; 0: it has ended
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
    bool store(int fd, int times);
    void fail();

    std::string path_;
    SavedSession opened_;

    std::mutex mutex_;
    int fd_ = -1;
    SavedSession current_;
    Progress progress_;
    std::uint64_t session_ = 1;
    std::size_t size_ = 0;
    std::size_t rewritten_size_ = 0;  // its size after the last rewrite
    bool failed_ = false;
    int store_error_ = 0;  // errno of a store that failed; keep() returns it
    std::string buffer_;
};

}  // namespace muster::client
