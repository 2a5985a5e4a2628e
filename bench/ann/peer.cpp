#include "bench/ann/peer.h"

#include <malloc.h>

#include <string>
#include <string_view>
#include <vector>

#include "bench/common/measure.h"
#include "bench/common/serve.h"

namespace quipu::bench {
namespace {

Result<std::string> build(AnnPeer& peer, JsonView request) {
  QUIPU_TRY(const std::string path, text_of(request, "base"));
  QUIPU_TRY(const std::uint64_t rows, number_of(request, "rows"));
  QUIPU_TRY(const std::uint64_t threads, number_of(request, "threads"));
  QUIPU_TRY(const std::uint64_t m, number_of(request, "m"));
  QUIPU_TRY(const std::uint64_t ef_construction, number_of(request, "ef_construction"));
  QUIPU_TRY(const std::string work_dir, text_of(request, "work_dir"));
  const Memory before = resident_memory();
  const std::int64_t wall = wall_ns();
  const std::int64_t cpu = process_cpu_ns();
  {
    QUIPU_TRY(const NpyMatrix base, NpyMatrix::map(path));
    if (rows == 0 || rows > base.rows()) {
      return Error{ErrorCode::kInvalidArgument,
                   "rows " + std::to_string(rows) + " of " + std::to_string(base.rows())};
    }
    QUIPU_TRY_OK(peer.build(base, {.rows = rows,
                                   .threads = threads,
                                   .m = static_cast<std::uint32_t>(m),
                                   .ef_construction = static_cast<std::uint32_t>(ef_construction),
                                   .work_dir = work_dir}));
  }
  const std::int64_t cpu_end = process_cpu_ns();
  const std::int64_t wall_end = wall_ns();
  ::malloc_trim(0);  // What the build no longer needs is not the index's memory.
  const Memory after = resident_memory();
  std::string reply;
  JsonWriter writer(reply);
  writer.begin_object();
  writer.key("rows").value(rows);
  writer.key("cpu_ns").value(cpu_end - cpu);
  writer.key("wall_ns").value(wall_end - wall);
  writer.key("anonymous_bytes")
      .value(static_cast<std::int64_t>(after.anonymous_bytes) -
             static_cast<std::int64_t>(before.anonymous_bytes));
  writer.key("file_bytes").value(after.file_bytes);
  writer.end_object();
  return reply;
}

struct Answers {
  std::vector<std::uint32_t> ids;     // k for each query, in order
  std::vector<std::size_t> counts;    // filled of the k
  std::vector<std::int64_t> wall_ns;  // of each query
  std::vector<std::int64_t> cpu_ns;   // of each query, for what a busy neighbour does to wall time
  std::int64_t cpu_total_ns = 0;
};

Result<Answers> run_queries(AnnPeer& peer, const NpyMatrix& queries, std::size_t count,
                            std::size_t k) {
  Answers answers;
  answers.ids.resize(count * k);
  answers.counts.resize(count);
  answers.wall_ns.resize(count);
  answers.cpu_ns.resize(count);
  const std::int64_t first_cpu = thread_cpu_ns();
  std::int64_t last_cpu = first_cpu;
  std::int64_t last = wall_ns();
  for (std::size_t i = 0; i < count; ++i) {
    QUIPU_TRY(answers.counts[i],
              peer.search(queries.row(i), std::span(answers.ids).subspan(i * k, k)));
    const std::int64_t now = wall_ns();
    const std::int64_t cpu = thread_cpu_ns();
    answers.wall_ns[i] = now - last;
    answers.cpu_ns[i] = cpu - last_cpu;
    last_cpu = cpu;
    last = wall_ns();  // Not `now`: reading the CPU clock is a system call.
  }
  answers.cpu_total_ns = last_cpu - first_cpu;
  return answers;
}

Result<std::string> run(AnnPeer& peer, JsonView request) {
  QUIPU_TRY(const std::string path, text_of(request, "queries"));
  QUIPU_TRY(const std::uint64_t count, number_of(request, "count"));
  QUIPU_TRY(const std::uint64_t k, number_of(request, "k"));
  QUIPU_TRY(const NpyMatrix queries, NpyMatrix::map(path));
  if (count == 0 || count > queries.rows() || k == 0) {
    return Error{ErrorCode::kInvalidArgument, "count or k out of range"};
  }
  // The pages of the queries are read before the clock starts.
  float touched = 0;
  for (std::size_t i = 0; i < count; ++i) touched += queries.row(i)[0];
  if (!(touched == touched)) return Error{ErrorCode::kInvalidArgument, "a query holds a NaN"};
  QUIPU_TRY(const Answers answers, run_queries(peer, queries, count, k));
  std::string reply;
  JsonWriter writer(reply);
  writer.begin_object();
  writer.key("cpu_ns").value(answers.cpu_total_ns);
  writer.key("wall_ns").begin_array();
  for (const std::int64_t each : answers.wall_ns) writer.value(each);
  writer.end_array();
  writer.key("cpu_each_ns").begin_array();
  for (const std::int64_t each : answers.cpu_ns) writer.value(each);
  writer.end_array();
  writer.key("ids").begin_array();
  for (std::size_t i = 0; i < count; ++i) {
    writer.begin_array();
    for (std::size_t j = 0; j < answers.counts[i]; ++j) writer.value(answers.ids[i * k + j]);
    writer.end_array();
  }
  writer.end_array();
  writer.end_object();
  return reply;
}

}  // namespace

int serve_ann(AnnPeer& peer) {
  return serve([&peer](std::string_view op, JsonView request) -> Result<std::string> {
    if (op == "build") return build(peer, request);
    if (op == "run") return run(peer, request);
    if (op != "set") return unknown_op(op);
    QUIPU_TRY(const std::uint64_t ef, number_of(request, "ef"));
    QUIPU_TRY_OK(peer.set_effort(static_cast<std::uint32_t>(ef)));
    return std::string("{}");
  });
}

}  // namespace quipu::bench
