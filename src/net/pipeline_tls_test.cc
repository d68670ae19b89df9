#include <openssl/ssl.h>

#include "net/pipeline_testing.h"
#include "net/tls.h"
#include "support/test_certificates.h"

namespace holdfast::net::testing {
namespace {

using test::answer;
using test::expect;
using test::hang_up;
using test::Identity;
using test::make_identity;
using test::ScriptedPeer;
using test::wait_for_go;
using ::testing::AllOf;
using ::testing::HasSubstr;

// The peer's side: shows `own` and, with `clients`, asks for that certificate.
class PeerTls {
 public:
  explicit PeerTls(const Identity& own, const Identity* clients = nullptr)
      : context_(SSL_CTX_new(TLS_server_method())) {
    X509* const certificate = read(own.certificate);
    SSL_CTX_use_certificate(context_, certificate);
    X509_free(certificate);
    BIO* const bio = BIO_new_mem_buf(own.key.data(), static_cast<int>(own.key.size()));
    EVP_PKEY* const key = PEM_read_bio_PrivateKey(bio, nullptr, nullptr, nullptr);
    SSL_CTX_use_PrivateKey(context_, key);
    EVP_PKEY_free(key);
    BIO_free(bio);
    if (clients == nullptr) return;
    X509* const authority = read(clients->certificate);
    X509_STORE_add_cert(SSL_CTX_get_cert_store(context_), authority);
    X509_free(authority);
    SSL_CTX_set_verify(context_, SSL_VERIFY_PEER | SSL_VERIFY_FAIL_IF_NO_PEER_CERT, nullptr);
  }
  ~PeerTls() { SSL_CTX_free(context_); }
  PeerTls(const PeerTls&) = delete;
  PeerTls& operator=(const PeerTls&) = delete;
  SSL_CTX* context() const { return context_; }

 private:
  static X509* read(const std::string& pem) {
    BIO* const bio = BIO_new_mem_buf(pem.data(), static_cast<int>(pem.size()));
    X509* const certificate = PEM_read_bio_X509(bio, nullptr, nullptr, nullptr);
    BIO_free(bio);
    return certificate;
  }
  SSL_CTX* context_;
};

class PipelineTlsTest : public PipelineTest {
 protected:
  void make_with(const ScriptedPeer& peer, TlsClientOptions tls, const std::string& host = "127.0.0.1") {
    const auto context = TlsClientContext::make(std::move(tls));
    ASSERT_TRUE(context) << context.error().message;
    auto options = options_for(peer.port());
    options.endpoint.host = host;
    options.tls = *context;
    make(std::move(options));
  }
  // What asking "a" comes to, of a peer that would answer "1".
  std::string outcome(const PeerTls& peer_tls, TlsClientOptions tls, const std::string& host = "127.0.0.1") {
    ScriptedPeer peer({{expect("a\n"), answer("1\n")}}, {.tls = peer_tls.context()});
    make_with(peer, std::move(tls), host);
    const Answer got = ask("a\n");
    close();
    return got ? *got : got.error().message;
  }

