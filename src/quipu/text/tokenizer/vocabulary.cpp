#include "quipu/text/tokenizer/vocabulary.h"

#include <algorithm>
#include <unordered_map>

namespace quipu::text {

Result<Vocabulary> Vocabulary::read(const JsonPart& model) {
  const std::optional<JsonView> found = model.json().find("vocab");
  if (!found.has_value() || !found->is_object()) {
    return model.invalid("vocab", "an object of tokens and ids");
  }
  Vocabulary out;
  out.size_ = static_cast<std::uint32_t>(found->size());
  std::vector<DoubleArray::Entry> entries;
  entries.reserve(found->size());
  std::optional<std::string> wrong;
  found->for_each_member([&](std::string_view token, JsonView value) {
    const std::optional<std::uint64_t> id = value.as_uint64();
    if (!id.has_value() || *id > kIdMax) {
      wrong = token;
      return false;
    }
    out.ids_end_ = std::max(out.ids_end_, static_cast<std::uint32_t>(*id) + 1);
    // An empty token counts, but no text can ever give it.
    if (!token.empty()) entries.emplace_back(token, static_cast<std::uint32_t>(*id));
    return true;
  });
  if (wrong.has_value()) {
    return model.invalid("vocab['" + *wrong + "']",
                         "a whole number of at most " + std::to_string(kIdMax));
  }
  QUIPU_TRY_OK(out.build(std::move(entries)));
  return out;
}

Result<Vocabulary> Vocabulary::of(std::vector<std::string> tokens) {
  Vocabulary out;
  out.size_ = out.ids_end_ = static_cast<std::uint32_t>(tokens.size());
  std::unordered_map<std::string, std::uint32_t> last;
  last.reserve(tokens.size());
  for (std::uint32_t id = 0; id < tokens.size(); ++id) {
    if (!tokens[id].empty()) last[std::move(tokens[id])] = id;
  }
  std::vector<DoubleArray::Entry> entries(last.begin(), last.end());
  QUIPU_TRY_OK(out.build(std::move(entries)));
  return out;
}

Status Vocabulary::build(std::vector<DoubleArray::Entry> entries) {
  nodes_.reserve(entries.size());
  QUIPU_TRY(trie_, DoubleArray::build(std::move(entries)));
  trie_.for_each_value(
      [&](std::uint32_t id, std::uint32_t node) { nodes_.emplace_back(id, node); });
  std::sort(nodes_.begin(), nodes_.end());
  return ok_status();
}

std::string Vocabulary::token(std::uint32_t id) const {
  const auto found = std::lower_bound(nodes_.begin(), nodes_.end(),
                                      std::pair<std::uint32_t, std::uint32_t>(id, 0));
  if (found == nodes_.end() || found->first != id) return "";
  return trie_.key_of(found->second);
}

}  // namespace quipu::text
