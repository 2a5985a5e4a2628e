// Goal: the OpenAPI document and the service say the same.
// Method: walk the document. Every operation is called with its example, which must succeed and
// answer what its schema says; then with bodies made wrong in one place after the other by the
// schema itself, with wrong parameters, and with random damage. Nothing may answer 5xx but 501.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <optional>
#include <string>
#include <vector>

#include "quipu/base/rng.h"
#include "tests/support/service_fixture.h"

namespace quipu::api {
namespace {

// ---------------------------------------------------------------- a small JSON Schema validator

class Validator {
 public:
  explicit Validator(JsonView document) : document_(document) {}

  [[nodiscard]] JsonView resolve(JsonView schema) const {
    const auto reference = schema.find("$ref");
    if (!reference) return schema;
    constexpr std::string_view kPrefix = "#/components/schemas/";
    const std::string_view text = *reference->as_string();
    EXPECT_TRUE(text.starts_with(kPrefix)) << text;
    const auto schemas = document_.find("components")->find("schemas");
    const auto found = schemas->find(text.substr(kPrefix.size()));
    EXPECT_TRUE(found.has_value()) << text;
    return *found;
  }

  // What is wrong with `value`; "" for nothing.
  [[nodiscard]] std::string check(JsonView schema_or_reference, JsonView value,
                                  const std::string& at = "") const {
    const JsonView schema = resolve(schema_or_reference);
    if (const auto choices = schema.find("oneOf")) return check_one_of(*choices, value, at);
    const auto type_member = schema.find("type");
    if (!type_member) return "";
    const std::string_view type = *type_member->as_string();
    if (type == "object") return check_object(schema, value, at);
    if (type == "array") return check_array(schema, value, at);
    if (type == "boolean") return value.as_bool() ? "" : at + ": no boolean";
    if (type == "string") return check_string(schema, value, at);
    if (type == "integer") return check_integer(schema, value, at);
    if (type == "number") return value.is_number() ? "" : at + ": no number";
    return at + ": unknown type " + std::string(type);
  }

 private:
  [[nodiscard]] std::string check_one_of(JsonView choices, JsonView value,
                                         const std::string& at) const {
    int fitting = 0;
    std::string why;
    choices.for_each_element([&](JsonView choice) {
      const std::string problem = check(choice, value, at);
      fitting += problem.empty() ? 1 : 0;
      why += " | " + problem;
      return true;
    });
    return fitting == 1 ? "" : at + ": fits " + std::to_string(fitting) + " of oneOf" + why;
  }

  [[nodiscard]] std::string check_object(JsonView schema, JsonView value,
                                         const std::string& at) const {
    if (!value.is_object()) return at + ": no object";
    std::string problem;
    if (const auto required = schema.find("required")) {
      required->for_each_element([&](JsonView name) {
        if (!value.find(*name.as_string())) problem = at + ": lacks " + name.to_string();
        return problem.empty();
      });
    }
    const auto properties = schema.find("properties");
    const auto others = schema.find("additionalProperties");
    value.for_each_member([&](std::string_view name, JsonView member) {
      const std::string here = at + "." + std::string(name);
      const auto known = properties ? properties->find(name) : std::nullopt;
      if (!problem.empty()) return false;
      if (known) {
        problem = check(*known, member, here);
      } else if (others && others->is_object()) {
        problem = check(*others, member, here);
      } else if (others && others->as_bool() == false) {
        problem = here + ": not in the schema";
      }
      return problem.empty();
    });
    return problem;
  }

  [[nodiscard]] std::string check_array(JsonView schema, JsonView value,
                                        const std::string& at) const {
    if (!value.is_array()) return at + ": no array";
    const auto least = schema.find("minItems");
    const auto most = schema.find("maxItems");
    if (least && value.size() < *least->as_uint64()) return at + ": too few";
    if (most && value.size() > *most->as_uint64()) return at + ": too many";
    std::string problem;
    std::size_t index = 0;
    value.for_each_element([&](JsonView item) {
      problem = check(*schema.find("items"), item, at + "[" + std::to_string(index++) + "]");
      return problem.empty();
    });
    return problem;
  }

