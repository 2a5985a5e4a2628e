// A small validator of JSON Schemas, and what is wrong by them, for tests. Not for the product.
#pragma once

#include <gtest/gtest.h>

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "quipu/base/json.h"

namespace quipu::api::testing_support {

// Knows what our documents use: $ref, oneOf, anyOf, type (also a list with null), enum, bounds.
class Validator {
 public:
  // `document` has components/schemas; it must outlive the validator.
  explicit Validator(JsonView document) : document_(document) {}

  [[nodiscard]] JsonView resolve(JsonView schema) const {
    const auto reference = schema.find("$ref");
    if (!reference) return schema;
    constexpr std::string_view kPrefix = "#/components/schemas/";
    const std::string_view text = *reference->as_string();
    EXPECT_TRUE(text.starts_with(kPrefix)) << text;
    return component(text.substr(kPrefix.size()));
  }
  [[nodiscard]] JsonView component(std::string_view name) const {
    const auto found = document_.find("components")->find("schemas")->find(name);
    EXPECT_TRUE(found.has_value()) << name;
    return *found;
  }

  // The type that is not null; "" where the schema has none.
  [[nodiscard]] static std::string_view type_of(JsonView schema) {
    const auto type = schema.find("type");
    if (!type) return "";
    if (type->is_string()) return *type->as_string();
    std::string_view other;
    type->for_each_element([&other](JsonView each) {
      if (each.as_string() != "null") other = *each.as_string();
      return true;
    });
    return other;
  }
  [[nodiscard]] static bool nullable(JsonView schema) {
    const auto type = schema.find("type");
    return type && (type->is_array() || type->as_string() == "null");
  }

  // What is wrong with `value`; "" for nothing.
  [[nodiscard]] std::string check(JsonView schema_or_reference, JsonView value,
                                  const std::string& at = "") const {
    const JsonView schema = resolve(schema_or_reference);
    if (const auto choices = schema.find("oneOf")) return check_choices(*choices, value, at, true);
    if (const auto choices = schema.find("anyOf")) return check_choices(*choices, value, at, false);
    if (value.is_null() && nullable(schema)) return "";
    const std::string_view type = type_of(schema);
    if (type.empty()) return "";
    if (type == "object") return check_object(schema, value, at);
    if (type == "array") return check_array(schema, value, at);
    if (type == "boolean") return value.as_bool() ? "" : at + ": no boolean";
    if (type == "string") return check_string(schema, value, at);
    if (type == "integer") return check_integer(schema, value, at);
    if (type == "number") return check_number(schema, value, at);
    return at + ": is not " + std::string(type);
  }

