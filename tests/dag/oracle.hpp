#pragma once

#include <map>
#include <set>
#include <vector>

#include "dag/config.hpp"
#include "dag/model/commit.hpp"
#include "dag/model/verification.hpp"
#include "dag/ordering/leader_schedule.hpp"

namespace monodon::dag::test {

/// The ordering rules written down a second time, with sets of slots and recursion and without anything that
/// is kept from one question to the next: slow, and easy to hold against the text. Checks as it goes that
/// every supported candidate leads to the same anchor (I1) and that an instance begins with nothing ordered
/// (I2).
class Oracle {
 public:
    Oracle(const OrderingConfig& config, const Committee& committee)
        : config_(config), committee_(committee) {}

    void insert(const VerifiedCertificate& certificate) {
        store_.insert_or_assign(certificate->ref().slot(), certificate);
    }
    void evaluate();
    [[nodiscard]] const std::vector<Commit>& commits() const { return commits_; }

 private:
    [[nodiscard]] ValidatorIndex anchor(Round round) const;
    [[nodiscard]] std::vector<std::uint64_t> weights() const;
    [[nodiscard]] std::vector<Slot> candidates() const;
    [[nodiscard]] bool supported(Slot slot) const;
    [[nodiscard]] Slot walk_back(Slot slot) const;
    void reach(Slot slot, Round low, std::set<Slot>& reached) const;
    void order(Slot slot);
    [[nodiscard]] bool is_executed(Round anchor, const PayloadEntry& entry) const;

    const OrderingConfig& config_;
    const Committee& committee_;
    std::map<Slot, VerifiedCertificate> store_;
    std::set<Slot> ordered_;
    std::vector<Commit> commits_;
};

}  // namespace monodon::dag::test
