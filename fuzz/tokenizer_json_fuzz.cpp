// Property: a tokenizer.json is refused or encodes any text; ids are below ids_end(), spans lie in
// the text, truncation keeps its promise on both sides, pairs hold both texts, and what is fused
// and remembered gives what the parts give, also the second time. The input is the file, a zero
// byte, and a text; without a zero byte the file is encoded by itself.
#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <string_view>

#include "quipu/assert.h"
#include "quipu/text/tokenizer/tokenizer.h"

namespace {

using quipu::text::Encoding;
using quipu::text::Tokenizer;

void check_sizes(const Tokenizer& tokenizer, const Encoding& encoding, std::size_t text_size) {
  QUIPU_ASSERT(encoding.ids.size() == encoding.spans.size());
  QUIPU_ASSERT(encoding.ids.size() == encoding.type_ids.size());
  QUIPU_ASSERT(encoding.ids.size() == encoding.template_mask.size());
  for (std::size_t i = 0; i < encoding.ids.size(); ++i) {
    QUIPU_ASSERT(encoding.ids[i] < tokenizer.ids_end());
    QUIPU_ASSERT(encoding.spans[i].begin <= encoding.spans[i].end);
    QUIPU_ASSERT(encoding.spans[i].end <= text_size);
  }
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  const std::string_view input(reinterpret_cast<const char*>(data), size);
  const std::size_t cut = input.find('\0');
  const std::string_view json = input.substr(0, cut);
  const std::string_view text = cut == input.npos ? json : input.substr(cut + 1);
  const auto loaded = Tokenizer::from_json(json);
  if (!loaded.ok()) return 0;
  const Tokenizer& tokenizer = *loaded.value();
  Encoding fused;
  Encoding parts;
  const bool ok = tokenizer.encode(text, {}, fused).ok();
  QUIPU_ASSERT(ok == tokenizer.encode_by_parts(text, {}, parts).ok());
  if (!ok) return 0;
  QUIPU_ASSERT(fused.ids == parts.ids);
  QUIPU_ASSERT(fused.spans == parts.spans);
  QUIPU_ASSERT(fused.token_count == fused.ids.size());
  check_sizes(tokenizer, fused, text.size());
  QUIPU_ASSERT(tokenizer.encode(text, {}, parts).ok());
  QUIPU_ASSERT(fused.ids == parts.ids);
  const std::uint32_t room = tokenizer.template_token_count() + 3;
  for (const auto side :
       {quipu::text::TruncationSide::kLeft, quipu::text::TruncationSide::kRight}) {
    QUIPU_ASSERT(tokenizer.encode(text, {.tokens_max = room, .side = side}, parts).ok());
    QUIPU_ASSERT(parts.token_count == fused.token_count);
    QUIPU_ASSERT(parts.ids.size() == std::min<std::size_t>(room, fused.ids.size()));
    check_sizes(tokenizer, parts, text.size());
  }
  if (tokenizer.encode_pair(text, text.substr(0, 0), {}, parts).ok()) {
    check_sizes(tokenizer, parts, text.size());
    QUIPU_ASSERT(parts.second_begin == parts.second_end);
  }
  return 0;
}