  [[nodiscard]] static std::string check_string(JsonView schema, JsonView value,
                                                const std::string& at) {
    const auto text = value.as_string();
    if (!text) return at + ": no string";
    if (const auto least = schema.find("minLength"); least && text->size() < *least->as_uint64()) {
      return at + ": too short";
    }
    const auto choices = schema.find("enum");
    if (!choices) return "";
    bool found = false;
    choices->for_each_element([&](JsonView choice) {
      found = found || choice.as_string() == text;
      return true;
    });
    return found ? "" : at + ": not one of the enum";
  }

  [[nodiscard]] static std::string check_integer(JsonView schema, JsonView value,
                                                 const std::string& at) {
    if (!value.as_uint64() && !value.as_int64()) return at + ": no integer";
    if (const auto least = schema.find("minimum"); least && !value.as_uint64()) {
      return at + ": below the minimum";
    }
    const auto most = schema.find("maximum");
    if (most && value.as_uint64() && *value.as_uint64() > *most->as_uint64()) {
      return at + ": above the maximum";
    }
    return "";
  }

  JsonView document_;
};

// ---------------------------------------------------------------- wrong bodies

// Texts of JSON values that differ from `value` in one place, and that the schema does not allow.
class WrongBodies {
 public:
  explicit WrongBodies(const Validator& validator) : validator_(validator) {}

  [[nodiscard]] std::vector<std::string> of(JsonView schema_or_reference,
                                            std::optional<JsonView> value) const {
    const JsonView schema = validator_.resolve(schema_or_reference);
    if (const auto choices = schema.find("oneOf")) return of_choice(*choices, value);
    const std::string_view type = *schema.find("type")->as_string();
    if (type == "object") return of_object(schema, value);
    if (type == "array") return of_array(schema, value);
    if (type == "boolean") return {"7", "\"true\"", "null"};
    if (type == "number") return {"\"x\"", "[]", "null"};
    if (type == "integer") return of_integer(schema);
    return of_string(schema);
  }

 private:
  [[nodiscard]] std::vector<std::string> of_choice(JsonView choices,
                                                   std::optional<JsonView> value) const {
    std::optional<JsonView> fitting;
    choices.for_each_element([&](JsonView choice) {
      const bool fits = value && validator_.check(choice, *value).empty();
      if (fits) fitting = choice;
      return !fits;
    });
    // A choice between kinds of values (ids): what is none of them.
    const bool of_kinds = !validator_.resolve(*first_of(choices)).find("properties");
    if (of_kinds || !fitting) return {"-1", "1.5", "\"x\"", "true", "[]", "{}"};
    return of(*fitting, value);
  }

  [[nodiscard]] static std::optional<JsonView> first_of(JsonView array) {
    std::optional<JsonView> first;
    array.for_each_element([&](JsonView item) {
      first = item;
      return false;
    });
    return first;
  }

  // The object with one member replaced, added, or (with "") left out.
  [[nodiscard]] static std::string with_member(std::optional<JsonView> object,
                                               std::string_view name, std::string_view json) {
    std::string out;
    JsonWriter writer(out);
    writer.begin_object();
    if (object) {
      object->for_each_member([&](std::string_view each, JsonView member) {
        if (each != name) writer.key(each).raw(member.to_string());
        return true;
      });
    }
    if (!json.empty()) writer.key(name).raw(json);
    writer.end_object();
    return out;
  }

  [[nodiscard]] std::vector<std::string> of_object(JsonView schema,
                                                   std::optional<JsonView> value) const {
    std::vector<std::string> out = {"7", "\"x\"", "[]", "null"};
    const auto properties = schema.find("properties");
    if (!properties) return out;
    out.push_back(with_member(value, "no_such_field", "1"));
    schema.find("required")->for_each_element([&](JsonView name) {
      out.push_back(with_member(value, *name.as_string(), ""));
      return true;
    });
    properties->for_each_member([&](std::string_view name, JsonView property) {
      const auto now = value ? value->find(name) : std::nullopt;
      for (const std::string& wrong : of(property, now)) {
        out.push_back(with_member(value, name, wrong));
      }
      return true;
    });
    return out;
  }

