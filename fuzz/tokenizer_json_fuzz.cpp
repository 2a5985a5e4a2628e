// Property: a tokenizer.json is refused or encodes any text; ids are below ids_end(), spans lie in
// the text, truncation keeps its promise, and the fused pass gives what the parts give. The input
// is the file, a zero byte, and a text; without a zero byte the file is encoded by itself.
#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <string_view>

#include "quipu/assert.h"
#include "quipu/text/tokenizer/tokenizer.h"

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  const std::string_view input(reinterpret_cast<const char*>(data), size);
  const std::size_t cut = input.find('\0');
  const std::string_view json = input.substr(0, cut);
  const std::string_view text = cut == input.npos ? json : input.substr(cut + 1);
  const auto tokenizer = quipu::text::Tokenizer::from_json(json);
  if (!tokenizer.ok()) return 0;
  quipu::text::Encoding fused;
  quipu::text::Encoding parts;
  const bool ok = tokenizer.value()->encode(text, {}, fused).ok();
  QUIPU_ASSERT(ok == tokenizer.value()->encode_by_parts(text, {}, parts).ok());
  if (!ok) return 0;
  QUIPU_ASSERT(fused.ids == parts.ids);
  QUIPU_ASSERT(fused.spans == parts.spans);
  QUIPU_ASSERT(fused.ids.size() == fused.spans.size());
  QUIPU_ASSERT(fused.token_count == fused.ids.size());
  for (std::size_t i = 0; i < fused.ids.size(); ++i) {
    QUIPU_ASSERT(fused.ids[i] < tokenizer.value()->ids_end());
    QUIPU_ASSERT(fused.spans[i].begin <= fused.spans[i].end);
    QUIPU_ASSERT(fused.spans[i].end <= text.size());
  }
  const std::uint32_t room = tokenizer.value()->template_token_count() + 3;
  QUIPU_ASSERT(tokenizer.value()->encode(text, {.tokens_max = room}, parts).ok());
  QUIPU_ASSERT(parts.token_count == fused.token_count);
  QUIPU_ASSERT(parts.ids.size() == std::min<std::size_t>(room, fused.ids.size()));
  return 0;
}
