#include "tests/bench/page.hpp"

#include <sys/mman.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <system_error>

namespace muster::bench {
namespace {

constexpr std::size_t kBytes = Page::kSlots * sizeof(Slot);

int memory_file() {
    const int fd = memfd_create("muster_bench", 0);
    if (fd < 0 || ftruncate(fd, static_cast<off_t>(kBytes)) != 0)
        throw std::system_error(errno, std::generic_category(), "memfd_create");
    return fd;
}

Slot* map(int fd) {
    void* memory = mmap(nullptr, kBytes, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
    if (memory == MAP_FAILED) throw std::system_error(errno, std::generic_category(), "mmap");
    return static_cast<Slot*>(memory);  // zeroed by the kernel, and a zeroed Slot is a Slot of count 0
}

}  // namespace

Page::Page() : Page(memory_file()) {}

Page::Page(int fd) : fd_(fd), slots_(map(fd)) {}

Page::~Page() {
    munmap(slots_, kBytes);
    close(fd_);
}

void Page::clear() {
    for (std::size_t i = 0; i < kSlots; ++i) slots_[i].count.store(0);
}

std::uint64_t Page::least(std::size_t slots) const {
    std::uint64_t least = UINT64_MAX;
    for (std::size_t i = 0; i < slots; ++i) least = std::min(least, slots_[i].count.load(std::memory_order_acquire));
    return least;
}

std::uint64_t Page::most(std::size_t slots) const {
    std::uint64_t most = 0;
    for (std::size_t i = 0; i < slots; ++i) most = std::max(most, slots_[i].count.load(std::memory_order_acquire));
    return most;
}

std::uint64_t Page::sum(std::size_t slots) const {
    std::uint64_t sum = 0;
    for (std::size_t i = 0; i < slots; ++i) sum += slots_[i].count.load(std::memory_order_acquire);
    return sum;
}

}  // namespace muster::bench