  [[nodiscard]] std::vector<std::string> of_array(JsonView schema,
                                                  std::optional<JsonView> value) const {
    std::vector<std::string> out = {"7", "\"x\"", "{}", "null"};
    const std::uint64_t least = *schema.find("minItems")->as_uint64();
    const std::uint64_t most = *schema.find("maxItems")->as_uint64();
    if (least > 0) out.emplace_back("[]");
    const auto first = value ? first_of(*value) : std::nullopt;
    if (first && most <= 70'000) {
      std::string many = "[";
      for (std::uint64_t i = 0; i <= most; ++i) many += (i == 0 ? "" : ",") + first->to_string();
      out.push_back(many + "]");
    }
    for (const std::string& wrong : of(*schema.find("items"), first)) {
      out.push_back("[" + wrong + "]");
    }
    return out;
  }

  [[nodiscard]] static std::vector<std::string> of_integer(JsonView schema) {
    std::vector<std::string> out = {"\"7\"", "true", "1.5", "-1", "null", "[]"};
    const std::uint64_t least = *schema.find("minimum")->as_uint64();
    const std::uint64_t most = *schema.find("maximum")->as_uint64();
    if (least > 0) out.push_back(std::to_string(least - 1));
    if (most < UINT64_MAX) out.push_back(std::to_string(most + 1));
    return out;
  }

  [[nodiscard]] static std::vector<std::string> of_string(JsonView schema) {
    std::vector<std::string> out = {"7", "[]", "{}", "null"};
    if (schema.find("enum")) {
      out.emplace_back("\"no such name\"");
      return out;
    }
    if (schema.find("minLength")) out.emplace_back("\"\"");
    const std::uint64_t most = *schema.find("maxLength")->as_uint64();
    if (most <= 100'000) out.push_back("\"" + std::string(most + 1, 'a') + "\"");
    return out;
  }

  const Validator& validator_;
};

// ---------------------------------------------------------------- the walk

class ContractTest : public ServiceFixture {
 protected:
  void SetUp() override {
    ServiceFixture::SetUp();
    auto parsed = JsonDocument::parse(service_->openapi());
    ASSERT_TRUE(parsed.ok()) << parsed.error().message;
    document_.emplace(std::move(parsed).value());
    validator_.emplace(document_->root());
  }

  // Calls `visit` with path, method and operation of each.
  template <typename Visit>
  void for_each_operation(Visit visit) {
    document_->root().find("paths")->for_each_member([&](std::string_view path, JsonView methods) {
      methods.for_each_member([&](std::string_view method, JsonView operation) {
        std::string upper(method);
        for (char& c : upper) c = static_cast<char>(c - 32);
        const ::testing::ScopedTrace trace(__FILE__, __LINE__, upper + " " + std::string(path));
        visit(std::string(path), upper, operation);
        return true;
      });
      return true;
    });
  }

  // Brings about what the examples rely on, whatever was called before.
  void prepare(const std::string& method, const std::string& path) {
    static_cast<void>(call("DELETE", "/v1/collections/contract"));
    if (method == "PUT" && path == "/v1/collections/{collection}") return;
    ASSERT_EQ(call("PUT", "/v1/collections/contract", R"({"vectors":[{"dim":4}]})").status, 201);
    const Response written =
        call("PUT", "/v1/collections/contract/points",
             R"({"points":[{"id":1,"vector":[1,0,0,0]},{"id":2,"vector":[0,1,0,0]}]})");
    ASSERT_EQ(written.status, 200) << written.body;
    ASSERT_EQ(call("POST", "/v1/memory/records", R"({"id":1,"text":"a record"})").status, 200);
    std::filesystem::remove_all(folder_ / "data" / "snapshots");
  }

