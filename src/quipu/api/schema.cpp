#include "quipu/api/schema.h"

#include "quipu/base/format.h"
#include "quipu/base/limits.h"
#include "quipu/base/quote.h"

namespace quipu::api {
namespace {

class BooleanSchema final : public Schema<bool> {
 public:
  void read(JsonView json, bool& into, const Path& at, FieldErrors& errors) const override {
    if (const auto value = json.as_bool()) {
      into = *value;
    } else {
      add_wrong_type(json, "true or false", at, errors);
    }
  }
  void describe(JsonWriter& out, Components&, std::string_view doc) const override {
    out.begin_object().key("type").value("boolean");
    write_doc(out, doc);
    out.end_object();
  }
};

class TextSchema final : public Schema<std::string> {
 public:
  TextSchema(std::size_t least, std::size_t most) : least_(least), most_(most) {}
  void read(JsonView json, std::string& into, const Path& at, FieldErrors& errors) const override {
    const auto value = json.as_string();
    if (!value) return add_wrong_type(json, "a string", at, errors);
    if (value->size() < least_) {
      const std::string least = std::to_string(least_);
      errors.add(at, "too_short",
                 "must have at least " + least + " bytes, has " + std::to_string(value->size()));
    } else if (value->size() > most_) {
      errors.add(at, "too_long",
                 "must have at most " + std::to_string(most_) + " bytes, has " +
                     std::to_string(value->size()));
    } else {
      into = *value;
    }
  }
  void describe(JsonWriter& out, Components&, std::string_view doc) const override {
    // maxLength counts characters, and a character has at least one byte: the bound is never
    // tighter than what read() applies.
    out.begin_object().key("type").value("string");
    if (least_ > 0) out.key("minLength").value(std::uint64_t{1});
    out.key("maxLength").value(std::uint64_t{most_});
    write_doc(out, doc);
    out.end_object();
  }

 private:
  std::size_t least_;
  std::size_t most_;
};

class PointIdSchema final : public Schema<PointId> {
 public:
  void read(JsonView json, PointId& into, const Path& at, FieldErrors& errors) const override {
    if (const auto number = json.as_uint64()) {
      into = PointId::number(*number);
      return;
    }
    const auto text = json.as_string();
    // A number inside a string is refused: 7 and "7" would be one point under two names.
    const auto parsed = text && text->size() == 36
                            ? PointId::parse(*text)
                            : Result<PointId>(Error{ErrorCode::kInvalidArgument, ""});
    if (parsed.ok() && parsed.value().is_uuid()) {
      into = parsed.value();
      return;
    }
    if (text || json.is_number()) {
      errors.add(
          at, "invalid_point_id",
          "must be a number from 0 to 18446744073709551615 or a UUID string, got " + shown(json));
    } else {
      add_wrong_type(json, "a number or a UUID string", at, errors);
    }
  }
  void describe(JsonWriter& out, Components& components, std::string_view doc) const override {
    components.try_emplace("PointId",
                           R"({"description":"An unsigned 64-bit number or a UUID.","oneOf":[)"
                           R"({"type":"integer","minimum":0,"maximum":18446744073709551615},)"
                           R"({"type":"string","format":"uuid","minLength":36,"maxLength":36}]})");
    out.begin_object().key("$ref").value("#/components/schemas/PointId");
    write_doc(out, doc);
    out.end_object();
  }
};

class JsonObjectSchema final : public Schema<std::string> {
 public:
  explicit JsonObjectSchema(std::size_t bytes_max) : bytes_max_(bytes_max) {}
  void read(JsonView json, std::string& into, const Path& at, FieldErrors& errors) const override {
    if (!json.is_object()) return add_wrong_type(json, "an object", at, errors);
    into = json.to_string();
    if (into.size() > bytes_max_) {
      errors.add(at, "too_long",
                 "must have at most " + std::to_string(bytes_max_) + " bytes as JSON, has " +
                     std::to_string(into.size()));
    }
  }
  void describe(JsonWriter& out, Components&, std::string_view doc) const override {
    out.begin_object().key("type").value("object").key("additionalProperties").value(true);
    write_doc(out, doc);
    out.end_object();
  }

