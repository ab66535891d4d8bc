#include "tools/transaction_maker.hpp"

#include <algorithm>
#include <random>

#include <fmt/format.h>

#include "node/kv_format.hpp"

namespace monodon::tools {

namespace {

constexpr std::size_t kPool = 64 * 1024;

}  // namespace

TransactionMaker::TransactionMaker(LoadKind kind, std::uint64_t size, std::uint64_t run, std::uint32_t lane)
    : kind_(kind), size_(size), run_(run), lane_(lane), pool_(kPool) {
    std::mt19937_64 random(run ^ lane);
    std::ranges::generate(pool_, [&random] { return static_cast<Byte>(random()); });
    size_ = std::max(size_, next().size());
    count_ = 0;
}

ByteView TransactionMaker::filling(std::size_t size) const {
    size = std::min(size, pool_.size());
    const std::size_t places = pool_.size() - size + 1;
    return ByteView(pool_).subspan(static_cast<std::size_t>(count_ * 7919 % places), size);
}

Bytes TransactionMaker::next() {
    const std::string name = fmt::format("bench/{:016x}/{:x}/{:x}", run_, lane_, count_);
    Bytes transaction;
    if (kind_ == LoadKind::put) {
        node::KvOperation operation;
        // The key tells the operations apart; a nonce of zeros keeps the generator cheap.
        operation.key = as_bytes(name);
        const std::size_t bare = node::encode_kv(operation).size();
        operation.value = filling(size_ - std::min(size_, bare));
        transaction = node::encode_kv(operation);
    } else {
        const ByteView head = as_bytes(name);
        transaction.assign(head.begin(), head.end());
        const ByteView rest = filling(size_ - std::min<std::size_t>(size_, head.size()));
        transaction.insert(transaction.end(), rest.begin(), rest.end());
    }
    ++count_;
    return transaction;
}

}  // namespace monodon::tools
