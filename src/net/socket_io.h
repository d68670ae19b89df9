// Sending as much as a socket takes now, with or without TLS on it. Internal to net/.
#pragma once

#include "net/asio_loop.h"
#include "net/tls.h"

namespace holdfast::net {

// Both return how much was taken; a socket that is full is no error.
inline std::size_t send_now(Socket& socket, std::string_view bytes, ErrorCode& error) {
  std::size_t sent = 0;
  while (sent < bytes.size()) {
    sent += socket.write_some(asio::buffer(bytes.data() + sent, bytes.size() - sent), error);
    if (error) break;
  }
  if (error == asio::error::would_block || error == asio::error::try_again) error.clear();
  return sent;
}

// What was encrypted and not sent yet.
inline void send_backlog(Socket& socket, TlsEngine& tls, ErrorCode& error) {
  const std::string_view outgoing = tls.outgoing();
  if (!outgoing.empty()) tls.sent(send_now(socket, outgoing, error));
}

// Encrypts a record's worth at a time, and no more than the socket takes: what is encrypted cannot be taken back. An
// error with TlsEngine::failure() is the engine's.
inline std::size_t send_now(Socket& socket, TlsEngine& tls, std::string_view bytes, ErrorCode& error) {
  constexpr std::size_t kTlsRecord = 16 * 1024;  // RFC 8446 5.1
  std::size_t taken = 0;
  send_backlog(socket, tls, error);
  while (!error && taken < bytes.size() && tls.outgoing().empty()) {
    const std::string_view part = bytes.substr(taken, kTlsRecord);
    if (!tls.write(part)) {
      error = boost::system::errc::make_error_code(boost::system::errc::protocol_error);
      break;
    }
    taken += part.size();
    send_backlog(socket, tls, error);
  }
  return taken;
}

}  // namespace holdfast::net
