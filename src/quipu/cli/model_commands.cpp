#include <algorithm>
#include <array>
#include <chrono>
#include <cmath>
#include <ostream>

#include "quipu/base/format.h"
#include "quipu/base/quote.h"
#include "quipu/cli/commands.h"
#include "quipu/simd/distance_kernels.h"

namespace quipu::cli {
namespace {

using SteadyClock = std::chrono::steady_clock;

void write_model(JsonWriter& json, const embed::ModelInfo& model, bool is_default) {
  json.begin_object().key("name").value(std::string_view(model.name));
  json.key("revision").value(std::string_view(model.revision));
  json.key("path").value(std::string_view(model.path));
  json.key("architecture").value(std::string_view(model.architecture));
  json.key("format").value(std::string_view(model.format));
  json.key("task").value(std::string_view(model.task));
  json.key("dim").value(model.dim).key("tokens_max").value(model.tokens_max);
  json.key("pooling").value(std::string_view(model.pooling));
  json.key("normalised").value(model.normalised);
  json.key("query_prefix").value(std::string_view(model.query_prefix));
  json.key("passage_prefix").value(std::string_view(model.passage_prefix));
  json.key("precision").value(std::string_view(model.precision));
  json.key("file_bytes").value(model.file_bytes);
  json.key("default").value(is_default).end_object();
}

// One thing that was looked at.
struct Check {
  std::string name;
  bool passed = false;
  std::string detail;
};

double length_of(const std::vector<float>& vector) {
  double sum = 0;
  for (const float value : vector) sum += static_cast<double>(value) * static_cast<double>(value);
  return std::sqrt(sum);
}

// Whether the vectors are what a model of texts gives: right size, finite, the same for the same
// text, and nearer for texts that say the same.
std::vector<Check> check_vectors(const embed::ModelInfo& model,
                                 const std::vector<std::vector<float>>& vectors) {
  std::vector<Check> checks;
  const bool sizes = std::all_of(vectors.begin(), vectors.end(),
                                 [&](const auto& v) { return v.size() == model.dim; });
  checks.push_back({"dimension", sizes, quipu::format("{} numbers", model.dim)});
  const bool finite = std::all_of(vectors.begin(), vectors.end(),
                                  [](const auto& v) { return simd::all_finite(v); });
  checks.push_back({"finite", finite, "no NaN, no infinity"});
  if (!sizes || !finite) return checks;
  const double length = length_of(vectors[0]);
  checks.push_back({"length", !model.normalised || std::abs(length - 1) < 1e-3,
                    quipu::format("{:.4f}{}", length, model.normalised ? ", 1 is due" : "")});
  const auto cosine = [&](std::size_t a, std::size_t b) {
    return simd::kernels().cosine(vectors[a].data(), vectors[b].data(), model.dim);
  };
  checks.push_back(
      {"same text twice", cosine(0, 3) > 0.9999F, quipu::format("cosine {:.5f}", cosine(0, 3))});
  checks.push_back({"meaning", cosine(0, 1) > cosine(0, 2),
                    quipu::format("cosine {:.3f} to the same said differently, {:.3f} to another "
                                  "matter",
                                  cosine(0, 1), cosine(0, 2))});
  return checks;
}

int print_checks(Context& context, const embed::ModelInfo& model,
                 const std::vector<Check>& checks) {
  const bool all =
      std::all_of(checks.begin(), checks.end(), [](const Check& check) { return check.passed; });
  if (context.json()) {
    std::string text;
    JsonWriter json(text);
    json.begin_object().key("name").value(std::string_view(model.name));
    json.key("passed").value(all).key("checks").begin_array();
    for (const Check& check : checks) {
      json.begin_object().key("name").value(std::string_view(check.name));
      json.key("passed").value(check.passed);
      json.key("detail").value(std::string_view(check.detail)).end_object();
    }
    json.end_array().end_object();
    context.print_json(text);
  } else {
    Table table({{"check"}, {"result"}, {"detail"}});
    for (const Check& check : checks) {
      table.add({check.name, check.passed ? "ok" : "FAILED", check.detail});
    }
    table.print(context.streams());
  }
  return all ? kExitOk : kExitFailure;
}

Result<std::string> name_or_default(Context& context, const std::string& name) {
  if (!name.empty()) return name;
  QUIPU_TRY(const Settings* const settings, context.settings());
  return settings->service.default_model;
}

// Whether scores are what a reranker gives: finite, the same for the same pair, and higher for the
// text that answers.
Result<std::vector<Check>> check_scores(embed::Embedder& embedder, const std::string& model) {
  constexpr std::string_view kQuestion = "Where is the car parked?";
  constexpr std::array<std::string_view, 3> kAnswers = {"The car is parked behind the station.",
                                                        "Whisk the eggs with a pinch of salt.",
                                                        "The car is parked behind the station."};
  const auto start = SteadyClock::now();
  const auto scored = embedder.score(kQuestion, kAnswers, {.model = model});
  const double load_s = seconds_since(start);
  std::vector<float> logits;
  for (const Result<embed::PairScore>& score : scored) {
    if (!score.ok()) return score.error();
    logits.push_back(score.value().logit);
  }
  const std::string shown =
      quipu::format("{:.3f} and {:.3f}", embed::relevance(logits[0]), embed::relevance(logits[1]));
  return std::vector<Check>{
      {"loads", true,
       quipu::format("{:.0f} ms to load and score {} pairs", load_s * 1000, kAnswers.size())},
      {"finite",
       std::all_of(logits.begin(), logits.end(), [](float v) { return std::isfinite(v); }),
       "no NaN, no infinity"},
      {"repeatable", logits[0] == logits[2], "the same pair, the same score"},
      {"meaning", logits[0] > logits[1], shown + " for what answers and what does not"}};
}

}  // namespace

int model_list(Context& context) {
  const Result<const Settings*> settings = context.settings();
  if (!settings.ok()) return context.fail(settings.error());
  const Result<embed::Embedder*> opened = context.embedder();
  if (!opened.ok()) return context.fail(opened.error());
  embed::Embedder* const embedder = opened.value();
  const std::vector<embed::ModelInfo> models = embedder->models();
  const std::string& usual = settings.value()->service.default_model;
  if (context.json()) {
    std::string text;
    JsonWriter json(text);
    json.begin_object().key("models").begin_array();
    for (const embed::ModelInfo& model : models) write_model(json, model, model.name == usual);
    json.end_array().end_object();
    context.print_json(text);
    return kExitOk;
  }
  Table table({{"name"},
               {"task"},
               {"dim", Align::kRight},
               {"tokens", Align::kRight},
               {"format"},
               {"pooling"},
               {"runs as"},
               {"size", Align::kRight},
               {"folder"}});
  for (const embed::ModelInfo& model : models) {
    table.add({model.name + (model.name == usual ? " *" : ""), model.task,
               std::to_string(model.dim), std::to_string(model.tokens_max), model.format,
               model.pooling, model.precision, human_bytes(model.file_bytes), model.path});
  }
  if (!table.empty()) {
    table.print(context.streams());
    context.note("* the default");
    return kExitOk;
  }
  std::string folders;
  for (const std::string& folder : settings.value()->engine.model_dirs) folders += " " + folder;
  context.note("there are no models; looked in:" + folders);
  return kExitOk;
}

int model_show(Context& context, const ModelArguments& arguments) {
  const Result<const Settings*> settings = context.settings();
  if (!settings.ok()) return context.fail(settings.error());
  const Result<std::string> name = name_or_default(context, arguments.name);
  const Result<embed::Embedder*> opened = context.embedder();
  if (!opened.ok()) return context.fail(opened.error());
  embed::Embedder* const embedder = opened.value();
  const Result<embed::ModelInfo> found = embedder->model(name.value());
  if (!found.ok()) return context.fail(found.error());
  const embed::ModelInfo& model = found.value();
  const bool is_default = model.name == settings.value()->service.default_model;
  if (context.json()) {
    std::string text;
    JsonWriter json(text);
    write_model(json, model, is_default);
    context.print_json(text);
    return kExitOk;
  }
  const auto prefix = [](const std::string& text) {
    return text.empty() ? std::string("none") : in_quotes(text, 200);
  };
  context.out() << "name            " << model.name << (is_default ? " (the default)" : "") << '\n'
                << "revision        " << model.revision << '\n'
                << "folder          " << model.path << '\n'
                << "architecture    " << model.architecture << '\n'
                << "format          " << model.format << ", " << human_bytes(model.file_bytes)
                << '\n'
                << "task            "
                << (model.task == "score" ? "scores pairs of texts" : "embeds texts") << '\n'
                << "dimension       " << model.dim << '\n'
                << "longest text    " << model.tokens_max << " tokens\n"
                << "pooling         " << model.pooling
                << (model.normalised ? ", normalised" : ", not normalised") << '\n'
                << "runs here as    " << model.precision << '\n'
                << "query prefix    " << prefix(model.query_prefix) << '\n'
                << "passage prefix  " << prefix(model.passage_prefix) << '\n';
  return kExitOk;
}

int model_check(Context& context, const ModelArguments& arguments) {
  const Result<const Settings*> settings = context.settings();
  if (!settings.ok()) return context.fail(settings.error());
  const Result<std::string> name = name_or_default(context, arguments.name);
  const Result<embed::Embedder*> opened = context.embedder();
  if (!opened.ok()) return context.fail(opened.error());
  embed::Embedder* const embedder = opened.value();
  const Result<embed::ModelInfo> model = embedder->model(name.value());
  if (!model.ok()) return context.fail(model.error());
  if (model.value().task == "score") {
    const Result<std::vector<Check>> scores = check_scores(*embedder, name.value());
    if (!scores.ok()) return context.fail(scores.error());
    return print_checks(context, model.value(), scores.value());
  }
  constexpr std::array<std::string_view, 4> kTexts = {
      "The car is parked behind the station.", "We left our vehicle at the back of the train stop.",
      "Whisk the eggs with a pinch of salt.", "The car is parked behind the station."};
  const auto start = SteadyClock::now();
  const auto embedded = embedder->embed(kTexts, {.model = name.value()});
  const double load_s = seconds_since(start);
  std::vector<std::vector<float>> vectors;
  for (const Result<embed::Embedding>& embedding : embedded) {
    if (!embedding.ok()) return context.fail(embedding.error());
    vectors.push_back(embedding.value().values);
  }
  std::vector<Check> checks = check_vectors(model.value(), vectors);
  checks.insert(checks.begin(), {"loads", true,
                                 quipu::format("{:.0f} ms to load and embed {} texts",
                                               load_s * 1000, kTexts.size())});
  return print_checks(context, model.value(), checks);
}

}  // namespace quipu::cli
