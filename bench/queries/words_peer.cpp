#include "bench/queries/words_peer.h"

#include <malloc.h>

#include <string_view>
#include <vector>

#include "bench/common/measure.h"
#include "bench/common/serve.h"

namespace quipu::bench {
namespace {

Result<std::string> build(WordsPeer& peer, JsonView request) {
  QUIPU_TRY(const std::string path, text_of(request, "texts"));
  QUIPU_TRY(const std::uint64_t count, number_of(request, "count"));
  QUIPU_TRY(const std::string work_dir, text_of(request, "work_dir"));
  std::ifstream texts(path);
  if (!texts) return Error{ErrorCode::kIo, "cannot read '" + path + "'"};
  const Memory before = resident_memory();
  const std::int64_t wall = wall_ns();
  const std::int64_t cpu = process_cpu_ns();
  QUIPU_TRY_OK(peer.build(texts, count, work_dir));
  const std::int64_t taken = wall_ns() - wall;
  const std::int64_t spent = process_cpu_ns() - cpu;
  ::malloc_trim(0);
  const Memory after = resident_memory();
  std::string reply;
  JsonWriter writer(reply);
  writer.begin_object();
  writer.key("rows").value(count);
  writer.key("wall_ns").value(taken);
  writer.key("cpu_ns").value(spent);
  writer.key("anonymous_bytes")
      .value(static_cast<std::int64_t>(after.anonymous_bytes) -
             static_cast<std::int64_t>(before.anonymous_bytes));
  peer.about(writer);
  writer.end_object();
  return reply;
}

struct Answers {
  std::vector<std::uint32_t> ids;  // k for each query, in order, as `scores`
  std::vector<float> scores;
  std::vector<std::size_t> counts;  // filled of the k
  std::vector<std::int64_t> wall_ns;
  std::vector<std::int64_t> cpu_ns;
};

Result<Answers> run_queries(WordsPeer& peer, const std::vector<std::string>& queries,
                            std::size_t k) {
  Answers answers;
  answers.ids.resize(queries.size() * k);
  answers.scores.resize(queries.size() * k);
  answers.counts.resize(queries.size());
  answers.wall_ns.resize(queries.size());
  answers.cpu_ns.resize(queries.size());
  std::int64_t last_cpu = thread_cpu_ns();
  std::int64_t last = wall_ns();
  for (std::size_t i = 0; i < queries.size(); ++i) {
    QUIPU_TRY(answers.counts[i], peer.search(queries[i], std::span(answers.ids).subspan(i * k, k),
                                             std::span(answers.scores).subspan(i * k, k)));
    const std::int64_t now = wall_ns();
    const std::int64_t cpu = thread_cpu_ns();
    answers.wall_ns[i] = now - last;
    answers.cpu_ns[i] = cpu - last_cpu;
    last_cpu = cpu;
    last = wall_ns();  // Not `now`: reading the CPU clock is a system call.
  }
  return answers;
}

template <typename Values>
void write_list(JsonWriter& writer, const char* name, const Values& values) {
  writer.key(name).begin_array();
  for (const auto& each : values) writer.value(each);
  writer.end_array();
}

template <typename Values>
void write_lists(JsonWriter& writer, const char* name, const Values& values,
                 const std::vector<std::size_t>& counts, std::size_t k) {
  writer.key(name).begin_array();
  for (std::size_t i = 0; i < counts.size(); ++i) {
    writer.begin_array();
    for (std::size_t j = 0; j < counts[i]; ++j) writer.value(values[i * k + j]);
    writer.end_array();
  }
  writer.end_array();
}

Result<std::string> run(WordsPeer& peer, JsonView request) {
  QUIPU_TRY(const std::string path, text_of(request, "queries"));
  QUIPU_TRY(const std::uint64_t k, number_of(request, "k"));
  std::ifstream in(path);
  std::vector<std::string> queries;
  for (std::string line; std::getline(in, line);) queries.push_back(line);
  if (queries.empty() || k == 0) {
    return Error{ErrorCode::kInvalidArgument, "no query in '" + path + "', or no k"};
  }
  QUIPU_TRY(const Answers answers, run_queries(peer, queries, k));
  std::string reply;
  JsonWriter writer(reply);
  writer.begin_object();
  write_list(writer, "wall_ns", answers.wall_ns);
  write_list(writer, "cpu_each_ns", answers.cpu_ns);
  write_lists(writer, "ids", answers.ids, answers.counts, k);
  write_lists(writer, "scores", answers.scores, answers.counts, k);
  writer.end_object();
  return reply;
}

}  // namespace

int serve_words(WordsPeer& peer) {
  return serve([&peer](std::string_view op, JsonView request) -> Result<std::string> {
    if (op == "build") return build(peer, request);
    if (op == "run") return run(peer, request);
    return unknown_op(op);
  });
}

}  // namespace quipu::bench
