// The server's side of TLS against OpenSSL's client, through memory: every byte of the conversation is in the test's
// hands.
#include "net/tls.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <openssl/bio.h>
#include <openssl/err.h>
#include <openssl/evp.h>
#include <openssl/pem.h>
#include <openssl/ssl.h>
#include <openssl/x509v3.h>

#include <filesystem>
#include <fstream>

#include "support/test_certificates.h"

namespace holdfast::net {
namespace {

namespace fs = std::filesystem;
using test::Identity;
using test::make_identity;
using testing::HasSubstr;

class Client {
 public:
  explicit Client(const Identity* own = nullptr) : context_(SSL_CTX_new(TLS_client_method())) {
    if (own != nullptr) use(*own);
    const unsigned char protocols[] = "\x02h2";
    SSL_CTX_set_alpn_protos(context_, protocols, sizeof protocols - 1);
    ssl_ = SSL_new(context_);
    in_ = BIO_new(BIO_s_mem());
    out_ = BIO_new(BIO_s_mem());
    SSL_set_bio(ssl_, in_, out_);
    SSL_set_connect_state(ssl_);
  }
  ~Client() {
    SSL_free(ssl_);
    SSL_CTX_free(context_);
  }
  void feed(std::string_view bytes) { BIO_write(in_, bytes.data(), static_cast<int>(bytes.size())); }
  std::string take() {
    std::string bytes(1 << 17, '\0');
    const int got = BIO_read(out_, bytes.data(), static_cast<int>(bytes.size()));
    bytes.resize(static_cast<std::size_t>(std::max(got, 0)));
    return bytes;
  }
  bool handshake() { return SSL_do_handshake(ssl_) == 1; }
  void write(std::string_view text) { SSL_write(ssl_, text.data(), static_cast<int>(text.size())); }
  std::string read() {
    std::string text(1 << 17, '\0');
    std::size_t got = 0;
    std::string all;
    while (SSL_read_ex(ssl_, text.data(), text.size(), &got) == 1) all.append(text, 0, got);
    return all;
  }
  bool was_told_goodbye() const { return (SSL_get_shutdown(ssl_) & SSL_RECEIVED_SHUTDOWN) != 0; }
  void close() { SSL_shutdown(ssl_); }
  std::string protocol() const {
    const unsigned char* name = nullptr;
    unsigned int bytes = 0;
    SSL_get0_alpn_selected(ssl_, &name, &bytes);
    return {reinterpret_cast<const char*>(name), bytes};
  }
  std::string server_name() const {
    X509* const certificate = SSL_get1_peer_certificate(ssl_);
    char name[64] = "";
    X509_NAME_get_text_by_NID(X509_get_subject_name(certificate), NID_commonName, name, sizeof name);
    X509_free(certificate);
    return name;
  }

 private:
  void use(const Identity& own) {
    BIO* bio = BIO_new_mem_buf(own.certificate.data(), static_cast<int>(own.certificate.size()));
    X509* const certificate = PEM_read_bio_X509(bio, nullptr, nullptr, nullptr);
    SSL_CTX_use_certificate(context_, certificate);
    X509_free(certificate);
    BIO_free(bio);
    bio = BIO_new_mem_buf(own.key.data(), static_cast<int>(own.key.size()));
    EVP_PKEY* const key = PEM_read_bio_PrivateKey(bio, nullptr, nullptr, nullptr);
    SSL_CTX_use_PrivateKey(context_, key);
    EVP_PKEY_free(key);
    BIO_free(bio);
  }
  SSL_CTX* context_;
  SSL* ssl_;
  BIO* in_;
  BIO* out_;
};

class TlsTest : public testing::Test {
 protected:
  void SetUp() override {
    std::string name = (fs::temp_directory_path() / "holdfast-tls-XXXXXX").string();
    ASSERT_NE(::mkdtemp(name.data()), nullptr);
    folder_ = name;
    install(make_identity("first"));
  }
  void TearDown() override { fs::remove_all(folder_); }

  void write(const std::string& name, const std::string& text) { std::ofstream(folder_ / name) << text; }
  void install(const Identity& identity) {
    write("cert.pem", identity.certificate);
    write("key.pem", identity.key);
  }
  TlsFiles files(bool client_ca = false) const {
    return {folder_ / "cert.pem", folder_ / "key.pem", client_ca ? (folder_ / "ca.pem").string() : ""};
  }
  std::shared_ptr<TlsContext> load(bool client_ca = false) const {
    auto context = TlsContext::load(files(client_ca));
    EXPECT_TRUE(context) << context.error().message;
    return context ? *context : nullptr;
  }

  // Carries bytes both ways, `step` at a time, until neither side has any; whether both then speak TLS.
  static bool talk(Client& client, TlsEngine& engine, std::size_t step) {
    bool client_done = false;
    auto state = TlsEngine::Handshake::going_on;
    for (bool moved = true; moved;) {
      moved = false;
      if (!client_done) client_done = client.handshake();
      std::string to_server = client.take();
      for (std::string_view rest = to_server; !rest.empty(); rest.remove_prefix(std::min(step, rest.size()))) {
        engine.feed(rest.substr(0, step));
        if (state == TlsEngine::Handshake::going_on) state = engine.handshake();
        moved = true;
      }
      const std::string to_client = carry(engine);
      client.feed(to_client);
      moved |= !to_client.empty();
    }
    return client_done && state == TlsEngine::Handshake::done;
  }
  static std::string carry(TlsEngine& engine) {
    std::string bytes;
    while (!engine.outgoing().empty()) {
      const std::string_view part = engine.outgoing().substr(0, 1000);
      bytes += part;
      engine.sent(part.size());
    }
    return bytes;
  }

