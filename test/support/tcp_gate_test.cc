#include "support/tcp_gate.h"

#include <gtest/gtest.h>
#include <netinet/in.h>
#include <poll.h>
#include <sys/socket.h>
#include <unistd.h>

#include <cerrno>

#include "support/eventually.h"

namespace holdfast::test {
namespace {

constexpr int kPatienceMs = 60'000;

// A socket that waits for what it reads; used by one thread.
class Socket {
 public:
  explicit Socket(int fd) : fd_(fd) {}
  Socket(Socket&& other) noexcept : fd_(std::exchange(other.fd_, -1)) {}
  ~Socket() {
    if (fd_ >= 0) ::close(fd_);
  }
  int fd() const { return fd_; }
  void send(std::string_view bytes) { ::send(fd_, bytes.data(), bytes.size(), MSG_NOSIGNAL); }
  // Exactly so many bytes, fewer when the connection ends.
  std::string read(std::size_t bytes) {
    std::string all(bytes, '\0');
    std::size_t have = 0;
    while (have < bytes && wait(kPatienceMs)) {
      const ssize_t got = ::recv(fd_, all.data() + have, bytes - have, 0);
      if (got < 0) error_ = errno;
      if (got <= 0) break;
      have += static_cast<std::size_t>(got);
    }
    all.resize(have);
    return all;
  }
  bool wait(int ms) {
    pollfd readable{.fd = fd_, .events = POLLIN, .revents = 0};
    return ::poll(&readable, 1, ms) == 1;
  }
  // All that comes until the end, which error() then tells apart.
  std::string read_to_end() { return read(1 << 20); }
  int error() const { return error_; }

 private:
  int fd_;
  int error_ = 0;
};

sockaddr_in loopback(std::uint16_t port) {
  sockaddr_in address{};
  address.sin_family = AF_INET;
  address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
  address.sin_port = htons(port);
  return address;
}

// A server that the test is, behind a gate.
class TcpGateTest : public testing::Test {
 protected:
  TcpGateTest() : listener_(::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0)) {
    const sockaddr_in address = loopback(server_port_.number());
    const int yes = 1;
    ::setsockopt(listener_.fd(), SOL_SOCKET, SO_REUSEADDR, &yes, sizeof yes);
    EXPECT_EQ(::bind(listener_.fd(), reinterpret_cast<const sockaddr*>(&address), sizeof address), 0);
    EXPECT_EQ(::listen(listener_.fd(), 16), 0);
  }

  // Whether there is a connection.
  bool connect(Socket& client) const {
    const sockaddr_in address = loopback(gate_.port());
    return ::connect(client.fd(), reinterpret_cast<const sockaddr*>(&address), sizeof address) == 0;
  }
  Socket connect() const {
    Socket client(::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0));
    EXPECT_TRUE(connect(client));
    return client;
  }
  Socket accept() { return Socket(::accept4(listener_.fd(), nullptr, nullptr, SOCK_CLOEXEC)); }

  Port server_port_;
  Socket listener_;
  TcpGate gate_{server_port_.number()};
};

TEST_F(TcpGateTest, BytesPassBothWaysAndAreCounted) {
  Socket client = connect(), server = accept();
  client.send("question");
  EXPECT_EQ(server.read(8), "question");
  server.send("answer");
  EXPECT_EQ(client.read(6), "answer");
  EXPECT_EQ(gate_.passed(Way::to_server), 8);
  EXPECT_TRUE(eventually([this] { return gate_.passed(Way::to_client) == 6; }));
  EXPECT_EQ(gate_.accepted(), 1);
}

TEST_F(TcpGateTest, EndOfOneSideReachesTheOtherBehindItsBytes) {
  Socket client = connect(), server = accept();
  client.send("last words");
  ::shutdown(client.fd(), SHUT_WR);
  EXPECT_EQ(server.read_to_end(), "last words");
  EXPECT_EQ(server.error(), 0);
  server.send("and an answer");
  ::shutdown(server.fd(), SHUT_WR);
  EXPECT_EQ(client.read_to_end(), "and an answer");
  EXPECT_TRUE(eventually([this] { return gate_.connections() == 0; }));
}

