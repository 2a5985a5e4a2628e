// `quipu performance`: what this machine does with Quipu, in some seconds. A rough guide and no
// benchmark: one run, on whatever else the machine is doing.
#include <algorithm>
#include <chrono>
#include <cmath>
#include <filesystem>
#include <memory>
#include <ostream>
#include <thread>

#include <unistd.h>

#include "quipu/base/file_system.h"
#include "quipu/base/format.h"
#include "quipu/base/rng.h"
#include "quipu/cli/commands.h"
#include "quipu/simd/distance_kernels.h"

namespace quipu::cli {
namespace {

using SteadyClock = std::chrono::steady_clock;
constexpr std::uint64_t kSeed = 7;

// A sorted list's value below which `share` of it lies.
double quantile(std::vector<double>& values, double share) {
  if (values.empty()) return 0;
  std::sort(values.begin(), values.end());
  const auto at = static_cast<std::size_t>(share * static_cast<double>(values.size() - 1));
  return values[at];
}

struct Figure {
  std::string name;
  double value = 0;
  std::string unit;
  std::string detail;
};

class ScratchFolder {
 public:
  // Beside the data folder, so that the disk is the one that counts; else where temporary files go.
  explicit ScratchFolder(const std::string& data_dir) {
    namespace fs = std::filesystem;
    std::error_code failed;
    const fs::path data = fs::absolute(data_dir, failed).lexically_normal();
    for (const fs::path& parent : {data.parent_path(), fs::temp_directory_path(failed)}) {
      std::string pattern = (parent / ".quipu-performance-XXXXXX").string();
      if (::mkdtemp(pattern.data()) == nullptr) continue;
      path_ = pattern;
      return;
    }
  }
  ~ScratchFolder() {
    if (path_.empty()) return;
    // What cannot be removed is temporary by its name; there is nobody left to tell.
    (void)remove_tree(posix_file_system(), path_);
  }
  ScratchFolder(const ScratchFolder&) = delete;
  ScratchFolder& operator=(const ScratchFolder&) = delete;
  [[nodiscard]] const std::string& path() const { return path_; }

