// Names that tests of one machine share out among themselves, such as that of a port.
#pragma once

#include <string_view>

namespace holdfast::test {

// A descriptor that holds the name until it is closed, or its process ends: an abstract Unix socket, of which the kernel
// lets one process have a name. -1 when somebody has it. `name` is short.
int claim(std::string_view name);

}  // namespace holdfast::test
