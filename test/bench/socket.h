// Blocking sockets for the load generators.
#pragma once

#include "bench/load.h"

namespace holdfast::bench {

int connect_to(const Load& load);
void send_all(int fd, const char* data, std::size_t bytes);

}  // namespace holdfast::bench
