#pragma once

#include <optional>
#include <vector>

#include "dag/model/verification.hpp"
#include "dag/ordering/consensus_state.hpp"
#include "storage/two_rounds.hpp"

/// What the files of a checkpoint hold before compression. The files are verified by their names (XXH3-128),
/// so that nothing in them is hashed again when they are read.
namespace monodon::storage {

/// Certificates ascending by round and author, for one file. A parent that lies in the same file is one bit:
/// its digest is taken from there.
class SegmentWriter {
 public:
    /// Ascending, and within 65,535 rounds of the first.
    void add(const dag::Certificate& certificate);
    [[nodiscard]] bool empty() const { return count_ == 0; }
    [[nodiscard]] std::uint32_t count() const { return count_; }
    [[nodiscard]] std::size_t bytes() const { return body_.view().size(); }
    [[nodiscard]] dag::Round first() const { return first_; }
    [[nodiscard]] dag::Round last() const { return rounds_.round(); }
    /// The writer is empty afterwards.
    [[nodiscard]] Bytes finish();

 private:
    CanonicalWriter body_;
    std::uint32_t count_ = 0;
    dag::Epoch epoch_;
    dag::Round first_;
    TwoRounds rounds_;
};

/// Appends the certificates of a file that are above `floor` to `out`. False, and `out` is as before, if it
/// is not such a file, or of another epoch.
[[nodiscard]] bool read_segment(ByteView bytes, dag::Epoch epoch, dag::Round floor,
                                std::vector<dag::VerifiedCertificate>& out);

[[nodiscard]] Bytes encode_consensus_state(const dag::ConsensusState& state);
[[nodiscard]] std::optional<dag::ConsensusState> decode_consensus_state(ByteView bytes);

}  // namespace monodon::storage
