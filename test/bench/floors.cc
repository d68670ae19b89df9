#include "bench/floors.h"

#include <fcntl.h>
#include <sqlite3.h>
#include <unistd.h>

#include <boost/asio/post.hpp>
#include <memory>
#include <stdexcept>

#include "bench/bare.h"
#include "bench/process.h"

namespace holdfast::bench {

namespace {

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

Awaitable<void> serve_watch(std::shared_ptr<Tcp> socket, std::shared_ptr<Tcp>& watcher, const std::string& event) {
  static const std::string head = "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\nevent: ready\n\n";
  static const std::string answer = "HTTP/1.1 204 No Content\r\nDate: Sun, 22 Nov 2026 04:49:17 GMT\r\n\r\n";
  try {
    std::string in;
    char buffer[16384];
    for (;;) {
      in.append(buffer, co_await socket->async_read_some(asio::buffer(buffer), kAwait));
      std::size_t used = 0;
      while (whole_request(in, used)) {
        const bool watches = in.starts_with("GET");
        const bool tells = in.find(R"("key":"k)") < used;
        in.erase(0, used);
        if (watches) watcher = socket;
        co_await asio::async_write(*socket, asio::buffer(watches ? head : answer), kAwait);
        if (!tells || !watcher) continue;
        asio::post(socket->get_executor(), [told = watcher, &event] {
          boost::system::error_code gone;
          told->write_some(asio::buffer(event), gone);
        });
      }
    }
  } catch (const std::exception&) {
    // The client has gone.
  }
}

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

}  // namespace

void serve_http_floor(int port, const std::string& response) {
  asio::io_context context(1);
  serve_port(context, port, [&response](Tcp socket) { return serve_http(std::move(socket), response); });
}
void serve_watch_floor(int port, const std::string& event) {
  asio::io_context context(1);
  std::shared_ptr<Tcp> watcher;
  serve_port(context, port,
             [&](Tcp socket) { return serve_watch(std::make_shared<Tcp>(std::move(socket)), watcher, event); });
}
void serve_grpc_floor(int port, const std::string& framed_message) {
  asio::io_context context(1);
  serve_port(context, port, [&framed_message](Tcp socket) { return serve_grpc(std::move(socket), framed_message); });
}

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

namespace {

void must(int code, sqlite3* db) {
  if (code != SQLITE_OK && code != SQLITE_DONE) throw std::runtime_error(sqlite3_errmsg(db));
}

}  // namespace

BareSqlite::BareSqlite(const std::string& directory) {
  must(sqlite3_open((directory + "/floor.db").c_str(), &db_), db_);
  must(sqlite3_exec(db_,
                    "PRAGMA journal_mode=WAL; PRAGMA synchronous=FULL;"
                    "CREATE TABLE state(key TEXT NOT NULL PRIMARY KEY, value TEXT NOT NULL, is_binary BOOLEAN NOT NULL,"
                    "etag TEXT NOT NULL, expiration_time TIMESTAMP DEFAULT NULL,"
                    "update_time TIMESTAMP NOT NULL DEFAULT CURRENT_TIMESTAMP)",
                    nullptr, nullptr, nullptr),
       db_);
  must(sqlite3_prepare_v2(db_,
                          "INSERT INTO state(key,value,is_binary,etag) VALUES(?,?,0,?) ON CONFLICT(key) DO UPDATE SET "
                          "value=excluded.value,is_binary=excluded.is_binary,etag=excluded.etag,expiration_time=NULL,"
                          "update_time=CURRENT_TIMESTAMP",
                          -1, &upsert_, nullptr),
       db_);
}

BareSqlite::~BareSqlite() {
  sqlite3_finalize(upsert_);
  sqlite3_close(db_);
}

BareSqlite::Rows BareSqlite::measure(double seconds, const std::string& value) {
  const double began = now_seconds();
  const double cpu = cpu_seconds(getpid());
  const std::uint64_t before = rows_;
  while (now_seconds() - began < seconds) {
    must(sqlite3_exec(db_, "BEGIN IMMEDIATE", nullptr, nullptr, nullptr), db_);
    for (int i = 0; i < 16; ++i, ++rows_) {
      const std::string key = "bench||key-" + std::to_string(rows_ % 1000);
      const std::string etag = "6f1c1a0e-9a34-4f0e-8d4e-" + std::to_string(100000000000 + rows_);
      sqlite3_bind_text(upsert_, 1, key.data(), static_cast<int>(key.size()), SQLITE_STATIC);
      sqlite3_bind_text(upsert_, 2, value.data(), static_cast<int>(value.size()), SQLITE_STATIC);
      sqlite3_bind_text(upsert_, 3, etag.data(), static_cast<int>(etag.size()), SQLITE_STATIC);
      must(sqlite3_step(upsert_), db_);
      sqlite3_reset(upsert_);
    }
    must(sqlite3_exec(db_, "COMMIT", nullptr, nullptr, nullptr), db_);
  }
  const auto rows = static_cast<double>(rows_ - before);
  return {rows / (now_seconds() - began), (cpu_seconds(getpid()) - cpu) * 1e6 / rows};
}

}  // namespace holdfast::bench
