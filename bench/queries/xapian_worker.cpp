// Xapian as a words peer: a database on disk, one text at a time, BM25 with our k1 and b.
//
// Positions are left out, which Xapian stores apart and no query here reads: its building time
// would more than double. Texts are already lower case words with spaces between, so that splitting
// at the spaces is what the others' tokenizers do.
#include <algorithm>
#include <filesystem>
#include <map>
#include <memory>
#include <string_view>
#include <vector>
#include <xapian.h>

#include "bench/queries/words_peer.h"

namespace quipu::bench {
namespace {

template <typename Visit>
void for_each_word(std::string_view text, Visit visit) {
  while (!text.empty()) {
    const std::size_t end = std::min(text.find(' '), text.size());
    if (end > 0) visit(text.substr(0, end));
    text.remove_prefix(std::min(end + 1, text.size()));
  }
}

class XapianPeer final : public WordsPeer {
 public:
  Status build(std::ifstream& texts, std::size_t count, const std::string& work_dir) override {
    try {
      const std::string loose = work_dir + "/loose";
      fill(texts, count, loose);
      // What its manual advises before a database is only read.
      path_ = work_dir + "/compact";
      Xapian::Database(loose).compact(path_);
      std::filesystem::remove_all(loose);
      database_ = std::make_unique<Xapian::Database>(path_);
      if (database_->get_doccount() != count) {
        return Error{ErrorCode::kInternal, "the database is not whole"};
      }
    } catch (const Xapian::Error& error) {
      return Error{ErrorCode::kInternal, error.get_description()};
    } catch (const std::runtime_error& error) {
      return Error{ErrorCode::kInvalidArgument, error.what()};
    }
    return ok_status();
  }

  Result<std::size_t> search(const std::string& query, std::span<std::uint32_t> ids,
                             std::span<float> scores) override {
    std::vector<std::string> words;
    for_each_word(query, [&words](std::string_view word) { words.emplace_back(word); });
    try {
      Xapian::Enquire enquire(*database_);
      enquire.set_query(Xapian::Query(Xapian::Query::OP_OR, words.begin(), words.end()));
      enquire.set_weighting_scheme(Xapian::BM25Weight(1.2, 0, 1, 0.75, 0));
      const Xapian::MSet found = enquire.get_mset(0, static_cast<Xapian::doccount>(ids.size()));
      std::size_t next = 0;
      for (auto hit = found.begin(); hit != found.end(); ++hit, ++next) {
        ids[next] = *hit - 1;  // Its documents count from 1.
        scores[next] = static_cast<float>(hit.get_weight());
      }
      return next;
    } catch (const Xapian::Error& error) {
      return Error{ErrorCode::kInternal, error.get_description()};
    }
  }

  void about(JsonWriter& writer) const override {
    std::uint64_t bytes = 0;
    for (const auto& file : std::filesystem::recursive_directory_iterator(path_)) {
      if (file.is_regular_file()) bytes += file.file_size();
    }
    writer.key("index_bytes").value(bytes);
    writer.key("version").value(std::string(Xapian::version_string()));
  }

 private:
  static void fill(std::ifstream& texts, std::size_t count, const std::string& path) {
    Xapian::WritableDatabase database(
        path, Xapian::DB_CREATE_OR_OVERWRITE | Xapian::DB_DANGEROUS | Xapian::DB_NO_SYNC);
    std::string line;
    std::map<std::string, unsigned, std::less<>> counts;
    for (std::size_t row = 0; row < count; ++row) {
      if (!std::getline(texts, line)) throw std::runtime_error("too few texts");
      counts.clear();
      for_each_word(line, [&counts](std::string_view word) {
        const auto at = counts.find(word);
        if (at != counts.end()) {
          ++at->second;
        } else {
          counts.emplace(word, 1);
        }
      });
      Xapian::Document document;
      for (const auto& [word, times] : counts) document.add_term(word, times);
      database.add_document(document);
    }
    database.commit();
  }

  std::string path_;
  std::unique_ptr<Xapian::Database> database_;
};

}  // namespace
}  // namespace quipu::bench

int main() {
  quipu::bench::XapianPeer peer;
  return quipu::bench::serve_words(peer);
}
