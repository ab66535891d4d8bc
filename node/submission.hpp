#pragma once

#include <cstdint>
#include <functional>
#include <vector>

#include "node/application.hpp"
#include "node/receipts.hpp"
#include "node/slice.hpp"

namespace monodon::node {

inline constexpr std::size_t kSubmissionTransactionsMax = 4096;

/// Transactions that one client hands in together.
struct Submission {
    /// 1 to kSubmissionTransactionsMax.
    std::vector<Slice> transactions;
    Stage want = Stage::committed;
    Duration timeout = std::chrono::seconds(10);
    /// On the worker's strand, or on any thread once the worker has stopped; must be quick.
    std::function<void(const StageReport&)> report;
};

/// A submission with all that can be said of it without looking at anything else.
struct PreparedSubmission {
    Submission submission;
    /// Rises from submission to submission.
    std::uint64_t number = 0;
    Time arrival;
    /// Of the transactions in their order; zero for the refused.
    std::vector<Digest> ids;
    std::vector<RefusedTransaction> refused;
    /// What the others count against the limit on accepted bytes.
    std::size_t charge = 0;

    [[nodiscard]] std::size_t valid() const { return ids.size() - refused.size(); }
};

/// What an accepted transaction counts: more than its bytes, for its entry in batch, receipts and index, so
/// that tiny transactions are bounded as well (64 MiB are at most 970,000 of them).
[[nodiscard]] constexpr std::size_t transaction_charge(std::size_t bytes) { return bytes + 68; }

/// Checks and hashes the transactions. Any thread; a megabyte takes about a millisecond.
void prepare(const Application& application, PreparedSubmission& prepared);

}  // namespace monodon::node
