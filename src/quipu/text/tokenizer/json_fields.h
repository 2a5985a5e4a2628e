// Strict reading of the objects of a tokenizer.json: what is unknown is refused by name, because
// ignoring it would give other tokens than the file's author had. Messages begin with the place in
// the file: "pre_tokenizer.pretokenizers[1].type: 'Trigrams' is not supported".
#pragma once

#include <cstdint>
#include <functional>
#include <initializer_list>
#include <optional>
#include <string>
#include <string_view>

#include "quipu/base/json.h"
#include "quipu/result.h"

namespace quipu::text {

// A value and its place in the file. Borrows from the document. Threads: immutable.
class JsonPart {
 public:
  JsonPart(JsonView json, std::string path) : json_(json), path_(std::move(path)) {}

  [[nodiscard]] JsonView json() const noexcept { return json_; }
  [[nodiscard]] const std::string& path() const noexcept { return path_; }

  // kUnimplemented ("tokenizer_unsupported"): "<path>: <what> is not supported", the path being the
  // member's when one is named.
  [[nodiscard]] Error unsupported(const std::string& what, std::string_view field = "") const;
  // kInvalidArgument: "<path>.<field>: must be <expected>".
  [[nodiscard]] Error invalid(std::string_view field, std::string_view expected) const;

  // The string member "type". Errors: kInvalidArgument.
  [[nodiscard]] Result<std::string_view> type() const;
  // Refuses an object with a member that is not in `known`. Errors: kUnimplemented naming it;
  // kInvalidArgument when this is no object.
  Status check_fields(std::initializer_list<std::string_view> known) const;
  // A member that is there and not null.
  [[nodiscard]] std::optional<JsonPart> find(std::string_view field) const;
  // A member, or `otherwise` when it is absent or null. Errors: kInvalidArgument for another kind.
  [[nodiscard]] Result<bool> read_bool(std::string_view field, bool otherwise) const;
  // Borrowed from the document.
  [[nodiscard]] Result<std::string_view> read_string(std::string_view field,
                                                     std::string_view otherwise) const;
  [[nodiscard]] Result<std::uint64_t> read_number(std::string_view field,
                                                  std::uint64_t otherwise) const;
  // A member that must be there. Errors: kInvalidArgument.
  [[nodiscard]] Result<std::string_view> read_text(std::string_view field) const;
  // A member that must be a string of one character.
  [[nodiscard]] Result<char32_t> read_character(std::string_view field) const;
  // Calls `visit` for each element of an array member. Errors: its first; kInvalidArgument when the
  // member is no array or has more than `count_max` elements.
  Status for_each(std::string_view field, std::size_t count_max,
                  const std::function<Status(const JsonPart&)>& visit) const;

 private:
  [[nodiscard]] std::string place(std::string_view field) const;
  JsonView json_;
  std::string path_;
};

}  // namespace quipu::text
