// A test double for the model: texts that share words get vectors that are near, the same text
// always the same vector, and nothing has to be loaded. Header only; for tests of any layer.
#pragma once

#include <algorithm>
#include <atomic>
#include <cmath>
#include <cstdint>
#include <mutex>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "quipu/embed/embedder.h"

namespace quipu::testing_support {

// Each word adds a direction made from its hash; the sum has unit length. A token is a word, and
// two special ones stand around each text.
//
// Threads: any.
class FakeEmbedder final : public embed::Embedder {
 public:
  static constexpr const char* kDefaultModel = "all-MiniLM-L6-v2";
  static constexpr const char* kReranker = "bge-reranker-base";  // for score() alone
  explicit FakeEmbedder(std::uint32_t dim = 32, std::uint32_t tokens_max = 64,
                        std::string name = kDefaultModel)
      : dim_(dim), tokens_max_(tokens_max), name_(std::move(name)) {}

  // From now on embed() fails for every text with this error, until clear_error().
  void set_error(Error error) {
    const std::lock_guard lock(mutex_);
    error_ = std::move(error);
    failing_ = true;
  }
  void clear_error() {
    const std::lock_guard lock(mutex_);
    failing_ = false;
  }
  // Texts embedded so far.
  [[nodiscard]] std::uint64_t embedded() const { return embedded_.load(); }

  [[nodiscard]] Result<embed::ModelInfo> model(std::string_view name) override {
    if (name == kReranker) {
      embed::ModelInfo out = info();
      out.name = kReranker;
      out.task = "score";
      out.dim = 1;
      return out;
    }
    if (name != name_) {
      return Error{ErrorCode::kNotFound,
                   "there is no model \"" + std::string(name) + "\"; there are: " + name_,
                   "model_not_found"};
    }
    return info();
  }
  [[nodiscard]] std::vector<embed::ModelInfo> models() override { return {info()}; }

  [[nodiscard]] std::vector<Result<embed::Embedding>> embed(
      std::span<const std::string_view> texts, const embed::EmbedParams& params) override {
    std::vector<Result<embed::Embedding>> out;
    for (const std::string_view text : texts) out.push_back(embed_one(text, params));
    return out;
  }

  // The share of the query's words that the text has, between -4 and 4.
  [[nodiscard]] std::vector<Result<embed::PairScore>> score(
      std::string_view query, std::span<const std::string_view> texts,
      const embed::ScoreParams& params) override {
    std::vector<Result<embed::PairScore>> out;
    for (const std::string_view text : texts) {
      if (params.model != kReranker) {
        out.emplace_back(
            Error{ErrorCode::kNotFound,
                  "there is no model \"" + params.model + "\"; there are: " + kReranker,
                  "model_not_found"});
        continue;
      }
      const std::vector<std::string_view> asked = words(query);
      const std::vector<std::string_view> had = words(text);
      std::size_t shared = 0;
      for (const std::string_view word : asked) {
        shared += std::any_of(had.begin(), had.end(),
                              [word](std::string_view other) {
                                return word_hash(word) == word_hash(other);
                              })
                      ? 1U
                      : 0U;
      }
      const auto of = static_cast<float>(std::max<std::size_t>(asked.size(), 1));
      out.emplace_back(
          embed::PairScore{.logit = 8 * static_cast<float>(shared) / of - 4,
                           .token_count = static_cast<std::uint32_t>(asked.size() + had.size() + 3),
                           .truncated = false});
    }
    return out;
  }

  [[nodiscard]] Result<std::vector<embed::TextChunk>> chunk(std::string_view model_name,
                                                            std::string_view text,
                                                            std::uint32_t tokens_max,
                                                            std::uint32_t overlap_tokens) override {
    if (const auto known = model(model_name); !known.ok()) return known.error();
    const std::uint32_t most = (tokens_max == 0 ? tokens_max_ : tokens_max) - 2;
    const std::uint32_t step = most - std::min(overlap_tokens, most / 2);
    const std::vector<std::string_view> all = words(text);
    std::vector<embed::TextChunk> chunks;
    for (std::size_t begin = 0; begin < all.size(); begin += step) {
      const std::size_t end = std::min<std::size_t>(begin + most, all.size());
      const char* const last = all[end - 1].data() + all[end - 1].size();
      chunks.push_back({.offset = static_cast<std::size_t>(all[begin].data() - text.data()),
                        .size = static_cast<std::size_t>(last - all[begin].data()),
                        .token_count = static_cast<std::uint32_t>(end - begin + 2)});
      if (end == all.size()) break;
    }
    return chunks;
  }
  std::uint64_t shrink_cache(std::uint64_t) override { return 0; }

