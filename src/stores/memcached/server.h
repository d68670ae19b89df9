// One loop's connection to one server: made when it is first needed, and made again when it was lost (net/pipeline.h).
#pragma once

#include <cstdint>
#include <string>
#include <string_view>

#include "net/pipeline.h"
#include "stores/memcached/errors.h"
#include "stores/memcached/settings.h"

namespace holdfast::stores::memcached {

// What a server says of itself when it is greeted.
struct ServerFacts {
  std::string version;
  // Which process it is: another one has other items, whose numbers begin at 1 again.
  std::string process;
  std::uint64_t value_bytes_max = 0;
};

// Of the replies to append_greeting(). Errc::unsupported: it is too old for the commands that we send, or no memcached.
inline constexpr std::uint32_t kGreetingReplies = 4;
void append_greeting(std::string& out);
Result<ServerFacts> read_greeting(const Place& place, std::string_view replies);

class Server {
 public:
  // `settings` outlive it.
  Server(net::Loop& loop, const net::Endpoint& host, const MemcachedSettings& settings);
  Server(const Server&) = delete;
  Server& operator=(const Server&) = delete;

  Place place() const { return {settings_.component, text_}; }
  // Of the server that has sent the last reply, until the caller next waits.
  const ServerFacts& facts() const { return facts_; }

  // As net::Pipeline::call. The views that come back are valid until the caller next waits.
  net::Pipeline::Call call(std::string_view request, std::uint32_t replies, SteadyTime deadline) {
    return pipeline_.call(request, replies, deadline);
  }
  // For what changes nothing: sent once more where the replies were lost.
  Task<Result<std::string_view>> read(std::string_view request, std::uint32_t replies, SteadyTime deadline);

  // While one lives, a number of an item of this process is on its way. Should it be on its way to another process, it
  // is not sent: the number may be that of another item there.
  class Numbered {
   public:
    explicit Numbered(Server& server) : server_(server) { ++server_.numbered_; }
    ~Numbered() { --server_.numbered_; }
    Numbered(const Numbered&) = delete;
    Numbered& operator=(const Numbered&) = delete;

   private:
    Server& server_;
  };

  Task<Status> connect(SteadyTime deadline) { return pipeline_.connect(deadline); }
  Task<void> close(SteadyTime deadline) { return pipeline_.close(deadline); }

 private:
  net::PipelineOptions options(const net::Endpoint& host);
  Task<Status> greet(net::Pipeline& pipeline);

  const MemcachedSettings& settings_;
  const std::string text_;  // of the address
  ServerFacts facts_;
  std::size_t numbered_ = 0;
  net::Pipeline pipeline_;
};

}  // namespace holdfast::stores::memcached