 private:
  [[nodiscard]] std::string check_choices(JsonView choices, JsonView value, const std::string& at,
                                          bool exactly_one) const {
    int fitting = 0;
    std::string why;
    choices.for_each_element([&](JsonView choice) {
      const std::string problem = check(choice, value, at);
      fitting += problem.empty() ? 1 : 0;
      why += " | " + problem.substr(0, 200);
      return true;
    });
    const bool fits = exactly_one ? fitting == 1 : fitting > 0;
    return fits ? "" : at + ": fits " + std::to_string(fitting) + " of its choices" + why;
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
    if (const auto least = schema.find("minProperties");
        least && value.size() < *least->as_uint64()) {
      return at + ": too few members";
    }
    if (const auto most = schema.find("maxProperties"); most && value.size() > *most->as_uint64()) {
      return at + ": too many members";
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
    // Bytes for characters: tests that come near a limit use ASCII.
    if (const auto most = schema.find("maxLength"); most && text->size() > *most->as_uint64()) {
      return at + ": too long";
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
    const auto natural = value.as_uint64();
    const auto number = value.as_int64();
    if (!natural && !number) return at + ": no integer";
    if (const auto least = schema.find("minimum")) {
      // What is no int64 is larger than any.
      const bool below = number && least->as_int64() && *number < *least->as_int64();
      const bool far_below = number && !least->as_int64();
      if (below || far_below) return at + ": below the minimum";
    }
    if (const auto most = schema.find("maximum"); most && natural) {
      if (*natural > *most->as_uint64()) return at + ": above the maximum";
    }
    return "";
  }

  [[nodiscard]] static std::string check_number(JsonView schema, JsonView value,
                                                const std::string& at) {
    const auto number = value.as_double();
    if (!value.is_number() || !number) return at + ": no number";
    const auto bound = [&schema](std::string_view name) {
      const auto found = schema.find(name);
      return found ? found->as_double() : std::nullopt;
    };
    if (bound("minimum") && *number < *bound("minimum")) return at + ": below the minimum";
    if (bound("exclusiveMinimum") && *number <= *bound("exclusiveMinimum")) {
      return at + ": not above the minimum";
    }
    if (bound("maximum") && *number > *bound("maximum")) return at + ": above the maximum";
    return "";
  }

  JsonView document_;
};

// Texts of JSON values that differ from `value` in one place, and that the schema does not allow.
class WrongBodies {
 public:
  explicit WrongBodies(const Validator& validator) : validator_(validator) {}

  // Goes into what a choice holds only where `value` shows which one is meant: so it ends, also for
  // schemas that contain themselves.
  [[nodiscard]] std::vector<std::string> of(JsonView schema_or_reference,
                                            std::optional<JsonView> value) const {
    const JsonView schema = validator_.resolve(schema_or_reference);
    for (const char* kind : {"oneOf", "anyOf"}) {
      if (const auto choices = schema.find(kind)) return of_choice(schema, *choices, value);
    }
    std::vector<std::string> wrong = of_type(schema, value);
    if (Validator::nullable(schema)) std::erase(wrong, "null");
    return wrong;
  }

 private:
  [[nodiscard]] std::vector<std::string> of_type(JsonView schema,
                                                 std::optional<JsonView> value) const {
    const std::string_view type = Validator::type_of(schema);
    if (type == "object") return of_object(schema, value);
    if (type == "array") return of_array(schema, value);
    if (type == "boolean") return {"7", "\"true\"", "null"};
    if (type == "number") return of_number(schema);
    if (type == "integer") return of_integer(schema);
    if (type == "null") return {"7", "\"x\"", "[]", "{}"};
    return of_string(schema);
  }

  // What is wrong for one choice may be right for another, so it is looked at again.
  [[nodiscard]] std::vector<std::string> of_choice(JsonView schema, JsonView choices,
                                                   std::optional<JsonView> value) const {
    std::vector<std::string> all = {
        "-1", "1.5", "\"x\"", "true", "[]", "{}", "null", R"({"no_such_field":1})", R"(["x",1])"};
    choices.for_each_element([&](JsonView choice) {
      if (!value || !validator_.check(choice, *value).empty()) return true;
      const std::vector<std::string> wrong = of(choice, value);
      all.insert(all.end(), wrong.begin(), wrong.end());
      return true;
    });
    std::erase_if(all, [&](const std::string& text) {
      const auto parsed = JsonDocument::parse(text);
      EXPECT_TRUE(parsed.ok()) << text.substr(0, 200);
      return parsed.ok() && validator_.check(schema, parsed.value().root()).empty();
    });
    return all;
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

  // Each item may be of another kind: those after the first are made wrong in their place.
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
    const JsonView items = *schema.find("items");
    if (!first) {
      for (const std::string& wrong : of(items, first)) out.push_back("[" + wrong + "]");
      return out;
    }
    std::vector<JsonView> all;
    value->for_each_element([&all](JsonView item) {
      all.push_back(item);
      return all.size() < 8;
    });
    const bool alike = Validator::type_of(validator_.resolve(items)) == "number";
    for (std::size_t i = 0; i < (alike ? 1 : all.size()); ++i) {
      for (const std::string& wrong : of(items, all[i])) {
        std::string text = "[";
        for (std::size_t j = 0; j < all.size(); ++j) {
          text += (j == 0 ? "" : ",") + (j == i ? wrong : all[j].to_string());
        }
        out.push_back(text + "]");
      }
    }
    return out;
  }

  [[nodiscard]] static std::vector<std::string> of_number(JsonView schema) {
    std::vector<std::string> out = {"\"x\"", "[]", "null"};
    const auto beyond = [&](const char* name, double step) {
      const auto bound = schema.find(name);
      if (!bound) return;
      std::string text;
      JsonWriter(text).value(*bound->as_double() + step);
      out.push_back(text);
    };
    beyond("minimum", -0.5);
    beyond("exclusiveMinimum", 0);
    beyond("maximum", 0.5);
    return out;
  }

  [[nodiscard]] static std::vector<std::string> of_integer(JsonView schema) {
    std::vector<std::string> out = {"\"7\"", "true", "1.5", "null", "[]"};
    const JsonView least = *schema.find("minimum");
    const JsonView most = *schema.find("maximum");
    if (least.as_uint64()) out.emplace_back("-1");
    if (least.as_uint64().value_or(0) > 0) out.push_back(std::to_string(*least.as_uint64() - 1));
    if (*most.as_uint64() < UINT64_MAX) out.push_back(std::to_string(*most.as_uint64() + 1));
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

}  // namespace quipu::api::testing_support
