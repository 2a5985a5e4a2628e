#include "quipu/api/qdrant/grpc/json_messages.h"

#include <google/protobuf/descriptor.h>
#include <google/protobuf/reflection.h>
#include <google/protobuf/timestamp.pb.h>
#include <qdrant_proto/collections.pb.h>

#include <algorithm>
#include <array>
#include <cmath>
#include <map>
#include <utility>
#include <vector>

#include "quipu/api/qdrant/grpc/values.h"
#include "quipu/base/format.h"
#include "quipu/query/request/json_reading.h"

namespace quipu::api::qdrant::rpc {
namespace {

using google::protobuf::Descriptor;
using google::protobuf::EnumValueDescriptor;
using google::protobuf::FieldDescriptor;
using google::protobuf::Message;
using google::protobuf::Reflection;

// ---------------------------------------------------------------- names

struct Renamed {
  std::string_view field;
  std::string_view member;
};
// Where two fields are of one member, the one of its name is meant.
constexpr std::array kRenamed = {
    Renamed{"vectors_config", "vectors"},
    Renamed{"sparse_vectors_config", "sparse_vectors"},
    Renamed{"turboquant", "turbo"},
    Renamed{"deprecated_max_optimization_threads", "max_optimization_threads"},
};

std::string_view member_name(const FieldDescriptor& field) {
  const std::string_view name = field.name();
  const auto found = std::ranges::find(kRenamed, name, &Renamed::field);
  return found == kRenamed.end() ? name : found->member;
}

const FieldDescriptor* field_of(const Descriptor& type, std::string_view member) {
  if (const auto* field = type.FindFieldByName(std::string(member))) return field;
  const auto found = std::ranges::find(kRenamed, member, &Renamed::member);
  return found == kRenamed.end() ? nullptr : type.FindFieldByName(std::string(found->field));
}

// "OneAndHalfBits": "one_and_half_bits", "Scalar4Bits": "scalar4bits".
std::string snake_case(std::string_view name) {
  std::string out;
  char before = '\0';
  for (const char c : name) {
    const bool upper = c >= 'A' && c <= 'Z';
    if (upper && before >= 'a' && before <= 'z') out += '_';
    out += upper ? static_cast<char>(c + 32) : c;
    before = c;
  }
  return out;
}

// Empty for one that says nothing.
std::string enumerator_name(const EnumValueDescriptor& value) {
  const std::string_view type = value.type()->name();
  const std::string_view name = value.name();
  if (name.starts_with("Unknown") || name.ends_with("Unknown")) return "";
  if (type == "Datatype" && name == "Default") return "";
  if (type == "Distance") return std::string(name);
  return snake_case(name);
}

const EnumValueDescriptor* enumerator_of(const google::protobuf::EnumDescriptor& type,
                                         std::string_view text) {
  for (int i = 0; i < type.value_count(); ++i) {
    const EnumValueDescriptor* const value = type.value(i);
    if (value->name() == text || snake_case(value->name()) == text) return value;
  }
  return nullptr;
}

bool is_only_a_map(const Descriptor& type) {
  return type.field_count() == 1 && type.field(0)->is_map();
}

// ---------------------------------------------------------------- to JSON

Status write_fields(const Message& message, const Place& at, JsonWriter& out);

template <typename Number>
Status write_float(Number number, const Place& at, JsonWriter& out) {
  if (!std::isfinite(number)) {
    return at.error(format("{} is no number of JSON", number), query::kInvalidQuery);
  }
  out.value(number);
  return ok_status();
}

// One value of a field that is no list: the field itself, or (index >= 0) one of a list.
Status write_one(const Message& message, const FieldDescriptor& field, int index, const Place& at,
                 JsonWriter& out) {
  const Reflection& read = *message.GetReflection();
  const bool one = index < 0;
  switch (field.cpp_type()) {
    case FieldDescriptor::CPPTYPE_BOOL:
      out.value(one ? read.GetBool(message, &field) : read.GetRepeatedBool(message, &field, index));
      return ok_status();
    case FieldDescriptor::CPPTYPE_UINT64:
      out.value(std::uint64_t{one ? read.GetUInt64(message, &field)
                                  : read.GetRepeatedUInt64(message, &field, index)});
      return ok_status();
    case FieldDescriptor::CPPTYPE_UINT32:
      out.value(one ? read.GetUInt32(message, &field)
                    : read.GetRepeatedUInt32(message, &field, index));
      return ok_status();
    case FieldDescriptor::CPPTYPE_INT64:
      out.value(std::int64_t{one ? read.GetInt64(message, &field)
                                 : read.GetRepeatedInt64(message, &field, index)});
      return ok_status();
    case FieldDescriptor::CPPTYPE_INT32:
      out.value(one ? read.GetInt32(message, &field)
                    : read.GetRepeatedInt32(message, &field, index));
      return ok_status();
    case FieldDescriptor::CPPTYPE_DOUBLE:
      return write_float(
          one ? read.GetDouble(message, &field) : read.GetRepeatedDouble(message, &field, index),
          at, out);
    case FieldDescriptor::CPPTYPE_FLOAT:
      return write_float(
          one ? read.GetFloat(message, &field) : read.GetRepeatedFloat(message, &field, index), at,
          out);
    case FieldDescriptor::CPPTYPE_STRING:
      out.value(std::string_view(one ? read.GetString(message, &field)
                                     : read.GetRepeatedString(message, &field, index)));
      return ok_status();
    case FieldDescriptor::CPPTYPE_ENUM:
      out.value(std::string_view(enumerator_name(
          one ? *read.GetEnum(message, &field) : *read.GetRepeatedEnum(message, &field, index))));
      return ok_status();
    case FieldDescriptor::CPPTYPE_MESSAGE:
      return write_message(
          one ? read.GetMessage(message, &field) : read.GetRepeatedMessage(message, &field, index),
          at, out);
  }
  return ok_status();
}

Status write_map(const Message& message, const FieldDescriptor& field, const Place& at,
                 JsonWriter& out) {
  const Reflection& read = *message.GetReflection();
  std::map<std::string, const Message*> entries;
  for (int i = 0; i < read.FieldSize(message, &field); ++i) {
    const Message& entry = read.GetRepeatedMessage(message, &field, i);
    const FieldDescriptor* const key = entry.GetDescriptor()->map_key();
    entries.emplace(entry.GetReflection()->GetString(entry, key), &entry);
  }
  out.begin_object();
  for (const auto& [name, entry] : entries) {
    out.key(name);
    QUIPU_TRY_OK(write_one(*entry, *entry->GetDescriptor()->map_value(), -1, Place(at, name), out));
  }
  out.end_object();
  return ok_status();
}

// Whether the field has something to say. Fields without presence always have, but for texts: an
// empty one is a name that is not there.
bool is_set(const Message& message, const FieldDescriptor& field) {
  const Reflection& read = *message.GetReflection();
  if (field.is_repeated()) return read.FieldSize(message, &field) > 0;
  const bool text = field.cpp_type() == FieldDescriptor::CPPTYPE_STRING;
  // (Of those without presence, to have means to differ from the default.)
  if ((field.has_presence() || text) && !read.HasField(message, &field)) return false;
  return field.cpp_type() != FieldDescriptor::CPPTYPE_ENUM ||
         !enumerator_name(*read.GetEnum(message, &field)).empty();
}

Status write_members(const Message& message, const Place& at, JsonWriter& out) {
  const Descriptor& type = *message.GetDescriptor();
  for (int i = 0; i < type.field_count(); ++i) {
    const FieldDescriptor& field = *type.field(i);
    if (!is_set(message, field)) continue;
    const std::string_view name = member_name(field);
    const FieldDescriptor* const meant = type.FindFieldByName(std::string(name));
    if (meant != nullptr && meant != &field && is_set(message, *meant)) continue;
    const Place place(at, name);
    out.key(name);
    if (field.is_map()) {
      QUIPU_TRY_OK(write_map(message, field, place, out));
    } else if (!field.is_repeated()) {
      QUIPU_TRY_OK(write_one(message, field, -1, place, out));
    } else {
      out.begin_array();
      const int size = message.GetReflection()->FieldSize(message, &field);
      for (int at_index = 0; at_index < size; ++at_index) {
        const Place element(place, static_cast<std::size_t>(at_index));
        QUIPU_TRY_OK(write_one(message, field, at_index, element, out));
      }
      out.end_array();
    }
  }
  return ok_status();
}

Status write_fields(const Message& message, const Place& at, JsonWriter& out) {
  out.begin_object();
  QUIPU_TRY_OK(write_members(message, at, out));
  out.end_object();
  return ok_status();
}

// The message that a oneof holds; null for none.
const Message* held(const Message& message) {
  const Descriptor& type = *message.GetDescriptor();
  if (type.real_oneof_decl_count() == 0) return nullptr;
  const FieldDescriptor* const field =
      message.GetReflection()->GetOneofFieldDescriptor(message, type.oneof_decl(0));
  if (field == nullptr || field->cpp_type() != FieldDescriptor::CPPTYPE_MESSAGE) return nullptr;
  return &message.GetReflection()->GetMessage(message, field);
}

// {"type": "keyword", ...}, where the message's name is KeywordIndexParams.
Status write_typed(const Message& message, std::string_view suffix, const Place& at,
                   JsonWriter& out) {
  std::string_view name = message.GetDescriptor()->name();
  name.remove_suffix(suffix.size());
  out.begin_object().key("type").value(std::string_view(snake_case(name)));
  QUIPU_TRY_OK(write_members(message, at, out));
  out.end_object();
  return ok_status();
}

// ---------------------------------------------------------------- from JSON

void fill_fields(JsonView json, Message& message);

// Sets a field, or adds to a list.
void fill_one(JsonView json, const FieldDescriptor& field, Message& message) {
  const Reflection& set = *message.GetReflection();
  const bool list = field.is_repeated();
  const auto store = [&](auto value, auto setter, auto adder) {
    if (!value) return;
    if (list) {
      (set.*adder)(&message, &field, *value);
    } else {
      (set.*setter)(&message, &field, *value);
    }
  };
  const auto narrow = [&](auto value, auto as) {
    using Narrow = decltype(as);
    return value ? std::optional<Narrow>(static_cast<Narrow>(*value)) : std::nullopt;
  };
  switch (field.cpp_type()) {
    case FieldDescriptor::CPPTYPE_BOOL:
      return store(json.as_bool(), &Reflection::SetBool, &Reflection::AddBool);
    case FieldDescriptor::CPPTYPE_UINT64:
      return store(json.as_uint64(), &Reflection::SetUInt64, &Reflection::AddUInt64);
    case FieldDescriptor::CPPTYPE_UINT32:
      return store(narrow(json.as_uint64(), std::uint32_t{}), &Reflection::SetUInt32,
                   &Reflection::AddUInt32);
    case FieldDescriptor::CPPTYPE_INT64:
      return store(json.as_int64(), &Reflection::SetInt64, &Reflection::AddInt64);
    case FieldDescriptor::CPPTYPE_INT32:
      return store(narrow(json.as_int64(), std::int32_t{}), &Reflection::SetInt32,
                   &Reflection::AddInt32);
    case FieldDescriptor::CPPTYPE_DOUBLE:
      return store(json.as_double(), &Reflection::SetDouble, &Reflection::AddDouble);
    case FieldDescriptor::CPPTYPE_FLOAT:
      return store(narrow(json.as_double(), float{}), &Reflection::SetFloat, &Reflection::AddFloat);
    case FieldDescriptor::CPPTYPE_STRING:
      if (const auto text = json.as_string()) {
        if (list) {
          set.AddString(&message, &field, std::string(*text));
        } else {
          set.SetString(&message, &field, std::string(*text));
        }
      }
      return;
    case FieldDescriptor::CPPTYPE_ENUM:
      if (const auto* value = enumerator_of(*field.enum_type(), json.as_string().value_or(""))) {
        if (list) {
          set.AddEnum(&message, &field, value);
        } else {
          set.SetEnum(&message, &field, value);
        }
      }
      return;
    case FieldDescriptor::CPPTYPE_MESSAGE:
      // What is switched off is absent.
      if (json.as_bool() == false) return;
      fill_message(
          json, list ? *set.AddMessage(&message, &field) : *set.MutableMessage(&message, &field));
      return;
  }
}

void fill_map(JsonView json, const FieldDescriptor& field, Message& message) {
  json.for_each_member([&](std::string_view name, JsonView value) {
    Message& entry = *message.GetReflection()->AddMessage(&message, &field);
    const FieldDescriptor* const key = entry.GetDescriptor()->map_key();
    entry.GetReflection()->SetString(&entry, key, std::string(name));
    fill_one(value, *entry.GetDescriptor()->map_value(), entry);
    return true;
  });
}

void fill_fields(JsonView json, Message& message) {
  json.for_each_member([&](std::string_view name, JsonView value) {
    const FieldDescriptor* const field = field_of(*message.GetDescriptor(), name);
    if (field == nullptr || value.is_null()) return true;
    if (field->is_map()) {
      fill_map(value, *field, message);
    } else if (field->is_repeated()) {
      value.for_each_element([&](JsonView element) {
        fill_one(element, *field, message);
        return true;
      });
    } else {
      fill_one(value, *field, message);
    }
    return true;
  });
}

// The parameters of an index, by the member "type".
void fill_index(JsonView json, pb::PayloadIndexParams& params) {
  const auto type = json.find("type");
  const std::string_view name = type ? type->as_string().value_or("") : "";
  const FieldDescriptor* const field =
      params.GetDescriptor()->FindFieldByName(std::string(name) + "_index_params");
  if (field != nullptr) fill_message(json, *params.GetReflection()->MutableMessage(&params, field));
}

void fill_vectors(JsonView json, pb::VectorsConfig& config) {
  const auto size = json.find("size");
  if (size && !size->is_object()) {
    fill_message(json, *config.mutable_params());
  } else {
    fill_message(json, *config.mutable_params_map());
  }
}

void fill_stemmer(JsonView json, pb::StemmingAlgorithm& stemmer) {
  const auto type = json.find("type");
  if (type && type->as_string() == "none") {
    stemmer.mutable_disabled();
  } else {
    fill_message(json, *stemmer.mutable_snowball());
  }
}

}  // namespace

Status write_message(const Message& message, const Place& at, JsonWriter& out) {
  if (const auto* value = dynamic_cast<const pb::Value*>(&message)) {
    return write_json(*value, at, out);
  }
  if (const auto* threads = dynamic_cast<const pb::MaxOptimizationThreads*>(&message)) {
    if (threads->has_value()) {
      out.value(std::uint64_t{threads->value()});
    } else {
      out.value("auto");
    }
    return ok_status();
  }
  if (const auto* config = dynamic_cast<const pb::VectorsConfigDiff*>(&message);
      config != nullptr && config->has_params()) {
    // Of an update, the unnamed vector is one of the named ones.
    out.begin_object().key("");
    QUIPU_TRY_OK(write_message(config->params(), Place(at, "\"\""), out));
    out.end_object();
    return ok_status();
  }
  const std::string_view type = message.GetDescriptor()->name();
  if (type == "BinaryQuantizationQueryEncoding") {
    return write_one(message, *message.GetDescriptor()->FindFieldByName("setting"), -1, at, out);
  }
  if (type == "KeywordPrefixParams") {
    out.value(true);
    return ok_status();
  }
  if (type == "Disabled") {
    out.value("Disabled");
    return ok_status();
  }
  if (type == "DisabledStemmer") {
    out.begin_object().key("type").value("none").end_object();
    return ok_status();
  }
  if (type == "SnowballParams") return write_typed(message, "Params", at, out);
  const Message* const inner = held(message);
  if (inner != nullptr && type == "PayloadIndexParams") {
    return write_typed(*inner, "IndexParams", at, out);
  }
  const bool disabled = inner != nullptr && inner->GetDescriptor()->name() == "Disabled";
  if (inner != nullptr &&
      (disabled || type.starts_with("VectorsConfig") || type == "StemmingAlgorithm")) {
    return write_message(*inner, at, out);
  }
  if (is_only_a_map(*message.GetDescriptor())) {
    return write_map(message, *message.GetDescriptor()->field(0), at, out);
  }
  return write_fields(message, at, out);
}

void fill_message(JsonView json, Message& message) {
  if (auto* value = dynamic_cast<pb::Value*>(&message)) return fill_value(json, *value);
  if (auto* time = dynamic_cast<google::protobuf::Timestamp*>(&message)) {
    return fill_time(json.as_string().value_or(""), *time);
  }
  if (auto* params = dynamic_cast<pb::PayloadIndexParams*>(&message)) {
    return fill_index(json, *params);
  }
  if (auto* config = dynamic_cast<pb::VectorsConfig*>(&message)) return fill_vectors(json, *config);
  if (auto* stemmer = dynamic_cast<pb::StemmingAlgorithm*>(&message)) {
    return fill_stemmer(json, *stemmer);
  }
  if (auto* status = dynamic_cast<pb::OptimizerStatus*>(&message)) {
    status->set_ok(json.as_string() == "ok");
    return fill_fields(json, *status);
  }
  if (auto* threads = dynamic_cast<pb::MaxOptimizationThreads*>(&message)) {
    if (const auto number = json.as_uint64()) {
      threads->set_value(*number);
    } else {
      threads->set_setting(pb::MaxOptimizationThreads::Auto);
    }
    return;
  }
  if (auto* words = dynamic_cast<pb::StopwordsSet*>(&message); words != nullptr) {
    // One language alone is a text.
    if (const auto language = json.as_string()) return words->add_languages(std::string(*language));
  }
  if (message.GetDescriptor()->name() == "BinaryQuantizationQueryEncoding") {
    return fill_one(json, *message.GetDescriptor()->FindFieldByName("setting"), message);
  }
  if (is_only_a_map(*message.GetDescriptor())) {
    return fill_map(json, *message.GetDescriptor()->field(0), message);
  }
  fill_fields(json, message);
}

}  // namespace quipu::api::qdrant::rpc