  static std::string filled(std::string path) {
    for (const auto& [name, value] : {std::pair{"{collection}", "contract"}, {"{id}", "1"}}) {
      const std::size_t at = path.find(name);
      if (at != std::string::npos) path.replace(at, std::string_view(name).size(), value);
    }
    return path;
  }

  static std::optional<JsonView> json_body(JsonView operation) {
    const auto body = operation.find("requestBody");
    return body ? body->find("content")->find("application/json") : std::nullopt;
  }

  void expect_problem(const Response& response) {
    EXPECT_EQ(response.content_type, "application/problem+json") << response.body;
    const auto parsed = JsonDocument::parse(response.body);
    ASSERT_TRUE(parsed.ok()) << response.body;
    const auto schema = document_->root().find("components")->find("schemas")->find("Problem");
    EXPECT_EQ(validator_->check(*schema, parsed.value().root()), "") << response.body;
    EXPECT_EQ(parsed.value().root().find("status")->as_uint64(),
              static_cast<std::uint64_t>(response.status));
    EXPECT_EQ(*parsed.value().root().find("request_id")->as_string(),
              header(response, "X-Request-Id"));
  }

  void expect_declared(JsonView operation, const Response& response) {
    const auto declared = operation.find("responses")->find(std::to_string(response.status));
    ASSERT_TRUE(declared.has_value()) << response.status << " " << response.body;
    const std::string type = response.content_type.substr(0, response.content_type.find(';'));
    const auto content = declared->find("content")->find(type);
    ASSERT_TRUE(content.has_value()) << type;
    if (type != "application/json") return;
    const auto parsed = JsonDocument::parse(response.body);
    ASSERT_TRUE(parsed.ok()) << response.body;
    EXPECT_EQ(validator_->check(*content->find("schema"), parsed.value().root()), "")
        << response.body.substr(0, 1000);
  }

