#include "tests/unit/proto/counting_allocator.hpp"

#include <cstdlib>
#include <new>

namespace {
int counting = 0;
std::size_t asked = 0;

void note(std::size_t size) {
    if (counting > 0) asked += size;
}
}  // namespace

// The linker leads every malloc of this program's own objects here (--wrap).
extern "C" {
void* __real_malloc(std::size_t size);
void* __real_calloc(std::size_t count, std::size_t size);
void* __real_realloc(void* old, std::size_t size);
void* __wrap_malloc(std::size_t size);
void* __wrap_calloc(std::size_t count, std::size_t size);
void* __wrap_realloc(void* old, std::size_t size);

void* __wrap_malloc(std::size_t size) {
    return note(size), __real_malloc(size);
}
void* __wrap_calloc(std::size_t count, std::size_t size) {
    return note(count * size), __real_calloc(count, size);
}
void* __wrap_realloc(void* old, std::size_t size) {
    return note(size), __real_realloc(old, size);
}
}

// And these the standard library's, which is not linked with --wrap.
void* operator new(std::size_t size) {
    void* memory = std::malloc(size == 0 ? 1 : size);
    if (memory == nullptr) throw std::bad_alloc();
    return memory;
}
void operator delete(void* memory) noexcept {
    std::free(memory);
}
void operator delete(void* memory, std::size_t) noexcept {
    std::free(memory);
}

namespace muster::proto::test {

Counting::Counting() : before_(asked) {
    ++counting;
}
Counting::~Counting() {
    --counting;
}
std::size_t Counting::bytes() const {
    return asked - before_;
}

}  // namespace muster::proto::test
