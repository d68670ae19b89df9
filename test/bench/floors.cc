#include "bench/floors.h"

#include <fcntl.h>
#include <nghttp2/nghttp2.h>
#include <sqlite3.h>
#include <unistd.h>

#include <boost/asio/awaitable.hpp>
#include <boost/asio/co_spawn.hpp>
#include <boost/asio/detached.hpp>
#include <boost/asio/io_context.hpp>
#include <boost/asio/ip/tcp.hpp>
#include <boost/asio/use_awaitable.hpp>
#include <boost/asio/write.hpp>
#include <cstdlib>
#include <cstring>
#include <stdexcept>
#include <unordered_map>

#include "bench/process.h"

namespace holdfast::bench {

namespace asio = boost::asio;
using Tcp = asio::basic_stream_socket<asio::ip::tcp, asio::io_context::executor_type>;
using Acceptor = asio::basic_socket_acceptor<asio::ip::tcp, asio::io_context::executor_type>;
template <class T>
using Awaitable = asio::awaitable<T, asio::io_context::executor_type>;
constexpr asio::use_awaitable_t<asio::io_context::executor_type> kAwait;

namespace {

bool whole_request(const std::string& in, std::size_t& used) {
  const std::size_t head = in.find("\r\n\r\n");
  if (head == std::string::npos) return false;
  const std::size_t at = in.find("Content-Length: ");
  const std::size_t body = at < head ? std::strtoul(in.c_str() + at + 16, nullptr, 10) : 0;
  used = head + 4 + body;
  return in.size() >= used;
}

Awaitable<void> serve_http(Tcp socket, const std::string& response) {
  try {
    std::string in;
    char buffer[16384];
    for (;;) {
      in.append(buffer, co_await socket.async_read_some(asio::buffer(buffer), kAwait));
      std::size_t used = 0;
      while (whole_request(in, used)) {
        in.erase(0, used);
        co_await asio::async_write(socket, asio::buffer(response), kAwait);
      }
    }
  } catch (const std::exception&) {
    // The client has gone.
  }
}

// One HTTP/2 connection: nghttp2 and nothing else.
class Bare {
 public:
  explicit Bare(const std::string& message) : message_(message) {
    static nghttp2_session_callbacks* callbacks = [] {
      nghttp2_session_callbacks* made = nullptr;
      nghttp2_session_callbacks_new(&made);
      nghttp2_session_callbacks_set_on_frame_recv_callback(made, on_frame);
      return made;
    }();
    nghttp2_session_server_new(&h2_, callbacks, this);
    nghttp2_submit_settings(h2_, NGHTTP2_FLAG_NONE, nullptr, 0);
  }
  ~Bare() { nghttp2_session_del(h2_); }
  Bare(const Bare&) = delete;
  Bare& operator=(const Bare&) = delete;

  bool receive(const char* data, std::size_t bytes) {
    return nghttp2_session_mem_recv(h2_, reinterpret_cast<const std::uint8_t*>(data), bytes) >= 0;
  }
  const std::string& send() {
    out_.clear();
    const std::uint8_t* data = nullptr;
    for (ssize_t n = 0; (n = nghttp2_session_mem_send(h2_, &data)) > 0;)
      out_.append(reinterpret_cast<const char*>(data), static_cast<std::size_t>(n));
    return out_;
  }

 private:
  static nghttp2_nv field(const char* name, const char* value) {
    return {reinterpret_cast<std::uint8_t*>(const_cast<char*>(name)),
            reinterpret_cast<std::uint8_t*>(const_cast<char*>(value)), std::strlen(name), std::strlen(value),
            NGHTTP2_NV_FLAG_NO_COPY_NAME | NGHTTP2_NV_FLAG_NO_COPY_VALUE};
  }
  static ssize_t read_body(nghttp2_session* h2, std::int32_t id, std::uint8_t* to, std::size_t room,
                           std::uint32_t* flags, nghttp2_data_source* source, void* user) {
    const std::string& message = static_cast<Bare*>(user)->message_;
    std::size_t& at = static_cast<Bare*>(user)->sent_[id];
    (void)source;
    const std::size_t n = std::min(room, message.size() - at);
    std::memcpy(to, message.data() + at, n);
    at += n;
    if (at < message.size()) return static_cast<ssize_t>(n);
    static_cast<Bare*>(user)->sent_.erase(id);
    *flags |= NGHTTP2_DATA_FLAG_EOF | NGHTTP2_DATA_FLAG_NO_END_STREAM;
    const nghttp2_nv status = field("grpc-status", "0");
    nghttp2_submit_trailer(h2, id, &status, 1);
    return static_cast<ssize_t>(n);
  }
  static int on_frame(nghttp2_session* h2, const nghttp2_frame* frame, void*) {
    if ((frame->hd.flags & NGHTTP2_FLAG_END_STREAM) == 0 || frame->hd.type == NGHTTP2_SETTINGS) return 0;
    const nghttp2_nv head[] = {field(":status", "200"), field("content-type", "application/grpc")};
    nghttp2_data_provider provider{};
    provider.read_callback = read_body;
    nghttp2_submit_response(h2, frame->hd.stream_id, head, 2, &provider);
    return 0;
  }

