// Goal: patches change payloads as Qdrant's do, and selections keep what their paths reach.
// Method: hand-written cases; the first is what the patch does to
// {"a":{"b":[{"c":1},{"c":2}]},"d":3} or to another payload where one is given.
#include "quipu/engine/payload_change.h"

#include <gtest/gtest.h>

#include <string>

#include "quipu/base/test_support.h"
#include "quipu/engine/payload_select.h"

namespace quipu::engine {
namespace {

constexpr std::string_view kPayload = R"({"a":{"b":[{"c":1},{"c":2}]},"d":3})";

std::string changed(const storage::PatchPoint& patch, std::string_view payload = kPayload) {
  auto result = change_payload(payload, patch);
  return result.ok() ? result.value() : result.error().message;
}

TEST(PayloadChange, SetsAtAPath) {
  EXPECT_EQ(changed({.set_payload = R"({"x":1})", .set_key = "a"}),
            R"({"a":{"b":[{"c":1},{"c":2}],"x":1},"d":3})");
  EXPECT_EQ(changed({.set_payload = R"({"c":9})", .set_key = "a.b[1]"}),
            R"({"a":{"b":[{"c":1},{"c":9}]},"d":3})");
  EXPECT_EQ(changed({.set_payload = R"({"x":1})", .set_key = "a.b[]"}),
            R"({"a":{"b":[{"c":1,"x":1},{"c":2,"x":1}]},"d":3})");
  // What is not there is made, but for elements; what is something else is replaced.
  EXPECT_EQ(changed({.set_payload = R"({"x":1})", .set_key = "n.m"}),
            R"({"a":{"b":[{"c":1},{"c":2}]},"d":3,"n":{"m":{"x":1}}})");
  EXPECT_EQ(changed({.set_payload = R"({"x":1})", .set_key = "d.e"}),
            R"({"a":{"b":[{"c":1},{"c":2}]},"d":{"e":{"x":1}}})");
  EXPECT_EQ(changed({.set_payload = R"({"x":1})", .set_key = "a.b[7]"}), kPayload);
  EXPECT_EQ(changed({.set_payload = R"({"x":1})", .set_key = "d[]"}),
            R"({"a":{"b":[{"c":1},{"c":2}]},"d":[]})");
}

TEST(PayloadChange, DeletesAtPaths) {
  EXPECT_EQ(changed({.set_payload = "{}", .delete_paths = {"a.b[0].c"}}),
            R"({"a":{"b":[{},{"c":2}]},"d":3})");
  EXPECT_EQ(changed({.set_payload = "{}", .delete_paths = {"a.b[].c", "d"}}),
            R"({"a":{"b":[{},{}]}})");
  EXPECT_EQ(changed({.set_payload = "{}", .delete_paths = {"a.b[]"}}), R"({"a":{"b":[]},"d":3})");
  // An element is not taken out: doing it twice would take out two.
  EXPECT_EQ(changed({.set_payload = "{}", .delete_paths = {"a.b[0]", "none.such", "d.e"}}),
            kPayload);
}

TEST(PayloadChange, DeletesComeBeforeWhatIsSet) {
  EXPECT_EQ(changed({.delete_payload = {"a"}, .set_payload = R"({"a":1})"}), R"({"d":3,"a":1})");
  EXPECT_EQ(changed({.replace_payload = true, .set_payload = R"({"z":null})"}), R"({"z":null})");
  EXPECT_EQ(changed({.set_payload = R"({"b":0})", .set_key = "a", .delete_paths = {"a.b"}}),
            R"({"a":{"b":0},"d":3})");
}

TEST(PayloadChange, WhatCannotBeReadIsSaid) {
  EXPECT_NE(changed({.set_payload = "{}", .delete_paths = {"a..b"}}).find("a..b"),
            std::string::npos);
  EXPECT_FALSE(change_payload("[]", {.set_payload = "{}"}).ok());
}

std::string selected(std::vector<std::string> include, std::vector<std::string> exclude) {
  const auto selection = PayloadSelection::compile(
      {.payload_include = std::move(include), .payload_exclude = std::move(exclude)});
  if (!selection.ok()) return selection.error().message;
  return selection.value().apply(kPayload).value();
}

TEST(PayloadSelection, KeepsWhatThePathsReach) {
  EXPECT_EQ(selected({}, {}), kPayload);
  EXPECT_EQ(selected({"d"}, {}), R"({"d":3})");
  EXPECT_EQ(selected({"a.b[1]"}, {}), R"({"a":{"b":[{"c":2}]}})");
  EXPECT_EQ(selected({"a.b[].c", "d"}, {}), kPayload);
  // What has no parts is kept whole, as in Qdrant.
  EXPECT_EQ(selected({"d.e", "none"}, {}), R"({"d":3})");
  EXPECT_EQ(selected({"none"}, {}), "{}");
  EXPECT_EQ(selected({}, {"a.b[0]"}), R"({"a":{"b":[{"c":2}]},"d":3})");
  EXPECT_EQ(selected({}, {"a", "none.such"}), R"({"d":3})");
  EXPECT_EQ(selected({}, {"a.b[].c"}), R"({"a":{"b":[{},{}]},"d":3})");
  EXPECT_NE(selected({"a"}, {"b"}).find("not both"), std::string::npos);
  EXPECT_NE(selected({"a..b"}, {}).find("a..b"), std::string::npos);
}

}  // namespace
}  // namespace quipu::engine
