// Goal: whatever was inserted, changed, erased and merged, a search finds exactly what looking at
// every row finds, as of any moment that is still held.
// Method: drawn histories over a small vocabulary with few frequent and many rare words, beside a
// map from slot to words and the formula written out once more.
#include <gtest/gtest.h>

#include <cmath>
#include <fstream>
#include <map>
#include <optional>
#include <set>

#include "quipu/base/rng.h"
#include "quipu/base/test_support.h"
#include "quipu/index/sparse/sparse_index.h"

namespace quipu::index {
namespace {

using Words = std::vector<std::string>;
using TextModel = std::map<std::uint32_t, Words>;  // by slot

std::string word(std::uint64_t number) { return "w" + std::to_string(number); }

// A Zipf-like choice: word 0 is in most texts, word 500 in few.
std::string draw_word(Rng& rng) {
  const double u = static_cast<double>(rng.below(1'000'000) + 1) / 1e6;
  return word(static_cast<std::uint64_t>(std::min(500.0, 1.0 / u) - 1));
}

Words draw_text(Rng& rng) {
  Words words(rng.below(40));
  for (std::string& each : words) each = draw_word(rng);
  return words;
}

std::vector<TermAt> terms_of(const Words& words) {
  std::vector<TermAt> terms;
  for (std::uint32_t i = 0; i < words.size(); ++i) terms.push_back({words[i], i});
  return terms;
}

struct HeldTexts {
  std::shared_ptr<const SparseIndex::Moment> moment;
  Seq seq;
  TextModel model;
};

// Looks at every word of every text.
class Twin {
 public:
  Twin(const TextModel& model, const Words& query)
      : rows_(model.size()), rows_with_(query.size(), 0) {
    for (const auto& [slot, words] : model) {
      std::vector<double>& times = times_[slot];
      for (std::size_t i = 0; i < query.size(); ++i) {
        times.push_back(static_cast<double>(std::count(words.begin(), words.end(), query[i])));
        if (times.back() > 0) ++rows_with_[i];
      }
      length_ += words.size();
      lengths_[slot] = static_cast<double>(words.size());
    }
  }
  [[nodiscard]] double mean() const {
    return rows_ == 0 ? 1 : static_cast<double>(length_) / static_cast<double>(rows_);
  }
  [[nodiscard]] std::uint64_t length() const { return length_; }
  [[nodiscard]] std::uint64_t rows_with(std::size_t term) const { return rows_with_[term]; }
  // Negative when the text has none of the words.
  [[nodiscard]] double score(std::uint32_t slot) const {
    double sum = 0;
    bool any = false;
    const std::vector<double>& times = times_.at(slot);
    for (std::size_t i = 0; i < times.size(); ++i) {
      if (times[i] == 0) continue;
      any = true;
      const auto n = static_cast<double>(rows_with_[i]);
      const double idf = std::log(1 + (static_cast<double>(rows_) - n + 0.5) / (n + 0.5));
      const double length = lengths_.at(slot) / mean();
      sum += idf * times[i] * 2.2 / (times[i] + 1.2 * (0.25 + 0.75 * length));
    }
    return any ? sum : -1;
  }

