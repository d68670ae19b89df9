// What the tests of Pipeline run it with: a loop on a thread of its own, and replies that are lines.
#pragma once

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <filesystem>
#include <optional>
#include <thread>

#include "net/on_loop.h"
#include "net/pipeline.h"
#include "support/scripted_peer.h"

namespace holdfast::net::testing {

// For a condition that must come, on a slow machine under a sanitizer.
inline constexpr Milliseconds kAmple{20'000};

inline SteadyTime in(Milliseconds time) { return std::chrono::steady_clock::now() + time; }

// "\n" ends a reply; one that begins with ">" is a push, one with "!" breaks the protocol.
class LineFraming final : public ReplyFraming {
 public:
  Result<std::size_t> scan(std::string_view bytes) override {
    EXPECT_FALSE(bytes.empty());
    EXPECT_TRUE(bytes.starts_with(seen_)) << "a reply has changed while it came";
    if (bytes.starts_with('!')) return fail(Errc::internal, "not a line");
    const std::size_t end = bytes.find('\n', seen_.size());
    seen_ = end == std::string_view::npos ? bytes : "";
    return end == std::string_view::npos ? 0 : end + 1;
  }
  bool is_push(std::string_view reply) override { return reply.starts_with('>'); }

 private:
  std::string seen_;
};

using Answer = Result<std::string>;

inline Task<Answer> ask(Pipeline& pipeline, std::string request, SteadyTime deadline, std::uint32_t replies = 1) {
  const auto reply = co_await pipeline.call(request, replies, deadline);
  if (!reply) co_return fail(reply.error());
  co_return std::string(*reply);
}

// Asks all of them in one turn of the loop, and waits for each.
inline Task<std::vector<Answer>> ask_all(Pipeline& pipeline, std::vector<std::string> requests, SteadyTime deadline) {
  std::vector<Answer> answers(requests.size());
  std::size_t left = requests.size();
  Arrival<bool> all;
  for (std::size_t i = 0; i < requests.size(); ++i) {
    start(ask(pipeline, requests[i], deadline), [&, i](Answer answer) {
      answers[i] = std::move(answer);
      if (--left == 0) all.set(true);
    });
  }
  if (!requests.empty()) co_await all;
  co_return answers;
}

inline Task<std::size_t> in_flight(Pipeline& pipeline) { co_return pipeline.in_flight(); }
inline Task<bool> is_connected(Pipeline& pipeline) { co_return pipeline.is_connected(); }
inline Task<bool> pause_task(Loop& loop, Milliseconds time) {
  co_await sleep_for(loop, time);
  co_return true;
}
inline Task<bool> close_task(Pipeline& pipeline, Milliseconds within) {
  co_await pipeline.close(in(within));
  co_return true;
}

class PipelineTest : public ::testing::Test {
 protected:
  PipelineTest() : thread_([this] { loop_.run(); }) {}
  ~PipelineTest() override {
    close();
    loop_.stop();
    thread_.join();
  }

  static PipelineOptions options_for(std::uint16_t port) {
    PipelineOptions options;
    options.endpoint = {"127.0.0.1", port, ""};
    options.name = "component \"orders\" (state.lines)";
    options.framing = [] { return std::make_unique<LineFraming>(); };
    return options;
  }
  void make(PipelineOptions options, std::move_only_function<void(std::string_view)> on_push = {}) {
    if (!options.on_lost) options.on_lost = [this] { ++lost_; };
    options.on_push = std::move(on_push);
    if (!options.on_push) options.on_push = [this](std::string_view push) { pushed_ += push; };
    pipeline_ = std::make_unique<Pipeline>(loop_, std::move(options));
  }
  void make(const test::ScriptedPeer& peer) { make(options_for(peer.port())); }
  void close(Milliseconds within = kAmple) {
    if (!pipeline_) return;
    on<bool>([this, within] { return close_task(*pipeline_, within); });
    pipeline_.reset();
  }

  // Runs it on the loop.
  template <class T>
  T on(std::function<Task<T>()> task) {
    auto done = on_loop<T>(loop_, kAmple * 2, std::move(task));
    if (!done) ADD_FAILURE() << "it did not end";
    return done ? std::move(*done) : T();
  }
  Answer ask(std::string request, Milliseconds within = kAmple, std::uint32_t replies = 1) {
    return on<Answer>([=, this] { return testing::ask(*pipeline_, request, in(within), replies); });
  }
  std::vector<Answer> ask_all(std::vector<std::string> requests, Milliseconds within = kAmple) {
    return on<std::vector<Answer>>([=, this] { return testing::ask_all(*pipeline_, requests, in(within)); });
  }
  Status connect(Milliseconds within = kAmple) {
    return on<Status>([=, this] { return pipeline_->connect(in(within)); });
  }

  std::atomic<int> lost_ = 0;
  std::string pushed_;  // to be looked at after close()
  Loop loop_;
  std::thread thread_;
  std::unique_ptr<Pipeline> pipeline_;
};

inline std::string echo(std::string_view line) { return std::string(line) + "!\n"; }

inline std::string message_of(const Answer& answer) { return answer ? "answered" : answer.error().message; }

class TemporaryFolder {
 public:
  TemporaryFolder() { ::mkdtemp(name_.data()); }
  ~TemporaryFolder() { std::filesystem::remove_all(name_); }
  std::string file(const std::string& name) const { return name_ + "/" + name; }

 private:
  std::string name_ = (std::filesystem::temp_directory_path() / "holdfast-pipeline-XXXXXX").string();
};

// What a peer serves lines with that greets. Lines that begin with 2 are answered twice.
inline std::string serve_line(std::string_view line) {
  if (line == "hello") return "hi\n";
  return line.starts_with('2') ? ">news\n" + echo(line) + ">news\n" + echo(line) : echo(line);
}

inline Task<Status> say_hello(Pipeline& pipeline) {
  const auto reply = co_await pipeline.call_first("hello\n", 1, in(kAmple));
  if (!reply) co_return fail(reply.error());
  co_return *reply == "hi\n" ? Status() : fail(Errc::denied, "it is not polite");
}

// Far more than the buffers of sockets hold.
inline const std::string kHuge = std::string(32 << 20, 'h') + "\n";

inline Errc code_of(const Answer& answer) { return answer ? Errc::internal : answer.error().code; }

}  // namespace holdfast::net::testing