  fs::path folder_;
};

TEST_F(TlsTest, AConversationSplitAtEveryByteGivesTheSameText) {
  const auto context = load();
  for (const std::size_t step : {1UL, 2UL, 7UL, 100000UL}) {
    Client client;
    TlsEngine engine(*context);
    ASSERT_TRUE(talk(client, engine, step)) << step;
    EXPECT_EQ(client.protocol(), "h2");
    const std::string question(40'000, 'q');
    client.write(question);
    std::string heard;
    const std::string sent = client.take();
    for (std::string_view rest = sent; !rest.empty(); rest.remove_prefix(std::min(step, rest.size()))) {
      engine.feed(rest.substr(0, step));
      std::string room(5000, '\0');
      while (const std::size_t got = engine.read(room.data(), room.size())) heard.append(room, 0, got);
    }
    EXPECT_EQ(heard, question);
    EXPECT_TRUE(engine.write("answer"));
    client.feed(carry(engine));
    EXPECT_EQ(client.read(), "answer");
  }
}

TEST_F(TlsTest, BothSidesSayGoodbye) {
  const auto context = load();
  Client client;
  TlsEngine engine(*context);
  ASSERT_TRUE(talk(client, engine, 4096));
  client.feed(carry(engine));
  EXPECT_EQ(client.read(), "");  // takes the session tickets
  client.close();
  engine.feed(client.take());
  char one = 0;
  EXPECT_EQ(engine.read(&one, 1), 0u);
  EXPECT_TRUE(engine.is_over());
  EXPECT_EQ(engine.failure(), "");
  engine.close();
  client.feed(carry(engine));
  EXPECT_EQ(client.read(), "");
  EXPECT_TRUE(client.was_told_goodbye());
}

TEST_F(TlsTest, NoiseEndsTheConversationAndNothingElse) {
  const auto context = load();
  TlsEngine engine(*context);
  engine.feed(std::string("\x16\x03\x01\xff\xff", 5) + std::string(70'000, 'x'));
  EXPECT_EQ(engine.handshake(), TlsEngine::Handshake::failed);
  EXPECT_TRUE(engine.is_over());
  EXPECT_NE(engine.failure(), "");
}

TEST_F(TlsTest, NoiseAfterTheHandshakeEndsItToo) {
  const auto context = load();
  Client client;
  TlsEngine engine(*context);
  ASSERT_TRUE(talk(client, engine, 4096));
  engine.feed(std::string("\x17\x03\x03\x00\x20", 5) + std::string(32, 'x'));
  char one = 0;
  EXPECT_EQ(engine.read(&one, 1), 0u);
  EXPECT_TRUE(engine.is_over());
  EXPECT_NE(engine.failure(), "");
  EXPECT_FALSE(engine.write("anything"));
}

TEST_F(TlsTest, NewFilesAreForNewConnectionsAndOldOnesGoOn) {
  const auto context = load();
  Client before;
  TlsEngine engine(*context);
  ASSERT_TRUE(talk(before, engine, 4096));
  EXPECT_EQ(context->reload_if_changed(), false);
  install(make_identity("second"));
  EXPECT_EQ(context->reload_if_changed(), true);
  before.write("still here");
  engine.feed(before.take());
  std::string room(100, '\0');
  EXPECT_EQ(engine.read(room.data(), room.size()), 10u);
  Client after;
  TlsEngine next(*context);
  ASSERT_TRUE(talk(after, next, 4096));
  EXPECT_EQ(before.server_name(), "first");
  EXPECT_EQ(after.server_name(), "second");
}

TEST_F(TlsTest, AHalfExchangedPairIsRefusedAndTheOldOneStays) {
  const auto context = load();
  const Identity second = make_identity("second");
  write("cert.pem", second.certificate);
  const auto mixed = context->reload_if_changed();
  ASSERT_FALSE(mixed);
  EXPECT_THAT(mixed.error().message, HasSubstr("key.pem: the key does not belong to the certificate"));
  Client client;
  TlsEngine engine(*context);
  ASSERT_TRUE(talk(client, engine, 4096));
  EXPECT_EQ(client.server_name(), "first");
  write("key.pem", second.key);
  EXPECT_EQ(context->reload_if_changed(), true);
}

TEST_F(TlsTest, FilesThatAreNoneOfThatAreNamed) {
  write("cert.pem", "hello");
  EXPECT_THAT(TlsContext::load(files()).error().message, HasSubstr("cert.pem: there is no PEM certificate in it"));
  install(make_identity("x"));
  write("key.pem", "hello");
  EXPECT_THAT(TlsContext::load(files()).error().message, HasSubstr("key.pem: there is no PEM private key"));
  fs::remove(folder_ / "key.pem");
  EXPECT_THAT(TlsContext::load(files()).error().message, HasSubstr("key.pem: it cannot be read"));
  install(make_identity("x"));
  write("ca.pem", "");
  EXPECT_THAT(TlsContext::load(files(true)).error().message, HasSubstr("ca.pem: there is no PEM certificate in it"));
}

TEST_F(TlsTest, WithAClientAuthorityOnlyItsOwnMayCome) {
  const Identity friendly = make_identity("friend");
  write("ca.pem", friendly.certificate);
  const auto context = load(true);
  {
    Client client(&friendly);
    TlsEngine engine(*context);
    EXPECT_TRUE(talk(client, engine, 4096));
  }
  const Identity stranger = make_identity("stranger");
  for (const Identity* identity : {static_cast<const Identity*>(nullptr), &stranger}) {
    Client client(identity);
    TlsEngine engine(*context);
    EXPECT_FALSE(talk(client, engine, 4096));
    EXPECT_NE(engine.failure(), "");
  }
}

}  // namespace
}  // namespace holdfast::net
