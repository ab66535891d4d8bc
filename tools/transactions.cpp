#include "tools/transactions.hpp"

#include <algorithm>
#include <fstream>
#include <iostream>
#include <iterator>

#include <boost/json/object.hpp>
#include <fmt/format.h>

#include "dag/model/types.hpp"
#include "node/kv_format.hpp"
#include "tools/json_read.hpp"
#include "tools/operations.hpp"

namespace monodon::tools {

namespace json = boost::json;

namespace {

/// For the way there and back, beyond the wait itself.
constexpr auto kSlack = std::chrono::seconds(3);

Result<Bytes> read_transaction(const std::string& file) {
    std::ifstream opened;
    const auto in = open_input(file, opened);
    if (!in) return Unexpected{in.error()};
    Bytes bytes(dag::kTransactionBytesMax + 1);
    (*in)->read(reinterpret_cast<char*>(bytes.data()), static_cast<std::streamsize>(bytes.size()));
    bytes.resize(static_cast<std::size_t>((*in)->gcount()));
    if (bytes.size() > dag::kTransactionBytesMax) {
        return failure(kExitUsage, fmt::format("{} is larger than a transaction may be ({} bytes)", file,
                                               dag::kTransactionBytesMax));
    }
    if (bytes.empty())
        return failure(kExitUsage, fmt::format("{} is empty", file == "-" ? "standard input" : file));
    return bytes;
}

Result<node::KvNonce> nonce_of(const std::string& digits) {
    if (digits.empty()) return fresh_nonce();
    node::KvNonce nonce{};
    const auto given = from_hex(digits);
    if (!given || given->size() != nonce.size()) {
        return failure(kExitUsage, fmt::format("a nonce is {} hexadecimal digits", 2 * nonce.size()));
    }
    std::ranges::copy(*given, nonce.begin());
    return nonce;
}

Result<Bytes> transaction_of(const SubmitOptions& options, const node::KvNonce& nonce) {
    if (!options.operation.empty() && !options.file.empty()) {
        return failure(kExitUsage, "a file or an operation, not both");
    }
    if (!options.operation.empty()) return operation_bytes(options.operation, nonce);
    if (options.file.empty())
        return failure(kExitUsage, "what? Give a file, - for standard input, or --op put KEY VALUE");
    return read_transaction(options.file);
}

std::string latencies(const json::object& receipt) {
    std::string list;
    for (const auto& [stage, value] : child(receipt, "latency_ms")) {
        if (!value.is_number()) continue;
        list += fmt::format("{}{} {:.0f} ms", list.empty() ? "" : ", ",
                            std::string_view(stage.data(), stage.size()), value.to_number<double>());
    }
    return list;
}

void print_receipt(const json::value& answer, Form form) {
    if (form == Form::json) return print_json(answer);
    const json::object& receipt = as_object(answer);
    if (form == Form::plain) {
        return print_line(fmt::format("{}\t{}\t{}\t{}\t{}", text(receipt, "status"), text(receipt, "id"),
                                      number(receipt, "commit"), number(receipt, "position"),
                                      receipt.contains("duplicate") ? "duplicate" : "new"));
    }
    print_line(receipt_line(receipt));
}

}  // namespace

std::string receipt_line(const json::object& receipt) {
    std::string line = fmt::format("{}  tx {}", text(receipt, "status"), text(receipt, "id"));
    if (receipt.contains("commit")) line += fmt::format("  commit {}", number(receipt, "commit"));
    if (receipt.contains("position")) line += fmt::format("  position {}", number(receipt, "position"));
    if (receipt.contains("round")) line += fmt::format("  round {}", number(receipt, "round"));
    if (receipt.contains("validator")) line += fmt::format("  by {}", text(receipt, "validator"));
    if (receipt.contains("duplicate")) line += "  duplicate: this node had it already";
    if (receipt.contains("result")) line += fmt::format("  result {}", text(receipt, "result"));
    if (receipt.contains("value")) line += fmt::format("  value (base64) {}", text(receipt, "value"));
    const std::string list = latencies(receipt);
    if (!list.empty()) line += fmt::format("   ({})", list);
    return line;
}

Result<Bytes> operation_bytes(const std::vector<std::string>& words, const node::KvNonce& nonce) {
    const std::string usage = "an operation is put KEY VALUE, delete KEY, get KEY or cas KEY EXPECTED VALUE";
    node::KvOperation operation;
    const std::string name = words.empty() ? "" : words.front();
    if (name == "put" && words.size() == 3) {
        operation.value = as_bytes(words[2]);
    } else if (name == "delete" && words.size() == 2) {
        operation.op = node::KvOp::erase;
    } else if (name == "get" && words.size() == 2) {
        operation.op = node::KvOp::get;
    } else if (name == "cas" && words.size() == 4) {
        operation.op = node::KvOp::compare_and_set;
        if (words[2] != "-") operation.expected = as_bytes(words[2]);
        operation.value = as_bytes(words[3]);
    } else {
        return failure(kExitUsage, usage);
    }
    operation.nonce = nonce;
    operation.key = as_bytes(words[1]);
    if (operation.key.empty() || operation.key.size() > node::kKvKeyBytesMax) {
        return failure(kExitUsage, fmt::format("a key has 1 to {} bytes", node::kKvKeyBytesMax));
    }
    return node::encode_kv(operation);
}

int submit(const SubmitOptions& options) {
    const auto nonce = nonce_of(options.nonce);
    if (!nonce) return report(nonce.error());
    const auto transaction = transaction_of(options, *nonce);
    if (!transaction) return report(transaction.error());
    auto admin = ask_one(options.where);
    if (!admin) return report(admin.error());
    auto asker = Asker::api(admin->node());
    if (!asker) return report(asker.error());
    const auto reply = asker->raw_post(
        fmt::format("/v1/tx?wait={}&timeout={}ms", node::name(options.wait), options.timeout.count()),
        *transaction, options.timeout + kSlack);
    if (!reply) {
        Failure lost = reply.error();
        if (!options.operation.empty()) {
            lost.message += "; to ask again for the same operation, add --nonce " + to_hex(*nonce);
        }
        return report(lost);
    }
    if (reply->status != 200 && reply->status != 202) {
        Failure refused = asker->refusal(*reply);
        const std::string later = reply->header("retry-after");
        if (!later.empty()) refused.message += fmt::format(" (try again in {} s)", later);
        return report(refused);
    }
    const auto answer = parse_answer(reply->body);
    if (!answer) return report(answer.error());
    print_receipt(*answer, options.form);
    if (reply->status == 200) return kExitDone;
    return report(
        {kExitTimedOut,
         fmt::format("not {} within {}: it is on its way; ask with `monodon tx get {}`",
                     node::name(options.wait), human_time(options.timeout), text(as_object(*answer), "id"))});
}

int receipt(const ReceiptOptions& options) {
    auto admin = ask_one(options.where);
    if (!admin) return report(admin.error());
    auto asker = Asker::api(admin->node());
    if (!asker) return report(asker.error());
    const auto reply = asker->raw_get("/v1/tx/" + options.id);
    if (!reply) return report(reply.error());
    if (reply->status == 404) {
        return report(
            {kExitFailed, fmt::format("{} does not know {}: it was given to another node, or long ago",
                                      admin->node().name, options.id)});
    }
    if (reply->status != 200) return report(asker->refusal(*reply));
    const auto answer = parse_answer(reply->body);
    if (!answer) return report(answer.error());
    print_receipt(*answer, options.form);
    return kExitDone;
}

}  // namespace monodon::tools
