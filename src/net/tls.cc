#include "net/tls.h"

#include <fmt/format.h>
#include <openssl/bio.h>
#include <openssl/err.h>
#include <openssl/pem.h>
#include <openssl/ssl.h>
#include <openssl/sslerr.h>
#include <openssl/x509.h>
#include <openssl/x509_vfy.h>
#include <openssl/x509v3.h>

#include <array>
#include <fstream>
#include <iterator>

namespace holdfast::net {

namespace {

struct Free {
  void operator()(BIO* bio) const { ::BIO_free(bio); }
  void operator()(X509* certificate) const { ::X509_free(certificate); }
  void operator()(EVP_PKEY* key) const { ::EVP_PKEY_free(key); }
};
template <class T>
using Owned = std::unique_ptr<T, Free>;

std::string take_openssl_error() {
  std::string text;
  while (const unsigned long code = ::ERR_get_error()) {
    const char* const reason = ::ERR_reason_error_string(code);
    if (text.empty() && reason != nullptr) text = reason;
  }
  return text.empty() ? "unknown error" : text;
}

std::unexpected<Error> wrong(const std::string& file, std::string_view why) {
  return fail(Errc::invalid_argument, fmt::format("TLS: {}: {}", file, why));
}

Result<std::string> read_whole(const std::string& file) {
  std::ifstream stream(file, std::ios::binary);
  if (!stream) return wrong(file, "it cannot be read");
  return std::string(std::istreambuf_iterator<char>(stream), {});
}

Owned<BIO> memory(const std::string& text) {
  return Owned<BIO>(::BIO_new_mem_buf(text.data(), static_cast<int>(text.size())));
}

Status use_certificate(SSL_CTX* context, const std::string& file, const std::string& pem) {
  const Owned<BIO> bio = memory(pem);
  const Owned<X509> own(::PEM_read_bio_X509(bio.get(), nullptr, nullptr, nullptr));
  if (!own) return wrong(file, "there is no PEM certificate in it: " + take_openssl_error());
  if (::SSL_CTX_use_certificate(context, own.get()) != 1) return wrong(file, take_openssl_error());
  for (;;) {
    Owned<X509> above(::PEM_read_bio_X509(bio.get(), nullptr, nullptr, nullptr));
    if (!above) break;
    if (::SSL_CTX_add0_chain_cert(context, above.get()) != 1) return wrong(file, take_openssl_error());
    (void)above.release();  // the context owns it now
  }
  ::ERR_clear_error();  // the end of the file
  return {};
}

Status use_key(SSL_CTX* context, const std::string& file, const std::string& pem) {
  const Owned<BIO> bio = memory(pem);
  // No passphrase is asked for on a terminal: the callback has none.
  const Owned<EVP_PKEY> key(
      ::PEM_read_bio_PrivateKey(bio.get(), nullptr, [](char*, int, int, void*) { return 0; }, nullptr));
  if (!key) return wrong(file, "there is no PEM private key without a passphrase in it: " + take_openssl_error());
  if (::SSL_CTX_use_PrivateKey(context, key.get()) != 1 || ::SSL_CTX_check_private_key(context) != 1)
    return wrong(file, "the key does not belong to the certificate: " + take_openssl_error());
  return {};
}

// Trusts the certificates of `pem`; those who show one are told their names, when `told`.
Status add_authorities(SSL_CTX* context, const std::string& file, const std::string& pem, bool told) {
  const Owned<BIO> bio = memory(pem);
  X509_STORE* const store = ::SSL_CTX_get_cert_store(context);
  std::size_t found = 0;
  for (;; ++found) {
    const Owned<X509> authority(::PEM_read_bio_X509(bio.get(), nullptr, nullptr, nullptr));
    if (!authority) break;
    ::X509_STORE_add_cert(store, authority.get());
    if (told) ::SSL_CTX_add_client_CA(context, authority.get());
  }
  const std::string end = take_openssl_error();
  if (found == 0) return wrong(file, "there is no PEM certificate in it: " + end);
  return {};
}

Status use_client_ca(SSL_CTX* context, const std::string& file, const std::string& pem) {
  if (auto ok = add_authorities(context, file, pem, true); !ok) return ok;
  ::SSL_CTX_set_verify(context, SSL_VERIFY_PEER | SSL_VERIFY_FAIL_IF_NO_PEER_CERT, nullptr);
  static constexpr unsigned char kSessionContext[] = "holdfast";
  ::SSL_CTX_set_session_id_context(context, kSessionContext, sizeof kSessionContext - 1);
  return {};
}

int choose_protocol(SSL*, const unsigned char** out, unsigned char* out_bytes, const unsigned char* offered,
                    unsigned int offered_bytes, void*) {
  static constexpr unsigned char kOurs[] = "\x02h2\x08http/1.1";
  unsigned char* chosen = nullptr;
  if (::SSL_select_next_proto(&chosen, out_bytes, kOurs, sizeof kOurs - 1, offered, offered_bytes) !=
      OPENSSL_NPN_NEGOTIATED)
    return SSL_TLSEXT_ERR_NOACK;
  *out = chosen;
  return SSL_TLSEXT_ERR_OK;
}

Status offer_protocol(SSL_CTX* context, const std::string& name) {
  if (name.size() > 255) return wrong("ALPN", "the name of the protocol is longer than 255 bytes");
  const std::string list = static_cast<char>(name.size()) + name;
  // Not as the rest of OpenSSL: 0 is success.
  if (::SSL_CTX_set_alpn_protos(context, reinterpret_cast<const unsigned char*>(list.data()),
                                static_cast<unsigned>(list.size())) != 0)
    return wrong("ALPN", take_openssl_error());
  return {};
}

std::shared_ptr<SSL_CTX> new_context(const SSL_METHOD* side) {
  std::shared_ptr<SSL_CTX> context(::SSL_CTX_new(side), ::SSL_CTX_free);
  ::SSL_CTX_set_min_proto_version(context.get(), TLS1_2_VERSION);
  ::SSL_CTX_set_options(context.get(), SSL_OP_NO_RENEGOTIATION | SSL_OP_NO_COMPRESSION |
                                           SSL_OP_CIPHER_SERVER_PREFERENCE | SSL_OP_IGNORE_UNEXPECTED_EOF);
  // An idle connection keeps no buffers of its own.
  ::SSL_CTX_set_mode(context.get(), SSL_MODE_RELEASE_BUFFERS);
  return context;
}

std::shared_ptr<SSL_CTX> new_server_context() {
  auto context = new_context(::TLS_server_method());
  ::SSL_CTX_set_alpn_select_cb(context.get(), choose_protocol, nullptr);
  return context;
}

}  // namespace

Result<std::shared_ptr<TlsContext>> TlsContext::load(TlsFiles files) {
  std::shared_ptr<TlsContext> context(new TlsContext(std::move(files)));
  auto loaded = context->reload_if_changed();
  if (!loaded) return fail(loaded.error());
  return context;
}

Result<bool> TlsContext::reload_if_changed() {
  const auto certificate = read_whole(files_.certificate);
  if (!certificate) return fail(certificate.error());
  const auto key = read_whole(files_.key);
  if (!key) return fail(key.error());
  Result<std::string> client_ca = std::string();
  if (!files_.client_ca.empty()) client_ca = read_whole(files_.client_ca);
  if (!client_ca) return fail(client_ca.error());
  std::string bytes = *certificate + '\0' + *key + '\0' + *client_ca;
  if (bytes == loaded_) return false;
  auto made = new_server_context();
  if (auto ok = use_certificate(made.get(), files_.certificate, *certificate); !ok) return fail(ok.error());
  if (auto ok = use_key(made.get(), files_.key, *key); !ok) return fail(ok.error());
  if (!client_ca->empty() || !files_.client_ca.empty())
    if (auto ok = use_client_ca(made.get(), files_.client_ca, *client_ca); !ok) return fail(ok.error());
  const std::lock_guard lock(mutex_);
  loaded_ = std::move(bytes);
  context_ = std::move(made);
  return true;
}

std::shared_ptr<SSL_CTX> TlsContext::current() const {
  const std::lock_guard lock(mutex_);
  return context_;
}

Result<std::shared_ptr<const TlsClientContext>> TlsClientContext::make(TlsClientOptions options) {
  std::shared_ptr<TlsClientContext> made(new TlsClientContext);
  made->context_ = new_context(::TLS_client_method());
  SSL_CTX* const context = made->context_.get();
  made->server_name_ = std::move(options.server_name);
  made->alpn_ = std::move(options.alpn);
  if (!made->alpn_.empty())
    if (auto ok = offer_protocol(context, made->alpn_); !ok) return fail(ok.error());
  ::SSL_CTX_set_verify(context, options.verify ? SSL_VERIFY_PEER : SSL_VERIFY_NONE, nullptr);
  if (!options.ca_pem.empty()) {
    if (auto ok = add_authorities(context, "CA certificate", options.ca_pem, false); !ok) return fail(ok.error());
  } else if (options.verify && ::SSL_CTX_set_default_verify_paths(context) != 1) {
    return wrong("CA certificate", "the system's cannot be read: " + take_openssl_error());
  }
  if (options.certificate_pem.empty() != options.key_pem.empty())
    return wrong("client certificate", "a certificate and its key come together, and one of them is missing");
  if (options.certificate_pem.empty()) return made;
  if (auto ok = use_certificate(context, "client certificate", options.certificate_pem); !ok) return fail(ok.error());
  if (auto ok = use_key(context, "client key", options.key_pem); !ok) return fail(ok.error());
  return made;
}

TlsEngine::TlsEngine(std::shared_ptr<SSL_CTX> context)
    : context_(std::move(context)),
      ssl_(::SSL_new(context_.get())),
      in_(::BIO_new(::BIO_s_mem())),
      out_(::BIO_new(::BIO_s_mem())) {
  ::SSL_set_bio(ssl_, in_, out_);
}

TlsEngine::TlsEngine(const TlsContext& context) : TlsEngine(context.current()) { ::SSL_set_accept_state(ssl_); }

TlsEngine::TlsEngine(const TlsClientContext& context, const std::string& host) : TlsEngine(context.context_) {
  ::SSL_set_connect_state(ssl_);
  expected_name_ = context.server_name_.empty() ? host : context.server_name_;
  if (expected_name_.empty()) return;
  // An address is never sent as a server name (RFC 6066 3) and is compared with other fields of the certificate.
  if (::X509_VERIFY_PARAM_set1_ip_asc(::SSL_get0_param(ssl_), expected_name_.c_str()) != 1) {
    ::SSL_set_hostflags(ssl_, X509_CHECK_FLAG_NO_PARTIAL_WILDCARDS);
    ::SSL_set1_host(ssl_, expected_name_.c_str());
    ::SSL_set_tlsext_host_name(ssl_, expected_name_.c_str());
  }
  ::ERR_clear_error();
}

TlsEngine::~TlsEngine() { ::SSL_free(ssl_); }

void TlsEngine::feed(std::string_view ciphertext) {
  ::BIO_write(in_, ciphertext.data(), static_cast<int>(ciphertext.size()));
}

void TlsEngine::note_failure() {
  over_ = true;
  const bool is_distrust = ERR_GET_REASON(::ERR_peek_error()) == SSL_R_CERTIFICATE_VERIFY_FAILED;
  failure_ = take_openssl_error();
  if (!is_distrust) return;
  const long why = ::SSL_get_verify_result(ssl_);
  failure_ += fmt::format(": {}", ::X509_verify_cert_error_string(why));
  if (why == X509_V_ERR_HOSTNAME_MISMATCH || why == X509_V_ERR_IP_ADDRESS_MISMATCH)
    failure_ += fmt::format(": it is not for \"{}\"", expected_name_);
}

TlsEngine::Handshake TlsEngine::handshake() {
  ::ERR_clear_error();
  const int result = ::SSL_do_handshake(ssl_);
  if (result == 1) return Handshake::done;
  if (::SSL_get_error(ssl_, result) == SSL_ERROR_WANT_READ) return Handshake::going_on;
  note_failure();
  return Handshake::failed;
}

std::size_t TlsEngine::read(char* to, std::size_t room) {
  if (over_) return 0;
  ::ERR_clear_error();
  std::size_t got = 0;
  if (::SSL_read_ex(ssl_, to, room, &got) == 1) return got;
  const int why = ::SSL_get_error(ssl_, 0);
  if (why == SSL_ERROR_ZERO_RETURN) {
    over_ = true;
  } else if (why != SSL_ERROR_WANT_READ) {
    note_failure();
  }
  return 0;
}

std::string_view TlsEngine::protocol() const {
  const unsigned char* name = nullptr;
  unsigned bytes = 0;
  ::SSL_get0_alpn_selected(ssl_, &name, &bytes);
  return {reinterpret_cast<const char*>(name), bytes};
}

bool TlsEngine::write(std::string_view plaintext) {
  if (plaintext.empty()) return true;
  ::ERR_clear_error();
  std::size_t written = 0;
  if (::SSL_write_ex(ssl_, plaintext.data(), plaintext.size(), &written) == 1 && written == plaintext.size())
    return true;
  note_failure();
  return false;
}

void TlsEngine::close() {
  if (failure_.empty() && ::SSL_is_init_finished(ssl_)) ::SSL_shutdown(ssl_);
  ::ERR_clear_error();
}

std::string_view TlsEngine::outgoing() {
  char* data = nullptr;
  const long bytes = ::BIO_get_mem_data(out_, &data);
  return {data, static_cast<std::size_t>(std::max(bytes, 0L))};
}

void TlsEngine::sent(std::size_t bytes) {
  // Reading moves the rest to the front only when it is all gone, so this is cheap.
  std::array<char, 4096> sink;
  while (bytes > 0) {
    const int got = ::BIO_read(out_, sink.data(), static_cast<int>(std::min(bytes, sink.size())));
    if (got <= 0) return;
    bytes -= static_cast<std::size_t>(got);
  }
}

}  // namespace holdfast::net
