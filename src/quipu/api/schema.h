// Bodies described once: a Schema reads a JSON value into a C++ value, strictly, and writes the
// JSON Schema (2020-12) of what it accepts. Reading never stops at the first mistake: it names each
// one by the path of its field, its value and the limit, up to a bound.
//
//   struct Body { std::uint32_t k = 10; std::string text; };
//   SchemaPtr<Body> schema = Object<Body>("Body", "What it is.")
//       .required("text", &Body::text, text(1, 1000), "What to look for.")
//       .optional("k", &Body::k, integer<std::uint32_t>(1, 100), "How many; 10 unless given.")
//       .done();
//
// Threads: schemas are immutable once made.
#pragma once

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <functional>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "quipu/base/json.h"
#include "quipu/base/nearest.h"
#include "quipu/engine.h"
#include "quipu/ids.h"

namespace quipu::api {

// One mistake in a request.
struct FieldError {
  std::string field;  // "points[3].vector"; "" for the body itself
  std::string code;   // stable: "wrong_type", "missing_field", "unknown_field", "out_of_range", ...
  std::string detail;  // what is wrong, with value and limit
};

// The way to a value, as frames on the stack, so that it costs nothing until it is needed.
class Path {
 public:
  Path() = default;
  Path(const Path& parent, std::string_view member) : parent_(&parent), member_(member) {}
  Path(const Path& parent, std::size_t index) : parent_(&parent), index_(index) {}
  // "points[3].vector".
  [[nodiscard]] std::string text() const;

 private:
  const Path* parent_ = nullptr;
  std::string_view member_;
  std::size_t index_ = 0;
};

// Collects the first kMax mistakes.
class FieldErrors {
 public:
  static constexpr std::size_t kMax = 16;
  void add(const Path& at, std::string_view code, std::string detail);
  // For readers that know the field by its text.
  void add_at(std::string field, std::string_view code, std::string detail);
  // For readers whose errors begin with the place: "filter.must[2].range.gte: ...". `field` is what
  // the error is about when it names no place.
  void add_placed(std::string field, const Error& error);
  [[nodiscard]] bool full() const noexcept { return errors_.size() >= kMax; }
  [[nodiscard]] bool empty() const noexcept { return errors_.empty(); }
  [[nodiscard]] const std::vector<FieldError>& all() const noexcept { return errors_; }

 private:
  std::vector<FieldError> errors_;
};

// Named object schemas that a document refers to. name -> definition, written when first met.
using Components = std::map<std::string, std::string, std::less<>>;

template <typename T>
class Schema {
 public:
  virtual ~Schema() = default;
  // Sets `into`, or adds to `errors` and leaves it in a valid but unspecified state.
  virtual void read(JsonView json, T& into, const Path& at, FieldErrors& errors) const = 0;
  // Writes one JSON Schema; `doc` becomes its description unless empty.
  virtual void describe(JsonWriter& out, Components& components, std::string_view doc) const = 0;
};
template <typename T>
using SchemaPtr = std::shared_ptr<const Schema<T>>;

// The value as an error message shows it: numbers and short strings themselves, else the kind.
[[nodiscard]] std::string shown(JsonView json);
void add_wrong_type(JsonView json, std::string_view wanted, const Path& at, FieldErrors& errors);
void write_doc(JsonWriter& out, std::string_view doc);

// ---------------------------------------------------------------- simple values

[[nodiscard]] SchemaPtr<bool> boolean();
// `least` and `most` are bytes of UTF-8.
[[nodiscard]] SchemaPtr<std::string> text(std::size_t least, std::size_t most);
// A number or a UUID string.
[[nodiscard]] SchemaPtr<PointId> point_id();
// Any JSON object, kept as its text.
[[nodiscard]] SchemaPtr<std::string> json_object(std::size_t bytes_max);
// A vector as it came.
struct GivenVector {
  NamedVector vector;
  bool sparse = false;
  std::uint32_t row_values = 0;  // of each row, when it came as rows; else 0
};
// [numbers], of which there are 1 to limits::kDimMax; {"indices": [...], "values": [...]}; or rows
// of one length: [[numbers], ...]. Together at most limits::kVectorValuesMax numbers.
[[nodiscard]] SchemaPtr<GivenVector> vector_value();
// {"name": vector, ...} with 1 to limits::kVectorsPerCollectionMax members.
[[nodiscard]] SchemaPtr<std::vector<GivenVector>> named_vectors();
[[nodiscard]] SchemaPtr<float> real();
// A finite number within bounds.
[[nodiscard]] SchemaPtr<double> number(double least, double most);

[[nodiscard]] std::optional<std::uint64_t> read_unsigned(JsonView json, std::uint64_t least,
                                                         std::uint64_t most, const Path& at,
                                                         FieldErrors& errors);

template <typename T>
class IntegerSchema final : public Schema<T> {
 public:
  IntegerSchema(std::uint64_t least, std::uint64_t most) : least_(least), most_(most) {}
  void read(JsonView json, T& into, const Path& at, FieldErrors& errors) const override {
    if (const auto value = read_unsigned(json, least_, most_, at, errors)) {
      into = static_cast<T>(*value);
    }
  }
  void describe(JsonWriter& out, Components&, std::string_view doc) const override {
    out.begin_object().key("type").value("integer");
    out.key("minimum").value(least_).key("maximum").value(most_);
    write_doc(out, doc);
    out.end_object();
  }