 private:
  std::size_t bytes_max_;
};

// Numbers at full speed.
class FloatsSchema final : public Schema<std::vector<float>> {
 public:
  FloatsSchema(std::size_t least, std::size_t most) : least_(least), most_(most) {}
  void read(JsonView json, std::vector<float>& into, const Path& at,
            FieldErrors& errors) const override {
    if (!json.is_array()) return add_wrong_type(json, "an array of numbers", at, errors);
    if (!check_item_count(json, least_, most_, at, errors)) return;
    const Status read = json.read_floats(into);
    if (!read.ok()) errors.add(at, "invalid_vector", read.error().message);
  }
  void describe(JsonWriter& out, Components&, std::string_view doc) const override {
    out.begin_object().key("type").value("array");
    out.key("minItems").value(std::uint64_t{least_}).key("maxItems").value(std::uint64_t{most_});
    out.key("items").raw(R"({"type":"number","format":"float"})");
    write_doc(out, doc);
    out.end_object();
  }

 private:
  std::size_t least_;
  std::size_t most_;
};

// Every value takes an index beside it.
constexpr std::size_t kSparseValuesMax = limits::kVectorValuesMax / 2;

SchemaPtr<NamedVector> sparse_vector() {
  return Object<NamedVector>("SparseVector", "Dimensions and their weights, in any order.")
      .required("indices", &NamedVector::indices,
                array(integer<std::uint32_t>(0, UINT32_MAX), 0, kSparseValuesMax),
                "Distinct dimensions.")
      .required("values", &NamedVector::values, std::make_shared<FloatsSchema>(0, kSparseValuesMax),
                "As many weights.")
      .check([](const NamedVector& vector, const Path& at, FieldErrors& errors) {
        if (vector.indices.size() == vector.values.size()) return;
        errors.add(at, "dimension_mismatch",
                   "has " + std::to_string(vector.indices.size()) + " indices and " +
                       std::to_string(vector.values.size()) + " values");
      })
      .done();
}

class VectorValueSchema final : public Schema<GivenVector> {
 public:
  void read(JsonView json, GivenVector& into, const Path& at, FieldErrors& errors) const override {
    if (json.is_object()) {
      into.sparse = true;
      return sparse_->read(json, into.vector, at, errors);
    }
    bool rows = false;
    json.for_each_element([&rows](JsonView first) {
      rows = first.is_array();
      return false;
    });
    if (rows) return read_rows(json, into, at, errors);
    if (json.is_array()) return dense_.read(json, into.vector.values, at, errors);
    add_wrong_type(json,
                   "an array of numbers, an array of such rows, or an object with indices "
                   "and values",
                   at, errors);
  }
  void describe(JsonWriter& out, Components& components, std::string_view doc) const override {
    if (!components.contains("Vector")) components["Vector"] = definition(components);
    out.begin_object().key("$ref").value("#/components/schemas/Vector");
    write_doc(out, doc);
    out.end_object();
  }

