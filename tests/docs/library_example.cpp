// Goal: the program of the README does what the README says. The marked lines are the README's;
// tests/docs/docs_test.py compares them. It is run in a folder of its own, with the model at hand.
#include <cstdio>

// [README]
#include "quipu/engine.h"

int main() {
  auto opened = quipu::Engine::open({.data_dir = "notes", .model_dirs = {".deps/models"}}, {});
  if (!opened.ok()) return 1;  // opened.error().message says what, where and why
  quipu::Engine& engine = *opened.value();
  quipu::CollectionConfig config;
  config.vectors = {{.model = "all-MiniLM-L6-v2"}};
  (void)engine.create_collection("default", "notes", config);
  quipu::PointWrite roof{.id = quipu::PointId::number(1), .text = "the roof was repaired in May"};
  quipu::PointWrite boiler{.id = quipu::PointId::number(2), .text = "the boiler was serviced"};
  if (!engine.upsert("default", "notes", {.points = {roof, boiler}}).ok()) return 1;
  auto found = engine.search("default", "notes", {.text = "works on the house top", .k = 1});
  if (!found.ok()) return 1;
  for (const auto& hit : found.value().hits) {
    std::printf("%.2f  %s\n", static_cast<double>(hit.score), hit.point.text->c_str());
  }
  // [/README]
  return found.value().hits.size() == 1 &&
                 found.value().hits[0].point.id == quipu::PointId::number(1)
             ? 0
             : 1;
}