 private:
  std::uint64_t least_;
  std::uint64_t most_;
};
// An unsigned number within limits that T holds.
template <typename T>
[[nodiscard]] SchemaPtr<T> integer(std::uint64_t least, std::uint64_t most) {
  return std::make_shared<IntegerSchema<T>>(least, most);
}

// ---------------------------------------------------------------- names for enumerators

template <typename E>
class NamesSchema final : public Schema<E> {
 public:
  using Names = std::vector<std::pair<std::string_view, E>>;
  explicit NamesSchema(Names names) : names_(std::move(names)) {}
  void read(JsonView json, E& into, const Path& at, FieldErrors& errors) const override {
    const auto name = json.as_string();
    if (!name) return add_wrong_type(json, "a string", at, errors);
    std::string list;
    for (const auto& [known, value] : names_) {
      if (known == *name) {
        into = value;
        return;
      }
      list += (list.empty() ? "\"" : ", \"") + std::string(known) + "\"";
    }
    errors.add(at, "bad_value", "must be one of " + list + ", got " + shown(json));
  }
  void describe(JsonWriter& out, Components&, std::string_view doc) const override {
    out.begin_object().key("type").value("string").key("enum").begin_array();
    for (const auto& [known, value] : names_) out.value(known);
    out.end_array();
    write_doc(out, doc);
    out.end_object();
  }

 private:
  Names names_;
};
template <typename E>
[[nodiscard]] SchemaPtr<E> names(typename NamesSchema<E>::Names list) {
  return std::make_shared<NamesSchema<E>>(std::move(list));
}

// ---------------------------------------------------------------- wrappers

template <typename T>
class OptionalSchema final : public Schema<std::optional<T>> {
 public:
  explicit OptionalSchema(SchemaPtr<T> inner) : inner_(std::move(inner)) {}
  void read(JsonView json, std::optional<T>& into, const Path& at,
            FieldErrors& errors) const override {
    inner_->read(json, into.emplace(), at, errors);
  }
  void describe(JsonWriter& out, Components& components, std::string_view doc) const override {
    inner_->describe(out, components, doc);
  }

