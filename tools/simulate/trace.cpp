#include "tools/simulate/trace.hpp"

#include <fmt/format.h>

#include "tools/simulate/random.hpp"

namespace monodon::sim {

void Trace::fold(std::uint64_t value) { hash_ = Random::mix(hash_ ^ value) + 0x9e3779b97f4a7c15; }

void Trace::fold(Time now, NodeId node, std::string_view kind) {
    fold(static_cast<std::uint64_t>((now - begin_).count()));
    fold(node);
    for (const char each : kind) fold(static_cast<std::uint64_t>(static_cast<unsigned char>(each)));
}

void Trace::fold(const dag::HeaderRef& ref) {
    fold(ref.round.value());
    fold(ref.author.value());
    for (std::size_t at = 0; at < 8; ++at) fold(ref.digest.bytes.at(at));
}

std::string Trace::head(Time now, NodeId node, std::string_view kind) const {
    return fmt::format(R"({{"t":{},"n":{},"k":"{}")", (now - begin_).count(), node, kind);
}

void Trace::event(Time now, NodeId node, std::string_view kind, std::string_view what) {
    fold(now, node, kind);
    if (!keep_lines_) return;
    lines_ += head(now, node, kind);
    if (!what.empty()) lines_ += fmt::format(R"(,"what":"{}")", what);
    lines_ += "}\n";
}

void Trace::slot(Time now, NodeId node, std::string_view kind, const dag::HeaderRef& ref) {
    fold(now, node, kind);
    fold(ref);
    if (!keep_lines_) return;
    lines_ += head(now, node, kind);
    lines_ += fmt::format(R"(,"slot":[{},{}],"d":"{}"}})", ref.round.value(), ref.author.value(),
                          ref.digest.short_hex());
    lines_ += "\n";
}

void Trace::certificate(Time now, NodeId node, const dag::Certificate& certificate) {
    const dag::HeaderRef ref = certificate.ref();
    fold(now, node, "cert");
    fold(ref);
    if (!keep_lines_) return;
    std::string parents;
    for (const dag::Parent& parent : certificate.header.parents) {
        parents += fmt::format("{}{}", parents.empty() ? "" : ",", parent.author.value());
    }
    lines_ += head(now, node, "cert");
    lines_ +=
        fmt::format(R"(,"slot":[{},{}],"d":"{}","parents":[{}],"payload":{}}})", ref.round.value(),
                    ref.author.value(), ref.digest.short_hex(), parents, certificate.header.payload.size());
    lines_ += "\n";
}

void Trace::commit(Time now, NodeId node, const dag::Commit& commit) {
    fold(now, node, "commit");
    fold(commit.anchor);
    fold(commit.index.value());
    if (!keep_lines_) return;
    std::string skipped;
    for (const dag::Slot& slot : commit.failed) {
        skipped +=
            fmt::format("{}[{},{}]", skipped.empty() ? "" : ",", slot.round.value(), slot.author.value());
    }
    lines_ += head(now, node, "commit");
    lines_ += fmt::format(R"(,"slot":[{},{}],"index":{},"certificates":{},"skipped":[{}]}})",
                          commit.anchor.round.value(), commit.anchor.author.value(), commit.index.value(),
                          commit.certificates.size(), skipped);
    lines_ += "\n";
}

}  // namespace monodon::sim
