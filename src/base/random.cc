#include "base/random.h"

#include <sys/random.h>

#include <array>
#include <cerrno>
#include <cstring>
#include <stdexcept>

namespace holdfast {
namespace {

void from_kernel(unsigned char* out, std::size_t bytes) {
  while (bytes > 0) {
    const ssize_t got = getrandom(out, bytes, 0);
    if (got < 0) {
      if (errno == EINTR) continue;
      throw std::runtime_error("getrandom failed");
    }
    out += got;
    bytes -= static_cast<std::size_t>(got);
  }
}

struct Pool {
  std::array<unsigned char, 512> bytes;
  std::size_t used = 512;
};
thread_local Pool pool;

}  // namespace

void random_fill(std::span<unsigned char> bytes) {
  if (bytes.size() > pool.bytes.size()) return from_kernel(bytes.data(), bytes.size());
  if (pool.used + bytes.size() > pool.bytes.size()) {
    from_kernel(pool.bytes.data(), pool.bytes.size());
    pool.used = 0;
  }
  std::memcpy(bytes.data(), pool.bytes.data() + pool.used, bytes.size());
  std::memset(pool.bytes.data() + pool.used, 0, bytes.size());
  pool.used += bytes.size();
}

std::uint64_t random_u64() {
  std::uint64_t value = 0;
  random_fill({reinterpret_cast<unsigned char*>(&value), sizeof value});
  return value;
}

std::string uuid_v4() {
  static constexpr char kHex[] = "0123456789abcdef";
  std::array<unsigned char, 16> raw;
  random_fill(raw);
  raw[6] = static_cast<unsigned char>((raw[6] & 0x0f) | 0x40);
  raw[8] = static_cast<unsigned char>((raw[8] & 0x3f) | 0x80);
  std::string out(36, '-');
  auto next = out.begin();
  for (std::size_t i = 0; i < raw.size(); ++i) {
    if (i == 4 || i == 6 || i == 8 || i == 10) ++next;
    *next++ = kHex[raw[i] >> 4];
    *next++ = kHex[raw[i] & 15];
  }
  return out;
}

}  // namespace holdfast