 private:
  void read_rows(JsonView json, GivenVector& into, const Path& at, FieldErrors& errors) const {
    if (!check_item_count(json, 1, limits::kVectorValuesMax, at, errors)) return;
    std::vector<float> row;
    std::size_t index = 0;
    std::vector<float>& all = into.vector.values;
    json.for_each_element([&](JsonView element) {
      const Path here(at, index++);
      const std::size_t errors_before = errors.all().size();
      dense_.read(element, row, here, errors);
      if (errors.all().size() != errors_before) return false;
      if (into.row_values == 0) into.row_values = static_cast<std::uint32_t>(row.size());
      if (row.size() != into.row_values) {
        errors.add(here, "dimension_mismatch",
                   "has " + std::to_string(row.size()) + " numbers, the first row has " +
                       std::to_string(into.row_values));
        return false;
      }
      if (all.size() + row.size() > limits::kVectorValuesMax) {
        errors.add(at, "too_many_items",
                   "has more than " + std::to_string(limits::kVectorValuesMax) +
                       " numbers in its rows, the limit");
        return false;
      }
      all.insert(all.end(), row.begin(), row.end());
      return true;
    });
  }
  std::string definition(Components& components) const {
    std::string json;
    JsonWriter out(json);
    out.begin_object();
    write_doc(out, "A dense vector, the rows of a multivector, or a sparse vector.");
    out.key("oneOf").begin_array();
    dense_.describe(out, components, "Dense.");
    out.begin_object().key("type").value("array").key("minItems").value(1);
    out.key("maxItems").value(std::uint64_t{limits::kVectorValuesMax}).key("items");
    dense_.describe(out, components, "");
    write_doc(out, "Rows of one length.");
    out.end_object();
    sparse_->describe(out, components, "");
    out.end_array().end_object();
    return json;
  }

  const FloatsSchema dense_{1, limits::kDimMax};
  const SchemaPtr<NamedVector> sparse_ = sparse_vector();
};

class NamedVectorsSchema final : public Schema<std::vector<GivenVector>> {
 public:
  void read(JsonView json, std::vector<GivenVector>& into, const Path& at,
            FieldErrors& errors) const override {
    if (!json.is_object()) return add_wrong_type(json, "an object of vectors", at, errors);
    if (json.size() < 1 || json.size() > limits::kVectorsPerCollectionMax) {
      errors.add(at, "out_of_range",
                 "must have 1 to " + std::to_string(limits::kVectorsPerCollectionMax) +
                     " members, has " + std::to_string(json.size()));
      return;
    }
    json.for_each_member([&](std::string_view name, JsonView value) {
      GivenVector& given = into.emplace_back();
      vector_.read(value, given, Path(at, name), errors);
      given.vector.name = name;
      return !errors.full();
    });
  }
  void describe(JsonWriter& out, Components& components, std::string_view doc) const override {
    out.begin_object().key("type").value("object").key("minProperties").value(1);
    out.key("maxProperties").value(std::uint64_t{limits::kVectorsPerCollectionMax});
    out.key("additionalProperties");
    vector_.describe(out, components, "");
    write_doc(out, doc);
    out.end_object();
  }

 private:
  VectorValueSchema vector_;
};

class RealSchema final : public Schema<float> {
 public:
  void read(JsonView json, float& into, const Path& at, FieldErrors& errors) const override {
    const auto value = json.as_double();
    if (!value) return add_wrong_type(json, "a number", at, errors);
    if (*value > 3.0e38 || *value < -3.0e38) {
      errors.add(at, "out_of_range", "must be from -3e38 to 3e38, got " + shown(json));
      return;
    }
    into = static_cast<float>(*value);
  }
  void describe(JsonWriter& out, Components&, std::string_view doc) const override {
    out.begin_object().key("type").value("number");
    write_doc(out, doc);
    out.end_object();
  }
};

class NumberSchema final : public Schema<double> {
 public:
  NumberSchema(double least, double most) : least_(least), most_(most) {}
  void read(JsonView json, double& into, const Path& at, FieldErrors& errors) const override {
    const auto value = json.as_double();
    if (!value) return add_wrong_type(json, "a number", at, errors);
    if (!(*value >= least_ && *value <= most_)) {
      errors.add(at, "out_of_range",
                 format("must be from {} to {}, got {}", least_, most_, shown(json)));
      return;
    }
    into = *value;
  }
  void describe(JsonWriter& out, Components&, std::string_view doc) const override {
    out.begin_object().key("type").value("number");
    out.key("minimum").value(least_).key("maximum").value(most_);
    write_doc(out, doc);
    out.end_object();
  }

