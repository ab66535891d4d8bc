#include "net/rpc/rpc_failure.hpp"

#include "net/wire/pack.hpp"

namespace monodon::net {

Bytes encode(RpcFailure failure) {
    PackWriter writer;
    writer.array(2).u64(static_cast<std::uint64_t>(failure.code)).u64(failure.detail);
    return writer.take();
}

std::optional<RpcFailure> decode_failure(ByteView payload) {
    auto reader = PackReader::open(payload);
    if (!reader) return std::nullopt;
    reader->array(2);
    const std::uint8_t code = reader->u8(static_cast<std::uint8_t>(RpcError::internal));
    const std::uint64_t detail = reader->u64();
    if (!reader->finished() || code == 0) return std::nullopt;
    return RpcFailure{static_cast<RpcError>(code), detail};
}

Violation violation_of(AssemblyError error, std::string_view where) {
    Fault fault = Fault::malformed;
    if (error == AssemblyError::too_large) fault = Fault::oversize;
    // What it holds unfinished is more than it was told that it may.
    if (error == AssemblyError::too_many_unfinished || error == AssemblyError::out_of_memory) {
        fault = Fault::unsolicited;
    }
    return {fault, std::string(where) + std::string(name(error))};
}

}  // namespace monodon::net