 private:
  SchemaPtr<T> inner_;
};
// For a member that tells absence apart. The JSON value itself is never null.
template <typename T>
[[nodiscard]] SchemaPtr<std::optional<T>> maybe(SchemaPtr<T> inner) {
  return std::make_shared<OptionalSchema<T>>(std::move(inner));
}

[[nodiscard]] bool check_item_count(JsonView json, std::size_t least, std::size_t most,
                                    const Path& at, FieldErrors& errors);

template <typename T>
class ArraySchema final : public Schema<std::vector<T>> {
 public:
  ArraySchema(SchemaPtr<T> item, std::size_t least, std::size_t most)
      : item_(std::move(item)), least_(least), most_(most) {}
  void read(JsonView json, std::vector<T>& into, const Path& at,
            FieldErrors& errors) const override {
    if (!check_item_count(json, least_, most_, at, errors)) return;
    into.clear();
    into.reserve(json.size());
    json.for_each_element([&](JsonView element) {
      T& item = into.emplace_back();
      item_->read(element, item, Path(at, into.size() - 1), errors);
      return !errors.full();
    });
  }
  void describe(JsonWriter& out, Components& components, std::string_view doc) const override {
    out.begin_object().key("type").value("array");
    out.key("minItems").value(std::uint64_t{least_}).key("maxItems").value(std::uint64_t{most_});
    out.key("items");
    item_->describe(out, components, "");
    write_doc(out, doc);
    out.end_object();
  }

 private:
  SchemaPtr<T> item_;
  std::size_t least_;
  std::size_t most_;
};
template <typename T>
[[nodiscard]] SchemaPtr<std::vector<T>> array(SchemaPtr<T> item, std::size_t least,
                                              std::size_t most) {
  return std::make_shared<ArraySchema<T>>(std::move(item), least, most);
}

// ---------------------------------------------------------------- objects

// Checks that concern several fields; runs when all fields were read without a mistake.
template <typename T>
using ObjectCheck = std::function<void(const T&, const Path&, FieldErrors&)>;

template <typename T>
class ObjectSchema final : public Schema<T> {
 public:
  struct Field {
    std::string name;
    bool required = false;
    std::function<void(JsonView, T&, const Path&, FieldErrors&)> read;
    std::function<void(JsonWriter&, Components&)> describe;
  };
  ObjectSchema(std::string name, std::string doc, std::vector<Field> fields, ObjectCheck<T> check)
      : name_(std::move(name)),
        doc_(std::move(doc)),
        fields_(std::move(fields)),
        check_(std::move(check)) {}

  void read(JsonView json, T& into, const Path& at, FieldErrors& errors) const override {
    if (!json.is_object()) return add_wrong_type(json, "an object", at, errors);
    const std::size_t errors_before = errors.all().size();
    std::uint64_t seen = 0;
    json.for_each_member([&](std::string_view name, JsonView value) {
      const Path here(at, name);
      const auto field = std::ranges::find(fields_, name, &Field::name);
      if (field == fields_.end()) {
        errors.add(here, "unknown_field", "is not a field of " + name_ + near(name));
      } else {
        seen |= std::uint64_t{1} << (field - fields_.begin());
        field->read(value, into, here, errors);
      }
      return !errors.full();
    });
    for (std::size_t i = 0; i < fields_.size(); ++i) {
      if (!fields_[i].required || ((seen >> i) & 1) != 0) continue;
      errors.add(Path(at, fields_[i].name), "missing_field", "is required");
    }
    if (check_ && errors.all().size() == errors_before) check_(into, at, errors);
  }

  void describe(JsonWriter& out, Components& components, std::string_view doc) const override {
    if (!components.contains(name_)) {
      components.emplace(name_, "");  // a schema that contains itself finds the name taken
      components[name_] = definition(components);
    }
    out.begin_object().key("$ref").value(std::string_view("#/components/schemas/" + name_));
    write_doc(out, doc);
    out.end_object();
  }

 private:
  std::string near(std::string_view name) const {
    std::vector<std::string_view> known;
    for (const Field& field : fields_) known.push_back(field.name);
    return did_you_mean(name, known);
  }
  std::string definition(Components& components) const {
    std::string json;
    JsonWriter out(json);
    out.begin_object().key("type").value("object");
    write_doc(out, doc_);
    out.key("properties").begin_object();
    for (const Field& field : fields_) {
      out.key(field.name);
      field.describe(out, components);
    }
    out.end_object().key("required").begin_array();
    for (const Field& field : fields_) {
      if (field.required) out.value(std::string_view(field.name));
    }
    out.end_array().key("additionalProperties").value(false).end_object();
    return json;
  }

