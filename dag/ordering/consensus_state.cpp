#include "dag/ordering/consensus_state.hpp"

namespace monodon::dag {

Digest consensus_state_digest(const Committee& committee, const ConsensusState& state) {
    CanonicalWriter writer = committee.domain("consensus");
    writer.u64(state.last.index.value()).digest(state.last.digest);
    write(writer, state.anchor);
    writer.count(state.events.size());
    for (const AnchorEvent& event : state.events) {
        writer.u64(event.index.value()).u64(event.anchor.round.value()).u16(event.anchor.author.value());
        write(writer, event.voters);
        writer.count(event.failed.size());
        for (const Slot& slot : event.failed) writer.u64(slot.round.value()).u16(slot.author.value());
    }
    writer.count(state.ordered.size());
    for (const AuthorSet& authors : state.ordered) write(writer, authors);
    writer.count(state.executed.size());
    for (const ExecutedSet::Entry& entry : state.executed)
        writer.u64(entry.sealed_round.value()).digest(entry.batch);
    return writer.hash();
}

}  // namespace monodon::dag
