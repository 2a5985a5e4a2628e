// The module libquipu_openvino.so.
#include <algorithm>
#include <string>
#include <vector>
#include <openvino/openvino.hpp>

#include "quipu/embed/openvino/openvino_models.h"

namespace quipu::embed {
namespace {

class OpenVinoRuntime final : public Runtime {
 public:
  [[nodiscard]] std::string version() const override {
    return std::string("OpenVINO ") + ov::get_openvino_version().buildNumber;
  }

  Result<std::unique_ptr<RuntimeModel>> load(const RuntimeModelSpec& spec) override {
    try {
      const ov::AnyMap options = options_for(spec);
      return spec.encoder.has_value() ? make_packed_model(core_, spec, options)
                                      : make_padded_model(core_, spec, options);
    } catch (const std::exception& problem) {
      const bool from_file = !spec.encoder.has_value();
      return Error{from_file ? ErrorCode::kCorruption : ErrorCode::kInternal,
                   (from_file ? spec.model_file : spec.name) +
                       ": OpenVINO could not load it: " + problem.what(),
                   from_file ? "model_damaged" : ""};
    }
  }

 private:
  // Each caller computes alone on its own thread: as many streams as callers, of one thread each.
  // Larger teams of threads wait for one another, and spin while they do.
  ov::AnyMap options_for(const RuntimeModelSpec& spec) {
    const auto threads = static_cast<std::int32_t>(std::max<std::size_t>(spec.threads, 1));
    ov::AnyMap options{ov::num_streams(ov::streams::Num(threads)),
                       ov::inference_num_threads(threads), ov::hint::enable_cpu_pinning(false),
                       ov::hint::inference_precision(precision_for(spec))};
    if (!spec.compile_cache_dir.empty()) options.emplace(ov::cache_dir(spec.compile_cache_dir));
    return options;
  }

  ov::element::Type precision_for(const RuntimeModelSpec& spec) {
    if (spec.precision == "f32") return ov::element::f32;
    if (spec.precision == "bf16") return ov::element::bf16;
    const auto capabilities = core_.get_property("CPU", ov::device::capabilities);
    const bool has_bf16 = std::find(capabilities.begin(), capabilities.end(),
                                    ov::device::capability::BF16) != capabilities.end();
    return has_bf16 ? ov::element::bf16 : ov::element::f32;
  }

  ov::Core core_;
};

// OpenVINO's exceptions end here: nothing of ours above expects any.
class CatchingModel final : public RuntimeModel {
 public:
  explicit CatchingModel(std::unique_ptr<RuntimeModel> model) : model_(std::move(model)) {}
  [[nodiscard]] const Info& info() const noexcept override { return model_->info(); }
  [[nodiscard]] std::size_t batch_tokens() const noexcept override {
    return model_->batch_tokens();
  }
  Status embed(std::span<const ModelInput> texts, std::span<float> vectors) override {
    try {
      return model_->embed(texts, vectors);
    } catch (const std::exception& problem) {
      return Error{ErrorCode::kInternal, std::string("OpenVINO: ") + problem.what()};
    }
  }

 private:
  std::unique_ptr<RuntimeModel> model_;
};

class CatchingRuntime final : public Runtime {
 public:
  [[nodiscard]] std::string version() const override { return runtime_.version(); }
  Result<std::unique_ptr<RuntimeModel>> load(const RuntimeModelSpec& spec) override {
    QUIPU_TRY(std::unique_ptr<RuntimeModel> model, runtime_.load(spec));
    return std::unique_ptr<RuntimeModel>(std::make_unique<CatchingModel>(std::move(model)));
  }

 private:
  OpenVinoRuntime runtime_;
};

}  // namespace

std::string precision_of(const ov::CompiledModel& model) {
  const ov::element::Type type = model.get_property(ov::hint::inference_precision);
  return type == ov::element::bf16 ? "bf16" : type == ov::element::f16 ? "f16" : "f32";
}

}  // namespace quipu::embed

extern "C" __attribute__((visibility("default"))) quipu::embed::Runtime* quipu_create_runtime(
    std::uint32_t runtime_interface) {
  if (runtime_interface != quipu::embed::kRuntimeInterface) return nullptr;
  try {
    return new quipu::embed::CatchingRuntime();
  } catch (const std::exception&) {
    return nullptr;  // The loader says that the module would not start.
  }
}
