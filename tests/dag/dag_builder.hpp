#pragma once

#include <cstdint>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "dag/graph/graph.hpp"
#include "dag/ordering/orderer.hpp"

/// DAGs in the words of the tests: members are letters, "C3" is the certificate of member C (index 2) in
/// round 3.
namespace monodon::dag::test {

/// Signs with zeros: for certificates whose signatures nobody checks.
class NoSignatures final : public Signer {
 public:
    [[nodiscard]] Signature sign(ByteView) const override { return {}; }
    [[nodiscard]] const PublicKey& public_key() const override { return key_; }

 private:
    PublicKey key_;
};

/// Keys stand for nothing but differ.
[[nodiscard]] Committee committee_of(const std::vector<Stake>& stakes, std::string chain = "replay");
/// With its digest, and no signatures.
[[nodiscard]] VerifiedCertificate certificate_of(const Committee& committee, Header header);

[[nodiscard]] Slot slot(std::string_view name);
[[nodiscard]] std::string name(Slot slot);
[[nodiscard]] ValidatorIndex member(char letter);
[[nodiscard]] AuthorSet members(std::string_view letters);

/// A batch that differs from those with another number.
[[nodiscard]] PayloadEntry batch(std::uint32_t number, std::uint64_t sealed_round);

struct RoundOptions {
    /// Members whose certificates of the round before nobody names.
    std::string_view without = "";
};

class DagBuilder {
 public:
    /// Stake 1 each.
    explicit DagBuilder(std::size_t members) : DagBuilder(std::vector<Stake>(members, 1)) {}
    explicit DagBuilder(const std::vector<Stake>& stakes);

    /// These members, each naming all certificates of the round before.
    DagBuilder& round(std::uint64_t number, std::string_view authors, RoundOptions options = {});
    DagBuilder& rounds(std::uint64_t first, std::uint64_t last, std::string_view authors);
    /// One certificate with these parents.
    DagBuilder& add(std::string_view name, std::string_view parents, std::vector<PayloadEntry> payload = {});

    [[nodiscard]] const Committee& committee() const { return *committee_; }
    /// In the order in which they were added.
    [[nodiscard]] const std::vector<VerifiedCertificate>& certificates() const { return certificates_; }
    [[nodiscard]] const VerifiedCertificate& at(std::string_view name) const;
    [[nodiscard]] HeaderRef ref(std::string_view name) const { return at(name)->ref(); }

 private:
    [[nodiscard]] const VerifiedCertificate* find(Slot slot) const;

    std::shared_ptr<const Committee> committee_;
    std::vector<VerifiedCertificate> certificates_;
};

/// A graph and its orderer, as the engine drives them.
struct Node {
    Node(const Committee& committee, const OrderingConfig& config, Round floor = Round{0})
        : graph(committee, floor), orderer(config, committee) {}

    /// The certificate must fit. Gives what it made decidable, which is in `commits` too.
    std::vector<CommitPtr> insert(const VerifiedCertificate& certificate);
    /// Of each all that was not there yet.
    void feed(const DagBuilder& dag);
    void evaluate();

    Graph graph;
    Orderer orderer;
    std::vector<CommitPtr> commits;
};

/// "A1 B2 A3".
[[nodiscard]] std::string anchors(const std::vector<CommitPtr>& commits);
[[nodiscard]] std::string certificates(const Commit& commit);
[[nodiscard]] std::string failed(const Commit& commit);

/// A Shoal configuration whose anchors follow a list of names, "A1 B2"; of other rounds `otherwise` is the
/// anchor.
[[nodiscard]] OrderingConfig table(std::string_view names, char otherwise = 'A', std::uint64_t window = 10);

}  // namespace monodon::dag::test
