#include "quipu/base/sha256.h"

#include <openssl/evp.h>

#include <array>

#include "quipu/assert.h"

namespace quipu {
namespace {

using DigestContext = std::unique_ptr<EVP_MD_CTX, void (*)(EVP_MD_CTX*)>;

DigestContext make_digest_context() { return {EVP_MD_CTX_new(), EVP_MD_CTX_free}; }

}  // namespace

struct Sha256::State {
  DigestContext context = make_digest_context();
};

// The calls below can fail only without memory or without the library's own default provider.
Sha256::Sha256() : state_(std::make_unique<State>()) {
  const int done = EVP_DigestInit_ex(state_->context.get(), EVP_sha256(), nullptr);
  QUIPU_ASSERT(done == 1);
}

Sha256::~Sha256() = default;

void Sha256::update(std::string_view bytes) {
  const int done = EVP_DigestUpdate(state_->context.get(), bytes.data(), bytes.size());
  QUIPU_ASSERT(done == 1);
}

std::string Sha256::hex() const {
  const DigestContext copy = make_digest_context();
  std::array<unsigned char, 32> digest{};
  const int copied = EVP_MD_CTX_copy_ex(copy.get(), state_->context.get());
  QUIPU_ASSERT(copied == 1);
  unsigned int size = 0;
  const int done = EVP_DigestFinal_ex(copy.get(), digest.data(), &size);
  QUIPU_ASSERT(done == 1);
  constexpr std::string_view kDigits = "0123456789abcdef";
  std::string text;
  for (const unsigned char byte : digest) {
    text.push_back(kDigits[byte >> 4U]);
    text.push_back(kDigits[byte & 0xFU]);
  }
  return text;
}

}  // namespace quipu
