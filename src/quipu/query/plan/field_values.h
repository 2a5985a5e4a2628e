// What a payload has under a key, as the index of that key takes it.
#pragma once

#include <cstdint>
#include <string_view>
#include <vector>

#include "quipu/base/json.h"
#include "quipu/index/payload/payload_values.h"
#include "quipu/query/filter/payload_path.h"
#include "quipu/text/analysis/analyzer.h"

namespace quipu::query {

// Reads the values of one key, payload after payload. Threads: one.
class FieldReader {
 public:
  // `analyzer`, which outlives this: of a text index; null for others.
  FieldReader(PayloadPath path, index::PayloadKind kind, const text::Analyzer* analyzer)
      : path_(std::move(path)), kind_(kind), analyzer_(analyzer) {}

  // Null when the payload has no such field: the index's row is to be erased then. Valid until the
  // next call, and as long as the payload's document. A string of more terms than
  // kTermsPerStringMax has those beyond left out, which the values say.
  [[nodiscard]] const index::PayloadValues* read(JsonView payload);
  // An index of one string of a million letters stays in proportion to it.
  static constexpr std::size_t kTermsPerStringMax = 1U << 20;

 private:
  void take(JsonView value);
  void take_element(JsonView element);
  void take_string(std::string_view text);
  void take_number(JsonView number);
  void finish_terms();

  const PayloadPath path_;
  const index::PayloadKind kind_;
  const text::Analyzer* const analyzer_;
  index::PayloadValues values_;
  std::vector<text::TermList> terms_;  // one for each string; the first text_count_ are in use
  std::size_t text_count_ = 0;
};

}  // namespace quipu::query
