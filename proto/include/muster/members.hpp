// A view of a group's members at one moment.
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

/// Keeps a list alive for the Members that show it. Its uses are counted in two places: those that the owning
/// thread takes and drops in a plain number, all others in an atomic one, so that threads which look up the same
/// group write to no common cache line. While a hold is owned it stays, whatever the counts; once its owner has
/// retired it all uses are counted atomically, and the last one ends it.
class alignas(64) MembersHold {
public:
    using List = std::shared_ptr<const std::vector<Member>>;

    /// Owned by the calling thread, which must retire it, and without a use. Never null.
    static MembersHold* owned(List list) { return new MembersHold(std::move(list), this_thread(), 0); }
    /// Owned by no thread, with one use.
    static MembersHold* unowned(List list) { return new MembersHold(std::move(list), kNobody, kUse + kRetired); }
    MembersHold(const MembersHold&) = delete;
    MembersHold& operator=(const MembersHold&) = delete;

    /// The owning thread, once: it will use the hold no more than others do.
    void retire() noexcept {
        owner_.store(kNobody, std::memory_order_relaxed);
        add(own_uses_ * kUse + kRetired);
    }
    /// Any thread; for the first use of an owned hold its owner.
    void acquire() noexcept {
        if (is_mine())
            ++own_uses_;
        else
            other_uses_.fetch_add(kUse, std::memory_order_relaxed);
    }
    /// Any thread, not only the one that has acquired.
    void release() noexcept {
        if (is_mine())
            --own_uses_;
        else
            add(-kUse);
    }
    [[nodiscard]] const std::vector<Member>& list() const { return *list_; }

private:
    // The lowest bit of other_uses_ says that the hold is retired, so while it is owned the count, which may then
    // be negative, is never kRetired.
    static constexpr std::int64_t kRetired = 1;
    static constexpr std::int64_t kUse = 2;
    static constexpr std::uint64_t kNobody = std::numeric_limits<std::uint64_t>::max();

    MembersHold(List list, std::uint64_t owner, std::int64_t uses)
        : owner_(owner), other_uses_(uses), list_(std::move(list)) {}
    ~MembersHold() = default;

    [[nodiscard]] bool is_mine() const noexcept { return owner_.load(std::memory_order_relaxed) == thread_; }
    void add(std::int64_t uses) noexcept {
        if (other_uses_.fetch_add(uses, std::memory_order_acq_rel) + uses == kRetired) delete this;
    }
    /// A number that no other thread has or had.
    static std::uint64_t this_thread();

    // NOLINTNEXTLINE(readability-identifier-naming): a member
    inline static constinit thread_local std::uint64_t thread_ = 0;  // 0: owns nothing

    std::atomic<std::uint64_t> owner_;  // changes once, by the owner
    std::int64_t own_uses_ = 0;         // the owner's; negative when it drops what others have acquired
    std::atomic<std::int64_t> other_uses_;
    List list_;
};

/// The members of a group as they were at one moment, by node name, then number; a random access range. It never
/// changes, may be kept for any time, copied, and used and destroyed on any thread; a copy shares the members.
/// While it is kept, so is this one version of this one group.
class Members {
public:
    using value_type = Member;
    using size_type = std::size_t;
    using difference_type = std::ptrdiff_t;
    using reference = const Member&;
    using const_reference = const Member&;
    using iterator = const Member*;
    using const_iterator = const Member*;

    /// No members.
    Members() = default;
    explicit Members(std::vector<Member> members)
        : Members(std::make_shared<const std::vector<Member>>(std::move(members))) {}
    explicit Members(MembersHold::List list) : Members(MembersHold::unowned(std::move(list))) {}
    /// One more use of the hold.
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
        if (hold_ != nullptr) hold_->release();
    }

    [[nodiscard]] const Member* data() const { return data_; }
    [[nodiscard]] std::size_t size() const { return size_; }
    [[nodiscard]] bool empty() const { return size_ == 0; }
    [[nodiscard]] const Member* begin() const { return data_; }
    [[nodiscard]] const Member* end() const { return data_ + size_; }
    /// `at` is below size(); front() and back() want a member.
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
    MembersHold* hold_ = nullptr;  // null: empty
};

}  // namespace muster
