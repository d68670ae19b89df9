#include "stores/etcd/settings.h"

#include <gtest/gtest.h>

namespace holdfast::stores::etcd {
namespace {

using Fields = std::vector<std::pair<std::string, std::string>>;

Result<EtcdSettings> read(Fields fields) {
  state::Component component;
  component.name = "things";
  component.file = "things.yaml";
  component.properties = std::move(fields);
  return EtcdSettings::read(component, Layout::v2);
}

TEST(EtcdSettings, EndpointsAreReadAsEtcdsOwnToolsDo) {
  const auto settings = read({{"endpoints", "a:1, http://b:2/,c,[::1]:3,[fe80::1]"}});
  ASSERT_TRUE(settings) << settings.error().message;
  ASSERT_EQ(settings->endpoints.size(), 5u);
  EXPECT_EQ(settings->endpoints[0].text(), "a:1");
  EXPECT_EQ(settings->endpoints[1].text(), "b:2");
  EXPECT_EQ(settings->endpoints[2].text(), "c:2379");
  EXPECT_EQ(settings->endpoints[3].text(), "[::1]:3");
  EXPECT_EQ(settings->endpoints[4].text(), "[fe80::1]:2379");
}

TEST(EtcdSettings, DefaultsAreTheServers) {
  const auto settings = read({{"endpoints", "a"}});
  ASSERT_TRUE(settings);
  EXPECT_EQ(settings->transaction_ops_max, 128u);
  EXPECT_EQ(settings->request_bytes_max, 1536u * 1024);
  EXPECT_EQ(settings->timeout, Milliseconds(5000));
  EXPECT_FALSE(settings->uses_tls);
}

struct Refused {
  Fields fields;
  std::string field;
};

TEST(EtcdSettings, WhatCannotBeMeantIsRefusedByItsName) {
  const std::vector<Refused> cases{
      {{}, "endpoints"},
      {{{"endpoints", "a,,b"}}, "endpoints"},
      {{{"endpoints", "a:0"}}, "endpoints"},
      {{{"endpoints", "a:x"}}, "endpoints"},
      {{{"endpoints", "https://a"}}, "tlsEnable"},
      {{{"endpoints", "a"}, {"password", "p"}}, "username"},
      {{{"endpoints", "a"}, {"maxTxnOps", "1"}}, "maxTxnOps"},
      {{{"endpoints", "a"}, {"maxRequestBytes", "1"}}, "maxRequestBytes"},
      {{{"endpoints", "a"}, {"tlsEnable", "true"}, {"ca", "/no/such/file"}}, "\"ca\""},
      {{{"endpoints", "a"}, {"tlsEnable", "true"}, {"cert", "-----BEGIN CERTIFICATE-----"}}, "\"cert\""},
  };
  for (const Refused& refused : cases) {
    const auto settings = read(refused.fields);
    ASSERT_FALSE(settings) << refused.field;
    EXPECT_EQ(settings.error().code, Errc::invalid_argument);
    EXPECT_NE(settings.error().message.find(refused.field), std::string::npos) << settings.error().message;
  }
}

}  // namespace
}  // namespace holdfast::stores::etcd
