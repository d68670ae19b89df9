#include "daemon/service_manager.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include <array>
#include <cstddef>
#include <filesystem>

namespace holdfast::daemon {
namespace {

using ::testing::HasSubstr;
using ::testing::StartsWith;

ServiceManager manager_at(const std::string& socket) {
  return ServiceManager([socket](const std::string& name) -> std::optional<std::string> {
    if (name == "NOTIFY_SOCKET") return socket;
    return std::nullopt;
  });
}

// The manager's end. A name that begins with @ is an abstract one, as in NOTIFY_SOCKET.
class ManagersSocket {
 public:
  explicit ManagersSocket(std::string name) : name_(std::move(name)), fd_(::socket(AF_UNIX, SOCK_DGRAM, 0)) {
    sockaddr_un address{};
    address.sun_family = AF_UNIX;
    name_.copy(static_cast<char*>(address.sun_path), name_.size());
    if (name_[0] == '@') address.sun_path[0] = '\0';
    const auto size = static_cast<socklen_t>(offsetof(sockaddr_un, sun_path) + name_.size());
    EXPECT_EQ(::bind(fd_, reinterpret_cast<const sockaddr*>(&address), size), 0) << name_;
  }
  ~ManagersSocket() {
    ::close(fd_);
    if (name_[0] != '@') std::filesystem::remove(name_);
  }
  ManagersSocket(const ManagersSocket&) = delete;
  ManagersSocket& operator=(const ManagersSocket&) = delete;

  // What has arrived; a datagram to a local socket is there once it is sent.
  std::string next() const {
    std::array<char, 256> text{};
    const ssize_t size = ::recv(fd_, text.data(), text.size(), MSG_DONTWAIT);
    return size < 0 ? "(nothing)" : std::string(text.data(), static_cast<std::size_t>(size));
  }
  const std::string& name() const { return name_; }

 private:
  std::string name_;
  int fd_;
};

std::string own_path(const std::string& name) {
  return (std::filesystem::temp_directory_path() / (name + std::to_string(::getpid()))).string();
}

TEST(ServiceManager, HearsThatTheSidecarIsReadyRestartsAndStops) {
  const ManagersSocket socket(own_path("holdfast-manager-"));
  const ServiceManager manager = manager_at(socket.name());
  manager.ready();
  EXPECT_EQ(socket.next(), "READY=1");
  manager.reloading();
  EXPECT_THAT(socket.next(), StartsWith("RELOADING=1\nMONOTONIC_USEC="));
  manager.stopping();
  EXPECT_EQ(socket.next(), "STOPPING=1");
  EXPECT_EQ(socket.next(), "(nothing)");
}

TEST(ServiceManager, MayListenOnAnAbstractSocket) {
  const ManagersSocket socket("@holdfast-manager-" + std::to_string(::getpid()));
  EXPECT_TRUE(manager_at(socket.name()).tell("READY=1"));
  EXPECT_EQ(socket.next(), "READY=1");
}

TEST(ServiceManager, IsNotThereWithoutTheVariable) {
  EXPECT_TRUE(ServiceManager([](const std::string&) { return std::nullopt; }).tell("READY=1"));
}

TEST(ServiceManager, ThatDoesNotListenIsNamed) {
  const auto told = manager_at("/nowhere/notify").tell("READY=1");
  ASSERT_FALSE(told);
  EXPECT_THAT(told.error().message, HasSubstr("/nowhere/notify (NOTIFY_SOCKET): No such file"));
}

TEST(ServiceManager, APathThatFitsIntoNoAddressIsRefused) {
  const auto told = manager_at("/" + std::string(200, 'x')).tell("READY=1");
  ASSERT_FALSE(told);
  EXPECT_EQ(told.error().code, Errc::invalid_argument);
}

}  // namespace
}  // namespace holdfast::daemon
