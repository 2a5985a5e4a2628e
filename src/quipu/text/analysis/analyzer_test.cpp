// Goal: a text gives the terms, places and positions that the header promises, whatever its bytes,
// on any number of threads.
// Method: known texts; random ones against a twin that cuts with the plain rules and folds by the
// definition.
#include "quipu/text/analysis/analyzer.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <string>
#include <thread>
#include <vector>

#include "quipu/base/test_support.h"
#include "quipu/text/analysis/lossy_utf8.h"
#include "quipu/text/analysis/tables.h"
#include "quipu/text/analysis/term_folder.h"
#include "quipu/text/analysis/word_breaker.h"

namespace quipu::text {
namespace {

using Strings = std::vector<std::string>;

std::unique_ptr<Analyzer> make(const AnalyzerConfig& config) {
  Result<std::unique_ptr<Analyzer>> made = Analyzer::create(config);
  EXPECT_EQ(why_not(made), "");
  return made.ok() ? std::move(made).value() : nullptr;
}

TermList terms_of(const AnalyzerConfig& config, std::string_view text,
                  AnalyzeFor use = AnalyzeFor::kIndex) {
  TermList list;
  make(config)->analyze(text, list, use);
  return list;
}

Strings texts(const TermList& list) {
  Strings out;
  for (std::size_t i = 0; i < list.size(); ++i) out.emplace_back(list[i].text);
  return out;
}
// "term@position[begin,end)", for comparing whole terms.
Strings described(const TermList& list) {
  Strings out;
  for (std::size_t i = 0; i < list.size(); ++i) {
    const Term term = list[i];
    out.push_back(std::string(term.text) + "@" + std::to_string(term.position) + "[" +
                  std::to_string(term.begin) + "," + std::to_string(term.end) + ")");
  }
  return out;
}
Strings words(std::string_view text, const AnalyzerConfig& config = {}) {
  return texts(terms_of(config, text));
}

AnalyzerConfig language(std::string_view name) {
  Result<AnalyzerConfig> config = analyzer_for_language(name);
  EXPECT_EQ(why_not(config), "");
  return config.ok() ? config.value() : AnalyzerConfig();
}

TEST(Analyzer, GivesWordsWithPlaces) {
  EXPECT_EQ(described(terms_of({}, "Hello, wide  World!")),
            (Strings{"hello@0[0,5)", "wide@1[7,11)", "world@2[13,18)"}));
  EXPECT_EQ(described(terms_of({}, "ÜBER Öl")), (Strings{"über@0[0,5)", "öl@1[6,9)"}));
  EXPECT_EQ(words(""), Strings());
  EXPECT_EQ(words(" \t\n.,;!?()[]{}…—«»\u3002"), Strings());
  EXPECT_EQ(words("x"), Strings{"x"});
}

TEST(Analyzer, KeepsInnerMarksAndDropsOuterConnectors) {
  EXPECT_EQ(words("can't 3.14 1,000,000 e.g. U.S.A. snake_case a:b 10:30 rock'n'roll 5;6 x;y"),
            (Strings{"can't", "3.14", "1,000,000", "e.g", "u.s.a", "snake_case", "a:b", "10", "30",
                     "rock'n'roll", "5;6", "x", "y"}));
  EXPECT_EQ(words("_emphasis_ __init__ ___ a_ _1"), (Strings{"emphasis", "init", "a", "1"}));
  EXPECT_EQ(described(terms_of({}, "_é_ été\u202F!")), (Strings{"é@0[1,3)", "été@1[5,10)"}));
  EXPECT_EQ(words("John’s don’t 'quoted' ‘so’"), (Strings{"john's", "don't", "quoted", "so"}));
  EXPECT_EQ(words("user@example.com C++ C# node.js"),
            (Strings{"user", "example.com", "c", "c", "node.js"}));
}

TEST(Analyzer, ScriptsWithoutSpacesAndEmoji) {
  EXPECT_EQ(words("東京タワー"), (Strings{"東", "京", "タワー"}));
  EXPECT_EQ(words("한국어 텍스트"), (Strings{"한국어", "텍스트"}));
  EXPECT_EQ(words("I ❤️ 🍕🍕 👩‍👩‍👧‍👦 🇩🇪🇫🇷 © ™ 1️⃣"),
            (Strings{"i", "❤", "🍕", "🍕", "👩👩👧👦", "🇩🇪", "🇫🇷", "1\u20E3"}));
  EXPECT_EQ(words("नमस्ते दुनिया"), (Strings{"नमस्ते", "दुनिया"}));
  EXPECT_EQ(words("Привет, МИР"), (Strings{"привет", "мир"}));
}

TEST(Analyzer, DictionariesFindTheWords) {
  const AnalyzerConfig config{.tokenizer = WordTokenizer::kMultilingual};
  EXPECT_EQ(words("今天是星期一。", config), (Strings{"今天是", "星期一"}));
  EXPECT_EQ(words("本日の日付は", config), (Strings{"本日", "の", "日付", "は"}));
  EXPECT_EQ(words("มาทำงานกันเถอะ", config), (Strings{"มา", "ทำงาน", "กัน", "เถอะ"}));
  EXPECT_EQ(described(terms_of(config, "ABC 東京へ行く、x")),
            (Strings{"abc@0[0,3)", "東京@1[4,10)", "へ@2[10,13)", "行く@3[13,19)", "x@4[22,23)"}));
  EXPECT_EQ(words("What are you waiting for?", config),
            (Strings{"what", "are", "you", "waiting", "for"}));
}

TEST(Analyzer, WhitespaceKeepsPunctuation) {
  const AnalyzerConfig config{.tokenizer = WordTokenizer::kWhitespace};
  EXPECT_EQ(described(terms_of(config, " C++,  c#\u3000Ü!\n")),
            (Strings{"c++,@0[1,5)", "c#@1[7,9)", "ü!@2[12,15)"}));
  EXPECT_EQ(words("a\xFF"
                  "b \xE2\x82",
                  config),
            (Strings{"a\uFFFDb", "\uFFFD"}));
  EXPECT_EQ(words("x", config), Strings{"x"});
  EXPECT_EQ(words("\u200B \uFEFF", config), Strings());
}

TEST(Analyzer, PrefixGivesBeginningsAndAsksForTheWhole) {
  const AnalyzerConfig config{.tokenizer = WordTokenizer::kPrefix,
                              .stop_words = {"the"},
                              .min_token_len = 2,
                              .max_token_len = 4};
  EXPECT_EQ(described(terms_of(config, "Inton the ÜBÄ x")),
            (Strings{"in@0[0,5)", "int@0[0,5)", "into@0[0,5)", "üb@2[10,15)", "übä@2[10,15)"}));
  const auto asked = [&](std::string_view text) {
    return texts(terms_of(config, text, AnalyzeFor::kQuery));
  };
  EXPECT_EQ(asked("Int"), Strings{"int"});
  EXPECT_EQ(asked("Hello"), Strings{"hell"});
  EXPECT_EQ(asked("the"), Strings{"the"});
  EXPECT_EQ(asked("h"), Strings());
  EXPECT_EQ(asked(std::string(100'000, 'A')), Strings{"aaaa"});
  EXPECT_EQ(words(std::string(100'000, 'A'), config), (Strings{"aa", "aaa", "aaaa"}));
  std::string accents = "aé";
  for (int i = 0; i < 10'000; ++i) accents += "\u0301";
  EXPECT_EQ(terms_of(config, accents).size(), 3U);
}

TEST(Analyzer, StopWordsLeaveGaps) {
  const AnalyzerConfig config = language("english");
  EXPECT_EQ(described(terms_of(config, "The quick of the Fox")),
            (Strings{"quick@1[4,9)", "fox@4[17,20)"}));
  EXPECT_EQ(words("I’m not what you're", config), Strings());
  // Folded like the text that they are compared with.
  EXPECT_EQ(words("DAß Haus das", {.stop_words = {"Das", "daß"}}), Strings{"haus"});
  EXPECT_EQ(words("ação acao x", {.ascii_folding = true, .stop_words = {"Ação"}}), Strings{"x"});
  EXPECT_EQ(words("The the", {.lowercase = false, .stop_words = {"the"}}), Strings{"The"});
}

TEST(Analyzer, LengthsAreOfFinishedTerms) {
  const AnalyzerConfig config{.min_token_len = 2, .max_token_len = 3};
  EXPECT_EQ(described(terms_of(config, "a ab abc abcd é éé ééé éééé")),
            (Strings{"ab@1[2,4)", "abc@2[5,8)", "éé@5[17,21)", "ééé@6[22,28)"}));
  // After stemming: "running" is "run".
  EXPECT_EQ(words("running runner", {.stemmer = "english", .max_token_len = 3}), Strings{"run"});
  EXPECT_EQ(words(std::string(64, 'x') + " " + std::string(65, 'x')),
            Strings{std::string(64, 'x')});
  const AnalyzerConfig longest{.max_token_len = kTokenLenMax};
  for (const std::string& letter : {std::string("x"), std::string("語\u0301"), std::string("𝔘")}) {
    for (const std::size_t count : {1023U, 1024U, 1025U, 2047U, 2048U, 2049U, 100'000U}) {
      if (letter.size() > 4 && count != 1024) continue;
      std::string word;
      for (std::size_t i = 0; i < count; ++i) word += letter;
      const bool kept = letter.size() <= 4 && letter != "語\u0301" && count <= 1024;
      EXPECT_EQ(words(word, longest).size(), kept                ? 1U
                                             : letter.size() > 4 ? 1024U
                                                                 : 0U)
          << count << " of " << letter;
    }
  }
}

TEST(Analyzer, StemsByLanguage) {
  const auto stem = [](std::string_view name, std::string_view word) {
    const Strings stems = words(word, {.stemmer = std::string(name)});
    return stems.size() == 1 ? stems[0] : "not one term";
  };
  EXPECT_EQ(stem("english", "Running"), "run");
  EXPECT_EQ(stem("english", "generously"), "generous");
  EXPECT_EQ(stem("english", "John’s"), "john");
  EXPECT_EQ(stem("german", "HÄUSER"), "haus");
  EXPECT_EQ(stem("german", "ha\u0308user"), "haus");
  EXPECT_EQ(stem("french", "majestueusement"), "majestu");
  EXPECT_EQ(stem("spanish", "corriendo"), "corr");
  EXPECT_EQ(stem("italian", "abbandonata"), "abbandon");
  EXPECT_EQ(stem("portuguese", "quilométricas"), "quilométr");
  EXPECT_EQ(stem("russian", "Книгами"), "книг");
  EXPECT_EQ(stem("swedish", "klostren"), "klostr");
  EXPECT_EQ(stem("norwegian", "havnedistriktene"), "havnedistrikt");
  EXPECT_EQ(stem("danish", "undersøgelserne"), "undersøg");
  EXPECT_EQ(stem("finnish", "edeltäjistään"), "edeltäj");
  EXPECT_EQ(stem("hungarian", "babakocsijáért"), "babakocs");
  EXPECT_EQ(stem("arabic", "الكتاب"), "كتاب");
  EXPECT_EQ(stem("greek", "ΒΙΒΛΊΩΝ"), "βιβλ");
  EXPECT_EQ(stem("turkish", "kitaplarımızdan"), "kitap");
  EXPECT_EQ(stem("turkish", "KİTAPLARIMIZDAN"), "kitap");
  EXPECT_EQ(stem("romanian", "științele"), stem("romanian", "ştiinţele"));
  const std::string long_word(1000, 's');
  EXPECT_EQ(words(long_word, {.stemmer = "english", .max_token_len = 1000}), Strings{long_word});
}

TEST(Analyzer, ElidedWordsAreNotPartOfTheTerm) {
  EXPECT_EQ(words("L’avion d'autres aujourd'hui qu'il jusqu’où l'", {.stemmer = "french"}),
            (Strings{"avion", "autr", "aujourd'hui", "il", "où", "l"}));
  EXPECT_EQ(words("d' 'art l'l'eau", {.stemmer = "catalan"}), (Strings{"d", "art", "l'eau"}));
  EXPECT_EQ(words("dell'arte", {.stop_word_languages = {"italian"}}), Strings{"arte"});
  EXPECT_EQ(words("İstanbul'da", {.stemmer = "turkish"}), Strings{"istanbul"});
  EXPECT_EQ(words("l'avion"), Strings{"l'avion"});
}

TEST(Analyzer, TheSinkMayEndIt) {
  struct Three : TermSink {
    int count = 0;
    bool add(const Term&) override { return ++count < 3; }
  };
  const std::pair<WordTokenizer, std::string_view> cases[] = {
      {WordTokenizer::kWord, "a b c d e"},
      {WordTokenizer::kWord, "é é é é é"},
      {WordTokenizer::kWhitespace, "a b c d e"},
      {WordTokenizer::kPrefix, "abcdef abc"},
      {WordTokenizer::kMultilingual, "今天是星期一今天是星期一"}};
  for (const auto& [tokenizer, text] : cases) {
    Three sink;
    make({.tokenizer = tokenizer})->analyze(text, sink);
    EXPECT_EQ(sink.count, 3) << text;
  }
}

TEST(Analyzer, RefusesWhatItCannotDo) {
  const auto why = [](const AnalyzerConfig& config) { return why_not(Analyzer::create(config)); };
  EXPECT_EQ(why({.max_token_len = 1024}), "");
  EXPECT_NE(why({.max_token_len = 1025})
                .find("'analyzer.max_token_len' is 1025; it must be from 1 "
                      "to 1024"),
            std::string::npos);
  EXPECT_NE(
      why({.stemmer = "klingon"}).find("'analyzer.stemmer' is \"klingon\"; there are: arabic"),
      std::string::npos);
  EXPECT_NE(why({.stop_word_languages = {"tajik"}}).find("'analyzer.stopwords' is \"tajik\""),
            std::string::npos);
}

// What a word may be made of, and what may stand between two.
std::string random_text(Rng& rng) {
  static const Strings kPieces = {
      "a",       "Quick",  "the",    "I",        "_",     "__",   ".",      ",",      "'",
      "’",       ":",      " ",      " ",        "\n",    "\r\n", "1",      "3.14",   "é",
      "e\u0301", "ß",      "Σ",      "й",        "本",    "カタ", "ひ",     "ไทย",    "한",
      "\u200D",  "\u00AD", "\uFE0F", "👩",        "🏽",  "🇩",    "©",      "\u0903", "א",
      "\"",      "\u202F", "\xFF",   "\xE2\x82", "-",     "/",    "\u0345", "\u0301", "ﬁ",
      "\uFDFA",  "can't",  "İ",      "x_y",      "\u3099"};
  std::string out;
  for (std::uint64_t count = rng.below(14); count > 0; --count) {
    out += kPieces[rng.below(kPieces.size())];
  }
  return out;
}

bool has_term_char(std::string_view text, std::size_t at, std::size_t& next) {
  const DecodedChar c = analysis::decode_lossy(text.data() + at, text.data() + text.size());
  next = at + c.size;
  return (analysis::char_kind(c.value).flags & analysis::kCharTerm) != 0;
}

// Cuts at every boundary of UAX #29, takes the segments that have a letter, number or emoji, from
// the first of those on, without connectors at the end.
Strings twin_terms(std::string_view text, analysis::FoldOptions options) {
  Strings out;
  std::uint32_t position = 0;
  for (std::size_t begin = 0, end = 0; begin < text.size(); begin = end) {
    end = analysis::word_end(text, begin);
    std::size_t first = begin;
    for (std::size_t next = 0; first < end && !has_term_char(text, first, next); first = next) {
    }
    if (first >= end) continue;
    std::size_t last = first;  // the end without connectors
    for (std::size_t at = first, next = 0; at < end; at = next) {
      (void)has_term_char(text, at, next);
      const DecodedChar c = analysis::decode_lossy(text.data() + at, text.data() + end);
      const analysis::WordClass found = analysis::char_kind(c.value).word_class;
      const bool mark = found == analysis::WordClass::kExtend ||
                        found == analysis::WordClass::kFormat || found == analysis::WordClass::kZwj;
      const bool connector = found == analysis::WordClass::kExtendNumLet;
      if (!connector && !(mark && last < at)) last = next;
    }
    char term[analysis::kTermBytesMax];
    const std::size_t size = analysis::TermFolder(options)
                                 .fold_by_definition(text.substr(first, last - first), term)
                                 .size;
    if (size > 0) {
      out.push_back(std::string(term, size) + "@" + std::to_string(position) + "[" +
                    std::to_string(first) + "," + std::to_string(last) + ")");
    }
    ++position;
  }
  return out;
}

TEST(AnalyzerModel, FollowsTheRulesOnAnyText) {
  Rng rng(test_seed());
  const std::pair<AnalyzerConfig, analysis::FoldOptions> configs[] = {
      {{}, {.case_folding = true}},
      {{.lowercase = false}, {}},
      {{.ascii_folding = true}, {.case_folding = true, .ascii_folding = true}},
      {{.lowercase = false, .ascii_folding = true}, {.ascii_folding = true}}};
  for (auto [config, options] : configs) {
    config.max_token_len = kTokenLenMax;  // The twin drops nothing.
    const auto analyzer = make(config);
    TermList list;
    for (int round = 0; round < 20'000; ++round) {
      const std::string text = random_text(rng);
      list.clear();
      analyzer->analyze(text, list);
      ASSERT_EQ(described(list), twin_terms(text, options)) << ::testing::PrintToString(text);
    }
  }
}

TEST(AnalyzerModel, PrefixesAreBeginningsOfTheWords) {
  Rng rng(test_seed());
  for (int round = 0; round < 5'000; ++round) {
    const auto min = static_cast<std::uint32_t>(1 + rng.below(4));
    const auto max = min + static_cast<std::uint32_t>(rng.below(5));
    const AnalyzerConfig config{
        .tokenizer = WordTokenizer::kPrefix, .min_token_len = min, .max_token_len = max};
    const std::string text = random_text(rng);
    const TermList whole = terms_of({.max_token_len = kTokenLenMax}, text);
    Strings beginnings;
    Strings asked;
    for (std::size_t i = 0; i < whole.size(); ++i) {
      const std::string word(whole[i].text);
      std::string longest;
      for (std::size_t size = 1; size <= word.size(); ++size) {
        if (size < word.size() && is_utf8_continuation(word[size])) continue;
        const std::size_t length = analysis::count_chars(word.data(), size);
        if (length < min || length > max) continue;
        longest = word.substr(0, size);
        beginnings.push_back(longest);
      }
      if (!longest.empty()) asked.push_back(longest);
    }
    ASSERT_EQ(words(text, config), beginnings) << ::testing::PrintToString(text);
    ASSERT_EQ(texts(terms_of(config, text, AnalyzeFor::kQuery)), asked);
  }
}

// The length that a text has for a sink that keeps nothing.
struct LengthSink : TermSink {
  std::size_t terms = 0;
  std::size_t bytes = 0;
  std::uint32_t last_end = 0;
  bool add(const Term& term) override {
    ++terms;
    bytes += term.text.size();
    last_end = term.end;
    return true;
  }
};

TEST(Analyzer, HugeTexts) {
  constexpr std::size_t kSize = 10U << 20;
  const std::pair<std::string, std::size_t> cases[] = {{"The quick brown fox jumps. ", 5},
                                                       {"a", 0},
                                                       {"\u0301", 0},
                                                       {"a;\u0301\u0301\u0301", 1},
                                                       {"é", 0},
                                                       {"本", 1},
                                                       {"\xFF", 0},
                                                       {"'", 0}};
  for (const auto& [unit, terms_each] : cases) {
    std::string text;
    text.reserve(kSize + 64);
    while (text.size() < kSize) text += unit;
    text += " end";
    LengthSink counter;
    make({})->analyze(text, counter);
    const std::size_t count = (text.size() - 4) / unit.size();
    EXPECT_EQ(counter.terms, count * terms_each + 1) << unit;
    EXPECT_EQ(counter.last_end, text.size()) << unit;
  }
  std::string marks = "a";
  while (marks.size() < kSize) marks += "a\u0327\u0301\u0323";
  LengthSink counter;
  make({.ascii_folding = true})->analyze(marks, counter);
  EXPECT_EQ(counter.terms, 0U);
}

TEST(Analyzer, ManyThreadsShareOne) {
  const std::string text =
      "The runners’ HOUSES were running; die Häuser, 今天是星期一 本日の日付は มาทำงานกันเถอะ "
      "e\u0301cole co\u00ADoperate 👩‍👩‍👧 İstanbul";
  std::vector<std::unique_ptr<Analyzer>> analyzers;
  std::vector<Strings> expected;
  for (const std::string_view name : {"english", "german", "turkish", "russian"}) {
    for (const WordTokenizer tokenizer : {WordTokenizer::kWord, WordTokenizer::kMultilingual}) {
      AnalyzerConfig config = language(name);
      config.tokenizer = tokenizer;
      config.ascii_folding = name == "english";
      analyzers.push_back(make(config));
      TermList list;
      analyzers.back()->analyze(text, list);
      expected.push_back(described(list));
    }
  }
  std::vector<std::thread> threads;
  std::vector<int> wrong(4, 0);
  for (std::size_t t = 0; t < wrong.size(); ++t) {
    threads.emplace_back([&, t] {
      TermList list;
      for (int round = 0; round < 200; ++round) {
        for (std::size_t i = 0; i < analyzers.size(); ++i) {
          list.clear();
          analyzers[i]->analyze(text, list);
          wrong[t] += described(list) != expected[i] ? 1 : 0;
        }
      }
    });
  }
  for (std::thread& thread : threads) thread.join();
  EXPECT_EQ(wrong, std::vector<int>(4, 0));
}

}  // namespace
}  // namespace quipu::text
