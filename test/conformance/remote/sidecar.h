// The daemon of this build as a child process, with the components that it is told, on free ports of the loopback
// address and in a folder of its own, where it runs.
#pragma once

#include <sys/types.h>

#include <cstdint>
#include <filesystem>
#include <string>
#include <utility>
#include <vector>

namespace holdfast::conformance {

struct SidecarComponent {
  using Fields = std::vector<std::pair<std::string, std::string>>;
  std::string name, type, version;
  Fields fields;
};

class Sidecar {
 public:
  // Starts it and waits until it is ready. Throws, with its log, when it does not become so.
  explicit Sidecar(const std::vector<SidecarComponent>& components);
  // Kills what stop() did not end.
  ~Sidecar();
  Sidecar(const Sidecar&) = delete;
  Sidecar& operator=(const Sidecar&) = delete;

  // Asks it to end and waits. Empty when it ended as it should; else how it ended, and its log: what a sanitizer
  // found is there.
  std::string stop();

  std::uint16_t http_port() const { return http_port_; }
  std::uint16_t grpc_port() const { return grpc_port_; }

 private:
  enum class Start { ready, died };
  void launch();
  Start wait_until_ready();
  std::string log() const;

  std::filesystem::path folder_;
  pid_t pid_ = -1;
  std::uint16_t http_port_ = 0;
  std::uint16_t grpc_port_ = 0;
};

}  // namespace holdfast::conformance
