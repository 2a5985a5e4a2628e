// Cuts long texts into pieces that a model takes whole.
#pragma once

#include <cstddef>
#include <cstdint>
#include <string_view>
#include <vector>

#include "quipu/result.h"
#include "quipu/text/tokenizer/tokenizer.h"

namespace quipu::text {

struct Chunk {
  std::size_t offset = 0;  // bytes; a chunk begins and ends with something other than white space
  std::size_t size = 0;
  std::uint32_t token_count = 0;  // of the chunk by itself, template tokens included
};

struct ChunkParams {
  std::uint32_t tokens_max = 0;      // template tokens included; room for at least one more
  std::uint32_t overlap_tokens = 0;  // at most half of the room that the template leaves
};

// In the text's order; each character that is no white space is in at least one chunk, and none is
// cut in two. A chunk ends at the best end that the last half of its room has: of a paragraph, else
// of a line, else of a sentence, else of a clause, else of a word; a word is cut only when it has
// more tokens than fit. The next begins where the one before ended, or earlier by about
// `overlap_tokens`, at a sentence's or line's beginning if one is near, else at a word's. A text
// of white space gives none.
//
// Cost: linear in the text; about three times its tokenization.
// Errors: kInvalidArgument naming the number and its limit; as Tokenizer::encode().
[[nodiscard]] Result<std::vector<Chunk>> chunk_text(const Tokenizer& tokenizer,
                                                    std::string_view text,
                                                    const ChunkParams& params);

}  // namespace quipu::text
