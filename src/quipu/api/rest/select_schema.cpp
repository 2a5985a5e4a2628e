#include "quipu/api/rest/select_schema.h"

#include <memory>
#include <string_view>

#include "quipu/base/limits.h"
#include "quipu/query/filter/payload_path.h"

namespace quipu::api::rest {
namespace {

constexpr std::size_t kPathsMax = 256;

class PathSchema final : public Schema<std::string> {
 public:
  void read(JsonView json, std::string& into, const Path& at, FieldErrors& errors) const override {
    const auto text = json.as_string();
    if (!text) return add_wrong_type(json, "a string", at, errors);
    const auto path = query::PayloadPath::parse(*text);
    if (!path.ok()) return errors.add(at, "invalid_path", path.error().message);
    into = path.value().to_string();
  }
  void describe(JsonWriter& out, Components&, std::string_view doc) const override {
    out.begin_object().key("type").value("string").key("minLength").value(1);
    out.key("maxLength").value(std::uint64_t{limits::kFilterStringBytesMax});
    write_doc(out, doc);
    out.end_object();
  }
};

struct PayloadParts {
  std::vector<std::string> include;
  std::vector<std::string> exclude;
};

class PayloadSelectionSchema final : public Schema<PayloadSelection> {
 public:
  void read(JsonView json, PayloadSelection& into, const Path& at,
            FieldErrors& errors) const override {
    if (const auto flag = json.as_bool()) {
      into.any = *flag;
      return;
    }
    into.any = true;
    if (json.is_array()) return paths_->read(json, into.include, at, errors);
    if (!json.is_object()) {
      return add_wrong_type(json,
                            "true, false, a list of paths, or an object with include or "
                            "exclude",
                            at, errors);
    }
    PayloadParts parts;
    object_->read(json, parts, at, errors);
    into.include = std::move(parts.include);
    into.exclude = std::move(parts.exclude);
  }
  void describe(JsonWriter& out, Components& components, std::string_view doc) const override {
    if (!components.contains("PayloadSelection")) {
      components["PayloadSelection"] = definition(components);
    }
    out.begin_object().key("$ref").value("#/components/schemas/PayloadSelection");
    write_doc(out, doc);
    out.end_object();
  }

 private:
  std::string definition(Components& components) const {
    std::string json;
    JsonWriter out(json);
    out.begin_object();
    write_doc(out, "What comes back of payloads: all, nothing, only these paths, or all but some.");
    out.key("oneOf").begin_array();
    boolean()->describe(out, components, "");
    paths_->describe(out, components, "Only these paths.");
    object_->describe(out, components, "");
    out.end_array().end_object();
    return json;
  }

  const SchemaPtr<std::vector<std::string>> paths_ = array(payload_path(), 1, kPathsMax);
  const SchemaPtr<PayloadParts> object_ =
      Object<PayloadParts>("PayloadPaths", "One of include and exclude.")
          .optional("include", &PayloadParts::include, paths_, "Only these paths.")
          .optional("exclude", &PayloadParts::exclude, paths_, "All but these paths.")
          .check([](const PayloadParts& parts, const Path& at, FieldErrors& errors) {
            if (parts.include.empty() != parts.exclude.empty()) return;
            errors.add(at, "bad_value", "must have either include or exclude");
          })
          .done();
};

class VectorSelectionSchema final : public Schema<VectorSelection> {
 public:
  void read(JsonView json, VectorSelection& into, const Path& at,
            FieldErrors& errors) const override {
    if (const auto flag = json.as_bool()) {
      into.any = *flag;
    } else if (json.is_array()) {
      into.any = true;
      names_->read(json, into.names, at, errors);
    } else {
      add_wrong_type(json, "true, false, or a list of names", at, errors);
    }
  }
  void describe(JsonWriter& out, Components& components, std::string_view doc) const override {
    if (!components.contains("VectorSelection")) {
      components["VectorSelection"] = definition(components);
    }
    out.begin_object().key("$ref").value("#/components/schemas/VectorSelection");
    write_doc(out, doc);
    out.end_object();
  }

 private:
  std::string definition(Components& components) const {
    std::string json;
    JsonWriter out(json);
    out.begin_object();
    write_doc(out, "Whether vectors come back, or the names of those that do.");
    out.key("oneOf").begin_array();
    boolean()->describe(out, components, "");
    names_->describe(out, components, "");
    out.end_array().end_object();
    return json;
  }

  const SchemaPtr<std::vector<std::string>> names_ =
      array(text(0, 64), 1, limits::kVectorsPerCollectionMax);
};

}  // namespace

Select Selection::select() const {
  return {.payload = with_payload.any,
          .text = with_text,
          .vectors = with_vector.any,
          .payload_include = with_payload.include,
          .payload_exclude = with_payload.exclude,
          .vector_names = with_vector.names};
}

SchemaPtr<PayloadSelection> payload_selection() {
  return std::make_shared<PayloadSelectionSchema>();
}
SchemaPtr<VectorSelection> vector_selection() { return std::make_shared<VectorSelectionSchema>(); }
SchemaPtr<std::string> payload_path() { return std::make_shared<PathSchema>(); }

}  // namespace quipu::api::rest