 private:
  std::size_t rows_;
  std::uint64_t length_ = 0;
  std::vector<std::uint64_t> rows_with_;
  std::map<std::uint32_t, std::vector<double>> times_;
  std::map<std::uint32_t, double> lengths_;
};

void check_words(const SparseIndex& index, const HeldTexts& held, Rng& rng) {
  std::set<std::string> distinct;
  for (std::uint64_t i = rng.below(6) + 1; i > 0; --i) distinct.insert(draw_word(rng));
  const Words query(distinct.begin(), distinct.end());
  const Twin twin(held.model, query);
  ASSERT_EQ(SparseIndex::totals(*held.moment).rows, held.model.size());
  ASSERT_EQ(SparseIndex::totals(*held.moment).length, twin.length());
  std::vector<SparseTerm> terms;
  for (std::size_t i = 0; i < query.size(); ++i) {
    const std::uint64_t rows = index.rows_with(*held.moment, query[i], held.seq);
    ASSERT_EQ(rows, twin.rows_with(i)) << query[i];
    terms.push_back({query[i], idf(held.model.size(), rows)});
  }
  SlotBitmap filter;
  const bool filtered = rng.below(2) == 0;
  const std::uint64_t modulus = rng.below(4) + 1;
  std::vector<double> wanted;
  for (const auto& [slot, words] : held.model) {
    if (filtered && slot % modulus != 0) continue;
    filter.add(SlotId(slot));
    if (twin.score(slot) >= 0) wanted.push_back(twin.score(slot));
  }
  std::sort(wanted.rbegin(), wanted.rend());
  const SparseSearchParams params = {.as_of = held.seq,
                                     .bm25 = {},
                                     .length_mean = twin.mean(),
                                     .filter = filtered ? &filter : nullptr};
  std::vector<SparseHit> hits(rng.below(20) + 1);
  const auto count = index.search(*held.moment, terms, params, hits);
  ASSERT_EQ(why_not(count), "");
  ASSERT_EQ(count.value(), std::min(hits.size(), wanted.size()));
  for (std::size_t i = 0; i < count.value(); ++i) {
    const std::uint32_t slot = hits[i].slot.value();
    ASSERT_TRUE(held.model.contains(slot));
    ASSERT_TRUE(!filtered || slot % modulus == 0);
    ASSERT_NEAR(hits[i].score, twin.score(slot), 1e-5);
    ASSERT_NEAR(hits[i].score, wanted[i], 1e-5);
    if (i == 0) continue;
    ASSERT_GE(hits[i - 1].score, hits[i].score);
    if (hits[i - 1].score == hits[i].score) {
      ASSERT_LT(hits[i - 1].slot, hits[i].slot);
    }
  }
}

void check_term_match(const SparseIndex& index, const HeldTexts& held, Rng& rng) {
  const Words wanted = {draw_word(rng), draw_word(rng)};
  for (const TermMatch how : {TermMatch::kAny, TermMatch::kAll, TermMatch::kPhrase}) {
    SlotBitmap found;
    index.match(*held.moment, terms_of(wanted), how, held.seq, found);
    std::size_t count = 0;
    for (const auto& [slot, words] : held.model) {
      const bool first = std::count(words.begin(), words.end(), wanted[0]) > 0;
      const bool second = std::count(words.begin(), words.end(), wanted[1]) > 0;
      bool expected = how == TermMatch::kAny ? first || second : first && second;
      if (how == TermMatch::kPhrase) {
        expected =
            std::search(words.begin(), words.end(), wanted.begin(), wanted.end()) != words.end();
      }
      ASSERT_EQ(found.contains(SlotId(slot)), expected) << slot;
      count += expected ? 1U : 0U;
    }
    ASSERT_EQ(found.count(), count);
  }
}

// What is saved and opened again answers as what was saved, and goes on from there.
void check_texts_reopened(const SparseIndex& index, const HeldTexts& now, const TempDir& dir,
                          Rng& rng) {
  const std::string path = dir.file("sparse");
  ASSERT_EQ(why_not(SparseIndex::save(posix_file_system(), path, *index.capture(now.seq))), "");
  EpochDomain epochs;
  auto opened = SparseIndex::open(posix_file_system(), path, index.options(), epochs);
  ASSERT_EQ(why_not(opened), "");
  SparseIndex& again = *opened.value();
  ASSERT_EQ(why_not(again.verify()), "");
  ASSERT_EQ(again.stats().live_rows, index.stats().live_rows);
  HeldTexts there = {again.moment(), now.seq, now.model};
  check_words(again, there, rng);
  check_term_match(again, there, rng);
  for (std::uint64_t i = 0; i < 30; ++i) {
    const auto slot = static_cast<std::uint32_t>(rng.below(900));
    there.seq = Seq(there.seq.value() + 1);
    there.model[slot] = draw_text(rng);
    again.insert(SlotId(slot), terms_of(there.model[slot]), there.seq);
  }
  there.moment = again.publish();
  check_words(again, there, rng);
  while (again.merge(there.seq) > 0) {
  }
  there.moment = again.publish();
  check_words(again, there, rng);
  const SparseOptions others = {.kind = PostingKind::kCounts, .positions = false};
  EpochDomain unused;
  const auto refused = SparseIndex::open(posix_file_system(), path, others, unused);
  ASSERT_FALSE(refused.ok());
  ASSERT_EQ(refused.error().reason, "checkpoint_options");
}

// Goal: a damaged file is refused, found by verify(), or answers wrongly; never worse. Run it under
// the sanitizers.
TEST(SparseIndexModel, DamageIsNoCrash) {
  Rng rng(test_seed());
  EpochDomain epochs;
  TempDir dir;
  const SparseOptions options = {.kind = PostingKind::kCounts, .positions = true};
  auto made = SparseIndex::create(options, epochs);
  ASSERT_EQ(why_not(made), "");
  Seq seq(0);
  for (std::uint32_t slot = 0; slot < 400; ++slot) {
    const Words words = draw_text(rng);
    seq = Seq(seq.value() + 1);
    made.value()->insert(SlotId(slot), terms_of(words), seq);
    if (slot % 50 == 0) static_cast<void>(made.value()->publish());
  }
  static_cast<void>(made.value()->publish());
  const std::string path = dir.file("sparse");
  ASSERT_EQ(why_not(SparseIndex::save(posix_file_system(), path, *made.value()->capture(seq))), "");
  const std::string whole = read_file(posix_file_system(), path, 1U << 24).value();
  std::size_t noticed = 0;
  for (int round = 0; round < 300; ++round) {
    std::string bytes = whole;
    for (std::uint64_t i = rng.below(4) + 1; i > 0; --i) {
      bytes[rng.below(bytes.size())] = static_cast<char>(rng.below(256));
    }
    std::ofstream(path, std::ios::binary) << bytes;
    EpochDomain own;
    auto opened = SparseIndex::open(posix_file_system(), path, options, own);
    if (!opened.ok() || !opened.value()->verify().ok()) ++noticed;
    if (!opened.ok()) continue;
    std::vector<SparseHit> hits(10);
    const std::vector<SparseTerm> terms = {{word(0), 1.0}, {word(1), 1.5}, {word(7), 2.0}};
    const auto moment = opened.value()->moment();
    const auto count = opened.value()->search(*moment, terms, {.as_of = seq}, hits);
    ASSERT_EQ(why_not(count), "");
    SlotBitmap found;
    const std::vector<TermAt> phrase = {{terms[0].key, 0}, {terms[1].key, 1}};
    opened.value()->match(*moment, phrase, TermMatch::kPhrase, seq, found);
    static_cast<void>(opened.value()->rows_with(*moment, terms[1].key, seq));
  }
  EXPECT_GT(noticed, 200U);  // the rest changed nothing, or padding between sections
}

TEST(SparseIndexModel, WordsFollowAnyHistory) {
  Rng rng(test_seed());
  EpochDomain epochs;
  TempDir dir;
  auto made = SparseIndex::create({.kind = PostingKind::kCounts, .positions = true}, epochs);
  ASSERT_EQ(why_not(made), "");
  SparseIndex& index = *made.value();
  TextModel model;
  std::uint64_t seq = 0;
  std::optional<HeldTexts> held;
  std::optional<EpochDomain::Guard> guard;
  std::size_t closed_most = 0;
  for (int step = 0; step < 150; ++step) {
    for (std::uint64_t i = rng.below(step % 50 == 0 ? 700 : 60); i > 0; --i) {
      const auto slot = static_cast<std::uint32_t>(rng.below(800));
      ++seq;
      if (rng.below(4) == 0) {
        ASSERT_EQ(index.erase(SlotId(slot), Seq(seq)), model.erase(slot) > 0);
        continue;
      }
      model[slot] = draw_text(rng);
      index.insert(SlotId(slot), terms_of(model[slot]), Seq(seq));
    }
    const HeldTexts now = {index.publish(), Seq(seq), model};
    if (step % 30 == 29) check_texts_reopened(index, now, dir, rng);
    check_words(index, now, rng);
    check_term_match(index, now, rng);
    if (held.has_value()) {
      check_words(index, *held, rng);
      check_term_match(index, *held, rng);
    }
    if (rng.below(8) == 0) {
      guard = epochs.pin();
      held = now;
    }
    const Seq horizon = held.has_value() ? held->seq : Seq(seq);
    if (rng.below(3) == 0) {
      while (index.merge(horizon) > 0) {
      }
    }
    closed_most = std::max(closed_most, index.stats().closed_rows);
    static_cast<void>(epochs.collect());
  }
  EXPECT_GT(closed_most, 0U);
  guard.reset();
  static_cast<void>(epochs.collect());
  while (index.merge(Seq(seq)) > 0) {
  }
  static_cast<void>(epochs.collect());
  EXPECT_LE(index.stats().closed_rows, 1'024U);  // beyond that they are left out and freed
  const SparseStats stats = index.stats();
  EXPECT_EQ(stats.live_rows, model.size());
  EXPECT_LT(stats.segments, 40U);
}

// Rows that an early reader may still ask for cannot be left out, so they are no reason to merge:
// a loop until nothing is due must end however many there are.
TEST(SparseIndexModel, WhatAReaderMaySeeIsNoReasonToMerge) {
  Rng rng(test_seed());
  EpochDomain epochs;
  auto made = SparseIndex::create({.kind = PostingKind::kCounts, .positions = true}, epochs);
  ASSERT_EQ(why_not(made), "");
  SparseIndex& index = *made.value();
  std::uint64_t seq = 0;
  for (int round = 0; round < 4; ++round) {
    for (std::uint32_t slot = 0; slot < 1'000; ++slot) {
      const auto text = draw_text(rng);
      index.insert(SlotId(slot), terms_of(text), Seq(++seq));
    }
    static_cast<void>(index.publish());
  }
  const auto merges_until_done = [&index](Seq horizon) {
    int merges = 0;
    while (merges < 100 && index.merge(horizon) > 0) ++merges;
    return merges;
  };
  EXPECT_LT(merges_until_done(Seq(1)), 10);
  EXPECT_EQ(index.stats().closed_rows, 3'000U);
  EXPECT_LT(merges_until_done(Seq(seq)), 10);
  static_cast<void>(epochs.collect());
  EXPECT_EQ(index.stats().closed_rows, 0U);
}

// The same for sparse vectors: negative weights, and dimensions that few have.
TEST(SparseIndexModel, WeightsAddUpToTheDotProduct) {
  Rng rng(test_seed());
  EpochDomain epochs;
  auto made = SparseIndex::create({.kind = PostingKind::kWeights}, epochs);
  ASSERT_EQ(why_not(made), "");
  SparseIndex& index = *made.value();
  std::map<std::uint32_t, std::map<std::uint32_t, float>> model;
  std::uint64_t seq = 0;
  const auto draw = [&] {
    std::map<std::uint32_t, float> vector;
    for (std::uint64_t i = rng.below(20); i > 0; --i) {
      const auto dimension = static_cast<std::uint32_t>(rng.below(rng.below(2) == 0 ? 10 : 1000));
      vector[dimension] = static_cast<float>(rng.normal());
    }
    return vector;
  };
  for (int step = 0; step < 200; ++step) {
    for (std::uint64_t i = rng.below(40); i > 0; --i) {
      const auto slot = static_cast<std::uint32_t>(rng.below(1000));
      model[slot] = draw();
      std::vector<SparseWeight> weights;
      for (const auto& [dimension, weight] : model[slot]) weights.push_back({dimension, weight});
      index.insert(SlotId(slot), weights, Seq(++seq));
    }
    const auto moment = index.publish();
    while (index.merge(Seq(seq)) > 0) {
    }
    const std::map<std::uint32_t, float> query = draw();
    std::vector<SparseTerm> terms;
    for (const auto& [dimension, weight] : query) {
      terms.push_back({dimension_key(dimension), weight});
    }
    std::vector<double> wanted;
    std::map<std::uint32_t, double> scores;
    for (const auto& [slot, vector] : model) {
      double sum = 0;
      bool any = false;
      for (const auto& [dimension, weight] : query) {
        const auto found = vector.find(dimension);
        if (found == vector.end()) continue;
        sum += static_cast<double>(weight) * static_cast<double>(found->second);
        any = true;
      }
      if (any) scores[slot] = sum;
      if (any) wanted.push_back(sum);
    }
    std::sort(wanted.rbegin(), wanted.rend());
    std::vector<SparseHit> hits(10);
    const auto count = index.search(*moment, terms, {.as_of = Seq(seq)}, hits);
    ASSERT_EQ(why_not(count), "");
    ASSERT_EQ(count.value(), std::min<std::size_t>(10, wanted.size()));
    for (std::size_t i = 0; i < count.value(); ++i) {
      ASSERT_NEAR(hits[i].score, wanted[i], 1e-5);
      ASSERT_NEAR(hits[i].score, scores.at(hits[i].slot.value()), 1e-5);
    }
  }
}

}  // namespace
}  // namespace quipu::index
