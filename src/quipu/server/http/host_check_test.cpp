// Goal: only requests that were meant for this server pass.
#include "quipu/server/http/host_check.h"

#include <gtest/gtest.h>

#include <string>

#include "quipu/base/rng.h"

namespace quipu::server {
namespace {

TEST(Authority, TakesApart) {
  EXPECT_EQ(parse_authority("LocalHost:7333")->host, "localhost");
  EXPECT_EQ(parse_authority("LocalHost:7333")->port, "7333");
  EXPECT_EQ(parse_authority("a.b-c")->port, "");
  EXPECT_EQ(parse_authority("[::1]:80")->host, "[::1]");
  EXPECT_EQ(parse_authority("[::1]")->port, "");
  EXPECT_EQ(parse_authority("h:65535")->port, "65535");
}

TEST(Authority, RefusesWhatIsNone) {
  for (const char* text : {"", ":80", "[::1", "[]", "[::1]x", "[::1]80", "h:", "h:65536", "h:8o",
                           "h:-1", "a b", "a/b", "user@h", "h:80:90", "a\tb", "h%41", "[g::1]"}) {
    EXPECT_FALSE(parse_authority(text)) << text;
  }
}

TEST(HostCheck, KnowsTheMachineItself) {
  const HostCheck check({});
  for (const char* host : {"localhost", "127.0.0.1:7333", "[::1]:9", "LOCALHOST"}) {
    EXPECT_TRUE(check.host_allowed(host)) << host;
  }
  for (const char* host : {"", "evil.example", "localhost.evil.example", "127.0.0.2", "0.0.0.0",
                           "localhost@evil.example", "[::]", "2130706433"}) {
    EXPECT_FALSE(check.host_allowed(host)) << host;
  }
}

TEST(HostCheck, ConfiguredNamesMayHavePorts) {
  const HostCheck check({"Quipu.Example", "other.example:8080"});
  EXPECT_TRUE(check.host_allowed("quipu.example"));
  EXPECT_TRUE(check.host_allowed("quipu.example:1"));
  EXPECT_TRUE(check.host_allowed("other.example:8080"));
  EXPECT_FALSE(check.host_allowed("other.example:8081"));
  EXPECT_FALSE(check.host_allowed("other.example"));
  EXPECT_TRUE(HostCheck({"*"}).host_allowed("anything.example"));
  EXPECT_FALSE(HostCheck({"*"}).host_allowed("not a host"));
}

TEST(HostCheck, AnOriginIsTheServerItselfOrConfigured) {
  const HostCheck check({"app.example"});
  EXPECT_TRUE(check.origin_allowed("http://localhost:7333", "localhost:7333"));
  EXPECT_TRUE(check.origin_allowed("http://127.0.0.1", "127.0.0.1:80"));
  EXPECT_TRUE(check.origin_allowed("https://localhost", "localhost:443"));
  EXPECT_TRUE(check.origin_allowed("https://app.example", "localhost:7333"));
  EXPECT_FALSE(check.origin_allowed("http://localhost:3000", "localhost:7333"));
  EXPECT_FALSE(check.origin_allowed("http://127.0.0.1:7333", "localhost:7333"));
  EXPECT_FALSE(check.origin_allowed("null", "localhost:7333"));
  EXPECT_FALSE(check.origin_allowed("", "localhost:7333"));
  EXPECT_FALSE(check.origin_allowed("http://evil.example", "localhost:7333"));
  EXPECT_FALSE(check.origin_allowed("http://evil.example", "evil.example"));
  EXPECT_FALSE(check.origin_allowed("file://localhost", "localhost"));
  EXPECT_FALSE(check.origin_allowed("http://localhost/path", "localhost"));
}

// Property: no string of random bytes is an authority with other characters than hosts have.
TEST(Authority, RandomBytes) {
  Rng rng(11);
  constexpr std::string_view kAlphabet = "ab1.:[]-_@/ %\t\"\x80";
  for (int round = 0; round < 20'000; ++round) {
    std::string text;
    for (std::uint64_t i = rng.below(12); i > 0; --i) {
      text += kAlphabet[static_cast<std::size_t>(rng.below(kAlphabet.size()))];
    }
    const auto authority = parse_authority(text);
    if (!authority) continue;
    EXPECT_EQ(authority->host.find_first_of("@/ %\t\"\x80"), std::string::npos) << text;
    EXPECT_FALSE(authority->host.empty());
  }
}

}  // namespace
}  // namespace quipu::server
