// Goal: completion scripts are well formed and complete what there is; a slip of the finger is
// named.
#include "quipu/cli/command_tree.h"

#include <gtest/gtest.h>

#include "quipu/text/documents/child_process.h"

namespace quipu::cli {
namespace {

CommandNode tree() {
  CommandNode root{.name = "quipu", .description = "Remembers"};
  root.options = {
      {.names = {"--json"}, .description = "JSON [for programs]: yes"},
      {.names = {"--data"}, .description = "Folder", .takes_value = true, .is_path = true}};
  CommandNode list{.name = "list", .description = "List them"};
  CommandNode create{.name = "create", .description = "Make one's own"};
  create.options = {{.names = {"--metric"},
                     .description = "How",
                     .takes_value = true,
                     .values = {"cosine", "dot"}}};
  CommandNode collection{.name = "collection", .description = "Collections"};
  collection.commands = {list, create};
  CommandNode ingest{.name = "ingest", .description = "Read files", .takes_paths = true};
  root.commands = {collection, ingest};
  return root;
}

// What bash offers for a line whose last word is being typed.
std::string completions(const std::string& words, const std::string& count) {
  const std::string script = completion_script(tree(), "bash") + "\nCOMP_WORDS=(" + words +
                             ")\nCOMP_CWORD=" + count + "\n_quipu\necho \"${COMPREPLY[*]}\"\n";
  const Result<std::string> out = text::run_child({"bash", "-s"}, script, {});
  return out.ok() ? out.value() : "failed: " + out.error().message;
}

TEST(Completion, BashOffersWhatFits) {
  EXPECT_EQ(completions("quipu ''", "1"), "collection ingest\n");
  EXPECT_EQ(completions("quipu co", "1"), "collection\n");
  EXPECT_EQ(completions("quipu collection ''", "2"), "list create\n");
  EXPECT_EQ(completions("quipu --json collection c", "3"), "create\n");
  EXPECT_EQ(completions("quipu collection create --m", "3"), "--metric\n");
  EXPECT_EQ(completions("quipu collection create --metric ''", "4"), "cosine dot\n");
  EXPECT_EQ(completions("quipu collection list --j", "3"), "--json\n");
}

TEST(Completion, KnowsThreeShells) {
  EXPECT_NE(completion_script(tree(), "zsh").find("_quipu_collection_create()"), std::string::npos);
  const std::string fish = completion_script(tree(), "fish");
  EXPECT_NE(fish.find("-a create -d 'Make one'\\''s own'"), std::string::npos) << fish;
  EXPECT_EQ(completion_script(tree(), "tcsh"), "");
}

TEST(Suggestion, NamesWhatWasMeant) {
  EXPECT_NE(suggestion(tree(), {"colection", "list"}).find("collection"), std::string::npos);
  EXPECT_NE(suggestion(tree(), {"collection", "lst"}).find("list"), std::string::npos);
  EXPECT_NE(suggestion(tree(), {"--data", "x", "collection", "lst"}).find("list"),
            std::string::npos);
  EXPECT_NE(suggestion(tree(), {"collection", "create", "--metrik=dot"}).find("--metric"),
            std::string::npos);
  EXPECT_NE(suggestion(tree(), {"ingest", "--jason"}).find("--json"), std::string::npos);
  EXPECT_EQ(suggestion(tree(), {"frobnicate"}), "");
  EXPECT_EQ(suggestion(tree(), {"ingest", "colection"}), "");
  EXPECT_EQ(suggestion(tree(), {"collection", "list"}), "");
}

}  // namespace
}  // namespace quipu::cli
