// Documents to points: sections cut into chunks that fit a model, each with its place.
#pragma once

#include <cstddef>
#include <cstdint>
#include <functional>
#include <string>
#include <string_view>
#include <vector>

#include "quipu/embed/embedder.h"
#include "quipu/ids.h"
#include "quipu/result.h"
#include "quipu/text/documents/document.h"

namespace quipu::cli {

// Cuts a text into pieces of at most `tokens_max` tokens that share `overlap_tokens`; like
// embed::Embedder::chunk() with its model fixed.
using CutText = std::function<Result<std::vector<embed::TextChunk>>(
    std::string_view text, std::uint32_t tokens_max, std::uint32_t overlap_tokens)>;

// For a server whose model is not on this machine: tokens are estimated, one for each four letters
// of a word begun and one for each other character, which is more than WordPiece makes of English.
[[nodiscard]] std::vector<embed::TextChunk> cut_by_estimate(std::string_view text,
                                                            std::uint32_t tokens_max,
                                                            std::uint32_t overlap_tokens);

struct ChunkOptions {
  std::uint32_t tokens_max = 200;
  std::uint32_t overlap_tokens = 20;
  // Put "title > heading" before each chunk's text, so that a chunk says what it is about.
  bool context = true;
  // Sections whose heading, or a heading above it, is one of these are left out; compared without
  // regard to ASCII case.
  std::vector<std::string> sections_left_out;
};

struct Chunk {
  std::string text;  // what is embedded and stored
  std::string section;
  std::size_t line = 0;  // of its first character, from 1
  std::size_t offset = 0;
  std::size_t bytes = 0;
};

[[nodiscard]] Result<std::vector<Chunk>> make_chunks(const text::Document& document,
                                                     const ChunkOptions& options,
                                                     const CutText& cut);

// The point of chunk `index` of a source: the same for the same two, so that ingesting a file again
// replaces what it was.
[[nodiscard]] PointId chunk_point_id(std::string_view source, std::size_t index);

// Without the blanks that all lines share at their start, and without blank lines around.
[[nodiscard]] std::string without_indent(std::string_view text);

}  // namespace quipu::cli
