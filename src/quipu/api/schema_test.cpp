// Goal: a body is read exactly, or every mistake in it is named with field, value and limit.
#include "quipu/api/schema.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

namespace quipu::api {
namespace {

using ::testing::HasSubstr;

enum class Colour : std::uint8_t { kRed, kGreen };
struct Inner {
  std::string name;
  std::optional<std::uint32_t> size;
};
struct Outer {
  PointId id;
  std::uint32_t k = 10;
  bool fast = false;
  Colour colour = Colour::kRed;
  std::optional<GivenVector> vector;
  std::vector<GivenVector> vectors;
  std::string payload = "{}";
  std::vector<Inner> inner;
};

const SchemaPtr<Outer>& outer_schema() {
  static const SchemaPtr<Inner> inner =
      Object<Inner>("Inner", "An inner one.")
          .required("name", &Inner::name, text(1, 5), "")
          .optional("size", &Inner::size, maybe(integer<std::uint32_t>(1, 9)), "Its size.")
          .done();
  static const SchemaPtr<Outer> outer =
      Object<Outer>("Outer", "An outer one.")
          .required("id", &Outer::id, point_id(), "")
          .optional("k", &Outer::k, integer<std::uint32_t>(1, 100), "How many.")
          .optional("fast", &Outer::fast, boolean(), "")
          .optional("colour", &Outer::colour,
                    names<Colour>({{"red", Colour::kRed}, {"green", Colour::kGreen}}), "")
          .optional("vector", &Outer::vector, maybe(vector_value()), "")
          .optional("vectors", &Outer::vectors, named_vectors(), "")
          .optional("payload", &Outer::payload, json_object(20), "")
          .optional("inner", &Outer::inner, array(inner, 1, 3), "")
          .check([](const Outer& value, const Path& at, FieldErrors& errors) {
            if (value.fast && value.k > 50) errors.add(Path(at, "k"), "bad_value", "is not fast");
          })
          .done();
  return outer;
}

// "field|code" of each mistake, joined by spaces; "" for none.
std::string mistakes(std::string_view json, Outer* into = nullptr) {
  const auto document = JsonDocument::parse(json);
  EXPECT_TRUE(document.ok()) << json;
  if (!document.ok()) return "malformed";
  Outer value;
  FieldErrors errors;
  outer_schema()->read(document.value().root(), value, Path(), errors);
  std::string out;
  for (const FieldError& error : errors.all()) {
    out += (out.empty() ? "" : " ") + error.field + "|" + error.code;
  }
  if (into != nullptr) *into = std::move(value);
  return out;
}

TEST(Schema, ReadsEveryKind) {
  Outer value;
  EXPECT_EQ(mistakes(R"({"id":7,"k":3,"fast":true,"colour":"green","vector":[1,2.5,-3],
                         "vectors":{"a":[1],"b":[2]},"payload":{"x":[1,{"y":null}]},
                         "inner":[{"name":"n","size":9},{"name":"mmmmm"}]})",
                     &value),
            "");
  EXPECT_EQ(value.id, PointId::number(7));
  EXPECT_EQ(value.k, 3U);
  EXPECT_TRUE(value.fast);
  EXPECT_EQ(value.colour, Colour::kGreen);
  EXPECT_EQ(value.vector->vector.values, (std::vector<float>{1, 2.5F, -3}));
  EXPECT_EQ(value.vectors[1].vector.name, "b");
  EXPECT_EQ(value.payload, R"({"x":[1,{"y":null}]})");
  EXPECT_EQ(value.inner[0].size, 9U);
  EXPECT_EQ(value.inner[1].size, std::nullopt);
}

