#include "conformance/remote/sidecar.h"

#include <arpa/inet.h>
#include <fcntl.h>
#include <fmt/format.h>
#include <signal.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#include <chrono>
#include <cstdlib>
#include <fstream>
#include <sstream>
#include <stdexcept>
#include <thread>
#include <vector>

#include "conformance/remote/http_client.h"
#include "wire/json/json.h"

namespace holdfast::conformance {

namespace {

using Clock = std::chrono::steady_clock;

// Under a sanitizer on a busy machine.
constexpr auto kPatience = std::chrono::seconds(30);
constexpr auto kPoll = std::chrono::milliseconds(5);
constexpr int kStartsMax = 5;

// Free when asked: somebody may take it before the daemon does, which is then started again with others.
std::uint16_t free_port() {
  const int fd = ::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
  sockaddr_in address{};
  address.sin_family = AF_INET;
  address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
  socklen_t size = sizeof address;
  const bool bound = ::bind(fd, reinterpret_cast<sockaddr*>(&address), size) == 0 &&
                     ::getsockname(fd, reinterpret_cast<sockaddr*>(&address), &size) == 0;
  ::close(fd);
  if (!bound) throw std::runtime_error("there is no free port");
  return ntohs(address.sin_port);
}

std::filesystem::path make_folder() {
  std::string name = (std::filesystem::temp_directory_path() / "holdfast-conformance-XXXXXX").string();
  if (::mkdtemp(name.data()) == nullptr) throw std::runtime_error("cannot make a folder for the daemon");
  return name;
}

// JSON strings are YAML's, whatever is in them.
std::string json_of(std::string_view text) {
  std::string written;
  json::append_string(written, text);
  return written;
}

void write_component(const std::filesystem::path& folder, const SidecarComponent& component) {
  std::ofstream file(folder / (component.name + ".yaml"));
  file << fmt::format(
      "apiVersion: dapr.io/v1alpha1\nkind: Component\nmetadata:\n  name: {}\nspec:\n  type: {}\n  version: {}\n"
      "  metadata:\n",
      component.name, component.type, component.version);
  for (const auto& [name, value] : component.fields)
    file << fmt::format("  - {{name: {}, value: {}}}\n", name, json_of(value));
}

// Waits up to `patience`; whether the child has ended, and how.
bool has_ended(pid_t pid, Clock::duration patience, int& status) {
  const auto give_up = Clock::now() + patience;
  for (;;) {
    if (::waitpid(pid, &status, WNOHANG) == pid) return true;
    if (Clock::now() >= give_up) return false;
    std::this_thread::sleep_for(kPoll);
  }
}

}  // namespace

Sidecar::Sidecar(const std::vector<SidecarComponent>& components) : folder_(make_folder()) {
  std::filesystem::create_directory(folder_ / "components");
  for (const SidecarComponent& component : components) write_component(folder_ / "components", component);
  for (int attempt = 0; attempt < kStartsMax; ++attempt) {
    launch();
    if (wait_until_ready() == Start::ready) return;
  }
  throw std::runtime_error("the daemon does not start:\n" + log());
}

Sidecar::~Sidecar() {
  if (pid_ > 0) {
    ::kill(pid_, SIGKILL);
    ::waitpid(pid_, nullptr, 0);
  }
  std::error_code ignored;
  std::filesystem::remove_all(folder_, ignored);
}

void Sidecar::launch() {
  http_port_ = free_port();
  grpc_port_ = free_port();
  std::vector<std::string> words{HOLDFAST_BINARY,
                                 "--app-id",
                                 "conformance",
                                 "--resources-path",
                                 (folder_ / "components").string(),
                                 "--dapr-http-port",
                                 std::to_string(http_port_),
                                 "--dapr-grpc-port",
                                 std::to_string(grpc_port_),
                                 "--dapr-listen-addresses",
                                 "127.0.0.1",
                                 "--enable-metrics=false",
                                 "--log-level",
                                 "warn"};
  std::vector<char*> argv;
  for (std::string& word : words) argv.push_back(word.data());
  argv.push_back(nullptr);
  const int log = ::open((folder_ / "log").c_str(), O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);
  pid_ = ::fork();
  if (pid_ < 0) throw std::runtime_error("fork failed");
  if (pid_ == 0) {
    ::dup2(log, STDOUT_FILENO);
    ::dup2(log, STDERR_FILENO);
    if (::chdir(folder_.c_str()) != 0) ::_exit(127);
    ::execv(argv[0], argv.data());
    ::_exit(127);
  }
  ::close(log);
}

Sidecar::Start Sidecar::wait_until_ready() {
  const auto give_up = Clock::now() + kPatience;
  while (Clock::now() < give_up) {
    int status = 0;
    if (has_ended(pid_, kPoll, status)) {
      pid_ = -1;
      return Start::died;
    }
    const auto client = HttpClient::connect(http_port_);
    if (!client) continue;
    const auto answer = (*client)->send({"GET", "/v1.0/healthz/outbound", {}, {}});
    if (answer && answer->status == 204) return Start::ready;
  }
  throw std::runtime_error("the daemon does not become ready:\n" + log());
}

std::string Sidecar::stop() {
  ::kill(pid_, SIGTERM);
  int status = 0;
  if (!has_ended(pid_, kPatience, status)) return "the daemon does not end:\n" + log();
  pid_ = -1;
  if (WIFEXITED(status) && WEXITSTATUS(status) == 0) return {};
  const std::string how = WIFSIGNALED(status) ? fmt::format("signal {}", WTERMSIG(status))
                                              : fmt::format("exit code {}", WEXITSTATUS(status));
  return fmt::format("the daemon ended with {}:\n{}", how, log());
}

std::string Sidecar::log() const {
  std::ostringstream text;
  text << std::ifstream(folder_ / "log").rdbuf();
  return text.str();
}

}  // namespace holdfast::conformance
