#include "quipu/cli/ingest/ingest.h"

#include <algorithm>
#include <chrono>
#include <condition_variable>
#include <deque>
#include <fstream>
#include <map>
#include <memory>
#include <optional>
#include <ostream>
#include <thread>
#include <utility>

#include "quipu/base/file_system.h"
#include "quipu/base/format.h"
#include "quipu/base/quote.h"
#include "quipu/base/thread_annotations.h"
#include "quipu/cli/interrupt.h"
#include "quipu/embed/embedder.h"
#include "quipu/text/documents/document.h"

namespace quipu::cli {
namespace {

using SteadyClock = std::chrono::steady_clock;

constexpr std::size_t kBatchesQueuedMax = 8;
constexpr int kAttemptsMax = 6;
// Files whose earlier versions are looked for with one request.
constexpr std::size_t kStaleFilesMax = 64;
constexpr std::size_t kSkippedShownMax = 10;

// One file on its way: it is in when all its chunks are acknowledged.
struct FileProgress {
  std::string source;
  std::uint64_t bytes = 0;
  std::size_t chunks = 0;
  std::size_t acknowledged = 0;
  bool was_there = false;  // its first chunk replaced one
};

struct PreparedChunk {
  PointId id;
  Chunk chunk;
  std::shared_ptr<FileProgress> file;
  std::string title;
  std::size_t index = 0;
};

using Batch = std::vector<PreparedChunk>;

void write_id(JsonWriter& json, const PointId& id) {
  if (id.is_uuid()) {
    json.value(std::string_view(id.to_string()));
  } else {
    json.value(id.as_number());
  }
}

// The elements of an array, so that they can be walked in a loop of the function's own.
std::vector<JsonView> elements_of(const JsonView& array) {
  std::vector<JsonView> elements;
  array.for_each_element([&](JsonView element) {
    elements.push_back(element);
    return true;
  });
  return elements;
}

std::string upsert_body(const Batch& batch) {
  std::string body;
  JsonWriter json(body);
  json.begin_object().key("points").begin_array();
  for (const PreparedChunk& item : batch) {
    json.begin_object().key("id");
    write_id(json, item.id);
    json.key("text").value(std::string_view(item.chunk.text));
    json.key("payload").begin_object();
    json.key("source").value(std::string_view(item.file->source));
    json.key("title").value(std::string_view(item.title));
    json.key("section").value(std::string_view(item.chunk.section));
    json.key("line").value(static_cast<std::uint64_t>(item.chunk.line));
    json.key("offset").value(static_cast<std::uint64_t>(item.chunk.offset));
    json.key("bytes").value(static_cast<std::uint64_t>(item.chunk.bytes));
    json.key("chunk").value(static_cast<std::uint64_t>(item.index));
    json.key("chunks").value(static_cast<std::uint64_t>(item.file->chunks));
    json.end_object().end_object();
  }
  json.end_array().end_object();
  return body;
}

bool worth_another_try(const Error& error) {
  const bool temporary = error.code == ErrorCode::kResourceExhausted ||
                         error.code == ErrorCode::kUnavailable ||
                         error.code == ErrorCode::kDeadlineExceeded;
  return temporary && error.stable_reason() != "disk_full" &&
         error.stable_reason() != "server_unreachable" &&
         error.stable_reason() != "response_too_large";
}

// Reading, embedding and writing at once: one thread reads and cuts, some send batches, and the
// calling thread watches.
// Threads: the members below the mutex are shared; run() is called once.
class Pipeline {
 public:
  Pipeline(Context& context, const IngestArguments& arguments, ScanResult scan, CutText cut,
           const std::atomic<bool>& stop)
      : context_(context),
        arguments_(arguments),
        scan_(std::move(scan)),
        cut_(std::move(cut)),
        stop_(stop) {
    report_.skipped = std::move(scan_.skipped);
  }

  Result<IngestReport> run();

