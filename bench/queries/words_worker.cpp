// Our inverted index by itself: analyzer and postings, without storage, log or engine.
//
// build {texts, count} and run {queries, count, k}: as words peers, see README.md.
#include <malloc.h>

#include <algorithm>
#include <fstream>
#include <memory>
#include <span>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "bench/common/measure.h"
#include "bench/common/serve.h"
#include "bench/queries/words_peer.h"
#include "quipu/base/epoch.h"
#include "quipu/index/sparse/sparse_index.h"
#include "quipu/text/analysis/analyzer.h"

namespace quipu::bench {
namespace {

constexpr std::size_t kRowsPerPublish = 1'000;

class IndexPeer final : public WordsPeer {
 public:
  Status build(std::ifstream& texts, std::size_t count, const std::string&) override {
    QUIPU_TRY(analyzer_, text::Analyzer::create({}));
    // With positions, as the engine keeps them for phrases.
    QUIPU_TRY(index_, index::SparseIndex::create({.positions = true}, epochs_));
    std::string line;
    std::vector<index::TermAt> terms;
    for (std::size_t row = 0; row < count; ++row) {
      if (!std::getline(texts, line)) {
        return Error{ErrorCode::kInvalidArgument, "only " + std::to_string(row) + " texts"};
      }
      list_.clear();
      terms.clear();
      analyzer_->analyze(line, list_);
      for (std::size_t i = 0; i < list_.size(); ++i) {
        terms.push_back({list_[i].text, list_[i].position});
      }
      seq_ = Seq(row + 1);
      index_->insert(SlotId(static_cast<std::uint32_t>(row)), terms, seq_);
      if ((row + 1) % kRowsPerPublish == 0) moment_ = index_->publish();
    }
    moment_ = index_->publish();
    while (index_->merge(seq_) != 0) {
    }
    moment_ = index_->publish();
    totals_ = index::SparseIndex::totals(*moment_);
    return ok_status();
  }

  Result<std::size_t> search(const std::string& query, std::span<std::uint32_t> ids,
                             std::span<float> scores) override {
    list_.clear();
    analyzer_->analyze(query, list_, text::AnalyzeFor::kQuery);
    const EpochDomain::Guard guard = epochs_.pin();
    terms_.clear();
    for (std::size_t i = 0; i < list_.size(); ++i) {
      terms_.push_back({std::string(list_[i].text), 1});
    }
    for (index::SparseTerm& term : terms_) {
      term.weight = index::idf(totals_.rows, index_->rows_with(*moment_, term.key, seq_));
    }
    hits_.resize(ids.size());
    const double mean = static_cast<double>(totals_.length) / static_cast<double>(totals_.rows);
    QUIPU_TRY(const std::size_t found,
              index_->search(*moment_, terms_, {.as_of = seq_, .length_mean = mean}, hits_));
    for (std::size_t i = 0; i < found; ++i) {
      ids[i] = hits_[i].slot.value();
      scores[i] = hits_[i].score;
    }
    return found;
  }

  void about(JsonWriter& writer) const override {
    const index::SparseStats stats = index_->stats();
    writer.key("segments").value(static_cast<std::uint64_t>(stats.segments));
    writer.key("postings").value(stats.postings);
    writer.key("index_bytes").value(stats.bytes_used);
  }

 private:
  EpochDomain epochs_;
  std::unique_ptr<text::Analyzer> analyzer_;
  std::unique_ptr<index::SparseIndex> index_;
  std::shared_ptr<const index::SparseIndex::Moment> moment_;
  index::SparseTotals totals_;
  Seq seq_{0};
  text::TermList list_;
  std::vector<index::SparseTerm> terms_;
  std::vector<index::SparseHit> hits_;
};

}  // namespace
}  // namespace quipu::bench

int main() {
  quipu::bench::IndexPeer peer;
  return quipu::bench::serve_words(peer);
}
