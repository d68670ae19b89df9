// Asio in separate-compilation mode: its code is compiled here, once.
#include <boost/asio/impl/src.hpp>
