#include "quipu/engine/asked.h"

#include <array>
#include <optional>
#include <utility>

#include "quipu/base/format.h"
#include "quipu/base/json.h"
#include "quipu/query/request/query_json.h"

namespace quipu::engine {
namespace {

constexpr std::uint64_t kVersion = 1;
constexpr std::array<std::string_view, 3> kKindNames = {"hits", "groups", "facet"};  // by AskKind

void write_name_list(JsonWriter& out, std::string_view key, const std::vector<std::string>& names) {
  out.key(key).begin_array();
  for (const std::string& name : names) out.value(std::string_view(name));
  out.end_array();
}

void write_select(const Select& select, JsonWriter& out) {
  out.begin_object();
  out.key("payload").value(select.payload).key("text").value(select.text);
  out.key("vectors").value(select.vectors);
  write_name_list(out, "payload_include", select.payload_include);
  write_name_list(out, "payload_exclude", select.payload_exclude);
  write_name_list(out, "vector_names", select.vector_names);
  out.end_object();
}

// Reads members; remembers the first that is not as it should be.
class Fields {
 public:
  explicit Fields(JsonView object) : object_(object) {}

  std::string text(std::string_view key) {
    const std::optional<JsonView> value = object_.find(key);
    const auto string = value ? value->as_string() : std::nullopt;
    if (!string) wrong(key);
    return std::string(string.value_or(""));
  }
  std::uint64_t number(std::string_view key) {
    const std::optional<JsonView> value = object_.find(key);
    const auto number = value ? value->as_int64() : std::nullopt;
    if (!number || *number < 0) wrong(key);
    return static_cast<std::uint64_t>(number.value_or(0));
  }
  bool flag(std::string_view key) {
    const std::optional<JsonView> value = object_.find(key);
    const auto flag = value ? value->as_bool() : std::nullopt;
    if (!flag) wrong(key);
    return flag.value_or(false);
  }
  std::vector<std::string> names(std::string_view key) {
    std::vector<std::string> names;
    const std::optional<JsonView> value = object_.find(key);
    if (!value || !value->is_array()) {
      wrong(key);
      return names;
    }
    value->for_each_element([&](JsonView element) {
      const auto string = element.as_string();
      if (!string) wrong(key);
      names.emplace_back(string.value_or(""));
      return true;
    });
    return names;
  }
  std::optional<JsonView> object(std::string_view key) {
    const std::optional<JsonView> value = object_.find(key);
    if (value && value->is_object()) return value;
    wrong(key);
    return std::nullopt;
  }
  void wrong(std::string_view key) {
    if (wrong_.empty()) wrong_ = key;
  }
  [[nodiscard]] Status status(std::size_t entry) const {
    if (wrong_.empty()) return ok_status();
    return Error{ErrorCode::kCorruption,
                 format("asked[{}].{} is not as it was written", entry, wrong_), "damaged_file"};
  }

 private:
  JsonView object_;
  std::string wrong_;
};

Result<QueryCache::Asked> read_one(JsonView json, std::size_t entry) {
  Fields fields(json);
  QueryCache::Asked asked;
  asked.tenant = fields.text("tenant");
  asked.collection = fields.text("collection");
  asked.times = fields.number("times");
  const std::string kind = fields.text("kind");
  for (std::size_t i = 0; i < kKindNames.size(); ++i) {
    if (kKindNames[i] == kind) asked.ask.kind = static_cast<AskKind>(i);
  }
  if (kKindNames[static_cast<std::size_t>(asked.ask.kind)] != kind) fields.wrong("kind");
  asked.ask.offset = fields.number("offset");
  asked.ask.payload_key = fields.text("key");
  asked.ask.group_size = fields.number("group_size");
  if (const std::optional<JsonView> select = fields.object("select")) {
    Fields in(*select);
    asked.ask.select = {.payload = in.flag("payload"),
                        .text = in.flag("text"),
                        .vectors = in.flag("vectors"),
                        .payload_include = in.names("payload_include"),
                        .payload_exclude = in.names("payload_exclude"),
                        .vector_names = in.names("vector_names")};
    QUIPU_TRY_OK(in.status(entry));
  }
  const std::optional<JsonView> query = fields.object("query");
  QUIPU_TRY_OK(fields.status(entry));
  auto read = query::read_query(*query);
  if (!read.ok()) {
    return Error{ErrorCode::kCorruption, format("asked[{}].query: {}", entry, read.error().message),
                 "damaged_file"};
  }
  asked.ask.root = std::move(read).value().stage;
  return asked;
}

}  // namespace

std::string write_asked(const std::vector<QueryCache::Asked>& asked) {
  std::string json;
  JsonWriter out(json);
  out.begin_object().key("version").value(kVersion).key("asked").begin_array();
  for (const QueryCache::Asked& each : asked) {
    out.begin_object();
    out.key("kind").value(kKindNames[static_cast<std::size_t>(each.ask.kind)]);
    out.key("tenant").value(std::string_view(each.tenant));
    out.key("collection").value(std::string_view(each.collection));
    out.key("times").value(each.times);
    out.key("query");
    query::write_query(each.ask.root, out);
    out.key("offset").value(std::uint64_t{each.ask.offset});
    out.key("select");
    write_select(each.ask.select, out);
    out.key("key").value(std::string_view(each.ask.payload_key));
    out.key("group_size").value(std::uint64_t{each.ask.group_size});
    out.end_object();
  }
  out.end_array().end_object();
  return json;
}

Result<std::vector<QueryCache::Asked>> read_asked(std::string_view json) {
  const auto document = JsonDocument::parse(json);
  if (!document.ok()) {
    return Error{ErrorCode::kCorruption, document.error().message, "damaged_file"};
  }
  const JsonView root = document.value().root();
  const std::optional<JsonView> version = root.find("version");
  const std::optional<JsonView> list = root.find("asked");
  if (!version || version->as_int64() != static_cast<std::int64_t>(kVersion) || !list ||
      !list->is_array()) {
    return Error{ErrorCode::kCorruption, "it is no list of version 1", "damaged_file"};
  }
  std::vector<QueryCache::Asked> asked;
  Status status = ok_status();
  list->for_each_element([&](JsonView element) {
    auto one = read_one(element, asked.size());
    if (!one.ok()) {
      status = one.error();
      return false;
    }
    asked.push_back(std::move(one).value());
    return true;
  });
  QUIPU_TRY_OK(std::move(status));
  return asked;
}

void ask_again(Engine& engine, const QueryCache::Asked& asked) {
  const Ask& ask = asked.ask;
  // A collection or a model that has gone is no trouble: nobody waits for the answer.
  switch (ask.kind) {
    case AskKind::kHits:
      static_cast<void>(engine.query(
          asked.tenant, asked.collection,
          {.root = ask.root, .offset = ask.offset, .select = ask.select, .params = {}}));
      break;
    case AskKind::kGroups:
      static_cast<void>(engine.query_groups(asked.tenant, asked.collection,
                                            {.root = ask.root,
                                             .group_by = ask.payload_key,
                                             .group_size = ask.group_size,
                                             .select = ask.select,
                                             .params = {}}));
      break;
    case AskKind::kFacet:
      static_cast<void>(engine.facet(asked.tenant, asked.collection,
                                     {.key = ask.payload_key,
                                      .filter = ask.root.filter,
                                      .limit = ask.root.limit,
                                      .params = {}}));
      break;
  }
}

}  // namespace quipu::engine
