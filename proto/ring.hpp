// A queue in one block of memory.
#pragma once

#include <compare>
#include <cstddef>
#include <iterator>
#include <memory>
#include <new>
#include <type_traits>
#include <utility>

namespace muster::proto {

/// Like std::deque, for queues of which there are many: an empty one takes no block, and a long one allocates only when
/// it has doubled or has shrunk to a quarter. std::deque takes 576 bytes when it is empty, and allocates for every
/// third element of 150 bytes.
///
/// push_back(), pop_front(), insert() and erase() invalidate all references and iterators.
template <class T>
class Ring {
    static_assert(std::is_nothrow_move_constructible_v<T> && std::is_nothrow_move_assignable_v<T>);

    template <class Of>
    class Iterator {
    public:
        using iterator_category = std::random_access_iterator_tag;
        using value_type = T;
        using difference_type = std::ptrdiff_t;
        using reference = std::conditional_t<std::is_const_v<Of>, const T&, T&>;
        using pointer = std::remove_reference_t<reference>*;

        Iterator() = default;
        Iterator(Of* of, std::size_t at) : of_(of), at_(static_cast<difference_type>(at)) {}
        template <class Other>
        requires(std::is_same_v<const Other, Of> && !std::is_same_v<Other, Of>)
            // NOLINTNEXTLINE(google-explicit-constructor): as of every container
            Iterator(const Iterator<Other>& other)
            : of_(other.of_), at_(other.at_) {}

        reference operator*() const { return (*of_)[static_cast<std::size_t>(at_)]; }
        pointer operator->() const { return &**this; }
        reference operator[](difference_type by) const { return *(*this + by); }
        Iterator& operator+=(difference_type by) {
            at_ += by;
            return *this;
        }
        Iterator& operator-=(difference_type by) { return *this += -by; }
        Iterator& operator++() { return *this += 1; }
        Iterator& operator--() { return *this -= 1; }
        Iterator operator++(int) { return std::exchange(*this, *this + 1); }
        Iterator operator--(int) { return std::exchange(*this, *this - 1); }
        friend Iterator operator+(Iterator it, difference_type by) { return it += by; }
        friend Iterator operator+(difference_type by, Iterator it) { return it += by; }
        friend Iterator operator-(Iterator it, difference_type by) { return it -= by; }
        friend difference_type operator-(const Iterator& a, const Iterator& b) { return a.at_ - b.at_; }
        bool operator==(const Iterator& other) const { return at_ == other.at_; }
        auto operator<=>(const Iterator& other) const { return at_ <=> other.at_; }

    private:
        template <class Other>
        friend class Iterator;
        Of* of_ = nullptr;
        difference_type at_ = 0;
    };

public:
    using iterator = Iterator<Ring>;
    using const_iterator = Iterator<const Ring>;

    Ring() = default;
    Ring(Ring&& other) noexcept { swap(other); }
    Ring& operator=(Ring&& other) noexcept {
        Ring taken(std::move(other));
        swap(taken);
        return *this;
    }
    ~Ring() { clear(); }

    [[nodiscard]] bool empty() const { return size_ == 0; }
    [[nodiscard]] std::size_t size() const { return size_; }
    T& operator[](std::size_t at) { return *place(at); }
    const T& operator[](std::size_t at) const { return *place(at); }
    T& front() { return (*this)[0]; }
    const T& front() const { return (*this)[0]; }
    T& back() { return (*this)[size_ - 1]; }
    const T& back() const { return (*this)[size_ - 1]; }
    iterator begin() { return {this, 0}; }
    iterator end() { return {this, size_}; }
    const_iterator begin() const { return {this, 0}; }
    const_iterator end() const { return {this, size_}; }

    void push_back(T value) {
        grow();
        std::construct_at(place(size_), std::move(value));
        ++size_;
    }
    void pop_front() {
        std::destroy_at(place(0));
        first_ = (first_ + 1) & (capacity_ - 1);
        --size_;
        shrink();
    }
    void pop_back() {
        std::destroy_at(place(--size_));
        shrink();
    }
    /// Moves the elements on the shorter side.
    void insert(iterator before, T value) {
        const auto at = static_cast<std::size_t>(before - begin());
        if (at < size_ / 2) {
            push_front(std::move(value));
            for (std::size_t i = 0; i < at; ++i) std::swap((*this)[i], (*this)[i + 1]);
        } else {
            push_back(std::move(value));
            for (std::size_t i = size_ - 1; i > at; --i) std::swap((*this)[i], (*this)[i - 1]);
        }
    }
    /// Moves the elements on the shorter side. Returns the place of the element behind.
    iterator erase(const_iterator it) {
        const auto at = static_cast<std::size_t>(it - const_iterator(begin()));
        if (at < size_ / 2) {
            for (std::size_t i = at; i > 0; --i) (*this)[i] = std::move((*this)[i - 1]);
            pop_front();
        } else {
            for (std::size_t i = at; i + 1 < size_; ++i) (*this)[i] = std::move((*this)[i + 1]);
            pop_back();
        }
        return {this, at};
    }
    void clear() {
        for (std::size_t i = 0; i < size_; ++i) std::destroy_at(place(i));
        size_ = 0;
        move_to(0);
    }

private:
    static constexpr std::size_t kLeast = 4;  // all capacities are powers of 2

    void swap(Ring& other) {
        std::swap(block_, other.block_);
        std::swap(capacity_, other.capacity_);
        std::swap(first_, other.first_);
        std::swap(size_, other.size_);
    }
    [[nodiscard]] T* place(std::size_t at) const { return block_ + ((first_ + at) & (capacity_ - 1)); }
    void push_front(T value) {
        grow();
        first_ = (first_ - 1) & (capacity_ - 1);
        std::construct_at(place(0), std::move(value));
        ++size_;
    }
    void grow() {
        if (size_ == capacity_) move_to(capacity_ == 0 ? kLeast : 2 * capacity_);
    }
    void shrink() {
        if (size_ < capacity_ / 4 && capacity_ > kLeast) move_to(capacity_ / 2);
    }
    void move_to(std::size_t capacity) {
        T* const to = capacity == 0 ? nullptr : std::allocator<T>().allocate(capacity);
        for (std::size_t i = 0; i < size_; ++i) {
            std::construct_at(to + i, std::move(*place(i)));
            std::destroy_at(place(i));
        }
        if (block_) std::allocator<T>().deallocate(block_, capacity_);
        block_ = to;
        capacity_ = capacity;
        first_ = 0;
    }

    T* block_ = nullptr;
    std::size_t capacity_ = 0;
    std::size_t first_ = 0;  // place in the block
    std::size_t size_ = 0;
};

}  // namespace muster::proto
