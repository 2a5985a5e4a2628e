// Reading and writing JSON (RFC 8259). Reading is by simdjson behind an opaque view, so that its
// header stays in one source file; writing appends to a string.
#pragma once

#include <cstddef>
#include <cstdint>
#include <functional>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "quipu/result.h"

namespace quipu {

enum class JsonKind : std::uint8_t { kNull, kBool, kInt, kUint, kDouble, kString, kArray, kObject };
[[nodiscard]] std::string_view json_kind_name(JsonKind kind) noexcept;  // as users know them

// A value inside a JsonDocument, which must outlive it. Cheap to copy. Threads: immutable.
class JsonView {
 public:
  [[nodiscard]] JsonKind kind() const noexcept;
  [[nodiscard]] bool is_null() const noexcept { return kind() == JsonKind::kNull; }
  [[nodiscard]] bool is_object() const noexcept { return kind() == JsonKind::kObject; }
  [[nodiscard]] bool is_array() const noexcept { return kind() == JsonKind::kArray; }
  [[nodiscard]] bool is_string() const noexcept { return kind() == JsonKind::kString; }
  [[nodiscard]] bool is_number() const noexcept;
  // Empty when the value is of another kind or does not fit; integers convert among themselves and
  // to double where exact or nearest, doubles to nothing else.
  [[nodiscard]] std::optional<bool> as_bool() const noexcept;
  [[nodiscard]] std::optional<std::int64_t> as_int64() const noexcept;
  [[nodiscard]] std::optional<std::uint64_t> as_uint64() const noexcept;
  [[nodiscard]] std::optional<double> as_double() const noexcept;
  // Borrowed from the document.
  [[nodiscard]] std::optional<std::string_view> as_string() const noexcept;
  // The member of that name, the last one if it is there twice; empty when absent or no object.
  [[nodiscard]] std::optional<JsonView> find(std::string_view key) const noexcept;
  // Elements of an array, members of an object; 0 for other kinds.
  [[nodiscard]] std::size_t size() const noexcept;
  // Calls `visit` for each in order until it returns false. No-ops on other kinds.
  void for_each_element(const std::function<bool(JsonView)>& visit) const;
  void for_each_member(const std::function<bool(std::string_view, JsonView)>& visit) const;
  // Reads an array of numbers at full speed. Errors: kInvalidArgument naming the index of what is
  // no number, or is not finite as a float.
  Status read_floats(std::vector<float>& into) const;
  // The value as JSON without white space. Member order is kept.
  [[nodiscard]] std::string to_string() const;

 private:
  friend class JsonDocument;
  const void* document_ = nullptr;
  std::size_t index_ = 0;
};

// A parsed, fully validated text. Movable. Threads: immutable once parsed.
class JsonDocument {
 public:
  // Errors: kInvalidArgument ("malformed_json") with what is wrong and where; depth beyond
  // limits::kJsonDepthMax; duplicate member names in one object ("duplicate_member").
  [[nodiscard]] static Result<JsonDocument> parse(std::string_view text);
  JsonDocument(JsonDocument&&) noexcept;
  JsonDocument& operator=(JsonDocument&&) noexcept;
  ~JsonDocument();
  [[nodiscard]] JsonView root() const noexcept;

 private:
  struct State;
  explicit JsonDocument(std::unique_ptr<State> state);
  std::unique_ptr<State> state_;
};

// Appends JSON to a string. Commas are put by itself; the caller balances begin and end.
// Floats are written as the shortest text that reads back to the same float, also by way of a
// double; NaN and infinities, which JSON lacks, as null.
class JsonWriter {
 public:
  explicit JsonWriter(std::string& out) : out_(out) {}
  JsonWriter& begin_object();
  JsonWriter& end_object();
  JsonWriter& begin_array();
  JsonWriter& end_array();
  JsonWriter& key(std::string_view name);
  JsonWriter& value(std::string_view text);
  JsonWriter& value(const char* text) { return value(std::string_view(text)); }
  JsonWriter& value(bool flag);
  JsonWriter& value(std::int64_t number);
  JsonWriter& value(std::uint64_t number);
  JsonWriter& value(int number) { return value(static_cast<std::int64_t>(number)); }
  JsonWriter& value(std::uint32_t number) { return value(static_cast<std::uint64_t>(number)); }
  JsonWriter& value(double number);
  JsonWriter& value(float number);
  JsonWriter& floats(std::span<const float> numbers);
  JsonWriter& null();
  // `json` must be a valid JSON text; it is copied as it is.
  JsonWriter& raw(std::string_view json);

 private:
  void separate();
  std::string& out_;
  bool comma_ = false;
};

// `text` as a JSON string, quotes included; bytes that are not UTF-8 become U+FFFD.
void append_json_string(std::string& out, std::string_view text);

}  // namespace quipu
