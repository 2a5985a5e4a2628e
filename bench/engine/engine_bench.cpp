// The engine in process: durable writes, linking under load, opening. Each command is a process of
// its own and prints one JSON object; bench/core.py turns those into rows.
//
//   quipu_engine_bench writer  --dir D --base F.npy --points N --batch B --rounds R
//   quipu_engine_bench clients --dir D --base F.npy --points N --clients C
//   quipu_engine_bench load    --dir D --base F.npy --points N --batch B --queries Q.npy
//   quipu_engine_bench open    --dir D --queries Q.npy --count N --k K
//
// `dir` must not exist for the first three, which leave a data folder there.
#include <algorithm>
#include <atomic>
#include <chrono>
#include <condition_variable>
#include <cstdint>
#include <iostream>
#include <memory>
#include <mutex>
#include <string>
#include <thread>
#include <utility>
#include <vector>

#include "bench/common/measure.h"
#include "bench/common/npy.h"
#include "quipu/base/file_system.h"
#include "quipu/base/json.h"
#include "quipu/base/rng.h"
#include "quipu/engine.h"

namespace quipu::bench {
namespace {

constexpr const char* kTenant = "default";
constexpr const char* kCollection = "bench";
constexpr std::size_t kPayloadBytes = 200;
constexpr std::chrono::milliseconds kPatience = std::chrono::minutes(30);
constexpr std::chrono::milliseconds kWriteTimeout = std::chrono::minutes(5);

// A JSON object of exactly kPayloadBytes whose letters hardly compress.
std::string payload_of(std::size_t row) {
  std::string payload = R"({"row":)" + std::to_string(row) + R"(,"text":")";
  Rng rng(row);
  while (payload.size() < kPayloadBytes - 2) {
    payload += static_cast<char>('a' + rng.below(26));
  }
  return payload += "\"}";
}

PointWrite point_of(const NpyMatrix& base, std::size_t row) {
  const std::span<const float> values = base.row(row % base.rows());
  PointWrite point;
  point.id = PointId::number(row);
  point.vectors.push_back({"", {values.begin(), values.end()}});
  point.payload = payload_of(row);
  return point;
}

std::uint64_t user_bytes(std::size_t points, std::size_t dim) {
  return points * (dim * sizeof(float) + kPayloadBytes);
}

Result<std::unique_ptr<Engine>> open_engine(const std::string& dir) {
  EngineOptions options;
  options.data_dir = dir;
  options.query_cache_entries = 0;  // searching is measured, not remembering
  return Engine::open(options, {});
}

// A new engine with an empty collection that acknowledges after fsync.
Result<std::unique_ptr<Engine>> create(const std::string& dir, std::size_t dim) {
  QUIPU_TRY(std::unique_ptr<Engine> engine, open_engine(dir));
  CollectionConfig config;
  config.vectors = {{.name = "", .dim = static_cast<std::uint32_t>(dim), .model = ""}};
  config.durability = Durability::kSync;
  QUIPU_TRY_OK(engine->create_collection(kTenant, kCollection, config));
  return engine;
}

// Writes points [first, first + count) in one request and checks its answer.
Status write(Engine& engine, const NpyMatrix& base, std::size_t first, std::size_t count) {
  UpsertRequest request;
  request.params.timeout = kWriteTimeout;
  for (std::size_t row = first; row < first + count; ++row) {
    request.points.push_back(point_of(base, row));
  }
  QUIPU_TRY(const WriteResult result, engine.upsert(kTenant, kCollection, std::move(request)));
  bool all_created = result.durable && result.items.size() == count;
  for (const ItemResult& item : result.items) {
    all_created = all_created && item.outcome == ItemOutcome::kCreated;
  }
  if (!all_created) {
    return Error{ErrorCode::kInternal, "a write of " + std::to_string(count) +
                                           " new points was not acknowledged as durable"};
  }
  return ok_status();
}

Status expect_count(Engine& engine, std::uint64_t points) {
  QUIPU_TRY(const std::uint64_t count, engine.count(kTenant, kCollection, {}));
  if (count == points) return ok_status();
  return Error{ErrorCode::kInternal, "the collection counts " + std::to_string(count) + " of " +
                                         std::to_string(points) + " points"};
}

double seconds_since(std::int64_t start_ns) {
  return static_cast<double>(wall_ns() - start_ns) / 1e9;
}

// ---------------------------------------------------------------- one writer

// What the disk allows: appends of as many bytes as a batch holds, each followed by a sync.
Result<double> sync_bound_s(const std::string& path, std::size_t syncs, std::size_t bytes) {
  QUIPU_TRY(const std::unique_ptr<WritableFile> file,
            posix_file_system().open_writable(path, OpenMode::kTruncate));
  const std::vector<std::byte> block(bytes, std::byte{0x5a});
  const std::int64_t start = wall_ns();
  for (std::size_t i = 0; i < syncs; ++i) {
    QUIPU_TRY_OK(file->append(block));
    QUIPU_TRY_OK(file->sync());
  }
  const double seconds = seconds_since(start);
  QUIPU_TRY_OK(file->close());
  QUIPU_TRY_OK(posix_file_system().remove_file(path));
  return seconds;
}

Status run_writer(const Flags& flags, JsonWriter& out) {
  QUIPU_TRY(const std::string dir, flags.text("dir"));
  QUIPU_TRY(const std::string base_path, flags.text("base"));
  QUIPU_TRY(const std::uint64_t points, flags.number("points"));
  QUIPU_TRY(const std::uint64_t batch, flags.number("batch"));
  QUIPU_TRY(const std::uint64_t rounds, flags.number("rounds"));
  QUIPU_TRY(const NpyMatrix base, NpyMatrix::map(base_path));
  const std::size_t batches = points / batch / rounds;
  if (batches == 0) return Error{ErrorCode::kInvalidArgument, "fewer points than batch * rounds"};
  QUIPU_TRY(const std::unique_ptr<Engine> engine, create(dir, base.dim()));
  out.key("rounds").begin_array();
  std::size_t next = 0;
  for (std::size_t round = 0; round < rounds; ++round) {
    QUIPU_TRY(const double bound,
              sync_bound_s(dir + ".sync", batches, user_bytes(batch, base.dim())));
    const std::int64_t cpu = process_cpu_ns();
    const std::int64_t start = wall_ns();
    for (std::size_t i = 0; i < batches; ++i, next += batch) {
      QUIPU_TRY_OK(write(*engine, base, next, batch));
    }
    const double seconds = seconds_since(start);
    const auto written = static_cast<double>(batches * batch);
    out.begin_object();
    out.key("points_per_s").value(written / seconds);
    out.key("bound_points_per_s").value(written / bound);
    out.key("sync_ms").value(bound * 1e3 / static_cast<double>(batches));
    out.key("cpu_us_per_point").value(static_cast<double>(process_cpu_ns() - cpu) / 1e3 / written);
    out.end_object();
  }
  out.end_array();
  QUIPU_TRY_OK(expect_count(*engine, next));
  return engine->close(kPatience);
}

// ---------------------------------------------------------------- many clients

Status run_clients(const Flags& flags, JsonWriter& out) {
  QUIPU_TRY(const std::string dir, flags.text("dir"));
  QUIPU_TRY(const std::string base_path, flags.text("base"));
  QUIPU_TRY(const std::uint64_t points, flags.number("points"));
  QUIPU_TRY(const std::uint64_t clients, flags.number("clients"));
  QUIPU_TRY(const NpyMatrix base, NpyMatrix::map(base_path));
  QUIPU_TRY(const std::unique_ptr<Engine> engine, create(dir, base.dim()));
  std::atomic<std::size_t> next = 0;
  std::mutex mutex;
  std::vector<double> latencies_ms;
  Status failure = ok_status();
  const std::int64_t cpu = process_cpu_ns();
  const std::int64_t start = wall_ns();
  std::vector<std::thread> threads;
  for (std::size_t client = 0; client < clients; ++client) {
    threads.emplace_back([&] {
      std::vector<double> mine;
      for (std::size_t row = next++; row < points; row = next++) {
        const std::int64_t begin = wall_ns();
        Status written = write(*engine, base, row, 1);
        mine.push_back(static_cast<double>(wall_ns() - begin) / 1e6);
        if (!written.ok()) {
          const std::lock_guard lock(mutex);
          failure = std::move(written);
          return;
        }
      }
      const std::lock_guard lock(mutex);
      latencies_ms.insert(latencies_ms.end(), mine.begin(), mine.end());
    });
  }
  for (std::thread& thread : threads) thread.join();
  const double seconds = seconds_since(start);
  if (!failure.ok()) return failure;
  if (latencies_ms.size() != points) return Error{ErrorCode::kInternal, "writes are missing"};
  QUIPU_TRY_OK(expect_count(*engine, points));
  out.key("points_per_s").value(static_cast<double>(points) / seconds);
  out.key("p50_ms").value(quantile(latencies_ms, 0.50));
  out.key("p99_ms").value(quantile(latencies_ms, 0.99));
  out.key("cpu_us_per_point")
      .value(static_cast<double>(process_cpu_ns() - cpu) / 1e3 / static_cast<double>(points));
  return engine->close(kPatience);
}

// ---------------------------------------------------------------- load, with a reader beside it

// Searches a hundred times a second until stopped, noting how large the tail was each time.
class Reader {
 public:
  struct Sample {
    std::uint64_t tail_rows = 0;
    double ms = 0;
  };