TEST_F(TcpGateTest, CutResetsBothSidesOfEveryConnection) {
  Socket first = connect(), first_server = accept();
  Socket second = connect(), second_server = accept();
  first.send("a");
  EXPECT_EQ(first_server.read(1), "a");
  gate_.cut();
  EXPECT_EQ(gate_.connections(), 0);
  for (Socket* socket : {&first, &first_server, &second, &second_server}) {
    EXPECT_EQ(socket->read_to_end(), "");
    EXPECT_EQ(socket->error(), ECONNRESET);
  }
  Socket third = connect(), third_server = accept();
  third.send("b");
  EXPECT_EQ(third_server.read(1), "b");
}

TEST_F(TcpGateTest, ExactlyAsManyBytesPassAsWereAskedFor) {
  for (std::uint64_t bytes = 0; bytes < 8; ++bytes) {
    Socket client = connect(), server = accept();
    gate_.cut_after(Way::to_server, bytes);
    client.send("question");
    EXPECT_EQ(server.read_to_end(), std::string_view("question").substr(0, bytes));
    EXPECT_EQ(client.read_to_end(), "");
    EXPECT_EQ(gate_.cuts(), bytes + 1);
  }
}

TEST_F(TcpGateTest, AnswersAreCutAtTheirByteAndQuestionsAreNot) {
  Socket client = connect(), server = accept();
  gate_.cut_after(Way::to_client, 3);
  client.send("question");
  EXPECT_EQ(server.read(8), "question");
  server.send("answer");
  EXPECT_EQ(client.read_to_end(), "ans");
}

TEST_F(TcpGateTest, SparedConnectionStays) {
  Socket client = connect(), server = accept();
  gate_.cut_after(Way::to_server, 3);
  gate_.spare();
  client.send("question");
  EXPECT_EQ(server.read(8), "question");
  EXPECT_EQ(gate_.cuts(), 0);
}

TEST_F(TcpGateTest, NothingPassesWhileItStallsAndAllOfItAfterwards) {
  Socket client = connect(), server = accept();
  gate_.stall(true);
  client.send("question");
  gate_.stall(true);  // the thread has been round since
  EXPECT_EQ(gate_.passed(Way::to_server), 0);
  EXPECT_FALSE(server.wait(0));
  gate_.stall(false);
  EXPECT_EQ(server.read(8), "question");
}

TEST_F(TcpGateTest, SingleBytesPassOneAfterTheOther) {
  Socket client = connect(), server = accept();
  gate_.split(true);
  client.send("question");
  EXPECT_EQ(server.read(1), "q");
  EXPECT_EQ(server.read(7), "uestion");
  EXPECT_TRUE(eventually([this] { return gate_.passed(Way::to_server) == 8; }));
}

TEST_F(TcpGateTest, NewConnectionsAreRefusedUntilTheyAreNot) {
  Socket old = connect(), old_server = accept();
  gate_.refuse(true);
  Socket refused(::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0));
  EXPECT_FALSE(connect(refused));
  EXPECT_EQ(errno, ECONNREFUSED);
  old.send("still here");
  EXPECT_EQ(old_server.read(10), "still here");
  gate_.refuse(false);
  Socket client = connect(), server = accept();
  client.send("a");
  EXPECT_EQ(server.read(1), "a");
}

TEST_F(TcpGateTest, MuchPassesWholeThroughAReaderThatIsSlow) {
  Socket client = connect(), server = accept();
  std::string much(3 << 20, '\0');
  for (std::size_t i = 0; i < much.size(); ++i) much[i] = static_cast<char>(i * 31);
  std::thread sender([&] {
    std::string_view left = much;
    while (!left.empty()) {
      const ssize_t sent = ::send(client.fd(), left.data(), left.size(), MSG_NOSIGNAL);
      if (sent <= 0) break;
      left.remove_prefix(static_cast<std::size_t>(sent));
    }
  });
  EXPECT_EQ(server.read(much.size()), much);
  sender.join();
}

TEST(TcpGateWithoutServer, ClientIsResetWhereNoServerListens) {
  const Port nobody;
  TcpGate gate(nobody.number());
  Socket client(::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0));
  const sockaddr_in address = loopback(gate.port());
  ASSERT_EQ(::connect(client.fd(), reinterpret_cast<const sockaddr*>(&address), sizeof address), 0);
  EXPECT_EQ(client.read_to_end(), "");
  EXPECT_EQ(client.error(), ECONNRESET);
}

}  // namespace
}  // namespace holdfast::test