 private:
  [[nodiscard]] bool ending() const { return stop_.load() || failed_.load(); }
  void read_files();
  Status read_file(const ScannedFile& file, Batch& batch);
  void skip(const ScannedFile& file, const Error& error);
  bool push(Batch& batch);
  std::optional<Batch> pop();
  void send_batches();
  Result<Answer> send_with_retries(const std::string& body);
  Status send(const Batch& batch);
  Status note_receipts(const Batch& batch, const JsonView& items);
  Status remove_stale();
  Status remove_stale_of(const std::vector<std::shared_ptr<FileProgress>>& files);
  void fail(Error error);
  void watch();

  Context& context_;
  const IngestArguments& arguments_;
  ScanResult scan_;
  CutText cut_;
  const std::atomic<bool>& stop_;
  std::atomic<bool> failed_{false};

  Mutex mutex_;
  std::condition_variable changed_;
  std::deque<Batch> queue_ GUARDED_BY(mutex_);
  bool reading_done_ GUARDED_BY(mutex_) = false;
  std::size_t senders_ GUARDED_BY(mutex_) = 0;
  std::optional<Error> error_ GUARDED_BY(mutex_);
  IngestReport report_ GUARDED_BY(mutex_);
  std::uint64_t bytes_done_ GUARDED_BY(mutex_) = 0;
  // Complete files that were there before, whose earlier versions may have been longer.
  std::vector<std::shared_ptr<FileProgress>> replaced_ GUARDED_BY(mutex_);
  std::ofstream receipts_ GUARDED_BY(mutex_);
};

void Pipeline::fail(Error error) {
  const MutexLock lock(mutex_);
  if (!error_) error_ = std::move(error);
  failed_.store(true);
  changed_.notify_all();
}

void Pipeline::skip(const ScannedFile& file, const Error& error) {
  const MutexLock lock(mutex_);
  report_.skipped.push_back({file.source, std::string(error.stable_reason()), error.message});
  bytes_done_ += file.bytes;
}

// Waits for room. False when the work is ending and the batch was dropped.
bool Pipeline::push(Batch& batch) {
  MutexLock lock(mutex_);
  while (queue_.size() >= kBatchesQueuedMax && !ending()) {
    changed_.wait_for(lock.native(), std::chrono::milliseconds(100));
  }
  if (ending()) return false;
  queue_.push_back(std::move(batch));
  batch.clear();
  changed_.notify_all();
  return true;
}

std::optional<Batch> Pipeline::pop() {
  MutexLock lock(mutex_);
  while (queue_.empty() && !reading_done_ && !ending()) {
    changed_.wait_for(lock.native(), std::chrono::milliseconds(100));
  }
  if (queue_.empty() || ending()) return std::nullopt;
  Batch batch = std::move(queue_.front());
  queue_.pop_front();
  changed_.notify_all();
  return batch;
}

Status Pipeline::read_file(const ScannedFile& file, Batch& batch) {
  text::DocumentLimits limits;
  limits.file_bytes_max = arguments_.file_bytes_max;
  QUIPU_TRY(const text::Document document,
            text::read_document(posix_file_system(), file.path, limits));
  QUIPU_TRY(std::vector<Chunk> chunks, make_chunks(document, arguments_.chunks, cut_));
  if (chunks.empty()) {
    return Error{ErrorCode::kInvalidArgument, "it holds no text", "document_empty"};
  }
  const auto progress = std::make_shared<FileProgress>();
  progress->source = file.source;
  progress->bytes = file.bytes;
  progress->chunks = chunks.size();
  for (std::size_t i = 0; i < chunks.size(); ++i) {
    batch.push_back(
        {chunk_point_id(file.source, i), std::move(chunks[i]), progress, document.title, i});
    if (batch.size() >= arguments_.batch_chunks && !push(batch)) return ok_status();
  }
  return ok_status();
}

void Pipeline::read_files() {
  Batch batch;
  for (const ScannedFile& file : scan_.files) {
    if (ending()) break;
    const Status read = read_file(file, batch);
    if (read.ok()) continue;
    // What is wrong with the model is wrong with every file.
    const std::string_view reason = read.error().stable_reason();
    if (reason == "model_not_found" || reason == "model_damaged") {
      fail(read.error());
    } else {
      skip(file, read.error());
    }
  }
  if (!batch.empty() && !ending()) push(batch);
  const MutexLock lock(mutex_);
  reading_done_ = true;
  changed_.notify_all();
}

// A server that is busy says so before anything was written; what was written is written again with
// the same ids, so trying again is safe.
Result<Answer> Pipeline::send_with_retries(const std::string& body) {
  const std::string target = collection_path(arguments_.collection) + "/points";
  auto pause = std::chrono::milliseconds(200);
  for (int attempt = 1;; ++attempt) {
    Result<Answer> answer = context_.call(Context::Need::kWriting, "PUT", target, body);
    const bool again =
        !answer.ok() && attempt < kAttemptsMax && worth_another_try(answer.error()) && !ending();
    if (!again) return answer;
    MutexLock lock(mutex_);
    const auto until = SteadyClock::now() + pause;
    while (SteadyClock::now() < until && !ending()) {
      changed_.wait_until(lock.native(),
                          std::min(until, SteadyClock::now() + std::chrono::milliseconds(100)));
    }
    pause *= 2;
  }
}

Status Pipeline::note_receipts(const Batch& batch, const JsonView& items) {
  if (arguments_.receipts.empty()) return ok_status();
  std::string lines;
  std::size_t at = 0;
  for (const JsonView& item : elements_of(items)) {
    JsonWriter json(lines);
    json.begin_object().key("id");
    write_id(json, batch[at].id);
    json.key("version").value(count_of(item, "version"));
    json.key("collection").value(std::string_view(arguments_.collection));
    json.key("source").value(std::string_view(batch[at].file->source));
    json.key("chunk").value(static_cast<std::uint64_t>(batch[at].index)).end_object();
    lines += '\n';
    ++at;
  }
  const MutexLock lock(mutex_);
  receipts_ << lines;
  receipts_.flush();
  if (receipts_) return ok_status();
  return Error{ErrorCode::kIo,
               quipu::format("cannot write to {}", in_quotes(arguments_.receipts, 4096)),
               "receipts_failed"};
}

Status Pipeline::send(const Batch& batch) {
  QUIPU_TRY(const Answer answer, send_with_retries(upsert_body(batch)));
  const auto items = answer.document ? answer.json().find("items") : std::nullopt;
  if (!items || items->size() != batch.size()) {
    return Error{ErrorCode::kInternal,
                 "the answer to a batch does not list its points; is this a Quipu server?",
                 "unexpected_answer"};
  }
  const std::vector<JsonView> answers = elements_of(*items);
  for (const JsonView& item : answers) {
    // Nothing is asked that could be refused for one point alone: whoever does so is asked why.
    if (const auto refused = item.find("error")) {
      return Error{ErrorCode::kFailedPrecondition, text_of(*refused, "detail"),
                   text_of(*refused, "code")};
    }
  }
  QUIPU_TRY_OK(note_receipts(batch, *items));
  const MutexLock lock(mutex_);
  std::size_t at = 0;
  for (const JsonView& item : answers) {
    const PreparedChunk& chunk = batch[at++];
    FileProgress& file = *chunk.file;
    const bool updated = text_of(item, "outcome") == "updated";
    ++report_.chunks;
    ++(updated ? report_.updated : report_.created);
    report_.truncated += flag_of(item, "truncated") ? 1 : 0;
    report_.tokens += count_of(item, "token_count");
    if (chunk.index == 0) file.was_there = updated;
    if (++file.acknowledged == file.chunks) {
      ++report_.files;
      bytes_done_ += file.bytes;
      if (file.was_there) replaced_.push_back(chunk.file);
    }
  }
  changed_.notify_all();
  return ok_status();
}

void Pipeline::send_batches() {
  while (const std::optional<Batch> batch = pop()) {
    Status sent = send(*batch);
    if (!sent.ok()) fail(std::move(sent).error());
    if (ending()) break;
  }
  const MutexLock lock(mutex_);
  --senders_;
  changed_.notify_all();
}

// A file that was longer once left chunks behind its new end. They follow each other without a gap,
// so the first one tells, and its payload says how many there were.
Status Pipeline::remove_stale_of(const std::vector<std::shared_ptr<FileProgress>>& files) {
  const std::string points = collection_path(arguments_.collection) + "/points";
  std::string body;
  JsonWriter json(body);
  json.begin_object().key("ids").begin_array();
  std::map<std::string, const FileProgress*> by_id;
  for (const auto& file : files) {
    const PointId id = chunk_point_id(file->source, file->chunks);
    by_id.emplace(id.to_string(), file.get());
    write_id(json, id);
  }
  json.end_array().key("with_text").value(false).end_object();
  QUIPU_TRY(const Answer found,
            context_.call(Context::Need::kReading, "POST", points + ":get", std::move(body)));
  std::vector<PointId> stale;
  if (const auto list = found.json().find("points")) {
    list->for_each_element([&](JsonView point) {
      const auto file = by_id.find(id_text(point.find("id")));
      const auto payload = point.find("payload");
      if (file == by_id.end() || !payload) return true;
      const std::uint64_t chunks_before = std::min<std::uint64_t>(
          std::max<std::uint64_t>(count_of(*payload, "chunks"), file->second->chunks + 1),
          1'000'000);
      for (std::uint64_t i = file->second->chunks; i < chunks_before; ++i) {
        stale.push_back(chunk_point_id(file->second->source, i));
      }
      return true;
    });
  }
  constexpr std::size_t kIdsMax = 1'000;
  for (std::size_t begin = 0; begin < stale.size(); begin += kIdsMax) {
    std::string removal;
    JsonWriter list(removal);
    list.begin_object().key("ids").begin_array();
    const std::size_t end = std::min(begin + kIdsMax, stale.size());
    for (std::size_t i = begin; i < end; ++i) write_id(list, stale[i]);
    list.end_array().end_object();
    QUIPU_TRY(const Answer removed, context_.call(Context::Need::kWriting, "POST",
                                                  points + ":delete", std::move(removal)));
    const auto items = removed.json().find("items");
    if (!items) continue;
    std::size_t deleted = 0;
    for (const JsonView& item : elements_of(*items)) {
      deleted += text_of(item, "outcome") == "deleted" ? 1 : 0;
    }
    const MutexLock lock(mutex_);
    report_.removed += deleted;
  }
  return ok_status();
}

Status Pipeline::remove_stale() {
  std::vector<std::shared_ptr<FileProgress>> replaced;
  {
    const MutexLock lock(mutex_);
    replaced.swap(replaced_);
  }
  for (std::size_t begin = 0; begin < replaced.size(); begin += kStaleFilesMax) {
    const std::size_t end = std::min(begin + kStaleFilesMax, replaced.size());
    QUIPU_TRY_OK(remove_stale_of({replaced.begin() + static_cast<std::ptrdiff_t>(begin),
                                  replaced.begin() + static_cast<std::ptrdiff_t>(end)}));
  }
  return ok_status();
}

void Pipeline::watch() {
  ProgressBar bar(context_.streams(), "ingesting", context_.globals().quiet);
  MutexLock lock(mutex_);
  while (senders_ > 0) {
    const ProgressBar::State state{
        .done = bytes_done_, .total = scan_.bytes, .items = report_.chunks, .unit = "chunks"};
    bar.update(state);
    changed_.wait_for(lock.native(), std::chrono::milliseconds(100));
  }
}

Result<IngestReport> Pipeline::run() {
  const auto start = SteadyClock::now();
  {
    const MutexLock lock(mutex_);
    senders_ = arguments_.parallel;
    if (!arguments_.receipts.empty()) {
      receipts_.open(arguments_.receipts, std::ios::app);
      if (!receipts_) {
        return Error{ErrorCode::kIo,
                     quipu::format("cannot open {}", in_quotes(arguments_.receipts, 4096)),
                     "receipts_failed"};
      }
    }
  }
  std::vector<std::thread> threads;
  threads.emplace_back([this] { read_files(); });
  for (std::size_t i = 0; i < arguments_.parallel; ++i) {
    threads.emplace_back([this] { send_batches(); });
  }
  watch();
  for (std::thread& thread : threads) thread.join();
  if (!failed_.load()) {
    if (Status removed = remove_stale(); !removed.ok()) fail(std::move(removed).error());
  }
  const MutexLock lock(mutex_);
  report_.elapsed_s = std::chrono::duration<double>(SteadyClock::now() - start).count();
  report_.interrupted = stop_.load();
  if (error_) {
    error_->message += quipu::format(
        "\n{} chunks of {} whole files were written before that; ingest again to "
        "complete them",
        report_.chunks, report_.files);
    return *std::move(error_);
  }
  return std::move(report_);
}

// ---------------------------------------------------------------- before and after

// The model that embeds the collection's texts. Makes the collection when it is not there.
Result<std::string> prepare_collection(Context& context, const std::string& collection) {
  const std::string path = collection_path(collection);
  Result<Answer> answer = context.call(Context::Need::kWriting, "GET", path);
  if (!answer.ok() && answer.error().code == ErrorCode::kNotFound) {
    QUIPU_TRY(const Settings* const settings, context.settings());
    std::string body;
    JsonWriter(body)
        .begin_object()
        .key("vectors")
        .begin_array()
        .begin_object()
        .key("model")
        .value(std::string_view(settings->service.default_model))
        .end_object()
        .end_array()
        .end_object();
    answer = context.call(Context::Need::kWriting, "PUT", path, std::move(body));
    // Another one was quicker: its collection serves as well.
    if (!answer.ok() && answer.error().code == ErrorCode::kAlreadyExists) {
      answer = context.call(Context::Need::kWriting, "GET", path);
    }
  }
  if (!answer.ok()) return std::move(answer).error();
  std::string model;
  if (const auto vectors = answer.value().json().find("vectors")) {
    vectors->for_each_element([&](JsonView vector) {
      if (model.empty()) model = text_of(vector, "model");
      return true;
    });
  }
  if (!model.empty()) return model;
  return Error{ErrorCode::kFailedPrecondition,
               quipu::format("collection {} has no model, so texts cannot be ingested into it",
                             in_quotes(collection)),
               "collection_without_model"};
}

Status check_arguments(const IngestArguments& arguments) {
  const ChunkOptions& chunks = arguments.chunks;
  if (chunks.overlap_tokens * 2 > chunks.tokens_max) {
    return Error{ErrorCode::kInvalidArgument,
                 quipu::format("--overlap {} is more than half of --chunk-tokens {}",
                               chunks.overlap_tokens, chunks.tokens_max),
                 "overlap_range"};
  }
  return ok_status();
}

void print_json_report(Context& context, const IngestArguments& arguments,
                       const IngestReport& report) {
  std::string text;
  JsonWriter json(text);
  json.begin_object();
  json.key("collection").value(std::string_view(arguments.collection));
  const std::pair<std::string_view, std::uint64_t> counts[] = {
      {"files", report.files},     {"chunks", report.chunks},   {"created", report.created},
      {"updated", report.updated}, {"removed", report.removed}, {"truncated", report.truncated},
      {"tokens", report.tokens}};
  for (const auto& [name, count] : counts) json.key(name).value(count);
  json.key("elapsed_s").value(report.elapsed_s);
  json.key("chunks_per_s")
      .value(report.elapsed_s > 0 ? static_cast<double>(report.chunks) / report.elapsed_s : 0.0);
  json.key("interrupted").value(report.interrupted);
  json.key("chunks_cut_by_estimate").value(report.estimated);
  json.key("skipped").begin_array();
  for (const SkippedFile& file : report.skipped) {
    json.begin_object().key("source").value(std::string_view(file.source));
    json.key("reason").value(std::string_view(file.reason));
    json.key("detail").value(std::string_view(file.detail)).end_object();
  }
  json.end_array().end_object();
  context.print_json(text);
}

void print_skipped(Context& context, const IngestReport& report, bool all) {
  if (report.skipped.empty()) return;
  std::ostream& out = context.out();
  std::map<std::string, std::size_t> by_reason;
  for (const SkippedFile& file : report.skipped) ++by_reason[file.reason];
  out << "skipped " << human_count(report.skipped.size()) << ":";
  for (const auto& [reason, count] : by_reason) out << ' ' << count << ' ' << reason;
  out << '\n';
  const std::size_t shown =
      all ? report.skipped.size() : std::min(report.skipped.size(), kSkippedShownMax);
  for (std::size_t i = 0; i < shown; ++i) {
    out << "  " << printable(report.skipped[i].source) << ": "
        << printable(report.skipped[i].detail) << '\n';
  }
  if (shown < report.skipped.size()) {
    out << "  and " << report.skipped.size() - shown << " more; --verbose lists them\n";
  }
}

void print_report(Context& context, const IngestArguments& arguments, const IngestReport& report) {
  std::ostream& out = context.out();
  const double rate =
      report.elapsed_s > 0 ? static_cast<double>(report.chunks) / report.elapsed_s : 0;
  out << (report.interrupted ? "stopped: " : "") << "ingested " << human_count(report.files)
      << " files as " << human_count(report.chunks) << " chunks (" << human_count(report.tokens)
      << " tokens) into " << printable(arguments.collection) << " in "
      << human_duration(report.elapsed_s) << ", " << fixed(rate, 1) << " chunks/s\n";
  out << "created " << human_count(report.created) << ", replaced " << human_count(report.updated)
      << ", removed " << human_count(report.removed) << ", cut by the model "
      << human_count(report.truncated) << '\n';
  print_skipped(context, report, arguments.verbose);
}

}  // namespace

Result<IngestReport> run_ingest(Context& context, const IngestArguments& arguments,
                                const std::atomic<bool>& stop) {
  QUIPU_TRY_OK(check_arguments(arguments));
  QUIPU_TRY(ScanResult scan, scan_files(arguments.paths, arguments.base));
  QUIPU_TRY(const std::string model, prepare_collection(context, arguments.collection));
  QUIPU_TRY(embed::Embedder* const embedder, context.embedder());
  const bool known = embedder->model(model).ok();
  // Where the data is here, its model must be; a server may have one that is not on this machine.
  QUIPU_TRY(Backend* const backend, context.backend(Context::Need::kWriting));
  if (!known && backend->is_local()) return embedder->model(model).error();
  CutText cut = [&](std::string_view text, std::uint32_t tokens_max, std::uint32_t overlap) {
    return embedder->chunk(model, text, tokens_max, overlap);
  };
  if (!known) {
    context.note("the model " + model + " is not on this machine: chunks are cut by estimate");
    cut = [](std::string_view text, std::uint32_t tokens_max, std::uint32_t overlap) {
      return Result<std::vector<embed::TextChunk>>(cut_by_estimate(text, tokens_max, overlap));
    };
  }
  Pipeline pipeline(context, arguments, std::move(scan), std::move(cut), stop);
  Result<IngestReport> report = pipeline.run();
  if (report.ok()) report.value().estimated = !known;
  return report;
}

int ingest(Context& context, const IngestArguments& arguments) {
  const InterruptGuard guard;
  const Result<IngestReport> done = run_ingest(context, arguments, InterruptGuard::requested());
  if (!done.ok()) return context.fail(done.error());
  const IngestReport& report = done.value();
  if (context.json()) {
    print_json_report(context, arguments, report);
  } else {
    print_report(context, arguments, report);
  }
  if (report.interrupted) return kExitInterrupted;
  if (report.files > 0 || report.skipped.empty()) return kExitOk;
  return kExitUsage;  // there was nothing that can be read
}

}  // namespace quipu::cli