TEST(Schema, NamesEveryMistakeByItsPath) {
  EXPECT_EQ(mistakes("[]"), "|wrong_type");
  EXPECT_EQ(mistakes("{}"), "id|missing_field");
  EXPECT_EQ(mistakes(R"({"id":1,"k":0})"), "k|out_of_range");
  EXPECT_EQ(mistakes(R"({"id":1,"k":1})"), "");
  EXPECT_EQ(mistakes(R"({"id":1,"k":100})"), "");
  EXPECT_EQ(mistakes(R"({"id":1,"k":101})"), "k|out_of_range");
  EXPECT_EQ(mistakes(R"({"id":1,"k":-1})"), "k|out_of_range");
  EXPECT_EQ(mistakes(R"({"id":1,"k":1.5})"), "k|out_of_range");
  EXPECT_EQ(mistakes(R"({"id":1,"k":"1"})"), "k|wrong_type");
  EXPECT_EQ(mistakes(R"({"id":1,"k":null})"), "k|wrong_type");
  EXPECT_EQ(mistakes(R"({"id":1,"fast":1})"), "fast|wrong_type");
  EXPECT_EQ(mistakes(R"({"id":1,"colour":"blue"})"), "colour|bad_value");
  EXPECT_EQ(mistakes(R"({"id":1,"vector":[]})"), "vector|too_few_items");
  EXPECT_EQ(mistakes(R"({"id":1,"vector":[1,"2"]})"), "vector|invalid_vector");
  EXPECT_EQ(mistakes(R"({"id":1,"vector":[1,1e300]})"), "vector|invalid_vector");
  EXPECT_EQ(mistakes(R"({"id":1,"vectors":{}})"), "vectors|out_of_range");
  EXPECT_EQ(mistakes(R"({"id":1,"vectors":{"a":7}})"), "vectors.a|wrong_type");
  EXPECT_EQ(mistakes(R"({"id":1,"payload":"{}"})"), "payload|wrong_type");
  EXPECT_EQ(mistakes(R"({"id":1,"payload":{"0123456789":"0123456789"}})"), "payload|too_long");
  EXPECT_EQ(mistakes(R"({"id":1,"inner":[]})"), "inner|too_few_items");
  EXPECT_EQ(mistakes(R"({"id":1,"inner":[1,2,3,4]})"), "inner|too_many_items");
  EXPECT_EQ(mistakes(R"({"id":1,"inner":[{"name":"ok"},{"name":"too long"},{"size":0}]})"),
            "inner[1].name|too_long inner[2].size|out_of_range inner[2].name|missing_field");
  EXPECT_EQ(mistakes(R"({"id":1,"k":60,"fast":true})"), "k|bad_value");
}

TEST(Schema, VectorsAreDenseSparseOrRows) {
  Outer value;
  EXPECT_EQ(mistakes(R"({"id":1,"vector":{"values":[0.5,-1],"indices":[4294967295,0]},
                         "vectors":{"rows":[[1,2],[3,4],[5,6]],
                                    "none":{"indices":[],"values":[]}}})",
                     &value),
            "");
  EXPECT_TRUE(value.vector->sparse);
  EXPECT_EQ(value.vector->vector.indices, (std::vector<std::uint32_t>{4294967295, 0}));
  EXPECT_EQ(value.vector->vector.values, (std::vector<float>{0.5F, -1}));
  EXPECT_EQ(value.vectors[0].row_values, 2U);
  EXPECT_EQ(value.vectors[0].vector.values, (std::vector<float>{1, 2, 3, 4, 5, 6}));
  EXPECT_TRUE(value.vectors[1].sparse);
  EXPECT_EQ(mistakes(R"({"id":1,"vector":[[1,2],[3]]})"), "vector[1]|dimension_mismatch");
  EXPECT_EQ(mistakes(R"({"id":1,"vector":[[1,2],3]})"), "vector[1]|wrong_type");
  EXPECT_EQ(mistakes(R"({"id":1,"vector":[[]]})"), "vector[0]|too_few_items");
  EXPECT_EQ(mistakes(R"({"id":1,"vector":[[1],[1e300]]})"), "vector[1]|invalid_vector");
  EXPECT_EQ(mistakes(R"({"id":1,"vector":"1,2"})"), "vector|wrong_type");
  EXPECT_EQ(mistakes(R"({"id":1,"vector":{"indices":[1],"values":[]}})"),
            "vector|dimension_mismatch");
  EXPECT_EQ(mistakes(R"({"id":1,"vector":{"indices":[-1],"values":[1]}})"),
            "vector.indices[0]|out_of_range");
  EXPECT_EQ(mistakes(R"({"id":1,"vector":{"indices":[1],"value":[1]}})"),
            "vector.value|unknown_field vector.values|missing_field");
}

TEST(Schema, ErrorsOfOtherReadersKeepTheirPlaces) {
  const auto placed = [](std::string field, std::string message) {
    FieldErrors errors;
    errors.add_placed(std::move(field),
                      {ErrorCode::kInvalidArgument, std::move(message), "invalid_query"});
    return errors.all()[0].field + "|" + errors.all()[0].detail;
  };
  EXPECT_EQ(placed("filter", "filter.must[2].key: is missing"), "filter.must[2].key|is missing");
  EXPECT_EQ(placed("", "query.nearest[3]: is no number"), "query.nearest[3]|is no number");
  EXPECT_EQ(placed("", "has the unknown member \"x\" (allowed: y)"),
            "|has the unknown member \"x\" (allowed: y)");
  EXPECT_EQ(placed("queries[1]", "something else: 3"), "queries[1]|something else: 3");
}