  std::optional<JsonDocument> document_;
  std::optional<Validator> validator_;
};

TEST_F(ContractTest, ExamplesSucceedAndAnswersFitTheirSchemas) {
  int operations = 0;
  for_each_operation([&](const std::string& path, const std::string& method, JsonView operation) {
    ++operations;
    prepare(method, path);
    const auto body = json_body(operation);
    const std::string example = body ? body->find("example")->to_string() : "";
    if (body) {
      EXPECT_EQ(validator_->check(*body->find("schema"), *body->find("example")), "");
    }
    expect_declared(operation, call(method, filled(path), example));
    if (!body) return;
    const auto lines = operation.find("requestBody")->find("content")->find("application/x-ndjson");
    if (!lines) return;
    const std::string line(*lines->find("example")->as_string());
    expect_declared(operation, send(method, filled(path), line + "\n",
                                    {{"Content-Type", "application/x-ndjson"}}));
  });
  EXPECT_GE(operations, 30);
}

TEST_F(ContractTest, WrongBodiesAreRefusedByName) {
  int bodies = 0;
  for_each_operation([&](const std::string& path, const std::string& method, JsonView operation) {
    prepare(method, path);
    const auto body = json_body(operation);
    if (!body) {
      EXPECT_EQ(call(method, filled(path), "{}").status, 400);
      return;
    }
    const std::string example = body->find("example")->to_string();
    for (const std::string& malformed : {std::string("{"), example + "}", std::string("nul"),
                                         std::string("\xff\xfe"), std::string(" ")}) {
      const Response answer = call(method, filled(path), malformed);
      EXPECT_EQ(answer.status, 400) << malformed;
      expect_problem(answer);
    }
    const Response typed = send(method, filled(path), example, {{"Content-Type", "text/plain"}});
    EXPECT_EQ(typed.status, 415);
    expect_problem(typed);
    for (const std::string& wrong :
         WrongBodies(*validator_).of(*body->find("schema"), *body->find("example"))) {
      ++bodies;
      const Response answer = call(method, filled(path), wrong);
      EXPECT_TRUE(answer.status == 422 || answer.status == 413)
          << answer.status << " for " << wrong.substr(0, 200) << ": " << answer.body;
      expect_problem(answer);
    }
  });
  EXPECT_GT(bodies, 300);
}

TEST_F(ContractTest, WrongParametersAreRefused) {
  for_each_operation([&](const std::string& path, const std::string& method, JsonView operation) {
    prepare(method, path);
    const auto body = json_body(operation);
    const std::string example = body ? body->find("example")->to_string() : "";
    const Response unknown = call(method, filled(path) + "?no_such_parameter=1", example);
    EXPECT_EQ(unknown.status, 422) << unknown.body;
    expect_problem(unknown);
    operation.find("parameters")->for_each_element([&](JsonView parameter) {
      const std::string name(*parameter.find("name")->as_string());
      const std::string_view in = *parameter.find("in")->as_string();
      const bool flag = parameter.find("schema")->find("type")->as_string() == "boolean";
      if (in == "query") {
        const Response wrong =
            call(method, filled(path) + "?" + name + "=" + (flag ? "maybe" : ""), example);
        EXPECT_EQ(wrong.status, 422) << name << wrong.body;
        expect_problem(wrong);
      }
      if (in == "header") {
        const Response wrong = call(method, filled(path), example, {{name, "two words"}});
        EXPECT_EQ(wrong.status, 400) << name << wrong.body;
        expect_problem(wrong);
      }
      return true;
    });
    if (path.find("{id}") == std::string::npos) return;
    for (const char* id : {"x", "-1", "1.5", "18446744073709551616", "%20"}) {
      std::string wrong_path = path;
      wrong_path.replace(wrong_path.find("{id}"), 4, id);
      const Response wrong = call(method, filled(wrong_path), example);
      EXPECT_EQ(wrong.status, 422) << id << wrong.body;
      expect_problem(wrong);
    }
  });
}

TEST_F(ContractTest, UnknownCollectionsAre404) {
  for_each_operation([&](const std::string& path, const std::string& method, JsonView operation) {
    if (path.find("{collection}") == std::string::npos) return;
    if (method == "PUT" && path == "/v1/collections/{collection}") return;
    const auto body = json_body(operation);
    const std::string example = body ? body->find("example")->to_string() : "";
    const Response answer = call(method, filled(path), example);
    EXPECT_EQ(answer.status, 404) << answer.body;
    EXPECT_EQ(code(answer), "collection_not_found");
    expect_problem(answer);
  });
}

// Property: no damaged body is a failure of the server.
TEST_F(ContractTest, RandomDamageIsNoFailure) {
  Rng rng(21);
  for_each_operation([&](const std::string& path, const std::string& method, JsonView operation) {
    const auto body = json_body(operation);
    if (!body) return;
    prepare(method, path);
    const std::string example = body->find("example")->to_string();
    for (int round = 0; round < 60; ++round) {
      std::string damaged = example;
      for (std::uint64_t changes = 1 + rng.below(3); changes > 0 && !damaged.empty(); --changes) {
        const auto at = static_cast<std::size_t>(rng.below(damaged.size()));
        constexpr std::string_view kBytes = "{}[]\",:0-1e9.\\nulltrue \xff\x01";
        const char byte = kBytes[static_cast<std::size_t>(rng.below(kBytes.size()))];
        switch (rng.below(3)) {
          case 0: damaged[at] = byte; break;
          case 1: damaged.insert(at, 1, byte); break;
          default: damaged.erase(at, 1 + static_cast<std::size_t>(rng.below(4)));
        }
      }
      const Response answer = call(method, filled(path), damaged);
      EXPECT_LT(answer.status, 500) << damaged << ": " << answer.body;
      if (answer.status >= 400) expect_problem(answer);
    }
  });
}

}  // namespace
}  // namespace quipu::api
