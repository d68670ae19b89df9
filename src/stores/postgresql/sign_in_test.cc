// Passwords and certificates that are wrong, that change and that expire: whoever is connected goes on, who is not is
// refused clearly, and what was mended in a file is read again.
#include <gtest/gtest.h>
#include <sys/stat.h>

#include <string>

#include "stores/postgresql/store_testing.h"
#include "support/certificates.h"
#include "support/load.h"
#include "support/postgresql_servers.h"

namespace holdfast::stores::postgresql {
namespace {

using test::Stores;

class PostgresqlSignIn : public testing::Test {
 protected:
  void SetUp() override { HOLDFAST_NEEDS_POSTGRESQL(); }
};

// What opening a store says, which it has to refuse.
Error refusal_of(const std::string& connection) {
  using Opened = Result<std::unique_ptr<state::StateStore>>;
  const auto core = core_of({{"connectionString", connection}}, Layout::v2);
  net::LoopThread thread;
  const auto opened =
      net::on_loop<Opened>(thread.loop(), Milliseconds(60'000), [&] { return core->open(thread.loop()); });
  if (!opened) return {Errc::internal, "it was not answered within a minute"};
  if (*opened) return {Errc::internal, "it was opened"};
  return opened->error();
}

void expect_denied(const Error& error, const std::string& why) {
  EXPECT_EQ(error.code, Errc::denied) << error.message;
  for (const std::string& part : {std::string("component \"postgresql\""), std::string("127.0.0.1:"), why})
    EXPECT_NE(error.message.find(part), std::string::npos) << error.message;
  EXPECT_EQ(error.message.find(test::PostgresqlServer::kPassword), std::string::npos)
      << "no password is told: " << error.message;
}

Result<state::Written> write(Stores& stores) { return stores.set(test::save("k", "1")); }

// Connections that are there go on; those that end are refused until `mend`.
void expect_denied_until(Stores& stores, test::PostgresqlServer& server, const std::string& why,
                         const std::function<void()>& mend) {
  for (int i = 0; i < 20; ++i) ASSERT_TRUE(write(stores)) << "whoever is connected goes on";
  Error error;
  test::require_eventually("a refusal", [&] {
    // Again and again: one that was just being opened is not among them.
    server.must("SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE application_name = 'holdfast'");
    const auto written = write(stores);
    if (!written) error = written.error();
    return !written && error.code == Errc::denied;
  });
  expect_denied(error, why);
  const auto began = std::chrono::steady_clock::now();
  mend();
  test::require_eventually("writes to be taken again", [&] { return write(stores).has_value(); });
  const auto took = std::chrono::duration_cast<Milliseconds>(std::chrono::steady_clock::now() - began);
  std::cout << "taken again after " << took.count() << " ms\n";
  EXPECT_LT(took, Milliseconds(10'000));
}

std::string without_password(const test::PostgresqlServer& server) {
  return "host=127.0.0.1 port=" + std::to_string(server.port()) + " user=app dbname=app";
}

TEST_F(PostgresqlSignIn, AWrongPasswordIsToldAtTheStart) {
  test::PostgresqlServer server;
  const Error error = refusal_of(without_password(server) + " password=not-this-one");
  expect_denied(error, "password authentication failed");
  EXPECT_EQ(error.message.find("not-this-one"), std::string::npos);
  expect_denied(refusal_of(without_password(server)), "no password supplied");
}

TEST_F(PostgresqlSignIn, APasswordThatChangesIsWantedOfNewConnectionsOnly) {
  test::PostgresqlServer server;
  Stores stores(core_of({{"connectionString", server.connection_string()}}, Layout::v2));
  server.must("ALTER ROLE app PASSWORD 'another'");
  expect_denied_until(stores, server, "password authentication failed",
                      [&] { server.must("ALTER ROLE app PASSWORD 'app-password'"); });
}

TEST_F(PostgresqlSignIn, APasswordFileIsReadAgain) {
  test::PostgresqlServer server;
  const test::TemporaryFolder folder;
  const auto write_password = [&](const std::string& password) {
    test::write_file(folder / "passwords", "*:*:*:app:" + password + "\n");
    ASSERT_EQ(::chmod((folder / "passwords").c_str(), 0600), 0);
  };
  write_password("app-password");
  Stores stores(
      core_of({{"connectionString", without_password(server) + " passfile=" + folder / "passwords"}}, Layout::v2));
  server.must("ALTER ROLE app PASSWORD 'another'");
  expect_denied_until(stores, server, "password authentication failed", [&] { write_password("another"); });
}

// ---- Certificates

class PostgresqlCertificates : public PostgresqlSignIn {
 protected:
  void SetUp() override {
    HOLDFAST_NEEDS_POSTGRESQL();
    certificates_.emplace(folder_.path());
    server_.emplace(test::PostgresqlOptions{
        .settings = {},
        .access = {"hostssl app app 127.0.0.1/32 scram-sha-256 clientcert=verify-ca", "hostnossl all app all reject"},
        .fsync = false,
        .certificates = &*certificates_});
  }

  std::string connection(const std::string& authority, const std::string& certificate, const std::string& key) const {
    return server_->connection_string() + " sslmode=verify-full sslrootcert=" + authority + " sslcert=" + certificate +
           " sslkey=" + key;
  }

  test::TemporaryFolder folder_;
  std::optional<test::Certificates> certificates_;
  std::optional<test::PostgresqlServer> server_;
};

TEST_F(PostgresqlCertificates, AServerOfAnotherAuthorityIsRefused) {
  const test::Certificates& c = *certificates_;
  Stores right(
      core_of({{"connectionString", connection(c.authority_file, c.client_file, c.client_key_file)}}, Layout::v2));
  EXPECT_TRUE(write(right));
  expect_denied(refusal_of(connection(c.other_file, c.client_file, c.client_key_file)), "certificate verify failed");
}

TEST_F(PostgresqlCertificates, AnExpiredOneIsRefusedAndReadAgain) {
  const test::Certificates& c = *certificates_;
  expect_denied(refusal_of(connection(c.authority_file, c.expired_file, c.expired_key_file)), "certificate expired");
  Stores stores(
      core_of({{"connectionString", connection(c.authority_file, c.client_file, c.client_key_file)}}, Layout::v2));
  test::write_file(c.client_file, test::read_file(c.expired_file));
  test::write_file(c.client_key_file, test::read_file(c.expired_key_file));
  expect_denied_until(stores, *server_, "certificate expired", [&] {
    test::write_file(c.client_file, c.client);
    test::write_file(c.client_key_file, c.client_key);
  });
}

}  // namespace
}  // namespace holdfast::stores::postgresql
