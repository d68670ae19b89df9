// memcached's refusals as our errors: what failed, in which component, at which server, why, and what to do. Pure.
#pragma once

#include <string_view>

#include "base/result.h"
#include "wire/memcached/reply.h"

namespace holdfast::stores::memcached {

// Its codec; our own namespace has the same name.
namespace wire = holdfast::memcached;

// Whose store speaks and what answered; part of every message.
struct Place {
  std::string_view component;
  std::string_view server;  // "10.0.0.7:11211"
};

// For a reply that no command of ours has as its answer: an error of the server, else nonsense, which is
// Errc::internal. `doing` is a verb phrase with its object: `save "cart/42"`.
Error describe(const Place& place, std::string_view doing, const wire::Reply& reply);

}  // namespace holdfast::stores::memcached
