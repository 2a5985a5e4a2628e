#include "quipu/index/hnsw/node_store.h"

#include <gtest/gtest.h>

#include <array>
#include <cstring>

namespace quipu::index::hnsw {
namespace {

std::vector<std::uint32_t> links(const NodeStore& nodes, std::uint32_t node, std::uint32_t level) {
  std::vector<std::uint32_t> list;
  const std::uint32_t* at = nodes.links_of(node, level);
  for (std::uint32_t i = 0; i < nodes.links_max(level) && at[i] != kNoNode; ++i) {
    list.push_back(at[i]);
  }
  return list;
}

void set(NodeStore& nodes, std::uint32_t node, std::uint32_t level,
         const std::vector<std::uint32_t>& to) {
  const std::uint32_t before = nodes.block(node, level);
  ASSERT_TRUE(nodes.replace(node, level, before, nodes.make_block(to, level)));
}

TEST(NodeStore, KeepsLinksByLevelAndSwapsOnlyWhatWasSeen) {
  NodeStore nodes(2);
  nodes.add_node(5, 3);
  nodes.add_node(2, 0);
  EXPECT_EQ(nodes.bound(), 6U);
  EXPECT_EQ(nodes.level(5), 3U);
  EXPECT_EQ(nodes.level(2), 0U);
  EXPECT_TRUE(links(nodes, 5, 3).empty());
  set(nodes, 5, 0, {2, 3, 4, 1});
  set(nodes, 5, 2, {9, 8});
  EXPECT_EQ(links(nodes, 5, 0), (std::vector<std::uint32_t>{2, 3, 4, 1}));
  EXPECT_TRUE(links(nodes, 5, 1).empty());
  EXPECT_EQ(links(nodes, 5, 2), (std::vector<std::uint32_t>{9, 8}));
  EXPECT_FALSE(nodes.reaches(2, 1));
  EXPECT_FALSE(nodes.replace(2, 1, 0, 1));
  EXPECT_TRUE(links(nodes, 2, 1).empty());
  const std::uint32_t seen = nodes.block(5, 0);
  set(nodes, 5, 0, {7});
  EXPECT_FALSE(nodes.replace(5, 0, seen, 0));
  EXPECT_EQ(links(nodes, 5, 0), (std::vector<std::uint32_t>{7}));
}

TEST(NodeStore, PlacesAndBlocksAreUsedAgain) {
  NodeStore nodes(4);
  std::uint64_t bytes = 0;
  for (int round = 0; round < 50; ++round) {
    for (std::uint32_t node = 0; node < 20; ++node) {
      nodes.add_node(node, node % 4);
      for (std::uint32_t level = 0; level <= node % 4; ++level) set(nodes, node, level, {node});
    }
    if (round == 0) bytes = nodes.bytes_used();
    for (std::uint32_t node = 0; node < 20; ++node) nodes.remove_node(node);
    EXPECT_TRUE(links(nodes, 7, 0).empty());
  }
  EXPECT_LT(nodes.bytes_used(), bytes * 2);
}

TEST(NodeStore, TheEntryIsReplacedOnlyIfItIsStillTheOneSeen) {
  NodeStore nodes(2);
  EXPECT_EQ(nodes.entry().node, kNoNode);
  EXPECT_TRUE(nodes.replace_entry({}, {.node = 0, .level = 4}));
  EXPECT_FALSE(nodes.replace_entry({}, {.node = 1, .level = 5}));
  EXPECT_EQ(nodes.entry().node, 0U);
  EXPECT_EQ(nodes.entry().level, 4U);
  EXPECT_TRUE(nodes.replace_entry({.node = 0, .level = 4}, {}));
  EXPECT_EQ(nodes.entry().node, kNoNode);
}

TEST(NodeStore, AnImageHoldsTheSameGraphWithoutHoles) {
  NodeStore nodes(2);
  for (std::uint32_t node = 0; node < 30; ++node) {
    nodes.add_node(node, node % 3);
    for (std::uint32_t level = 0; level <= node % 3; ++level) {
      set(nodes, node, level, {node + 1});
      set(nodes, node, level, {node + 1, node + 2});  // leaves a block that nobody uses
    }
  }
  EXPECT_TRUE(nodes.replace_entry({}, {.node = 29, .level = 2}));
  NodeImage image = nodes.image(40, [](std::uint32_t node) { return node != 4; });
  EXPECT_EQ(image.references.size(), 80U);
  EXPECT_EQ(image.base_blocks.size(), (29 + 1) * 4U);
  NodeStore copy(2);
  copy.adopt({.references = std::as_writable_bytes(std::span(image.references)),
              .base_blocks = std::as_writable_bytes(std::span(image.base_blocks)),
              .upper_references = std::as_writable_bytes(std::span(image.upper_references)),
              .upper_blocks = std::as_writable_bytes(std::span(image.upper_blocks)),
              .entry = image.entry});
  EXPECT_EQ(copy.bound(), 40U);
  EXPECT_EQ(copy.entry().node, 29U);
  EXPECT_TRUE(links(copy, 4, 0).empty());
  for (std::uint32_t node = 0; node < 30; ++node) {
    if (node == 4) continue;
    ASSERT_EQ(copy.level(node), nodes.level(node));
    for (std::uint32_t level = 0; level <= node % 3; ++level) {
      ASSERT_EQ(links(copy, node, level), links(nodes, node, level)) << node << " " << level;
    }
  }
}

// A mapped file may hold any numbers; none may lead out of its arrays.
TEST(NodeStore, NumbersOutOfBoundsLeadToTheEmptyBlock) {
  std::array<std::uint32_t, 6> references = {99, 0xffffffff, 0xffffffff, 5U << 27, 0, 1U << 27};
  std::array<std::uint32_t, 8> base_blocks = {};
  std::array<std::uint32_t, 1> upper_references = {77};
  std::array<std::uint32_t, 2> upper_blocks = {};
  NodeStore nodes(2);
  nodes.adopt({.references = std::as_writable_bytes(std::span(references)),
               .base_blocks = std::as_writable_bytes(std::span(base_blocks)),
               .upper_references = std::as_writable_bytes(std::span(upper_references)),
               .upper_blocks = std::as_writable_bytes(std::span(upper_blocks)),
               .entry = {}});
  for (std::uint32_t node = 0; node < 3; ++node) {
    for (std::uint32_t level = 0; level < 32; ++level) {
      EXPECT_TRUE(links(nodes, node, level).empty()) << node << " " << level;
    }
    nodes.remove_node(node);
  }
  nodes.give_back({.base = {99, 0}, .upper = {77}});
  // What comes back must be a block of its own.
  const std::uint32_t fresh = nodes.make_block(std::array<std::uint32_t, 1>{3}, 0);
  EXPECT_EQ(nodes.links(fresh, 0)[0], 3U);
  EXPECT_GE(fresh, 2U);
}

}  // namespace
}  // namespace quipu::index::hnsw
