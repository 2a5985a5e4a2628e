// Texts by how well they answer a query, by a model that reads both at once.
#pragma once

#include <cstddef>
#include <cstdint>
#include <string>
#include <vector>

#include "quipu/api/call.h"
#include "quipu/result.h"

namespace quipu::api {

inline constexpr std::size_t kRerankDocumentsMax = 1'000;

struct RerankInput {
  std::string query;                   // at least 1 byte
  std::vector<std::string> documents;  // 1..kRerankDocumentsMax
  std::string model;                   // one that scores
  std::size_t top_n = 0;               // 0: all
  bool return_documents = false;
};
struct RerankedTexts {
  struct Item {
    std::size_t index = 0;  // in the request
    double relevance = 0;   // 0..1
    bool truncated = false;
  };
  std::vector<Item> items;  // best first, at most top_n; equal ones as they came
  std::uint64_t token_count = 0;
  double took_ms = 0;
};

// Waits for the model. One text that fails fails all: a ranking without it would be another one.
// Errors: kNotFound ("model_not_found"), kInvalidArgument ("wrong_task"), those of the embedder,
// naming documents[i].
[[nodiscard]] Result<RerankedTexts> rerank_texts(const Call& call, const RerankInput& input);

}  // namespace quipu::api