TEST(Schema, PointIdsAreNumbersOrUuids) {
  EXPECT_EQ(mistakes(R"({"id":18446744073709551615})"), "");
  EXPECT_EQ(mistakes(R"({"id":"0198c0de-0000-7000-8000-000000000001"})"), "");
  for (const char* id :
       {"-1", "1.5", R"("7")", R"("")", R"("0198c0de-0000-7000-8000-00000000000g")"}) {
    EXPECT_EQ(mistakes(std::string("{\"id\":") + id + "}"), "id|invalid_point_id") << id;
  }
  EXPECT_EQ(mistakes(R"({"id":[]})"), "id|wrong_type");
}

TEST(Schema, UnknownFieldsNameTheNearest) {
  const auto document = JsonDocument::parse(R"({"id":1,"colur":"red","zzzzzz":1})");
  Outer value;
  FieldErrors errors;
  outer_schema()->read(document.value().root(), value, Path(), errors);
  ASSERT_EQ(errors.all().size(), 2U);
  EXPECT_EQ(errors.all()[0].detail, "is not a field of Outer; did you mean \"colour\"?");
  EXPECT_EQ(errors.all()[1].detail, "is not a field of Outer");
}

TEST(Schema, MessagesHaveValueAndLimit) {
  const auto document = JsonDocument::parse(R"({"id":1,"k":20000})");
  Outer value;
  FieldErrors errors;
  outer_schema()->read(document.value().root(), value, Path(), errors);
  ASSERT_EQ(errors.all().size(), 1U);
  EXPECT_EQ(errors.all()[0].detail, "must be an integer from 1 to 100, got 20000");
}

TEST(Schema, MistakesAreBounded) {
  std::string json = "{\"id\":1";
  for (int i = 0; i < 100; ++i) json += ",\"x" + std::to_string(i) + "\":1";
  const auto document = JsonDocument::parse(json + "}");
  Outer value;
  FieldErrors errors;
  outer_schema()->read(document.value().root(), value, Path(), errors);
  EXPECT_EQ(errors.all().size(), FieldErrors::kMax);
}

TEST(Schema, OneOrMany) {
  const auto schema = one_or_many("outers", outer_schema(), 2);
  const auto read = [&](std::string_view json, OneOrMany<Outer>& into) {
    const auto document = JsonDocument::parse(json);
    FieldErrors errors;
    schema->read(document.value().root(), into, Path(), errors);
    return errors.empty() ? std::string() : errors.all()[0].field + "|" + errors.all()[0].code;
  };
  OneOrMany<Outer> one;
  EXPECT_EQ(read(R"({"id":1})", one), "");
  EXPECT_TRUE(one.one);
  OneOrMany<Outer> many;
  EXPECT_EQ(read(R"({"outers":[{"id":1},{"id":2}]})", many), "");
  EXPECT_FALSE(many.one);
  EXPECT_EQ(many.items.size(), 2U);
  OneOrMany<Outer> bad;
  EXPECT_EQ(read(R"({"outers":[]})", bad), "outers|too_few_items");
  EXPECT_EQ(read(R"({"outers":[{"id":1},{"id":2},{"id":3}]})", bad), "outers|too_many_items");
  EXPECT_EQ(read(R"({"outers":[{"id":1}],"k":1})", bad), "k|unknown_field");
  EXPECT_EQ(read(R"({"outers":[{}]})", bad), "outers[0].id|missing_field");
}

TEST(Schema, DescribesItself) {
  std::string json;
  JsonWriter out(json);
  Components components;
  outer_schema()->describe(out, components, "Here.");
  EXPECT_EQ(json, R"({"$ref":"#/components/schemas/Outer","description":"Here."})");
  ASSERT_TRUE(components.contains("Outer"));
  ASSERT_TRUE(components.contains("Inner"));
  for (const auto& [name, definition] : components) {
    EXPECT_TRUE(JsonDocument::parse(definition).ok()) << name;
  }
  EXPECT_THAT(components["Outer"], HasSubstr(R"("required":["id"],"additionalProperties":false)"));
  EXPECT_THAT(components["Outer"],
              HasSubstr(R"("k":{"type":"integer","minimum":1,"maximum":100,"description":"How)"));
  EXPECT_THAT(components["Outer"], HasSubstr(R"("enum":["red","green"])"));
}

TEST(Path, QuotesStrangeMembers) {
  const Path root;
  const Path vectors(root, "vectors");
  EXPECT_EQ(Path(vectors, "a b\n").text(), "vectors.\"a b\\n\"");
  EXPECT_EQ(Path(Path(vectors, std::size_t{3}), "x").text(), "vectors[3].x");
}

}  // namespace
}  // namespace quipu::api
