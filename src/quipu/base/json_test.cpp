#include "quipu/base/json.h"

#include <gtest/gtest.h>

#include <bit>
#include <charconv>
#include <cmath>
#include <limits>

#include "quipu/base/json_scan.h"
#include "quipu/base/limits.h"
#include "quipu/base/test_support.h"

namespace quipu {
namespace {

JsonDocument parsed(std::string_view text) {
  Result<JsonDocument> document = JsonDocument::parse(text);
  EXPECT_EQ(why_not(document), "") << text;
  return document.ok() ? std::move(document).value() : JsonDocument::parse("null").value();
}

std::string refusal(std::string_view text) {
  const Result<JsonDocument> document = JsonDocument::parse(text);
  if (document.ok()) return "accepted";
  EXPECT_EQ(document.error().code, ErrorCode::kInvalidArgument);
  return document.error().reason + ": " + document.error().message;
}

std::string nested(std::size_t depth, std::string_view innermost) {
  return std::string(depth, '[') + std::string(innermost) + std::string(depth, ']');
}

TEST(Json, ReadsEveryKind) {
  const JsonDocument document =
      parsed(R"( {"null":null,"yes":true,"no":false,"int":-5,"uint":18446744073709551615,)"
             R"("double":1.5,"string":"a\u00e9\n","array":[1,[2]],"object":{"x":{}}} )");
  const JsonView root = document.root();
  EXPECT_TRUE(root.is_object());
  EXPECT_EQ(root.size(), 9U);
  EXPECT_TRUE(root.find("null")->is_null());
  EXPECT_EQ(root.find("yes")->as_bool(), true);
  EXPECT_EQ(root.find("no")->as_bool(), false);
  EXPECT_EQ(root.find("int")->kind(), JsonKind::kInt);
  EXPECT_EQ(root.find("uint")->kind(), JsonKind::kUint);
  EXPECT_EQ(root.find("double")->kind(), JsonKind::kDouble);
  EXPECT_EQ(root.find("string")->as_string(), "a\xC3\xA9\n");
  EXPECT_EQ(root.find("array")->size(), 2U);
  EXPECT_EQ(root.find("object")->find("x")->size(), 0U);
  EXPECT_FALSE(root.find("absent").has_value());
  EXPECT_FALSE(root.find("array")->find("x").has_value());
  EXPECT_FALSE(root.find("").has_value());
}

TEST(Json, NumbersConvertOnlyWhereNothingIsLost) {
  const JsonDocument document =
      parsed(R"([0,-1,9223372036854775807,9223372036854775808,-9223372036854775808,1.0,"1",1e2])");
  std::vector<JsonView> items;
  document.root().for_each_element([&](JsonView view) {
    items.push_back(view);
    return true;
  });
  ASSERT_EQ(items.size(), 8U);
  EXPECT_EQ(items[0].as_int64(), 0);
  EXPECT_EQ(items[0].as_uint64(), 0U);
  EXPECT_EQ(items[0].as_double(), 0.0);
  EXPECT_EQ(items[1].as_int64(), -1);
  EXPECT_FALSE(items[1].as_uint64().has_value());
  EXPECT_EQ(items[2].as_uint64(), 9223372036854775807ULL);
  EXPECT_FALSE(items[3].as_int64().has_value());
  EXPECT_EQ(items[3].as_uint64(), 9223372036854775808ULL);
  EXPECT_EQ(items[3].as_double(), 9223372036854775808.0);
  EXPECT_EQ(items[4].as_int64(), std::numeric_limits<std::int64_t>::min());
  EXPECT_EQ(items[5].as_double(), 1.0);
  EXPECT_FALSE(items[5].as_int64().has_value());
  EXPECT_FALSE(items[5].as_uint64().has_value());
  EXPECT_FALSE(items[6].as_double().has_value());
  EXPECT_FALSE(items[6].as_int64().has_value());
  EXPECT_FALSE(items[6].is_number());
  EXPECT_TRUE(items[7].is_number());
  EXPECT_FALSE(items[0].as_bool().has_value());
  EXPECT_FALSE(items[0].as_string().has_value());
}

TEST(Json, VisitsInOrderUntilToldToStop) {
  const JsonDocument document = parsed(R"({"b":1,"a":[10,20,30],"c":3})");
  std::string names;
  document.root().for_each_member([&](std::string_view name, JsonView) {
    names += name;
    return name != "a";
  });
  EXPECT_EQ(names, "ba");
  std::int64_t sum = 0;
  document.root().find("a")->for_each_element([&](JsonView view) {
    sum += view.as_int64().value_or(0);
    return sum < 30;
  });
  EXPECT_EQ(sum, 30);
  int calls = 0;
  document.root().for_each_element([&](JsonView) { return ++calls != 0; });
  document.root().find("b")->for_each_member(
      [&](std::string_view, JsonView) { return ++calls != 0; });
  EXPECT_EQ(calls, 0);
  EXPECT_EQ(document.root().find("b")->size(), 0U);
}

TEST(Json, AnEmptyViewIsNull) {
  const JsonView view;
  EXPECT_EQ(view.kind(), JsonKind::kNull);
  EXPECT_EQ(view.to_string(), "null");
  EXPECT_FALSE(view.find("a").has_value());
  EXPECT_EQ(view.size(), 0U);
}

TEST(Json, DocumentsMove) {
  JsonDocument first = parsed(R"({"a":"text"})");
  const JsonView view = *first.root().find("a");
  JsonDocument second = std::move(first);
  EXPECT_EQ(view.as_string(), "text");
  JsonDocument third = parsed("1");
  third = std::move(second);
  EXPECT_EQ(view.as_string(), "text");
}

TEST(Json, SaysWhatIsWrongAndWhere) {
  EXPECT_EQ(refusal(""),
            "malformed_json: malformed JSON: expected a value, found the end at "
            "line 1, column 1");
  EXPECT_EQ(refusal("{\"a\":\n  1,}"),
            "malformed_json: malformed JSON: expected a member's name in quotes at line 2, "
            "column 5");
  EXPECT_EQ(refusal("[1 2]"),
            "malformed_json: malformed JSON: expected ',' or ']' at line 1, column 4");
  EXPECT_EQ(refusal("{\"a\" 1}"),
            "malformed_json: malformed JSON: expected ':' after a member's name at line 1, "
            "column 6");
  EXPECT_EQ(refusal("[1]x"),
            "malformed_json: malformed JSON: more text after the value at line 1, column 4");
  EXPECT_EQ(refusal("\"a\xFF\""),
            "malformed_json: malformed JSON: a string is not valid UTF-8 at line 1, column 3");
  EXPECT_EQ(refusal("[1e999]"),
            "malformed_json: malformed JSON: a number is out of range at line 1, column 2");
}

TEST(Json, RefusesWhatTheStandardRefuses) {
  for (const std::string_view text : {" ",
                                      "nul",
                                      "nulls",
                                      "TRUE",
                                      "'a'",
                                      "[1,]",
                                      "[,1]",
                                      "{,}",
                                      "{a:1}",
                                      "{\"a\":}",
                                      "[",
                                      "]",
                                      "{",
                                      "}",
                                      "[}",
                                      "{]",
                                      "01",
                                      "-",
                                      "-a",
                                      "+1",
                                      ".5",
                                      "1.",
                                      "1.e5",
                                      "1e",
                                      "1e+",
                                      "0x10",
                                      "NaN",
                                      "Infinity",
                                      "-Infinity",
                                      "\"",
                                      "\"\\\"",
                                      "\"\\x\"",
                                      "\"\\u12\"",
                                      "\"\\u12g4\"",
                                      "\"\n\"",
                                      "\"\t\"",
                                      "\"\\ud800\"",
                                      "\"\\ud800x\"",
                                      "\"\\ud800\\u0041\"",
                                      "\"\\udc00\"",
                                      "\"\\uDFFF\"",
                                      "\"\\ud800\\ud800\"",
                                      "1 2",
                                      "{}{}",
                                      "/**/1",
                                      "\xEF\xBB\xBF{}",
                                      "[1]\x01",
                                      "18446744073709551616",
                                      "-9223372036854775809",
                                      "1e400",
                                      "-1e400",
                                      "\"\xC0\x80\"",
                                      "\"\xED\xA0\x80\"",
                                      "\"\xF4\x90\x80\x80\"",
                                      "\"\xE2\x82\"",
                                      "\"\x80\""}) {
    EXPECT_EQ(refusal(text).substr(0, 15), "malformed_json:") << text;
    EXPECT_TRUE(detail::find_json_problem(text, 64).has_value()) << text;
  }
}

TEST(Json, AcceptsWhatTheStandardAccepts) {
  for (const std::string_view text : {"null",
                                      " true ",
                                      "0",
                                      "-0",
                                      "0.0",
                                      "-0.0",
                                      "1e5",
                                      "1E-5",
                                      "1e+5",
                                      "1e-400",
                                      "0e999",
                                      "0.000e99999999999999999999",
                                      "1.5e-99999999999999999999",
                                      "\"\"",
                                      "\"\\u0000\"",
                                      "\"\\ud83d\\ude00\"",
                                      "\"\\/\"",
                                      "[]",
                                      "{}",
                                      "[[],{}]",
                                      "{\"\":{\"\":[]}}",
                                      "18446744073709551615",
                                      "-9223372036854775808",
                                      "\"\xF0\x9F\x98\x80\"",
                                      "\"\x7f\"",
                                      "\t\r\n 1 \t\r\n"}) {
    EXPECT_TRUE(JsonDocument::parse(text).ok()) << text;
    EXPECT_FALSE(detail::find_json_problem(text, 64).has_value()) << text;
  }
}

TEST(Json, DepthIsLimited) {
  constexpr std::size_t kMax = limits::kJsonDepthMax;
  for (const std::string_view innermost : {"", "1", "\"\""}) {
    EXPECT_TRUE(JsonDocument::parse(nested(kMax, innermost)).ok()) << innermost;
    EXPECT_EQ(refusal(nested(kMax + 1, innermost)).substr(0, 15), "malformed_json:") << innermost;
  }
  EXPECT_TRUE(JsonDocument::parse(nested(kMax - 1, "{}")).ok());
  EXPECT_TRUE(JsonDocument::parse(nested(kMax - 1, "{\"a\":1}")).ok());
  EXPECT_NE(refusal(nested(kMax, "{}")).find("deep"), std::string::npos);
  EXPECT_NE(refusal(nested(kMax, "{\"a\":1}")).find("deep"), std::string::npos);
  EXPECT_NE(refusal(std::string(1'000'000, '[')).find("deep"), std::string::npos);
}

TEST(Json, DuplicateMembersAreRefusedAndNamed) {
  EXPECT_EQ(refusal(R"({"a":1,"b":2,"a":3})"),
            "duplicate_member: member \"a\" is twice in the object at $");
  EXPECT_EQ(refusal(R"({"x":[0,{"y":{"k":1,"\u006b":2}}]})"),
            "duplicate_member: member \"k\" is twice in the object at $.\"x\"[1].\"y\"");
  EXPECT_EQ(refusal(R"({"":1,"":1})"), "duplicate_member: member \"\" is twice in the object at $");
  // The same name in different objects is no duplicate.
  EXPECT_TRUE(JsonDocument::parse(R"({"a":{"a":1},"b":{"a":[{"a":1},{"a":2}]}})").ok());
}

TEST(Json, SizesAreRightBeyondTheParsersCounter) {
  // The parser counts to 2^24 - 1 only.
  constexpr std::size_t kCount = (std::size_t{1} << 24U) + 5;
  std::string text = "[";
  text.reserve(2 * kCount + 2);
  for (std::size_t index = 0; index < kCount; ++index) text += "0,";
  text.back() = ']';
  EXPECT_EQ(parsed(text).root().size(), kCount);
}

TEST(Json, TooLongATextIsRefusedUnread) {
  const std::string text(limits::kJsonBytesMax + 1, ' ');
  const Result<JsonDocument> document = JsonDocument::parse(text);
  ASSERT_FALSE(document.ok());
  EXPECT_EQ(document.error().code, ErrorCode::kResourceExhausted);
  EXPECT_EQ(document.error().reason, "json_too_large");
}

TEST(Json, ReadsFloats) {
  std::vector<float> floats = {9};
  ASSERT_EQ(why_not(parsed("[1,-2.5,3e2,18446744073709551615]").root().read_floats(floats)), "");
  EXPECT_EQ(floats, (std::vector<float>{1.0F, -2.5F, 300.0F, 18446744073709551615.0F}));
  ASSERT_EQ(why_not(parsed("[]").root().read_floats(floats)), "");
  EXPECT_TRUE(floats.empty());
  for (const auto& [text, reason, named] : {std::tuple{"[1,\"2\"]", "not_a_number", "element 1"},
                                            std::tuple{"[null]", "not_a_number", "element 0"},
                                            std::tuple{"[1,2,[3]]", "not_a_number", "element 2"},
                                            std::tuple{"[0,1e39]", "not_finite", "element 1"},
                                            std::tuple{"{}", "invalid_argument", "object"},
                                            std::tuple{"1", "invalid_argument", "integer"}}) {
    const Status status = parsed(text).root().read_floats(floats);
    ASSERT_FALSE(status.ok()) << text;
    EXPECT_EQ(status.error().stable_reason(), reason);
    EXPECT_NE(status.error().message.find(named), std::string::npos) << status.error().message;
    EXPECT_TRUE(floats.empty());
  }
}

TEST(Json, KindNames) {
  EXPECT_EQ(json_kind_name(JsonKind::kNull), "null");
  EXPECT_EQ(json_kind_name(JsonKind::kBool), "boolean");
  EXPECT_EQ(json_kind_name(JsonKind::kInt), "integer");
  EXPECT_EQ(json_kind_name(JsonKind::kUint), "integer");
  EXPECT_EQ(json_kind_name(JsonKind::kDouble), "number");
  EXPECT_EQ(json_kind_name(JsonKind::kString), "string");
  EXPECT_EQ(json_kind_name(JsonKind::kArray), "array");
  EXPECT_EQ(json_kind_name(JsonKind::kObject), "object");
}

TEST(JsonWriter, PutsItsOwnCommas) {
  std::string out;
  JsonWriter writer(out);
  const std::vector<float> floats = {1.5F, -0.0F};
  writer.begin_object().key("a").value(1).key("b").begin_array().value(true).value(false).null();
  writer.begin_object().end_object().begin_array().end_array().end_array();
  writer.key("c").value("x\"y").key("d").floats(floats).key("e").raw("{\"r\":1}");
  writer.key("f").value(std::string_view("t")).key("g").value(2.5F).key("h").value(0.1);
  writer.key("i").value(std::uint32_t{7}).key("j").value(~std::uint64_t{0});
  writer.key("k").value(std::int64_t{-3}).end_object();
  EXPECT_EQ(out, R"({"a":1,"b":[true,false,null,{},[]],"c":"x\"y","d":[1.5,-0.0],"e":{"r":1},)"
                 R"("f":"t","g":2.5,"h":0.1,"i":7,"j":18446744073709551615,"k":-3})");
  EXPECT_EQ(parsed(out).root().to_string(), out);
}

TEST(JsonWriter, EscapesStrings) {
  std::string out;
  append_json_string(out, std::string_view("\0\x01\b\t\n\f\r\x1f \"\\/\x7f\xC3\xA9", 15));
  EXPECT_EQ(out, "\"\\u0000\\u0001\\b\\t\\n\\f\\r\\u001f \\\"\\\\/\x7f\xC3\xA9\"");
  out.clear();
  append_json_string(out, "a\xFFz\xC3(\xE2\x82\xED\xA0\x80");
  constexpr std::string_view kBad = "\xEF\xBF\xBD";
  std::string expected = "\"a";
  expected.append(kBad).append("z").append(kBad).append("(");
  for (int bad = 0; bad < 5; ++bad) expected.append(kBad);
  EXPECT_EQ(out, expected + "\"");
  out.clear();
  append_json_string(out, "");
  EXPECT_EQ(out, "\"\"");
}

TEST(JsonWriter, AnyBytesMakeAValidString) {
  Rng rng(test_seed());
  for (int round = 0; round < 500; ++round) {
    std::string bytes(rng.below(40), '\0');
    // Few values, so that valid sequences appear as well as broken ones.
    constexpr std::string_view kBytes = "a\"\\\n\x7f\x80\xBF\xC3\xA9\xE2\x82\xAC\xED\xF0\x9F\xF4";
    for (char& byte : bytes) byte = kBytes[rng.below(kBytes.size())];
    std::string out;
    append_json_string(out, bytes);
    const Result<JsonDocument> document = JsonDocument::parse(out);
    ASSERT_EQ(why_not(document), "") << out;
    std::string again;
    append_json_string(again, *document.value().root().as_string());
    ASSERT_EQ(again, out);
  }
}

TEST(JsonWriter, NumbersReadBackToTheSameBits) {
  Rng rng(test_seed());
  std::vector<double> doubles = {0.0,
                                 -0.0,
                                 1e22,
                                 1e21,
                                 123456789012345683968.0,
                                 1e15,
                                 0x1p53,
                                 0x1p63,
                                 0x1p64,
                                 5e-324,
                                 std::numeric_limits<double>::max(),
                                 std::numeric_limits<double>::min(),
                                 0.1,
                                 1.0 / 3};
  for (int round = 0; round < 5000; ++round) {
    doubles.push_back(std::bit_cast<double>(rng.next()));
    doubles.push_back(static_cast<double>(rng.next() >> rng.below(64)));
  }
  for (const double number : doubles) {
    if (!std::isfinite(number)) continue;
    std::string out;
    JsonWriter(out).value(number);
    const std::optional<double> read = parsed(out).root().as_double();
    ASSERT_TRUE(read.has_value()) << out;
    // A whole number below 2^53 is written, and read, as an integer; its bits come back all the
    // same.
    ASSERT_EQ(std::bit_cast<std::uint64_t>(*read), std::bit_cast<std::uint64_t>(number)) << out;
  }
}

TEST(JsonWriter, FloatsReadBackToTheSameBits) {
  Rng rng(test_seed());
  std::vector<float> floats = {0.0F,
                               -0.0F,
                               1e20F,
                               0x1p63F,
                               0x1p64F,
                               1e-45F,
                               std::numeric_limits<float>::max(),
                               7.038531e-26F,
                               -7.038531e-26F,
                               0.1F,
                               16777216.0F};
  for (int round = 0; round < 20'000; ++round) {
    const auto number = std::bit_cast<float>(static_cast<std::uint32_t>(rng.next()));
    if (std::isfinite(number)) floats.push_back(number);
  }
  std::string out;
  JsonWriter(out).floats(floats);
  std::vector<float> read;
  ASSERT_EQ(why_not(parsed(out).root().read_floats(read)), "");
  ASSERT_EQ(read.size(), floats.size());
  for (std::size_t index = 0; index < read.size(); ++index) {
    ASSERT_EQ(std::bit_cast<std::uint32_t>(read[index]),
              std::bit_cast<std::uint32_t>(floats[index]))
        << floats[index];
  }
}

TEST(JsonWriter, WhatJsonLacksIsNull) {
  std::string out;
  JsonWriter writer(out);
  writer.begin_array().value(std::nan("")).value(std::numeric_limits<double>::infinity());
  writer.value(-std::numeric_limits<float>::infinity()).end_array();
  EXPECT_EQ(out, "[null,null,null]");
}

void append_random_value(Rng& rng, std::string& out, int depth) {
  JsonWriter writer(out);
  switch (rng.below(depth > 4 ? 6 : 8)) {
    case 0: writer.null(); return;
    case 1: writer.value(rng.below(2) == 0); return;
    case 2: writer.value(std::bit_cast<std::int64_t>(rng.next()) >> rng.below(64)); return;
    case 3: writer.value(rng.normal()); return;
    case 4: writer.value(~std::uint64_t{0} - rng.below(5)); return;
    case 5: writer.value(std::string(rng.below(6), 'x') + "\xC3\xA9\\"); return;
    case 6: {
      out += '[';
      const std::uint64_t count = rng.below(4);
      for (std::uint64_t index = 0; index < count; ++index) {
        if (index > 0) out += ',';
        append_random_value(rng, out, depth + 1);
      }
      out += ']';
      return;
    }
    default: {
      out += '{';
      const std::uint64_t count = rng.below(4);
      for (std::uint64_t index = 0; index < count; ++index) {
        if (index > 0) out += ',';
        out += "\"k" + std::to_string(index) + "\":";
        append_random_value(rng, out, depth + 1);
      }
      out += '}';
    }
  }
}

TEST(JsonModel, ParserAndPlainCheckerAgreeOnDamagedTexts) {
  Rng rng(test_seed());
  int accepted = 0;
  int refused = 0;
  for (int round = 0; round < 20'000; ++round) {
    std::string text;
    append_random_value(rng, text, 0);
    constexpr std::string_view kBytes = "{}[]\",:\\ue019.-+tfn \n\x01\x80\xC3\xED";
    const std::uint64_t edits = rng.below(3);
    for (std::uint64_t edit = 0; edit < edits && !text.empty(); ++edit) {
      const std::size_t at = rng.below(text.size());
      switch (rng.below(3)) {
        case 0: text[at] = kBytes[rng.below(kBytes.size())]; break;
        case 1: text.erase(at, 1 + rng.below(3)); break;
        default: text.insert(at, 1, kBytes[rng.below(kBytes.size())]);
      }
    }
    const Result<JsonDocument> document = JsonDocument::parse(text);
    const bool valid = !detail::find_json_problem(text, limits::kJsonDepthMax).has_value();
    if (!document.ok() && document.error().reason == "duplicate_member") {
      ASSERT_TRUE(valid) << text;
      continue;
    }
    ASSERT_EQ(document.ok(), valid) << text << "\n" << why_not(document);
    ++(valid ? accepted : refused);
    if (!valid) continue;
    const std::string written = document.value().root().to_string();
    ASSERT_EQ(parsed(written).root().to_string(), written) << text;
  }
  EXPECT_GT(accepted, 5000);
  EXPECT_GT(refused, 2000);
}

}  // namespace
}  // namespace quipu