  const Identity server_ = make_identity("server", "DNS:localhost,IP:127.0.0.1");
  const Identity stranger_ = make_identity("stranger", "DNS:localhost,IP:127.0.0.1");
};

TEST_F(PipelineTlsTest, AServerIsTrustedByItsAuthorityAndItsNameOrAddress) {
  const PeerTls peer(server_);
  EXPECT_EQ(outcome(peer, {.ca_pem = server_.certificate}), "1\n");
  EXPECT_EQ(outcome(peer, {.ca_pem = server_.certificate}, "localhost"), "1\n");
  EXPECT_EQ(outcome(peer, {.ca_pem = server_.certificate, .server_name = "localhost"}), "1\n");
}

TEST_F(PipelineTlsTest, AnotherAuthorityIsNotTrustedAndTheReasonSaysSo) {
  const PeerTls peer(server_);
  const auto reason = AllOf(HasSubstr("cannot connect to 127.0.0.1:"),
                            HasSubstr(": TLS: certificate verify failed: self-signed certificate"));
  EXPECT_THAT(outcome(peer, {.ca_pem = stranger_.certificate}), reason);
  EXPECT_THAT(outcome(peer, {}), reason) << "the system trusts it";
}

TEST_F(PipelineTlsTest, ACertificateForAnotherNameIsNotAccepted) {
  const Identity elsewhere = make_identity("elsewhere", "DNS:elsewhere,IP:127.0.0.2");
  const PeerTls other(elsewhere);
  EXPECT_THAT(outcome(other, {.ca_pem = elsewhere.certificate}), HasSubstr("mismatch: it is not for \"127.0.0.1\""));
  EXPECT_THAT(outcome(other, {.ca_pem = elsewhere.certificate}, "localhost"),
              HasSubstr("mismatch: it is not for \"localhost\""));
  EXPECT_EQ(outcome(other, {.ca_pem = elsewhere.certificate, .server_name = "elsewhere"}), "1\n");
}

TEST_F(PipelineTlsTest, WithoutVerificationAnyCertificateWillDo) {
  EXPECT_EQ(outcome(PeerTls(make_identity("elsewhere")), {.verify = false}), "1\n");
}

TEST_F(PipelineTlsTest, AServerThatAsksForACertificateGetsOurs) {
  const Identity us = make_identity("us");
  const PeerTls peer(server_, &us);
  EXPECT_EQ(outcome(peer, {.ca_pem = server_.certificate, .certificate_pem = us.certificate, .key_pem = us.key}),
            "1\n");
  // TLS 1.3 tells a client so only after it has sent its first request.
  EXPECT_THAT(outcome(peer, {.ca_pem = server_.certificate}), HasSubstr("TLS: tlsv13 alert certificate required"));
}

TEST_F(PipelineTlsTest, AServerThatDoesNotSpeakTlsIsTheReason) {
  ScriptedPeer peer({{answer("hello, who are you?\n"), wait_for_go()}});
  make_with(peer, {.ca_pem = server_.certificate});
  EXPECT_THAT(ask("a\n").error().message, HasSubstr("TLS: wrong version number"));
}

TEST_F(PipelineTlsTest, HugeValuesGoBothWaysAndANewConnectionIsMadeAfterALoss) {
  const std::string huge = std::string(4 << 20, 'h') + "\n";
  const PeerTls tls(server_);
  ScriptedPeer peer(
      {{expect(huge + "b\n"), answer(huge + "2\n"), expect("c\n"), hang_up()}, {expect("d\n"), answer("4\n")}},
      {.tls = tls.context()});
  make_with(peer, {.ca_pem = server_.certificate});
  const auto answers = ask_all({huge, "b\n"});
  EXPECT_EQ(answers[0], huge);
  EXPECT_EQ(answers[1], "2\n");
  const Answer lost = ask("c\n");
  EXPECT_EQ(code_of(lost), Errc::outcome_unknown);
  EXPECT_THAT(lost.error().message, HasSubstr("it closed the connection"));
  EXPECT_EQ(ask("d\n"), "4\n");
}

TEST(TlsClientContext, OptionsThatAreNoneOfThatAreNamed) {
  const Identity identity = make_identity("us");
  const auto message = [](TlsClientOptions options) {
    return TlsClientContext::make(std::move(options)).error().message;
  };
  EXPECT_THAT(message({.ca_pem = "hello"}), HasSubstr("CA certificate: there is no PEM certificate in it"));
  EXPECT_THAT(message({.certificate_pem = identity.certificate}), HasSubstr("one of them is missing"));
  EXPECT_THAT(message({.certificate_pem = "hello", .key_pem = identity.key}),
              HasSubstr("client certificate: there is no PEM certificate in it"));
  EXPECT_THAT(message({.certificate_pem = identity.certificate, .key_pem = make_identity("other").key}),
              HasSubstr("client key: the key does not belong to the certificate"));
}

}  // namespace
}  // namespace holdfast::net::testing
