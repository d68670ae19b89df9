// Random bytes from the kernel, and UUIDs made of them. Thread-safe; a thread buffers what it draws.
#pragma once

#include <cstdint>
#include <span>
#include <string>

namespace holdfast {

void random_fill(std::span<unsigned char> bytes);
std::uint64_t random_u64();
// Version 4, lower case: "6f1c1a0e-9a34-4f0e-8d4e-0f2a0c8e7b11".
std::string uuid_v4();

}  // namespace holdfast