 private:
  double least_;
  double most_;
};

// Whether it may be the place of an error: "filter.must[2].key", but no sentence.
bool is_place(std::string_view text) {
  return !text.empty() && text.find(' ') == std::string_view::npos;
}

}  // namespace

std::string Path::text() const {
  if (parent_ == nullptr) return "";
  std::string out = parent_->text();
  if (member_.data() == nullptr) return out + "[" + std::to_string(index_) + "]";
  if (!out.empty()) out += '.';
  // A member's name may be anything; what does not look like one is quoted.
  const bool usual =
      !member_.empty() && member_.size() <= 64 && std::ranges::all_of(member_, [](char c) {
        return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') ||
               c == '_' || c == '-';
      });
  return out + (usual ? std::string(member_) : in_quotes(member_));
}

void FieldErrors::add(const Path& at, std::string_view code, std::string detail) {
  if (!full()) add_at(at.text(), code, std::move(detail));
}
void FieldErrors::add_at(std::string field, std::string_view code, std::string detail) {
  if (full()) return;
  errors_.push_back(
      {.field = std::move(field), .code = std::string(code), .detail = std::move(detail)});
}

void FieldErrors::add_placed(std::string field, const Error& error) {
  const std::string& message = error.message;
  const std::size_t end = message.find(": ");
  const bool placed = end != std::string::npos && message.starts_with(field) &&
                      (!field.empty() || is_place(std::string_view(message).substr(0, end)));
  if (!placed) return add_at(std::move(field), error.stable_reason(), message);
  add_at(message.substr(0, end), error.stable_reason(), message.substr(end + 2));
}

std::string shown(JsonView json) {
  if (const auto text = json.as_string()) return in_quotes(*text);
  if (json.is_number()) return json.to_string();
  return std::string(json_kind_name(json.kind()));
}

void add_wrong_type(JsonView json, std::string_view wanted, const Path& at, FieldErrors& errors) {
  errors.add(at, "wrong_type", "must be " + std::string(wanted) + ", not " + shown(json));
}

void write_doc(JsonWriter& out, std::string_view doc) {
  if (!doc.empty()) out.key("description").value(doc);
}

std::optional<std::uint64_t> read_unsigned(JsonView json, std::uint64_t least, std::uint64_t most,
                                           const Path& at, FieldErrors& errors) {
  const std::string range =
      "an integer from " + std::to_string(least) + " to " + std::to_string(most);
  if (!json.is_number()) {
    add_wrong_type(json, range, at, errors);
    return std::nullopt;
  }
  const auto value = json.as_uint64();
  if (!value || *value < least || *value > most) {
    errors.add(at, "out_of_range", "must be " + range + ", got " + shown(json));
    return std::nullopt;
  }
  return value;
}

bool check_item_count(JsonView json, std::size_t least, std::size_t most, const Path& at,
                      FieldErrors& errors) {
  if (!json.is_array()) {
    add_wrong_type(json, "an array", at, errors);
    return false;
  }
  if (json.size() < least) {
    errors.add(
        at, "too_few_items",
        "must have at least " + std::to_string(least) + ", has " + std::to_string(json.size()));
    return false;
  }
  if (json.size() > most) {
    errors.add(
        at, "too_many_items",
        "must have at most " + std::to_string(most) + ", has " + std::to_string(json.size()));
    return false;
  }
  return true;
}

SchemaPtr<bool> boolean() { return std::make_shared<BooleanSchema>(); }
SchemaPtr<std::string> text(std::size_t least, std::size_t most) {
  return std::make_shared<TextSchema>(least, most);
}
SchemaPtr<PointId> point_id() { return std::make_shared<PointIdSchema>(); }
SchemaPtr<std::string> json_object(std::size_t bytes_max) {
  return std::make_shared<JsonObjectSchema>(bytes_max);
}
SchemaPtr<GivenVector> vector_value() { return std::make_shared<VectorValueSchema>(); }
SchemaPtr<std::vector<GivenVector>> named_vectors() {
  return std::make_shared<NamedVectorsSchema>();
}
SchemaPtr<float> real() { return std::make_shared<RealSchema>(); }
SchemaPtr<double> number(double least, double most) {
  return std::make_shared<NumberSchema>(least, most);
}

}  // namespace quipu::api
