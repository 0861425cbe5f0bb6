// An amount that many draw from, each a fair share. README.md in this folder says who draws.
#pragma once

#include <algorithm>
#include <cstddef>
#include <map>
#include <memory>
#include <string>
#include <utility>

namespace muster::cluster {

/// An account may have at most as much as is left free. So one account alone gets half of the capacity, and a second
/// one gets half of the rest. An account that has more than is free gets nothing new until it has given some back. So
/// the shares become equal where things come and go. Nobody configures a share, and no share stands idle for an account
/// that is not there. (Switches share their buffers in this way: dynamic thresholds.)
class Budget {
public:
    /// What one of them has drawn.
    class Account {
    public:
        [[nodiscard]] std::size_t used() const { return used_; }

    private:
        friend class Budget;
        std::size_t used_ = 0;
    };

    explicit Budget(std::size_t capacity) : capacity_(capacity) {}

    [[nodiscard]] std::size_t capacity() const { return capacity_; }
    [[nodiscard]] std::size_t used() const { return used_; }
    [[nodiscard]] bool has_room(const Account& account, std::size_t more) const {
        const std::size_t free = capacity_ - std::min(capacity_, used_);
        return more <= free && account.used_ <= free - more;
    }
    /// Draws without asking: the caller has asked, or cannot do without.
    void draw(Account& account, std::size_t amount) {
        account.used_ += amount;
        used_ += amount;
    }
    void give_back(Account& account, std::size_t amount) {
        account.used_ -= amount;
        used_ -= amount;
    }

private:
    std::size_t capacity_;
    std::size_t used_ = 0;
};

/// What one owner of things has drawn for them from a budget. Gives it back at its end.
class Drawn {
public:
    Drawn() = default;  // from no budget: there is always room
    /// What is drawn counts in `total` as well, if that is given. It must outlive this.
    Drawn(Budget& budget, std::shared_ptr<Budget::Account> account, std::size_t* total = nullptr)
        : budget_(&budget), account_(std::move(account)), total_(total) {}
    Drawn(Drawn&& other) noexcept { *this = std::move(other); }
    Drawn& operator=(Drawn&& other) noexcept {
        std::swap(budget_, other.budget_);
        std::swap(account_, other.account_);
        std::swap(amount_, other.amount_);
        std::swap(total_, other.total_);
        return *this;
    }
    ~Drawn() { *this -= amount_; }

    [[nodiscard]] bool has_room(std::size_t more) const { return !budget_ || budget_->has_room(*account_, more); }
    Drawn& operator+=(std::size_t more) {
        amount_ += more;
        if (budget_) budget_->draw(*account_, more);
        if (total_) *total_ += more;
        return *this;
    }
    Drawn& operator-=(std::size_t less) {
        amount_ -= less;
        if (budget_) budget_->give_back(*account_, less);
        if (total_) *total_ -= less;
        return *this;
    }
    [[nodiscard]] std::size_t amount() const { return amount_; }
    /// Nothing yet, from the same account.
    [[nodiscard]] Drawn fresh() const { return budget_ ? Drawn(*budget_, account_, total_) : Drawn(); }

private:
    Budget* budget_ = nullptr;
    std::shared_ptr<Budget::Account> account_;
    std::size_t amount_ = 0;
    std::size_t* total_ = nullptr;
};

/// The accounts of everybody who uses this node: one for each key, however many sessions it has, and one for each other
/// node. Without keys, each session is somebody.
struct Shares {
    struct Share {
        Budget::Account memory;
        Budget::Account waits;
        Budget::Account sessions;
    };

    /// The share of `who`. An account lives as long as anything is drawn from it.
    std::shared_ptr<Share> of(const std::string& who) {
        auto& known = by_name[who];
        auto share = known.lock();
        if (share) return share;
        known = share = std::make_shared<Share>();
        if (by_name.size() >= sweep_at) {
            std::erase_if(by_name, [](const auto& entry) { return entry.second.expired(); });
            sweep_at = 2 * by_name.size() + 64;
        }
        return share;
    }

    std::shared_ptr<Share> of_node(const std::string& name) { return of("node " + name); }

    std::map<std::string, std::weak_ptr<Share>> by_name;
    std::size_t sweep_at = 64;
};

using SharedShare = std::shared_ptr<Shares::Share>;

inline std::shared_ptr<Budget::Account> memory_of(const SharedShare& share) {
    return {share, &share->memory};
}
inline std::shared_ptr<Budget::Account> waits_of(const SharedShare& share) {
    return {share, &share->waits};
}
inline std::shared_ptr<Budget::Account> sessions_of(const SharedShare& share) {
    return {share, &share->sessions};
}

}  // namespace muster::cluster
