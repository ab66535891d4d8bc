#pragma once

#include <filesystem>
#include <iosfwd>

/// `monodon replay FILE`: runs a described DAG through the ordering of a node and prints what it orders. The
/// form of input and output is in tests/conformance/README.md.
namespace monodon::tools {

inline constexpr int kReplayDone = 0;
/// The output could not be written.
inline constexpr int kReplayFailed = 1;
/// The input cannot be read or breaks a rule; the message names the certificate, if it is one.
inline constexpr int kReplayRefused = 2;

/// Writes one JSON object to `out`, or nothing and one line to `err`. Gives the exit code of the process.
int replay(std::istream& input, std::ostream& out, std::ostream& err);
/// The same for a file.
int replay(const std::filesystem::path& file, std::ostream& out, std::ostream& err);

}  // namespace monodon::tools
