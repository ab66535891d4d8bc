#include <boost/json/array.hpp>
#include <boost/json/object.hpp>
#include <fmt/format.h>

#include "storage/tables/notebook.hpp"
#include "tools/db.hpp"

namespace monodon::tools {

namespace json = boost::json;

namespace {

json::array environments_json(const std::vector<storage::EnvironmentSize>& environments) {
    json::array list;
    for (const storage::EnvironmentSize& each : environments) {
        list.push_back(json::object{{"environment", each.environment},
                                    {"file_bytes", each.file_bytes},
                                    {"live_bytes", each.live_bytes},
                                    {"free_bytes", each.free_bytes}});
    }
    return list;
}

json::array tables_json(const std::vector<storage::TableSize>& tables) {
    json::array list;
    for (const storage::TableSize& each : tables) {
        list.push_back(json::object{{"environment", each.environment},
                                    {"table", each.table},
                                    {"rows", each.rows},
                                    {"bytes", each.bytes}});
    }
    return list;
}

Tint tint_of(storage::Severity severity) {
    switch (severity) {
        case storage::Severity::note:
            return Tint::dim;
        case storage::Severity::healed:
            return Tint::warning;
        case storage::Severity::fatal:
            return Tint::bad;
    }
    return Tint::none;
}

std::string verdict(const storage::CheckReport& report) {
    if (report.healthy()) return "healthy";
    return report.fatal > 0 ? "damaged" : "damaged, and heals by itself or as said";
}

void print_check_json(const storage::CheckReport& report) {
    json::array findings;
    for (const storage::Finding& each : report.findings) {
        findings.push_back(json::object{
            {"severity", storage::describe(each.severity)}, {"place", each.place}, {"text", each.text}});
    }
    const storage::RecoverySummary& summary = report.forecast.summary;
    json::object recovery{
        {"starts", report.forecast.starts},     {"strategy", storage::describe(summary.used)},
        {"certificates", summary.certificates}, {"round", summary.highest_round.value()},
        {"commits", summary.commits},           {"microseconds", summary.took.count()},
        {"text", forecast_text(report)}};
    recovery["checkpoint"] = summary.checkpoint ? json::value(summary.checkpoint->value()) : json::value();
    print_json(json::object{{"healthy", report.healthy()},
                            {"notes", report.notes},
                            {"healed", report.healed},
                            {"fatal", report.fatal},
                            {"findings", std::move(findings)},
                            {"environments", environments_json(report.environments)},
                            {"tables", tables_json(report.tables)},
                            {"recovery", std::move(recovery)}});
}

Table size_table(const std::vector<storage::EnvironmentSize>& environments,
                 const std::vector<storage::TableSize>& tables) {
    Table sizes({{"PLACE"}, {"ROWS", true}, {"LIVE", true}, {"FREE", true}, {"FILE", true}});
    for (const storage::EnvironmentSize& each : environments) {
        sizes.row({each.environment, "", human_bytes(each.live_bytes), human_bytes(each.free_bytes),
                   human_bytes(each.file_bytes)});
        for (const storage::TableSize& table : tables) {
            if (table.environment != each.environment) continue;
            sizes.row({"  " + table.table, grouped(table.rows), human_bytes(table.bytes), "", ""});
        }
    }
    return sizes;
}

}  // namespace

std::string forecast_text(const storage::CheckReport& report) {
    if (!report.forecast.starts) return "a node does not start on this home";
    if (report.forecast.older_schema) {
        return fmt::format("a start brings the store from schema {} to this version's, then recovers",
                           *report.forecast.older_schema);
    }
    const storage::RecoverySummary& summary = report.forecast.summary;
    return fmt::format("recovery will read {} certificates up to round {} {} and {} commits, in about {}",
                       grouped(summary.certificates), summary.highest_round.value(),
                       summary.checkpoint
                           ? fmt::format("from the checkpoint of round {}", summary.checkpoint->value())
                           : std::string("from their rows"),
                       grouped(summary.commits), human_time(summary.took));
}

void print_check(const storage::CheckReport& report, Form form) {
    if (form == Form::json) return print_check_json(report);
    Table findings({{"SEVERITY"}, {"PLACE"}, {"FINDING"}});
    for (const storage::Finding& each : report.findings) {
        findings.row({{std::string(storage::describe(each.severity)), tint_of(each.severity)},
                      one_line(each.place),
                      one_line(each.text)});
    }
    if (form == Form::table) {
        size_table(report.environments, report.tables).print(form);
        print_line("");
    }
    if (!report.findings.empty()) findings.print(form);
    const std::uint64_t all = report.notes + report.healed + report.fatal;
    if (all > report.findings.size())
        note(fmt::format("{} more findings are not shown", all - report.findings.size()));
    if (form == Form::plain) {
        return print_line(
            fmt::format("{}\t\t{}", report.healthy() ? "healthy" : "damaged", forecast_text(report)));
    }
    print_line(tinted(verdict(report), report.healthy() ? Tint::good : Tint::bad, colours(stdout)));
    print_line(forecast_text(report));
}

void print_stat(const storage::StatReport& report, Form form) {
    const storage::Progress& progress = report.progress;
    if (form == Form::json) {
        json::array checkpoints;
        for (const dag::Round round : report.checkpoints) checkpoints.push_back(round.value());
        json::array journal;
        for (const storage::JournalEntry& each : report.journal) {
            journal.push_back(json::object{
                {"number", each.number}, {"at", each.at}, {"kind", each.kind}, {"text", each.text}});
        }
        return print_json(json::object{{"chain", report.identity.chain},
                                       {"schema", report.identity.schema},
                                       {"created_at", report.identity.created_at},
                                       {"updated_at", progress.updated_at},
                                       {"round", progress.highest_round.value()},
                                       {"graph_floor", progress.graph_floor.value()},
                                       {"store_floor", progress.store_floor.value()},
                                       {"commit_floor", progress.commit_floor.value()},
                                       {"commit", progress.last_commit.value()},
                                       {"certificates", progress.certificates},
                                       {"commits", progress.commits},
                                       {"transactions", progress.transactions},
                                       {"generations", report.generations},
                                       {"checkpoints", std::move(checkpoints)},
                                       {"environments", environments_json(report.environments)},
                                       {"tables", tables_json(report.tables)},
                                       {"journal", std::move(journal)}});
    }
    size_table(report.environments, report.tables).print(form);
    if (form == Form::plain) return;
    print_line("");
    print_line(fmt::format("chain {}, schema {}; round {}, commit {}, {} transactions", report.identity.chain,
                           report.identity.schema, progress.highest_round.value(),
                           progress.last_commit.value(), grouped(progress.transactions)));
    print_line(
        fmt::format("certificates above round {}, commits above {}, graph above round {}, {} "
                    "checkpoints, newest at round {}",
                    progress.store_floor.value(), progress.commit_floor.value(), progress.graph_floor.value(),
                    report.checkpoints.size(),
                    report.checkpoints.empty() ? "-" : std::to_string(report.checkpoints.back().value())));
    for (const storage::JournalEntry& each : report.journal)
        print_line(one_line(fmt::format("  {:>5}  {}: {}", each.number, each.kind, each.text)));
}

}  // namespace monodon::tools
