#include <gtest/gtest.h>
TEST(WorkerPlaceholder, None) {}