  Reader(Engine& engine, const NpyMatrix& queries) : engine_(engine), queries_(queries) {
    thread_ = std::thread([this] { run(); });
  }
  ~Reader() { stop(); }
  Reader(const Reader&) = delete;
  Reader& operator=(const Reader&) = delete;

  void stop() {
    {
      const std::lock_guard lock(mutex_);
      stopped_ = true;
    }
    wake_.notify_all();
    if (thread_.joinable()) thread_.join();
  }
  // After stop().
  [[nodiscard]] const std::vector<Sample>& samples() const { return samples_; }
  [[nodiscard]] Status take_status() { return std::move(status_); }

 private:
  static constexpr std::chrono::milliseconds kPace{10};
  static constexpr std::size_t kHits = 10;

  void run() {
    std::unique_lock lock(mutex_);
    for (std::size_t i = 0; !stopped_; ++i) {
      lock.unlock();
      Status searched = search(i % queries_.rows());
      lock.lock();
      if (!searched.ok()) {
        status_ = std::move(searched);
        return;
      }
      wake_.wait_for(lock, kPace, [this] { return stopped_; });
    }
  }

  Status search(std::size_t row) {
    SearchRequest request;
    request.vector.assign(queries_.row(row).begin(), queries_.row(row).end());
    request.k = kHits;
    request.explain = true;
    const std::int64_t start = wall_ns();
    QUIPU_TRY(const SearchResult result, engine_.search(kTenant, kCollection, request));
    const double ms = static_cast<double>(wall_ns() - start) / 1e6;
    if (result.hits.size() != kHits || !result.explain) {
      return Error{ErrorCode::kInternal, "a search beside the writer found " +
                                             std::to_string(result.hits.size()) + " of " +
                                             std::to_string(kHits) + " points"};
    }
    samples_.push_back({result.explain->tail_rows, ms});
    return ok_status();
  }

