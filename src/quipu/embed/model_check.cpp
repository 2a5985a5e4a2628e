#include "quipu/embed/model_check.h"

#include <algorithm>
#include <chrono>
#include <cmath>
#include <vector>

#include "quipu/embed/model_registry.h"
#include "quipu/embed/runtime_loader.h"

namespace quipu::embed {
namespace {

constexpr double kCosineMin = 0.999;
constexpr int kTimedRounds = 9;

// Short and long, plain and not; nothing depends on what they mean.
const std::vector<std::string>& fixed_texts() {
  static const std::vector<std::string>& texts = *new std::vector<std::string>([] {
    std::vector<std::string> out = {
        "Where did I park my car?",
        "The car is parked on level three, next to the lift.",
        "How do I list the files of a folder?",
        "A memory that is written down is a memory that can be found again.",
        "Die Straße führt über die Brücke nach Zürich.",
        "今天天气很好，我们去公园散步吧。",
        "1234567890 0x1F 1e-9 50% user@example.org",
        "a",
    };
    std::string longer;
    for (int i = 0; i < 6; ++i) {
      for (std::size_t k = 0; k < 4; ++k) longer += out[k] + " ";
    }
    out.push_back(longer);
    return out;
  }());
  return texts;
}

struct Run {
  std::vector<std::vector<float>> vectors;
  double first_ms = 0;
  double text_ms = 0;
  double all_ms = 0;
  std::uint32_t tokens = 0;
};

Result<Run> run_texts(const LoadedModel& model, Clock& clock) {
  const DescribedModel& described = *model.described;
  RuntimeModel& runtime = *model.runtime;
  const std::size_t dim = runtime.info().dim;
  Run run;
  std::vector<text::Encoding> encodings(fixed_texts().size());
  for (std::size_t i = 0; i < encodings.size(); ++i) {
    QUIPU_TRY_OK(described.tokenizer->encode(
        fixed_texts()[i], {.tokens_max = described.folder.tokens_max}, encodings[i]));
    run.tokens += static_cast<std::uint32_t>(encodings[i].ids.size());
  }
  std::vector<float> vector(dim);
  const auto embed = [&](std::size_t i) -> Result<double> {
    const ModelInput input{encodings[i].ids};
    const auto start = clock.steady_now();
    QUIPU_TRY_OK(runtime.embed({&input, 1}, vector));
    return to_ms(clock.steady_now() - start);
  };
  QUIPU_TRY(run.first_ms, embed(0));
  for (std::size_t i = 0; i < encodings.size(); ++i) {
    QUIPU_TRY(const double spent, embed(i));
    static_cast<void>(spent);  // Shapes that are new are still being compiled.
    run.vectors.push_back(vector);
  }
  std::vector<double> times;
  for (int round = 0; round < kTimedRounds; ++round) {
    QUIPU_TRY(const double spent, embed(0));
    times.push_back(spent);
  }
  std::sort(times.begin(), times.end());
  run.text_ms = times[times.size() / 2];
  for (std::size_t i = 0; i < encodings.size(); ++i) {
    QUIPU_TRY(const double spent, embed(i));
    run.all_ms += spent;
  }
  return run;
}

double dot(const std::vector<float>& a, const std::vector<float>& b) {
  double sum = 0;
  for (std::size_t i = 0; i < a.size(); ++i) {
    sum += static_cast<double>(a[i]) * static_cast<double>(b[i]);
  }
  return sum;
}

// Fills the cosines and says what is wrong, or nothing.
std::string compare(const Run& used, const Run& exact, bool normalised, ModelCheck& check) {
  double total = 0;
  for (std::size_t i = 0; i < used.vectors.size(); ++i) {
    const double own = dot(used.vectors[i], used.vectors[i]);
    if (!std::isfinite(own) || own == 0) return "a vector is zero or not finite";
    if (normalised && std::abs(own - 1) > 1e-3) return "a vector is not of unit length";
    const double cosine = dot(used.vectors[i], exact.vectors[i]) /
                          std::sqrt(own * dot(exact.vectors[i], exact.vectors[i]));
    check.cosine_min = std::min(check.cosine_min, cosine);
    total += cosine;
  }
  check.cosine_mean = total / static_cast<double>(used.vectors.size());
  if (check.cosine_min < kCosineMin) {
    return "the precision in use is too far from f32: cosine " + std::to_string(check.cosine_min);
  }
  if (used.vectors.size() > 1 &&
      dot(used.vectors[0], used.vectors[1]) == dot(used.vectors[0], used.vectors[0])) {
    return "different texts have one vector";
  }
  return "";
}

}  // namespace

Result<ModelCheck> check_model(const EmbedderOptions& options, std::string_view name,
                               FileSystem& fs, Clock& clock) {
  RegistryOptions registry_options{.model_dirs = options.model_dirs,
                                   .threads = 1,
                                   .precision = "",
                                   .runtime_dir = options.runtime_dir,
                                   .compile_cache_dir = options.compile_cache_dir,
                                   .runtime = options.runtime};
  QUIPU_TRY(registry_options.precision, chosen_precision(options));
  ModelRegistry registry(registry_options, fs, clock);
  ModelCheck check;
  QUIPU_TRY(const DescribedModel* const described, registry.describe(name));
  QUIPU_TRY(const std::string kept, model_revision(fs, described->folder, false));
  QUIPU_TRY(const std::string anew, model_revision(fs, described->folder, true));
  check.digest_matches = kept == anew;
  QUIPU_TRY(const LoadedModel* const loaded, registry.load(name));
  check.load_ms = loaded->load_ms;
  QUIPU_TRY(const Run used, run_texts(*loaded, clock));
  QUIPU_TRY(check.info, registry.info(name));
  Runtime* runtime = options.runtime;
  if (runtime == nullptr) {
    QUIPU_TRY(runtime, open_runtime(options.runtime_dir));
  }
  check.runtime = runtime->version();
  check.first_ms = used.first_ms;
  check.text_ms = used.text_ms;
  check.texts = static_cast<std::uint32_t>(fixed_texts().size());
  check.tokens = used.tokens;
  check.tokens_per_second = used.tokens / (used.all_ms / 1000);
  if (loaded->runtime->info().precision == "f32") {
    check.problem = compare(used, used, described->folder.normalise, check);
  } else {
    registry_options.precision = "f32";
    QUIPU_TRY(const std::unique_ptr<LoadedModel> exact,
              load_model(*described, registry_options, fs, clock));
    QUIPU_TRY(const Run reference, run_texts(*exact, clock));
    check.problem = compare(used, reference, described->folder.normalise, check);
  }
  if (!check.digest_matches) {
    check.problem = "the weights are not those that the digest kept beside them is of";
  }
  check.good = check.problem.empty();
  return check;
}

}  // namespace quipu::embed
