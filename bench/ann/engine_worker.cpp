// The whole engine in process (storage, log, views, hydration) as a peer.
#include <algorithm>
#include <chrono>
#include <memory>
#include <utility>
#include <vector>

#include "bench/ann/peer.h"
#include "quipu/engine.h"

namespace {

using quipu::Error;
using quipu::ErrorCode;
using quipu::Result;
using quipu::Status;

constexpr const char* kTenant = "default";
constexpr const char* kCollection = "bench";

class EnginePeer final : public quipu::bench::AnnPeer {
 public:
  Status build(const quipu::bench::NpyMatrix& base,
               const quipu::bench::BuildParams& params) override {
    quipu::EngineOptions options;
    options.data_dir = params.work_dir + "/data";
    options.background_threads = params.threads;
    options.query_cache_entries = 0;  // searching is measured, not remembering
    QUIPU_TRY(engine_, quipu::Engine::open(options, {}));
    quipu::CollectionConfig config;
    config.vectors = {{.name = "",
                       .dim = static_cast<std::uint32_t>(base.dim()),
                       .metric = quipu::Metric::kCosine,
                       .model = "",
                       .m = params.m,
                       .ef_construction = params.ef_construction}};
    config.durability = quipu::Durability::kAsync;  // The build is not what is measured here.
    QUIPU_TRY_OK(engine_->create_collection(kTenant, kCollection, config));
    for (std::size_t first = 0; first < params.rows; first += kBatch) {
      quipu::UpsertRequest request;
      request.params.timeout = std::chrono::minutes(10);
      for (std::size_t row = first; row < std::min(first + kBatch, params.rows); ++row) {
        const std::span<const float> values = base.row(row);
        quipu::PointWrite& point = request.points.emplace_back();
        point.id = quipu::PointId::number(row);
        point.vectors.push_back({"", {values.begin(), values.end()}});
      }
      QUIPU_TRY_OK(engine_->upsert(kTenant, kCollection, std::move(request)));
    }
    QUIPU_TRY_OK(engine_->wait_linked(kTenant, kCollection, std::chrono::minutes(30)));
    QUIPU_TRY(const std::uint64_t count, engine_->count(kTenant, kCollection, {}));
    if (count != params.rows) {
      return Error{ErrorCode::kInternal, "the collection counts " + std::to_string(count) + " of " +
                                             std::to_string(params.rows) + " points"};
    }
    return quipu::ok_status();
  }

  Status set_effort(std::uint32_t ef) override {
    ef_ = ef;
    return quipu::ok_status();
  }

  Result<std::size_t> search(std::span<const float> query, std::span<std::uint32_t> ids) override {
    quipu::SearchRequest request;
    request.vector.assign(query.begin(), query.end());
    request.k = ids.size();
    request.ef = ef_;
    request.select = {.payload = false, .text = false, .vectors = false};
    QUIPU_TRY(const quipu::SearchResult result, engine_->search(kTenant, kCollection, request));
    for (std::size_t i = 0; i < result.hits.size(); ++i) {
      ids[i] = static_cast<std::uint32_t>(result.hits[i].point.id.as_number());
    }
    return result.hits.size();
  }

 private:
  static constexpr std::size_t kBatch = 1'000;
  std::unique_ptr<quipu::Engine> engine_;
  std::uint32_t ef_ = 0;
};

}  // namespace

int main() {
  EnginePeer peer;
  return quipu::bench::serve_ann(peer);
}