 private:
  std::string path_;
};

std::vector<float> random_rows(std::size_t count, std::size_t dim, std::uint64_t seed) {
  Rng rng(seed);
  std::vector<float> rows(count * dim);
  for (float& value : rows) value = static_cast<float>(rng.normal());
  return rows;
}

// Bytes of vectors that one thread's dot products read in a second.
Figure kernel_rate(std::size_t rows_bytes, std::size_t dim, std::string where) {
  const std::size_t count = std::max<std::size_t>(1, rows_bytes / (dim * sizeof(float)));
  const std::vector<float> rows = random_rows(count, dim, kSeed);
  const std::vector<float> query = random_rows(1, dim, kSeed + 1);
  const auto dot = simd::kernels().dot;
  const auto start = SteadyClock::now();
  float sum = 0;
  std::uint64_t done = 0;
  double elapsed = 0;
  do {
    for (std::size_t row = 0; row < count; ++row) sum += dot(query.data(), &rows[row * dim], dim);
    done += count;
    elapsed = seconds_since(start);
  } while (elapsed < 0.3);
  const double bytes = static_cast<double>(done * dim * sizeof(float));
  // The sum is used, so that no compiler may leave the work out.
  const bool odd = std::isnan(sum);
  return {"dot products, " + where, bytes / elapsed / 1e9, "GB/s",
          quipu::format("{} numbers, {} kernel, one thread{}", dim, simd::kernels().name,
                        odd ? ", NaN" : "")};
}

Result<Figure> fsync_latency(const std::string& folder) {
  FileSystem& files = posix_file_system();
  QUIPU_TRY(const auto file, files.open_writable(folder + "/sync", OpenMode::kTruncate));
  const std::vector<std::byte> block(4096);
  std::vector<double> times;
  const auto start = SteadyClock::now();
  while (times.size() < 200 && seconds_since(start) < 1) {
    const auto begun = SteadyClock::now();
    QUIPU_TRY_OK(file->append(block));
    QUIPU_TRY_OK(file->sync());
    times.push_back(seconds_since(begun) * 1000);
  }
  QUIPU_TRY_OK(file->close());
  const double median = quantile(times, 0.5);
  return Figure{"append 4 KiB and sync", median, "ms",
                quipu::format("median of {}, p99 {:.2f} ms, on {}", times.size(),
                              quantile(times, 0.99), folder)};
}

// Texts of about 60 tokens, all different.
std::vector<std::string> sample_texts(std::size_t count) {
  std::vector<std::string> texts;
  for (std::size_t i = 0; i < count; ++i) {
    texts.push_back(quipu::format(
        "Note {}: the meeting about the new reading room moved to the {}th floor, because the "
        "projector in the old one does not work. Please bring the plans, the list of books that "
        "readers asked for in week {}, and somebody who can say what the shelves will cost. "
        "Coffee is there from nine.",
        i, i % 17, i % 51));
  }
  return texts;
}

Result<std::vector<Figure>> embedding_rate(Context& context, const std::string& name) {
  QUIPU_TRY(embed::Embedder* const embedder, context.embedder());
  QUIPU_TRY(const embed::ModelInfo model, embedder->model(name));
  std::vector<Figure> figures;
  const embed::EmbedParams params{.model = name, .interactive = false};
  const auto load_start = SteadyClock::now();
  const std::vector<std::string> first = {"a text that loads the model"};
  const std::vector<std::string_view> first_view(first.begin(), first.end());
  for (const auto& result : embedder->embed(first_view, params)) {
    if (!result.ok()) return Error(result.error());
  }
  figures.push_back({"load the model and embed one text", seconds_since(load_start) * 1000, "ms",
                     quipu::format("{} as {}", name, model.precision)});
  const std::vector<std::string> texts = sample_texts(2'048);
  std::size_t done = 0;
  std::uint64_t tokens = 0;
  const auto start = SteadyClock::now();
  while (done + 64 <= texts.size() && seconds_since(start) < 3) {
    const std::vector<std::string_view> batch(
        texts.begin() + static_cast<std::ptrdiff_t>(done),
        texts.begin() + static_cast<std::ptrdiff_t>(done) + 64);
    for (const auto& result : embedder->embed(batch, params)) {
      if (!result.ok()) return Error(result.error());
      tokens += result.value().token_count;
    }
    done += batch.size();
  }
  figures.push_back({"embed texts", static_cast<double>(done) / seconds_since(start), "texts/s",
                     quipu::format("{} texts of {} tokens, by 64", done, tokens / done)});
  return figures;
}

// Vectors of some intrinsic dimension, as texts' are: a random map of few random numbers.
std::vector<std::vector<float>> structured_vectors(std::size_t count, std::size_t dim) {
  constexpr std::size_t kInner = 24;
  const std::vector<float> map = random_rows(dim, kInner, kSeed + 2);
  const std::vector<float> inner = random_rows(count, kInner, kSeed + 3);
  std::vector<std::vector<float>> vectors(count, std::vector<float>(dim));
  const auto dot = simd::kernels().dot;
  for (std::size_t i = 0; i < count; ++i) {
    for (std::size_t j = 0; j < dim; ++j) {
      vectors[i][j] = dot(&inner[i * kInner], &map[j * kInner], kInner);
    }
  }
  return vectors;
}

Status insert_all(Engine& engine, const std::vector<std::vector<float>>& vectors,
                  std::size_t count) {
  constexpr std::size_t kBatch = 100;
  for (std::size_t begin = 0; begin < count; begin += kBatch) {
    UpsertRequest request;
    for (std::size_t i = begin; i < std::min(begin + kBatch, count); ++i) {
      PointWrite point;
      point.id = PointId::number(i);
      point.vectors.push_back({"", vectors[i]});
      request.points.push_back(std::move(point));
    }
    QUIPU_TRY(const WriteResult written,
              engine.upsert("default", "performance", std::move(request)));
    for (const ItemResult& item : written.items) {
      if (item.error) return Error(*item.error);
    }
  }
  return ok_status();
}

// Searches one after another, by the graph and exactly; the share of true neighbours found, and the
// times of the first.
Result<Figure> search_figures(Engine& engine, const std::vector<std::vector<float>>& vectors,
                              std::size_t count, std::vector<Figure>& figures) {
  constexpr std::size_t kHits = 10;
  std::vector<double> times;
  std::size_t found = 0;
  std::size_t wanted = 0;
  for (std::size_t i = count; i < vectors.size(); ++i) {
    SearchRequest request;
    request.vector = vectors[i];
    request.k = kHits;
    request.select = {.payload = false, .text = false};
    const auto start = SteadyClock::now();
    QUIPU_TRY(const SearchResult near, engine.search("default", "performance", request));
    times.push_back(seconds_since(start) * 1e6);
    request.exact = true;
    QUIPU_TRY(const SearchResult exact, engine.search("default", "performance", request));
    wanted += exact.hits.size();
    for (const SearchHit& hit : exact.hits) {
      found += static_cast<std::size_t>(
          std::any_of(near.hits.begin(), near.hits.end(),
                      [&](const SearchHit& other) { return other.point.id == hit.point.id; }));
    }
  }
  const double recall = wanted == 0 ? 0 : static_cast<double>(found) / static_cast<double>(wanted);
  const std::string detail = quipu::format("k {}, {} queries one after another, recall {:.3f}",
                                           kHits, times.size(), recall);
  figures.push_back({"search, median", quantile(times, 0.5), "us", detail});
  figures.push_back({"search, p99", quantile(times, 0.99), "us", detail});
  return Figure{"recall@10", recall, "", "against the exact scan of the same points"};
}

Status engine_figures(const std::string& folder, const PerformanceArguments& arguments,
                      std::vector<Figure>& figures) {
  constexpr std::size_t kQueries = 200;
  const auto open_start = SteadyClock::now();
  QUIPU_TRY(const std::unique_ptr<Engine> engine, Engine::open({.data_dir = folder + "/data"}, {}));
  figures.push_back({"open an empty data folder", seconds_since(open_start) * 1000, "ms", ""});
  CollectionConfig config;
  config.vectors.push_back({.dim = static_cast<std::uint32_t>(arguments.dim)});
  QUIPU_TRY_OK(engine->create_collection("default", "performance", config));
  const auto vectors = structured_vectors(arguments.vectors + kQueries, arguments.dim);
  const auto start = SteadyClock::now();
  QUIPU_TRY_OK(insert_all(*engine, vectors, arguments.vectors));
  const auto count = static_cast<double>(arguments.vectors);
  figures.push_back({"insert, synced", count / seconds_since(start), "points/s",
                     quipu::format("{} points of {} numbers, by 100, one writer", arguments.vectors,
                                   arguments.dim)});
  QUIPU_TRY_OK(engine->wait_linked("default", "performance", std::chrono::seconds(10)));
  figures.push_back({"insert until linked", count / seconds_since(start), "points/s",
                     "until the graph holds them all"});
  QUIPU_TRY(Figure recall, search_figures(*engine, vectors, arguments.vectors, figures));
  figures.push_back(std::move(recall));
  return engine->close(std::chrono::seconds(5));
}

void print_figures(Context& context, const std::vector<Figure>& figures,
                   const std::vector<std::string>& remarks) {
  if (context.json()) {
    std::string text;
    JsonWriter json(text);
    json.begin_object().key("figures").begin_array();
    for (const Figure& figure : figures) {
      json.begin_object().key("name").value(std::string_view(figure.name));
      json.key("value").value(figure.value).key("unit").value(std::string_view(figure.unit));
      json.key("detail").value(std::string_view(figure.detail)).end_object();
    }
    json.end_array().key("remarks").begin_array();
    for (const std::string& remark : remarks) json.value(std::string_view(remark));
    json.end_array().end_object();
    context.print_json(text);
    return;
  }
  Table table({{"what"}, {"value", Align::kRight}, {"unit"}, {"how"}});
  for (const Figure& figure : figures) {
    const int decimals = figure.value < 10 ? 3 : figure.value < 1000 ? 1 : 0;
    table.add({figure.name, fixed(figure.value, decimals), figure.unit, figure.detail});
  }
  table.print(context.streams());
  for (const std::string& remark : remarks) context.note(remark);
}

}  // namespace

int performance(Context& context, const PerformanceArguments& arguments) {
  const Result<const Settings*> settings = context.settings();
  if (!settings.ok()) return context.fail(settings.error());
  const ScratchFolder scratch(settings.value()->engine.data_dir);
  if (scratch.path().empty()) {
    return context.fail({ErrorCode::kIo, "no folder could be made for the trial", "no_scratch"});
  }
  std::vector<Figure> figures;
  std::vector<std::string> remarks;
  figures.push_back(
      {"processors", static_cast<double>(std::thread::hardware_concurrency()), "", ""});
  context.note("distance kernels ...");
  figures.push_back(kernel_rate(256U << 10, arguments.dim, "in the cache"));
  figures.push_back(kernel_rate(256U << 20, arguments.dim, "from memory"));
  context.note("disk ...");
  Result<Figure> sync = fsync_latency(scratch.path());
  if (!sync.ok()) return context.fail(sync.error());
  figures.push_back(std::move(sync).value());
  context.note("engine ...");
  if (const Status done = engine_figures(scratch.path(), arguments, figures); !done.ok()) {
    return context.fail(done.error());
  }
  context.note("embedding ...");
  const Result<std::vector<Figure>> embedding =
      embedding_rate(context, settings.value()->service.default_model);
  if (embedding.ok()) {
    figures.insert(figures.end(), embedding.value().begin(), embedding.value().end());
  } else {
    remarks.push_back("embedding was not measured: " + embedding.error().message);
  }
  remarks.push_back("one run of some seconds: a rough guide to this machine as busy as it is now");
  print_figures(context, figures, remarks);
  return kExitOk;
}

}  // namespace quipu::cli