 private:
  static std::vector<std::string_view> words(std::string_view text) {
    std::vector<std::string_view> out;
    std::size_t at = 0;
    const auto space = [](char c) { return c == ' ' || c == '\n' || c == '\t' || c == '\r'; };
    while (at < text.size()) {
      while (at < text.size() && space(text[at])) ++at;
      const std::size_t begin = at;
      while (at < text.size() && !space(text[at])) ++at;
      if (at > begin) out.push_back(text.substr(begin, at - begin));
    }
    return out;
  }

  // Lower case, without punctuation, so that "Key." and "key" are one.
  static std::uint64_t word_hash(std::string_view word) {
    std::uint64_t hash = 0xcbf29ce484222325ULL;  // FNV-1a
    for (const char c : word) {
      const char lower = c >= 'A' && c <= 'Z' ? static_cast<char>(c + 32) : c;
      const bool kept = (lower >= 'a' && lower <= 'z') || (lower >= '0' && lower <= '9') ||
                        static_cast<unsigned char>(lower) >= 0x80;
      if (!kept) continue;
      hash = (hash ^ static_cast<unsigned char>(lower)) * 0x100000001b3ULL;
    }
    return hash;
  }

  static std::uint64_t mix(std::uint64_t x) {
    x += 0x9e3779b97f4a7c15ULL;
    x = (x ^ (x >> 30)) * 0xbf58476d1ce4e5b9ULL;
    x = (x ^ (x >> 27)) * 0x94d049bb133111ebULL;
    return x ^ (x >> 31);
  }

  [[nodiscard]] embed::ModelInfo info() const {
    embed::ModelInfo out;
    out.name = name_;
    out.revision = "00000000fa4eb0de";
    out.path = "(test double)";
    out.architecture = "fake";
    out.format = "none";
    out.task = "embed";
    out.dim = dim_;
    out.tokens_max = tokens_max_;
    out.pooling = "mean";
    out.precision = "f32";
    out.loaded = true;
    return out;
  }

  Result<embed::Embedding> embed_one(std::string_view text, const embed::EmbedParams& params) {
    if (const auto known = model(params.model); !known.ok()) return known.error();
    {
      const std::lock_guard lock(mutex_);
      if (failing_) return Error(error_);
    }
    std::vector<std::string_view> all = words(text);
    embed::Embedding out;
    out.token_count = static_cast<std::uint32_t>(all.size() + 2);
    out.truncated = out.token_count > tokens_max_;
    if (out.truncated && params.refuse_long) {
      return Error{ErrorCode::kInvalidArgument,
                   "the text has " + std::to_string(out.token_count) + " tokens; the model takes " +
                       std::to_string(tokens_max_),
                   "text_too_long"};
    }
    if (out.truncated) all.resize(tokens_max_ - 2);
    std::vector<double> sum(dim_, 0.0);
    sum[0] = 0.01;  // so that no text has the length zero
    for (const std::string_view word : all) {
      const std::uint64_t hash = word_hash(word);
      for (std::uint32_t i = 0; i < dim_; ++i) {
        sum[i] += static_cast<double>(mix(hash + i) >> 11) * 0x1.0p-53 - 0.5;
      }
    }
    double length = 0;
    for (const double x : sum) length += x * x;
    length = std::sqrt(length);
    for (const double x : sum) out.values.push_back(static_cast<float>(x / length));
    embedded_.fetch_add(1);
    return out;
  }

  const std::uint32_t dim_;
  const std::uint32_t tokens_max_;
  const std::string name_;
  std::atomic<std::uint64_t> embedded_{0};
  std::mutex mutex_;
  bool failing_ = false;
  Error error_;
};

}  // namespace quipu::testing_support