  std::string name_;
  std::string doc_;
  std::vector<Field> fields_;  // at most 64
  ObjectCheck<T> check_;
};

// Builds an ObjectSchema. `name` is the component's name in the OpenAPI document.
template <typename T>
class Object {
 public:
  Object(std::string name, std::string doc) : name_(std::move(name)), doc_(std::move(doc)) {}
  template <typename M>
  Object&& required(std::string name, M T::*member, std::type_identity_t<SchemaPtr<M>> schema,
                    std::string doc) && {
    return std::move(*this).field(std::move(name), true, member, std::move(schema), std::move(doc));
  }
  template <typename M>
  Object&& optional(std::string name, M T::*member, std::type_identity_t<SchemaPtr<M>> schema,
                    std::string doc) && {
    return std::move(*this).field(std::move(name), false, member, std::move(schema),
                                  std::move(doc));
  }
  Object&& check(ObjectCheck<T> check) && {
    check_ = std::move(check);
    return std::move(*this);
  }
  [[nodiscard]] SchemaPtr<T> done() && {
    QUIPU_ASSERT(fields_.size() <= 64);
    return std::make_shared<ObjectSchema<T>>(std::move(name_), std::move(doc_), std::move(fields_),
                                             std::move(check_));
  }

 private:
  template <typename M>
  Object&& field(std::string name, bool required, M T::*member, SchemaPtr<M> schema,
                 std::string doc) && {
    fields_.push_back(
        {.name = std::move(name),
         .required = required,
         .read = [member, schema](
                     JsonView json, T& into, const Path& at,
                     FieldErrors& errors) { schema->read(json, into.*member, at, errors); },
         .describe = [schema, doc = std::move(doc)](
                         JsonWriter& out,
                         Components& components) { schema->describe(out, components, doc); }});
    return std::move(*this);
  }

  std::string name_;
  std::string doc_;
  std::vector<typename ObjectSchema<T>::Field> fields_;
  ObjectCheck<T> check_;
};

// ---------------------------------------------------------------- one or many

// A body that is either one item, or an object whose only member `key` is the list of them.
template <typename T>
struct OneOrMany {
  std::vector<T> items;
  bool one = false;  // it came without the list: answers are then about one thing
};

template <typename T>
class OneOrManySchema final : public Schema<OneOrMany<T>> {
 public:
  OneOrManySchema(std::string key, SchemaPtr<T> item, std::size_t most)
      : key_(std::move(key)), item_(item), list_(array(item, 1, most)) {}
  void read(JsonView json, OneOrMany<T>& into, const Path& at, FieldErrors& errors) const override {
    const std::optional<JsonView> list = json.find(key_);
    into.one = !list.has_value();
    if (into.one) {
      item_->read(json, into.items.emplace_back(), at, errors);
      return;
    }
    list_->read(*list, into.items, Path(at, key_), errors);
    json.for_each_member([&](std::string_view name, JsonView) {
      if (name != key_) {
        errors.add(Path(at, name), "unknown_field",
                   "cannot stand beside \"" + key_ + "\"; put it into the items");
      }
      return !errors.full();
    });
  }
  void describe(JsonWriter& out, Components& components, std::string_view doc) const override {
    out.begin_object();
    write_doc(out, doc);
    out.key("oneOf").begin_array();
    item_->describe(out, components, "");
    out.begin_object().key("type").value("object").key("properties").begin_object().key(key_);
    list_->describe(out, components, "");
    out.end_object().key("required").begin_array().value(std::string_view(key_)).end_array();
    out.key("additionalProperties").value(false).end_object();
    out.end_array().end_object();
  }

 private:
  std::string key_;
  SchemaPtr<T> item_;
  SchemaPtr<std::vector<T>> list_;
};
template <typename T>
[[nodiscard]] SchemaPtr<OneOrMany<T>> one_or_many(std::string key, SchemaPtr<T> item,
                                                  std::size_t most) {
  return std::make_shared<OneOrManySchema<T>>(std::move(key), std::move(item), most);
}

}  // namespace quipu::api
