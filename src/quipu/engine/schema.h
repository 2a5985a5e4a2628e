// What a shard's views are made of, ready to be used: the collection's configuration with its
// analyzers and paths. Immutable; a changed configuration is another object.
#pragma once

#include <cstddef>
#include <cstdint>
#include <memory>
#include <optional>
#include <string_view>
#include <vector>

#include "quipu/engine.h"
#include "quipu/index/dense/dense_index.h"
#include "quipu/index/payload/payload_values.h"
#include "quipu/index/sparse/sparse_index.h"
#include "quipu/query/filter/payload_path.h"
#include "quipu/query/filter/text_matcher.h"
#include "quipu/result.h"
#include "quipu/text/analysis/analyzer.h"

namespace quipu::engine {

struct WordsField {
  WordsConfig config;
  std::shared_ptr<const text::Analyzer> analyzer;
  std::optional<query::PayloadPath> source;  // absent: the point's text
};

struct PayloadField {
  PayloadIndexConfig config;
  query::PayloadPath path;
  index::PayloadOptions options;
  std::shared_ptr<const text::Analyzer> analyzer;     // of kText; null for others
  std::shared_ptr<const query::TextMatcher> matcher;  // with that analyzer; null for others
};

struct Schema {
  std::vector<VectorConfig> vectors;
  std::vector<WordsField> words;
  std::vector<PayloadField> payload;

  // What words are in the texts of a key (CompileOptions::text_matcher); null: without an index.
  [[nodiscard]] const query::TextMatcher* text_matcher(std::string_view key) const;
  [[nodiscard]] std::optional<std::size_t> find_words(std::string_view name) const;
  // The position of the vector that has this id.
  [[nodiscard]] std::optional<std::size_t> find_vector(std::uint16_t id) const noexcept;
};

// Errors: kInvalidArgument naming field, value and what is allowed; kUnavailable when an analyzer's
// dictionaries cannot be opened.
[[nodiscard]] Result<std::shared_ptr<const Schema>> make_schema(const CollectionConfig& config);

// Checks analyzers and paths and writes them in the one way that they are stored. Errors as above.
Status make_canonical(CollectionConfig& config);

[[nodiscard]] index::DenseOptions dense_options(const VectorConfig& vector);
[[nodiscard]] index::SparseOptions sparse_options() noexcept;  // of a sparse vector's view
[[nodiscard]] index::SparseOptions words_options() noexcept;

// One view of a shard. `index`: of the vector, of the words, of the payload index.
enum class ViewKind : std::uint8_t { kVector, kWords, kPayload };
struct ViewRef {
  ViewKind kind = ViewKind::kVector;
  std::size_t index = 0;
  friend bool operator==(const ViewRef&, const ViewRef&) = default;
};
// Every view that the schema has; multivectors have none.
[[nodiscard]] std::vector<ViewRef> all_views(const Schema& schema);

// The terms of a point's words, for an index. Threads: one.
class WordsReader {
 public:
  // False: the point has no such text. Errors: kCorruption (a payload that is no JSON).
  // The terms are valid until the next call.
  Result<bool> read(const WordsField& field, const std::optional<std::string>& text,
                    std::string_view payload);
  [[nodiscard]] const std::vector<index::TermAt>& terms() const noexcept { return terms_; }

 private:
  text::TermList list_;
  std::vector<index::TermAt> terms_;
};

}  // namespace quipu::engine