  const std::string& message_;
  std::string out_;
  std::unordered_map<std::int32_t, std::size_t> sent_;
  nghttp2_session* h2_ = nullptr;
};

Awaitable<void> serve_grpc(Tcp socket, const std::string& message) {
  try {
    Bare bare(message);
    char buffer[16384];
    for (;;) {
      const std::size_t n = co_await socket.async_read_some(asio::buffer(buffer), kAwait);
      if (!bare.receive(buffer, n)) co_return;
      const std::string& out = bare.send();
      if (!out.empty()) co_await asio::async_write(socket, asio::buffer(out), kAwait);
    }
  } catch (const std::exception&) {
    // The client has gone.
  }
}

template <class Serve>
Awaitable<void> accept(Acceptor& acceptor, asio::io_context& context, Serve serve, const std::string& canned) {
  for (;;) {
    Tcp socket(context);
    co_await acceptor.async_accept(socket, kAwait);
    socket.set_option(asio::ip::tcp::no_delay(true));
    asio::co_spawn(context, serve(std::move(socket), canned), asio::detached);
  }
}

template <class Serve>
[[noreturn]] void run(int port, Serve serve, const std::string& canned) {
  asio::io_context context(1);
  Acceptor acceptor(context,
                    asio::ip::tcp::endpoint(asio::ip::address_v4::loopback(), static_cast<std::uint16_t>(port)));
  asio::co_spawn(context, accept(acceptor, context, serve, canned), asio::detached);
  context.run();
  std::exit(1);
}

}  // namespace

void serve_http_floor(int port, const std::string& response) { run(port, serve_http, response); }
void serve_grpc_floor(int port, const std::string& framed_message) { run(port, serve_grpc, framed_message); }

namespace {

double syncs_per_second(const std::string& directory, double seconds) {
  const std::string file = directory + "/sync.tmp";
  const int fd = open(file.c_str(), O_WRONLY | O_CREAT | O_TRUNC, 0600);
  const char block[4096] = {};
  const double began = now_seconds();
  int count = 0;
  while (now_seconds() - began < seconds) {
    if (write(fd, block, sizeof block) != sizeof block || fdatasync(fd) != 0) break;
    ++count;
  }
  const double took = now_seconds() - began;
  close(fd);
  unlink(file.c_str());
  return count / took;
}

void must(int code, sqlite3* db) {
  if (code != SQLITE_OK && code != SQLITE_DONE) throw std::runtime_error(sqlite3_errmsg(db));
}

}  // namespace

SqliteFloor measure_sqlite(const std::string& directory, double seconds, const std::string& value) {
  SqliteFloor floor;
  floor.syncs_per_second = syncs_per_second(directory, seconds / 2);
  sqlite3* db = nullptr;
  must(sqlite3_open((directory + "/floor.db").c_str(), &db), db);
  must(sqlite3_exec(db,
                    "PRAGMA journal_mode=WAL; PRAGMA synchronous=FULL;"
                    "CREATE TABLE state(key TEXT NOT NULL PRIMARY KEY, value TEXT NOT NULL, is_binary BOOLEAN NOT NULL,"
                    "etag TEXT NOT NULL, expiration_time TIMESTAMP DEFAULT NULL,"
                    "update_time TIMESTAMP NOT NULL DEFAULT CURRENT_TIMESTAMP)",
                    nullptr, nullptr, nullptr),
       db);
  sqlite3_stmt* upsert = nullptr;
  must(sqlite3_prepare_v2(db,
                          "INSERT INTO state(key,value,is_binary,etag) VALUES(?,?,0,?) ON CONFLICT(key) DO UPDATE SET "
                          "value=excluded.value,is_binary=excluded.is_binary,etag=excluded.etag,expiration_time=NULL,"
                          "update_time=CURRENT_TIMESTAMP",
                          -1, &upsert, nullptr),
       db);
  const double began = now_seconds();
  const double cpu = cpu_seconds(getpid());
  std::uint64_t rows = 0;
  while (now_seconds() - began < seconds) {
    must(sqlite3_exec(db, "BEGIN IMMEDIATE", nullptr, nullptr, nullptr), db);
    for (int i = 0; i < 16; ++i, ++rows) {
      const std::string key = "bench||key-" + std::to_string(rows % 1000);
      const std::string etag = "6f1c1a0e-9a34-4f0e-8d4e-" + std::to_string(100000000000 + rows);
      sqlite3_bind_text(upsert, 1, key.data(), static_cast<int>(key.size()), SQLITE_STATIC);
      sqlite3_bind_text(upsert, 2, value.data(), static_cast<int>(value.size()), SQLITE_STATIC);
      sqlite3_bind_text(upsert, 3, etag.data(), static_cast<int>(etag.size()), SQLITE_STATIC);
      must(sqlite3_step(upsert), db);
      sqlite3_reset(upsert);
    }
    must(sqlite3_exec(db, "COMMIT", nullptr, nullptr, nullptr), db);
  }
  floor.rows_per_second = static_cast<double>(rows) / (now_seconds() - began);
  floor.cpu_us_per_row = (cpu_seconds(getpid()) - cpu) * 1e6 / static_cast<double>(rows);
  sqlite3_finalize(upsert);
  sqlite3_close(db);
  return floor;
}

}  // namespace holdfast::bench
