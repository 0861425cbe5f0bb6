// An immutable view of a group's members.
#pragma once

#include <muster/types.hpp>

#include <algorithm>
#include <atomic>
#include <cstddef>
#include <cstdint>
#include <limits>
#include <memory>
#include <utility>
#include <vector>

namespace muster {

/// Reference count of a list of members. The owning thread counts its uses in a plain number, other threads in an
/// atomic one, so threads that look up the same group do not write to a common cache line. An owned hold stays
/// alive whatever its counts are. After its owner has retired it, all uses are counted atomically, and the last
/// release deletes it.
class alignas(64) MembersHold {
public:
    using List = std::shared_ptr<const std::vector<Member>>;

    /// Creates a hold without uses, owned by the calling thread, which must retire it. Never null.
    static MembersHold* owned(List list) { return new MembersHold(std::move(list), this_thread(), 0); }
    /// Creates a hold with one use and no owner.
    static MembersHold* unowned(List list) { return new MembersHold(std::move(list), kNobody, kUse + kRetired); }
    MembersHold(const MembersHold&) = delete;
    MembersHold& operator=(const MembersHold&) = delete;

    /// Gives up ownership. Call once, on the owning thread; the hold may be gone afterwards.
    static void retire(MembersHold* hold) noexcept {
        hold->owner_.store(kNobody, std::memory_order_relaxed);
        if (hold->add_is_last(hold->own_uses_ * kUse + kRetired)) delete hold;
    }
    /// Adds a use. Any thread; the first use of an owned hold is its owner's.
    void acquire() noexcept {
        if (is_mine())
            ++own_uses_;
        else
            other_uses_.fetch_add(kUse, std::memory_order_relaxed);
    }
    /// Removes a use. Any thread, not only the one that acquired it; the hold may be gone afterwards.
    static void release(MembersHold* hold) noexcept {
        if (hold->is_mine())
            --hold->own_uses_;
        else if (hold->add_is_last(-kUse))
            delete hold;
    }
    [[nodiscard]] const std::vector<Member>& list() const { return *list_; }

private:
    // The lowest bit of other_uses_ marks a retired hold. While the hold is owned, other_uses_ may be negative, but it
    // never equals kRetired.
    static constexpr std::int64_t kRetired = 1;
    static constexpr std::int64_t kUse = 2;
    static constexpr std::uint64_t kNobody = std::numeric_limits<std::uint64_t>::max();

    MembersHold(List list, std::uint64_t owner, std::int64_t uses)
        : owner_(owner), other_uses_(uses), list_(std::move(list)) {}
    ~MembersHold() = default;

    [[nodiscard]] bool is_mine() const noexcept { return owner_.load(std::memory_order_relaxed) == thread_; }
    /// Adds to the atomic count. Returns true if no use is left and the hold is retired.
    bool add_is_last(std::int64_t uses) noexcept {
        return other_uses_.fetch_add(uses, std::memory_order_acq_rel) + uses == kRetired;
    }
    /// A number that identifies the calling thread; never reused.
    static std::uint64_t this_thread();

    // NOLINTNEXTLINE(readability-identifier-naming): a member
    inline static constinit thread_local std::uint64_t thread_ = 0;  // 0: this thread owns no hold

    std::atomic<std::uint64_t> owner_;  // changes once, by the owner
    std::int64_t own_uses_ = 0;         // the owner's; negative if it released uses that other threads acquired
    std::atomic<std::int64_t> other_uses_;
    List list_;
};

/// The members of a group at one moment, sorted by node name, then number: a random access range. It never changes.
/// Keep it for any time; copy, use and destroy it on any thread. Copies share the members. Memory: it keeps this
/// version of this group alive.
class Members {
public:
    using value_type = Member;
    using size_type = std::size_t;
    using difference_type = std::ptrdiff_t;
    using reference = const Member&;
    using const_reference = const Member&;
    using iterator = const Member*;
    using const_iterator = const Member*;

    /// An empty range.
    Members() = default;
    explicit Members(std::vector<Member> members)
        : Members(std::make_shared<const std::vector<Member>>(std::move(members))) {}
    explicit Members(MembersHold::List list) : Members(MembersHold::unowned(std::move(list))) {}
    /// Acquires one use of the hold.
    explicit Members(MembersHold& hold) : Members(&hold) { hold.acquire(); }
    Members(const Members& other) noexcept : data_(other.data_), size_(other.size_), hold_(other.hold_) {
        if (hold_ != nullptr) hold_->acquire();
    }
    Members(Members&& other) noexcept
        : data_(std::exchange(other.data_, nullptr)),
          size_(std::exchange(other.size_, 0)),
          hold_(std::exchange(other.hold_, nullptr)) {}
    Members& operator=(Members other) noexcept {
        std::swap(data_, other.data_);
        std::swap(size_, other.size_);
        std::swap(hold_, other.hold_);
        return *this;
    }
    ~Members() {
        if (hold_ != nullptr) MembersHold::release(hold_);
    }

    [[nodiscard]] const Member* data() const { return data_; }
    [[nodiscard]] std::size_t size() const { return size_; }
    [[nodiscard]] bool empty() const { return size_ == 0; }
    [[nodiscard]] const Member* begin() const { return data_; }
    [[nodiscard]] const Member* end() const { return data_ + size_; }
    /// Requires `at` < size(); front() and back() require a non-empty range.
    [[nodiscard]] const Member& operator[](std::size_t at) const { return data_[at]; }
    [[nodiscard]] const Member& front() const { return data_[0]; }
    [[nodiscard]] const Member& back() const { return data_[size_ - 1]; }

    friend bool operator==(const Members& a, const Members& b) {
        return a.data_ == b.data_ ? a.size_ == b.size_ : std::equal(a.begin(), a.end(), b.begin(), b.end());
    }
    friend bool operator==(const Members& a, const std::vector<Member>& b) {
        return std::equal(a.begin(), a.end(), b.begin(), b.end());
    }

private:
    explicit Members(MembersHold* hold) : data_(hold->list().data()), size_(hold->list().size()), hold_(hold) {}

    const Member* data_ = nullptr;
    std::size_t size_ = 0;
    MembersHold* hold_ = nullptr;  // nullptr: empty
};

}  // namespace muster
