#include "node/submission.hpp"

#include <optional>

namespace monodon::node {

namespace {

std::optional<Refusal> judge(const Application& application, ByteView transaction) {
    if (transaction.size() > dag::kTransactionBytesMax) return Refusal::too_large;
    if (transaction.empty()) return Refusal::malformed;
    if (application.check({transaction}) != Verdict::ok) return Refusal::malformed;
    return std::nullopt;
}

}  // namespace

void prepare(const Application& application, PreparedSubmission& prepared) {
    const std::vector<Slice>& transactions = prepared.submission.transactions;
    prepared.ids.resize(transactions.size());
    for (std::size_t at = 0; at < transactions.size(); ++at) {
        const ByteView bytes = transactions[at].bytes;
        if (const auto refusal = judge(application, bytes)) {
            prepared.refused.push_back({static_cast<std::uint32_t>(at), *refusal});
            continue;
        }
        prepared.ids[at] = sha256(bytes);
        prepared.charge += transaction_charge(bytes.size());
    }
}

}  // namespace monodon::node
