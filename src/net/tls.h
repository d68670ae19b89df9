// TLS by OpenSSL 3, for connections that are accepted and that are made: the certificates that all share, and one
// connection's conversation as bytes in and bytes out. No socket is touched here.
#pragma once

#include <openssl/types.h>

#include <memory>
#include <mutex>
#include <string>
#include <string_view>

#include "base/result.h"

namespace holdfast::net {

struct TlsFiles {
  std::string certificate;  // PEM, the chain from the server's own
  std::string key;          // PEM
  std::string client_ca;    // PEM; empty: clients show no certificate. Else they have to
};

// TLS 1.2 and 1.3, ALPN "h2" and "http/1.1". Thread-safe.
class TlsContext {
 public:
  // Errc::invalid_argument names the file and what is wrong with it.
  static Result<std::shared_ptr<TlsContext>> load(TlsFiles files);

  // Reads the files again when they hold other bytes than before; true when connections from now on get what is new.
  // On an error they get what was there, and a later call tries again.
  Result<bool> reload_if_changed();

  std::shared_ptr<SSL_CTX> current() const;

 private:
  explicit TlsContext(TlsFiles files) : files_(std::move(files)) {}
  const TlsFiles files_;
  mutable std::mutex mutex_;
  std::string loaded_;  // the files' bytes; main thread only
  std::shared_ptr<SSL_CTX> context_;
};

// For connections that we make.
struct TlsClientOptions {
  std::string ca_pem = {};           // who may have signed the server's certificate; empty: whom the system trusts
  std::string certificate_pem = {};  // ours, the chain from our own; empty: none is shown
  std::string key_pem = {};
  std::string server_name = {};  // whose certificate it has to be; empty: the host connected to
  bool verify = true;            // false: any certificate will do
  std::string alpn = {};         // the one protocol that we speak, "h2"; empty: the server is not told
};

// TLS 1.2 and 1.3. Immutable, shared by connections of all loops.
class TlsClientContext {
 public:
  // Errc::invalid_argument says which of the options is wrong, and how.
  static Result<std::shared_ptr<const TlsClientContext>> make(TlsClientOptions options);

  const std::string& alpn() const { return alpn_; }

 private:
  friend class TlsEngine;
  TlsClientContext() = default;
  std::shared_ptr<SSL_CTX> context_;
  std::string server_name_;
  std::string alpn_;
};

// One side of one connection. Its loop's.
class TlsEngine {
 public:
  // The server's side.
  explicit TlsEngine(const TlsContext& context);
  // The client's side. `host` is what was connected to, a name or an address; empty for a Unix socket, where the
  // certificate's name is looked at only when the options give one.
  TlsEngine(const TlsClientContext& context, const std::string& host);
  ~TlsEngine();
  TlsEngine(const TlsEngine&) = delete;
  TlsEngine& operator=(const TlsEngine&) = delete;

  // What the peer sent.
  void feed(std::string_view ciphertext);
  enum class Handshake { going_on, done, failed };
  // Goes as far as what was fed allows. There may be something to send after each call, also after a failure.
  Handshake handshake();
  // Takes decrypted bytes; 0: more has to be fed, or the conversation is over.
  std::size_t read(char* to, std::size_t room);
  // What the server chose by ALPN, after the handshake; empty: nothing.
  std::string_view protocol() const;
  // Whether the peer has ended the conversation, or broken it.
  bool is_over() const { return over_; }
  // Encrypts all of it. False when that cannot be done any more.
  bool write(std::string_view plaintext);
  // Says goodbye.
  void close();

  // What has to be sent, and how much of it was.
  std::string_view outgoing();
  void sent(std::size_t bytes);

  // OpenSSL's words for the last failure, for the log.
  const std::string& failure() const { return failure_; }

 private:
  explicit TlsEngine(std::shared_ptr<SSL_CTX> context);
  void note_failure();

  std::shared_ptr<SSL_CTX> context_;  // a reload must not take it from under us
  SSL* ssl_ = nullptr;
  BIO* in_ = nullptr;   // owned by ssl_
  BIO* out_ = nullptr;  // owned by ssl_
  bool over_ = false;
  std::string expected_name_;  // of the server, on the client's side
  std::string failure_;
};

}  // namespace holdfast::net