  Engine& engine_;
  const NpyMatrix& queries_;
  std::mutex mutex_;
  std::condition_variable wake_;
  bool stopped_ = false;
  Status status_ = ok_status();
  std::vector<Sample> samples_;
  std::thread thread_;
};

// The p99 of the searches whose tail was at least nine tenths of the largest seen.
Status report_largest_tail(std::vector<Reader::Sample> samples, JsonWriter& out) {
  constexpr std::size_t kEnough = 20;
  std::uint64_t largest = 0;
  for (const Reader::Sample& sample : samples) largest = std::max(largest, sample.tail_rows);
  std::vector<double> at_largest;
  for (const Reader::Sample& sample : samples) {
    if (sample.tail_rows * 10 >= largest * 9) at_largest.push_back(sample.ms);
  }
  if (at_largest.size() < kEnough) {
    // A tail that shrinks too fast for the window: the searches with the largest tails instead.
    if (samples.size() < kEnough) {
      return Error{ErrorCode::kInternal,
                   "only " + std::to_string(samples.size()) + " searches ran beside the writer"};
    }
    std::sort(samples.begin(), samples.end(),
              [](const auto& a, const auto& b) { return a.tail_rows > b.tail_rows; });
    at_largest.clear();
    for (std::size_t i = 0; i < kEnough; ++i) at_largest.push_back(samples[i].ms);
  }
  out.key("largest_tail").value(largest);
  out.key("searches_at_largest_tail").value(static_cast<std::uint64_t>(at_largest.size()));
  out.key("p50_ms_at_largest_tail").value(quantile(at_largest, 0.50));
  out.key("p99_ms_at_largest_tail").value(quantile(at_largest, 0.99));
  return ok_status();
}

// What reached the disk, by the kernel's account and by the engine's own.
void report_bytes(Engine& engine, std::uint64_t written_before, std::uint64_t user,
                  JsonWriter& out) {
  const std::uint64_t written = proc_number("/proc/self/io", "write_bytes:") - written_before;
  const EngineStatus status = engine.status();
  out.key("user_bytes").value(user);
  out.key("kernel_written_bytes").value(written);
  out.key("engine_written_bytes").value(status.file_bytes_written);
  out.key("disk_bytes").value(status.disk_bytes);
}

Status run_load(const Flags& flags, JsonWriter& out) {
  QUIPU_TRY(const std::string dir, flags.text("dir"));
  QUIPU_TRY(const std::string base_path, flags.text("base"));
  QUIPU_TRY(const std::string queries_path, flags.text("queries"));
  QUIPU_TRY(const std::uint64_t points, flags.number("points"));
  QUIPU_TRY(const std::uint64_t batch, flags.number("batch"));
  QUIPU_TRY(const NpyMatrix base, NpyMatrix::map(base_path));
  QUIPU_TRY(const NpyMatrix queries, NpyMatrix::map(queries_path));
  QUIPU_TRY(const std::unique_ptr<Engine> engine, create(dir, base.dim()));
  const std::uint64_t written_before = proc_number("/proc/self/io", "write_bytes:");
  const std::int64_t cpu = process_cpu_ns();
  const std::int64_t start = wall_ns();
  QUIPU_TRY_OK(write(*engine, base, 0, std::min(batch, points)));
  Reader reader(*engine, queries);
  for (std::size_t first = batch; first < points; first += batch) {
    QUIPU_TRY_OK(write(*engine, base, first, std::min<std::size_t>(batch, points - first)));
  }
  out.key("acknowledged_s").value(seconds_since(start));
  QUIPU_TRY_OK(engine->wait_linked(kTenant, kCollection, kPatience));
  out.key("linked_s").value(seconds_since(start));
  out.key("cpu_s").value(static_cast<double>(process_cpu_ns() - cpu) / 1e9);
  reader.stop();
  QUIPU_TRY_OK(reader.take_status());
  QUIPU_TRY_OK(report_largest_tail(reader.samples(), out));
  QUIPU_TRY_OK(expect_count(*engine, points));
  QUIPU_TRY_OK(engine->checkpoint());
  report_bytes(*engine, written_before, user_bytes(points, base.dim()), out);
  return engine->close(kPatience);
}

// ---------------------------------------------------------------- open

Status run_open(const Flags& flags, JsonWriter& out) {
  QUIPU_TRY(const std::string dir, flags.text("dir"));
  QUIPU_TRY(const std::string queries_path, flags.text("queries"));
  QUIPU_TRY(const std::uint64_t count, flags.number("count"));
  QUIPU_TRY(const std::uint64_t k, flags.number("k"));
  QUIPU_TRY(const NpyMatrix queries, NpyMatrix::map(queries_path));
  if (count == 0 || count > queries.rows()) {
    return Error{ErrorCode::kInvalidArgument, "--count is beyond the queries"};
  }
  SearchRequest request;
  request.k = k;
  request.select = {.payload = true, .text = false, .vectors = false};
  request.explain = true;
  request.vector.assign(queries.row(0).begin(), queries.row(0).end());
  const std::int64_t cpu = process_cpu_ns();
  const std::int64_t start = wall_ns();
  QUIPU_TRY(const std::unique_ptr<Engine> engine, open_engine(dir));
  out.key("open_ms").value(seconds_since(start) * 1e3);
  QUIPU_TRY(SearchResult result, engine->search(kTenant, kCollection, request));
  out.key("first_answer_ms").value(seconds_since(start) * 1e3);
  out.key("cpu_ms").value(static_cast<double>(process_cpu_ns() - cpu) / 1e6);
  out.key("storage_scan").value(result.explain && result.explain->storage_scan);
  const Memory memory = resident_memory();
  out.key("anonymous_bytes").value(memory.anonymous_bytes);
  out.key("file_bytes").value(memory.file_bytes);
  // Not part of the time: enough answers to know that what was opened is the whole collection.
  out.key("ids").begin_array();
  for (std::size_t i = 0; i < count; ++i) {
    if (i != 0) {
      request.vector.assign(queries.row(i).begin(), queries.row(i).end());
      QUIPU_TRY(result, engine->search(kTenant, kCollection, request));
    }
    out.begin_array();
    for (const SearchHit& hit : result.hits) {
      if (hit.point.payload.size() != kPayloadBytes) {
        return Error{ErrorCode::kInternal, "a hit came without its payload"};
      }
      out.value(hit.point.id.as_number());
    }
    out.end_array();
  }
  out.end_array();
  return engine->close(kPatience);
}

Status run(std::string_view command, std::span<const char* const> arguments, JsonWriter& out) {
  QUIPU_TRY(const Flags flags, Flags::parse(arguments));
  if (command == "writer") return run_writer(flags, out);
  if (command == "clients") return run_clients(flags, out);
  if (command == "load") return run_load(flags, out);
  if (command == "open") return run_open(flags, out);
  return Error{ErrorCode::kInvalidArgument, "unknown command '" + std::string(command) + "'"};
}

}  // namespace
}  // namespace quipu::bench

int main(int argc, char** argv) {
  const std::vector<const char*> arguments(argv + std::min(argc, 2), argv + argc);
  std::string text;
  quipu::JsonWriter out(text);
  out.begin_object();
  const quipu::Status status = quipu::bench::run(argc > 1 ? argv[1] : "", arguments, out);
  if (!status.ok()) {
    std::cerr << "quipu_engine_bench: " << status.error().message << '\n';
    return 1;
  }
  out.end_object();
  std::cout << text << '\n';
  return 0;
}
