// Goal: the schemas of filters and queries are not stricter than their readers, and are closed.
// Method: what the writers write of random filters and queries fits; after damage at a random
// place, what the reader still takes fits too. (That the schemas are not laxer, but for what they
// cannot say, is contract_test's.)
#include "quipu/api/rest/language_schemas.h"

#include <gtest/gtest.h>

#include <string>
#include <vector>

#include "quipu/api/testing/json_schema.h"
#include "quipu/base/rng.h"
#include "quipu/base/test_support.h"
#include "quipu/query/filter/filter_json.h"
#include "quipu/query/filter/testing/random_filter.h"
#include "quipu/query/request/query_json.h"
#include "quipu/query/request/testing/random_query.h"

namespace quipu::api::rest {
namespace {

using testing_support::Validator;

class Document {
 public:
  Document() {
    Components components;
    for (const char* name : {"Filter", "Query", "QueryGroups", "OrderBy", "Analyzer"}) {
      add_language(name, components);
    }
    JsonWriter out(text_);
    out.begin_object().key("components").begin_object().key("schemas").begin_object();
    for (const auto& [name, definition] : components) out.key(name).raw(definition);
    out.end_object().end_object().end_object();
    auto parsed = JsonDocument::parse(text_);
    EXPECT_TRUE(parsed.ok()) << parsed.error().message;
    document_.emplace(std::move(parsed).value());
    validator_.emplace(document_->root());
  }
  [[nodiscard]] std::string check(std::string_view component, JsonView value) const {
    return validator_->check(validator_->component(component), value);
  }
  [[nodiscard]] JsonView root() const { return document_->root(); }

 private:
  std::string text_;
  std::optional<JsonDocument> document_;
  std::optional<Validator> validator_;
};

// The text with one value, member or bracket put elsewhere.
std::string damaged(std::string text, Rng& rng) {
  constexpr std::string_view kPieces[] = {
      "null",    "1",   "\"a\"", "[]", "{}", "true", "-1", "[1]", "{\"text\":\"a\"}",
      "\"asc\"", "0.5", ","};
  const auto begin = static_cast<std::size_t>(rng.below(text.size()));
  const std::size_t end = text.find_first_of(",]}", begin);
  const std::size_t colon = text.rfind(':', begin);
  const std::string_view piece = kPieces[rng.below(std::size(kPieces))];
  if (rng.below(2) == 0 && colon != std::string::npos && end != std::string::npos) {
    return text.replace(colon + 1, end - colon - 1, piece);
  }
  return text.replace(begin, std::min<std::size_t>(1 + rng.below(6), text.size() - begin), piece);
}

TEST(LanguageSchemas, ReferencesAreThere) {
  const Document document;
  std::size_t references = 0;
  const std::string text = document.root().to_string();
  constexpr std::string_view kBegin = "\"#/components/schemas/";
  for (std::size_t at = text.find(kBegin); at != std::string::npos;
       at = text.find(kBegin, at + 1)) {
    const std::size_t name = at + kBegin.size();
    const auto found = document.root()
                           .find("components")
                           ->find("schemas")
                           ->find(text.substr(name, text.find('"', name) - name));
    EXPECT_TRUE(found.has_value()) << text.substr(at, 60);
    ++references;
  }
  EXPECT_GT(references, 100U);
  EXPECT_EQ(text.find('@'), std::string::npos);
}

TEST(LanguageSchemas, WhatFilterReadersTakeFits) {
  const Document document;
  Rng rng(test_seed());
  query::testing_support::RandomFilters filters(rng);
  std::size_t taken = 0;
  for (int i = 0; i < 8'000; ++i) {
    std::string text;
    JsonWriter out(text);
    query::write_filter(filters.filter(), out);
    auto json = JsonDocument::parse(text);
    ASSERT_TRUE(json.ok());
    EXPECT_EQ(document.check("Filter", json.value().root()), "") << text;
    const std::string other = damaged(text, rng);
    json = JsonDocument::parse(other);
    if (!json.ok() || !query::parse_filter(json.value().root(), "filter").ok()) continue;
    ++taken;
    EXPECT_EQ(document.check("Filter", json.value().root()), "") << other;
  }
  EXPECT_GT(taken, 100U);
}

TEST(LanguageSchemas, WhatQueryReadersTakeFits) {
  const Document document;
  Rng rng(test_seed());
  query::testing_support::RandomQueries queries(rng);
  std::size_t taken = 0;
  for (int i = 0; i < 4'000; ++i) {
    std::string text;
    JsonWriter out(text);
    query::write_query(queries.stage(), out);
    auto json = JsonDocument::parse(text);
    ASSERT_TRUE(json.ok());
    EXPECT_EQ(document.check("Query", json.value().root()), "") << text;
    const std::string other = damaged(text, rng);
    json = JsonDocument::parse(other);
    if (!json.ok() || !query::read_query(json.value().root()).ok()) continue;
    ++taken;
    EXPECT_EQ(document.check("Query", json.value().root()), "") << other;
  }
  EXPECT_GT(taken, 100U);
}

}  // namespace
}  // namespace quipu::api::rest
